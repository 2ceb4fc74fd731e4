"""The user's own data: a path to idx files, a .mat, an .npz or a folder of images, read into one data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitforge.data import idx
from digitforge.data.digits import MAX_NAME, DataSet, Digits, is_name
from digitforge.data.folder import read_folder
from digitforge.data.mat import read_mat, read_mat_folder
from digitforge.data.npz import read_npz
from digitforge.data.raw import (
    RawPart,
    check_room,
    encode_labels,
    images_in_words,
    resize_images,
    resize_note,
    target_size,
)
from digitforge.errors import DataError
from digitforge.files import at_home

HELD_OUT_EVERY = 10  # one image in ten is held out where there is no test part
HELD_OUT_SEED = 0  # fixed, not the run's: two runs on one data set must hold out the same images

READABLE = (
    "an idx images file, a .mat as SVHN has them, a folder with idx or SVHN's files, an .npz, "
    "or a folder of images with one sub-folder a class"
)
MOVED_AT_ONCE = 4096  # images: 12 MB of 32x32 in colour


def read_path(path: str | Path) -> DataSet:
    """The data set at a path; images of other sizes are resized and a tenth is held out, each with a note.

    Images come out as uint8 [N, C, H, W], C 1 or 3, in their order in the files; the held-out tenth is the same each
    time. Raises DataError if there is nothing at the path, or it is damaged or of another kind.
    """
    path = at_home(path)
    try:
        train, test = read_parts(path)
    except OSError as error:  # a folder that may not be listed, a drive that went away
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path and its rights") from error
    data = _settle(path.resolve().name, train, test)
    return data if data.test is not None else hold_out(data)


def read_parts(path: Path) -> tuple[RawPart, RawPart | None]:
    """The training part of what is at a path, and its test part if it has one, with labels as the files have them."""
    if path.is_dir():
        return read_files(path) or read_folder(path)
    if not path.is_file():
        raise DataError(f"there is no file or folder {path}; give {READABLE}")
    kind = path.suffix.lower()
    if kind == ".npz":
        return read_npz(path)
    if kind == ".mat":
        return read_mat(path), None
    if "ubyte" in path.name or "idx" in path.name:
        return idx.read_pair(path, idx.labels_beside(path)), None
    raise DataError(f"{path} is not among what can be read; give {READABLE}")


def read_files(folder: Path) -> tuple[RawPart, RawPart | None] | None:
    """The parts of a folder with idx files or SVHN's by their usual names; None if it has none."""
    return _read_idx_folder(folder) or read_mat_folder(folder)


def _read_idx_folder(folder: Path) -> tuple[RawPart, RawPart | None] | None:
    """The parts of a folder with idx files by their usual names; None if it has none."""
    train, test = idx.find_pair(folder, "train"), idx.find_pair(folder, "t10k")
    if train is None and test is None:
        return None
    if train is None:
        raise DataError(f"{folder} has test images but no train-images-idx3-ubyte; put the training files beside them")
    return idx.read_pair(*train), idx.read_pair(*test) if test else None


def _settle(name: str, train: RawPart, test: RawPart | None) -> DataSet:
    """Raw parts as one data set: one size, one kind of image, one list of names."""
    parts = [train] if test is None else [train, test]
    channels = {part.images.shape[1] for part in parts}
    if len(channels) > 1:
        raise DataError(f"{train.where} mixes grey and colour between its training and test part; make them alike")
    sizes = Counter[tuple[int, int]]()
    for part in parts:
        sizes[part.images.shape[2], part.images.shape[3]] += len(part.images)
    size = target_size(sizes, channels.pop())
    for part in parts:
        check_room(part.where, len(part.images), part.images.shape[1], size)
    labels, names = encode_labels([part.labels for part in parts], train.names)
    if odd := [name for name in names if not is_name(name)]:
        raise DataError(
            f"{train.where} has the label {odd[0][:MAX_NAME]!r}; a label is 1 to {MAX_NAME} printable characters"
        )
    digits = [Digits(resize_images(part.images, size), label, names) for part, label in zip(parts, labels, strict=True)]
    notes = train.notes + resize_note(sizes, size)
    return DataSet(name, digits[0], digits[1] if test is not None else None, notes)


def hold_out(data: DataSet) -> DataSet:
    """The data set with a seeded tenth of its training part as test part, each label in proportion.

    The only image of a label is never held out, and with fewer than ten others nothing is. The images that stay move up
    in the memory that they are in, as a copy would double it: use `data` itself no more.
    """
    count, labels = len(data.train), data.train.labels
    shuffled = np.random.default_rng(HELD_OUT_SEED).permutation(count)
    shuffled = shuffled[data.train.counts[labels[shuffled]] > 1]
    if len(shuffled) < HELD_OUT_EVERY:
        few = "too few images share a label" if count >= HELD_OUT_EVERY else f"{images_in_words(count)}: too few"
        return DataSet(data.name, data.train, None, (*data.notes, f"{few} to hold out a tenth as a test part"))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    held_out = np.sort(by_label[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    kept = np.setdiff1d(np.arange(count), held_out)
    note = f"no test part of its own: a fixed tenth ({images_in_words(len(held_out))}) is held out"
    test = data.train.take(held_out)
    return DataSet(data.name, _moved_up(data.train, kept), test, (*data.notes, note))


def _moved_up(digits: Digits, kept: NDArray[np.int64]) -> Digits:
    """The images at `kept` [M], which rises, at the front of the memory that all images are in."""
    for start in range(0, len(kept), MOVED_AT_ONCE):
        part = kept[start : start + MOVED_AT_ONCE]
        digits.images[start : start + len(part)] = digits.images[part]  # taken from there or further behind
    return replace(digits, images=digits.images[: len(kept)], labels=digits.labels[kept])

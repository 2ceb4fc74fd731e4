"""MATLAB files in SVHN's layout: images X [H, W, C, N] and labels y [N, 1], read in little more than their own memory.

http://ufldl.stanford.edu/housenumbers/ describes it as "format 2": column-major, and the label 10 for the digit 0.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from digitforge.data.digits import Images, Labels
from digitforge.data.matlab import NUMERIC, StoredArray, damaged, find_arrays
from digitforge.data.raw import RawPart
from digitforge.errors import DataError, to_install
from digitforge.files import write_whole

TRAIN_NAME, TEST_NAME = "train_32x32.mat", "test_32x32.mat"  # as SVHN's own files are called
LAYOUT = "X uint8 [H, W, 3, N] (grey: [H, W, N]) and y [N, 1], as SVHN has them"
TEN_FOR_ZERO = range(1, 11)  # MATLAB counts from 1, so that SVHN's digit 0 is its tenth class
UINT8 = np.dtype(np.uint8).str
CHUNK = 1024  # images transposed at once: 3 MB of 32x32 in colour
TEXT_BYTES = 116  # of free text at the beginning of a file, where SciPy writes the time of day


def read_mat(path: Path) -> RawPart:
    """The images and labels of a .mat file; labels that lie within 1 to 10 are digits, and 10 of them the digit 0.

    Images are transposed as they are unpacked, so that no second copy of them is held. Raises DataError if the file is
    damaged, of another layout or version, or names more than its bytes can hold.
    """
    part = _read_part(path)
    return replace(part, labels=_digits(part.labels, part.labels))


def _read_part(path: Path) -> RawPart:
    """The images and labels of a file as they are."""
    try:
        with path.open("rb") as stream:
            arrays = find_arrays(stream, path)
            images, labels = _wanted(arrays, "X", ("uint8",), path), _wanted(arrays, "y", NUMERIC, path)
            found = _read_labels(stream, labels)
            return RawPart(_read_images(stream, images, len(found)), found, str(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path and its rights") from error


def read_mat_folder(folder: Path) -> tuple[RawPart, RawPart | None] | None:
    """The parts of a folder with SVHN's files by their usual names; None if it has none.

    Whether 10 is the digit 0 is told by the labels of both.
    """
    train, test = folder / TRAIN_NAME, folder / TEST_NAME
    if not train.is_file():
        if test.is_file():
            raise DataError(f"{folder} has {TEST_NAME} but no {TRAIN_NAME}; put the training file beside it")
        return None
    parts = [_read_part(path) for path in (train, test) if path.is_file()]
    together = np.concatenate([part.labels for part in parts])
    first, *second = [replace(part, labels=_digits(part.labels, together)) for part in parts]
    return first, second[0] if second else None


def write_mat(path: Path, images: Images, labels: Labels) -> None:
    """Write uint8 [N, C, H, W] and their digits [N], 0..9, as SVHN's layout has them, uncompressed.

    Equal digits give equal bytes; memory is taken for two more copies of the images. Raises DataError if SciPy is
    missing, OutputError if the file can't be written.
    """
    need_scipy()
    from scipy.io import savemat

    tens = np.where(labels == 0, TEN_FOR_ZERO[-1], labels).astype(np.uint8)
    stream = io.BytesIO()
    savemat(stream, {"X": images.transpose(2, 3, 1, 0), "y": tens[:, np.newaxis]})
    stream.seek(0)
    stream.write(b"MATLAB 5.0 MAT-file".ljust(TEXT_BYTES))
    write_whole(path, stream.getvalue())


def need_scipy() -> None:
    """Raise DataError where SciPy, which knows the format, is not installed."""
    try:
        import scipy.io  # noqa: F401
    except ImportError as error:
        raise DataError(f"writing .mat files takes SciPy, which is missing; {to_install('train')}") from error


def _wanted(arrays: dict[str, StoredArray], name: str, kinds: tuple[str, ...], path: Path) -> StoredArray:
    """The array that is called so, of one of these kinds."""
    if name not in arrays:
        found = ", ".join(sorted(filter(None, arrays))[:8]) or "nothing"
        raise DataError(f"{path} has no array {name} (found {found}); expected {LAYOUT}")
    if arrays[name].kind not in kinds:
        raise DataError(f"{path}: its {name} is of the kind {arrays[name].kind}; expected {LAYOUT}")
    return arrays[name]


def _read_labels(stream: BinaryIO, stored: StoredArray) -> Labels:
    """The labels int64 [N] of an array [N, 1], which are whole numbers from 0."""
    path = stored.place.path
    if len(stored.shape) != 2 or 1 not in stored.shape:
        raise DataError(f"{path}: its y has the shape {list(stored.shape)}; expected {LAYOUT}")
    found = np.frombuffer(b"".join(stored.numbers(stream, stored.byte_count)), stored.dtype)
    # Beyond 2^53 a double leaves numbers out; nobody has so many classes.
    if not ((found >= 0) & (found < 2**53) & (found == np.floor(found))).all():
        raise DataError(f"{path}: its y holds other things than whole numbers from 0; expected {LAYOUT}")
    return found.astype(np.int64)


def _digits(labels: Labels, known: Labels) -> Labels:
    """Labels with 0 for 10, unless others than 1 to 10 among all that are known tell that 10 is just a number."""
    if len(known) and known.min() in TEN_FOR_ZERO and known.max() in TEN_FOR_ZERO:
        return np.where(labels == TEN_FOR_ZERO[-1], 0, labels)
    return labels


def _read_images(stream: BinaryIO, stored: StoredArray, count: int) -> Images:
    """X [H, W, C, N] in column-major order as [N, C, H, W] in row-major order.

    Column by column an image's numbers lie together, its channels one after the other: each channel is transposed.
    """
    height, width, channels = _image_axes(stored, count)
    size = height * width * channels
    images = np.empty((count, channels, height, width), np.uint8)
    if not images.size:
        return images
    for number, part in enumerate(stored.numbers(stream, CHUNK * size)):
        by_columns = np.frombuffer(part, np.uint8).reshape(-1, channels, width, height)
        images[number * CHUNK :][: len(by_columns)] = by_columns.transpose(0, 1, 3, 2)
    return images


def _image_axes(stored: StoredArray, count: int) -> tuple[int, int, int]:
    """Height, width and channels of `count` images; MATLAB leaves out last sizes of one, grey images their channel."""
    shape = stored.shape
    if stored.dtype != UINT8:
        raise damaged(stored.place.path, f"uint8 images that are stored as {stored.dtype}")
    for candidate in (shape, (*shape, 1), (*shape[:2], 1, *shape[2:]), (*shape, 1, 1)):
        if len(candidate) == 4 and candidate[2] in (1, 3) and candidate[3] == count:
            return candidate[0], candidate[1], candidate[2]
    raise DataError(
        f"{stored.place.path}: its X has the shape {list(shape)}, and y {count:,} labels; expected {LAYOUT}"
    )

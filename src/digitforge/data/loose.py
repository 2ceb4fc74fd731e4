"""Images that are no data set, such as another program's drawings: all of those at a path, as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import UNLABELLED, DataSet, Digits, Images, listed
from digitforge.data.folder import read_pictures
from digitforge.data.formats import read_files, read_parts
from digitforge.data.npz import read_unlabelled
from digitforge.data.raw import RawPart, channels_first
from digitforge.errors import DataError
from digitforge.files import at_home

_UNKNOWN = ("", "-1")  # labels of images without any: by a reader, and as `generate` writes them into an .npz


@dataclass(frozen=True)
class LooseImages:
    """Images of one size, with or without labels.

    images: uint8 [N, C, H, W], C 1 or 3. labels: what each image is called, str [N]; None where nothing says.
    where: the file or folder, for messages. notes: sentences on what lies there and was left out.
    """

    images: Images
    labels: NDArray[np.str_] | None
    where: str
    notes: tuple[str, ...] = ()

    def as_digits(self, data: DataSet) -> Digits:
        """The images with labels as a data set numbers them, all 0 where there are none; grey ones in one channel.

        Raises DataError for images of another size or kind than the data's, and for a label that the data lack.
        """
        channels, height, width = data.train.shape
        images = self.images
        if channels == 1 and (images == images[:, :1]).all():
            images = images[:, :1]  # many a program writes grey images as red, green and blue
        if images.shape[1:] != data.train.shape:
            found, wanted = ("x".join(map(str, shape)) for shape in (images.shape[1:], (channels, height, width)))
            raise DataError(
                f"the images in {self.where} are {found}, and those of {data.name} are {wanted} (channels x height x "
                "width); bring them to that size first, as how that is done moves every figure"
            )
        names = data.train.names
        if self.labels is None:
            return Digits(images, np.zeros(len(images), np.int64), names)
        found_names, places = np.unique(self.labels, return_inverse=True)
        known = [names[label] for label in np.flatnonzero(data.train.counts)]
        if unknown := [name for name in found_names.tolist() if name not in known]:
            raise DataError(
                f"a label in {self.where} is {unknown[0]!r}, which {data.name} lacks: it has {listed(known)}; name the "
                "data's labels, or give the images without any: a folder without sub-folders, an .npz of images alone"
            )
        numbers = np.asarray([names.index(name) for name in found_names.tolist()], np.int64)
        return Digits(images, numbers[places], names)


def find_images(images: Digits | NDArray[np.uint8] | str | Path) -> LooseImages:
    """Images as they are handed over, an array without labels or `Digits` with some, or those at a path.

    Raises DataError for an array that is none of images, and what read_images() raises.
    """
    if isinstance(images, Digits):
        labels = None if images.names == UNLABELLED else np.asarray(images.names)[images.labels]
        return LooseImages(images.images, labels, "the array")
    if not isinstance(images, np.ndarray):
        return read_images(images)
    if images.dtype != np.uint8:
        raise DataError(f"the array holds {images.dtype}; expected uint8, 0 (no ink) to 255 (full ink)")
    return LooseImages(channels_first(images, "the array"), None, "the array")


def read_images(path: str | Path) -> LooseImages:
    """All images at a path, a training and a test part as one, none of them resized or held out.

    A path is whatever load_data() reads, and also a folder of images without sub-folders, or an .npz without labels.
    Raises DataError if there is nothing at the path, it is damaged or of another kind, or its images differ in size.
    """
    path = at_home(path)
    try:
        parts = _parts(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path and its rights") from error
    if len({part.images.shape[1:] for part in parts}) > 1:
        raise DataError(f"{path} holds a training and a test part of other sizes or kinds; give them one by one")
    images = np.concatenate([part.images for part in parts]) if len(parts) > 1 else parts[0].images
    labels = np.concatenate([_spelt(part) for part in parts])
    notes = tuple(note for part in parts for note in part.notes)
    return LooseImages(images, None if np.isin(labels, _UNKNOWN).all() else labels, str(path), notes)


def _parts(path: Path) -> list[RawPart]:
    """The parts at a path; of images without labels these are ""."""
    if path.is_dir():
        if files := read_files(path):
            return [part for part in files if part is not None]
        if pictures := read_pictures(path):
            return [pictures]
    elif path.suffix.lower() == ".npz" and path.is_file() and (parts := read_unlabelled(path)):
        return parts
    elif path.is_file():
        return [part for part in read_parts(path) if part is not None]
    what = "holds no images that can be read" if path.is_dir() else "is not there"
    raise DataError(
        f"{path} {what}; give a folder of images, or of one sub-folder a label, or an .npz, .mat or idx file"
    )


def _spelt(part: RawPart) -> NDArray[np.str_]:
    """What each image's label is called."""
    spelt: NDArray[np.str_] = np.asarray(part.names)[part.labels] if part.names else part.labels.astype(str)
    return spelt

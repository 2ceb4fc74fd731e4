"""What a reader hands over: images of one size, labels as the file had them; and how both become digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitforge.data.digits import DIGIT_NAMES, Images, Labels
from digitforge.errors import DataError

Size = tuple[int, int]  # height, width in pixels

KEPT_SIDES = (28, 32)  # MNIST's and SVHN's sides, which the recipes' networks are made for
GREY_SIDE, COLOUR_SIDE = KEPT_SIDES

# What one array may take in memory, in bytes: SVHN's largest part (531,131 colour images) needs 1.6 GB of it.
MAX_BYTES = 4 * 1024**3


@dataclass(frozen=True)
class RawPart:
    """One part of a data set as a file holds it.

    images: uint8 [N, C, H, W] of any one size, C 1 or 3.
    labels: integers or strings [N].
    where: the file or folder, for messages.
    notes: what was done to the images, for the user.
    names: what labels from 0 on are called, where the file says so; else each label is its own name.
    """

    images: Images
    labels: NDArray[Any]
    where: str
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.images.size == 0:
            raise DataError(f"{self.where} holds no image; give at least one image a class")
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{self.where} holds {len(self.images)} images but {len(self.labels)} labels; make them equal"
            )


def channels_first(images: NDArray[np.uint8], where: str) -> Images:
    """uint8 [N, H, W], [N, H, W, 1 or 3] or [N, 1 or 3, H, W] as [N, C, H, W]."""
    if images.ndim == 3:
        return images[:, np.newaxis]
    if images.ndim == 4 and images.shape[3] in (1, 3):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim == 4 and images.shape[1] in (1, 3):
        return images
    raise DataError(
        f"{where} holds images of shape {list(images.shape)}; expected [N, H, W], [N, H, W, 3] or [N, C, H, W]"
    )


def encode_labels(parts: Sequence[NDArray[Any]], given: Sequence[str] = ()) -> tuple[list[Labels], tuple[str, ...]]:
    """Label indices of each part, and the names that all parts share.

    given: what the labels, numbers from 0, are called; they then keep their numbers, and each name stays. Without it
    the names are the labels that occur, in sorted order (numbers by value). Either way, where every one is one of 0 to
    9, the names are the ten digits and each label is its digit, even if some digits are absent.
    """
    found = [np.unique(part, return_inverse=True) for part in parts]  # millions of labels are few names
    spelt = [np.asarray(given)[values] if given else values.astype(str) for values, _ in found]
    names = list(given) or sorted(set(np.concatenate(spelt).tolist()), key=_by_value)
    if set(names) <= set(DIGIT_NAMES):
        names = list(DIGIT_NAMES)
    order = np.argsort(names)
    sorted_names = np.asarray(names)[order]
    indices = [order[np.searchsorted(sorted_names, values)].astype(np.int64) for values in spelt]
    return [own[places] for own, (_, places) in zip(indices, found, strict=True)], tuple(names)


def _by_value(name: str) -> tuple[bool, int, str]:
    """Whole numbers first and by value ("9" before "10"), then names by their letters."""
    try:
        return False, int(name), name
    except ValueError:
        return True, 0, name


def target_size(sizes: Counter[Size], channels: int) -> Size:
    """The size that all images get: the most common one if the recipes know it, else 28x28 (grey) or 32x32 (colour)."""
    common = sizes.most_common(1)[0][0]
    if common in {(side, side) for side in KEPT_SIDES}:
        return common
    side = GREY_SIDE if channels == 1 else COLOUR_SIDE
    return side, side


def images_in_words(count: int) -> str:
    """So many images, as a sentence has them."""
    return f"{count:,} {'image' if count == 1 else 'images'}"


def resize_note(sizes: Counter[Size], target: Size) -> tuple[str, ...]:
    """One sentence for the user on what was resized; none if nothing was."""
    others = [size for size, _ in sizes.most_common() if size != target]
    if not others:
        return ()
    count = sum(sizes[size] for size in others)
    came_from = ", ".join(f"{height}x{width}" for height, width in others[:3]) + (", ..." if len(others) > 3 else "")
    return (f"{count:,} images resized from {came_from} to {target[0]}x{target[1]} (height x width, in pixels)",)


def check_room(where: str, count: int, channels: int, size: Size) -> None:
    """Raise DataError for images that take more than MAX_BYTES at a size: a few bytes pack millions of 1x1."""
    needed = count * channels * size[0] * size[1]
    if needed > MAX_BYTES:
        raise DataError(
            f"{where} holds {count:,} images, which take {needed:,} bytes at {size[0]}x{size[1]} pixels, "
            f"more than the {MAX_BYTES:,} that are read at most; give fewer images"
        )


def resize_images(images: Images, size: Size) -> Images:
    """uint8 [N, C, H, W] at another size, each side stretched on its own; unchanged if it has that size already."""
    if images.shape[2:] == size:
        return images
    resized = np.empty((*images.shape[:2], *size), np.uint8)
    for plane, image in zip(resized.reshape(-1, *size), images.reshape(-1, *images.shape[2:]), strict=True):
        plane[:] = resize_picture(Image.fromarray(image), size)
    return resized


def resize_picture(picture: Image.Image, size: Size) -> Image.Image:
    """A picture at another height and width; Lanczos, which keeps thin strokes when it shrinks."""
    return picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)

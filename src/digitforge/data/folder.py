"""A folder of images with one sub-folder a class, below `train` and `test` if it has them."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from digitforge.data.digits import Images
from digitforge.data.raw import RawPart, Size, resize_note, resize_picture, target_size
from digitforge.errors import DataError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
# Named, since Pillow would go by the content alone, and for some kinds, such as PostScript, start another program.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
LYING = (5, 6, 7, 8)  # orientations in a camera's metadata that change height for width
_TURNED = "TIFF"  # the format whose images Pillow turns itself
MAX_PIXELS = 4096 * 4096  # of one image: digits are crops; a few kilobytes can unpack to gigabytes
# What Pillow's readers raise on garbled bytes.
DAMAGE = (OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, struct.error, zlib.error)
EIGHT_BIT_GREY = ("1", "L", "LA", "La")
SIXTEEN_BIT_GREY = ("I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class _Picture:
    """One image file: what was learned from its header."""

    path: Path
    class_name: str
    size: Size
    is_grey: bool


def read_folder(folder: Path) -> tuple[RawPart, RawPart | None]:
    """The training part of a folder of images, and its test part if it has `train` and `test` folders.

    Grey if every image is grey, else colour. Raises DataError for a folder without classes and for an image that is
    unreadable, too large or transparent.
    """
    has_parts = _classes(folder / "train") != []
    train = _survey(folder / "train" if has_parts else folder)
    test = _survey(folder / "test") if has_parts and (folder / "test").is_dir() else []
    channels = 1 if all(picture.is_grey for picture in train + test) else 3
    sizes = Counter(picture.size for picture in train + test)
    size = target_size(sizes, channels)
    notes = resize_note(sizes, size)
    return _load(folder, train, channels, size, notes), _load(folder, test, channels, size, ()) if test else None


def read_pictures(folder: Path) -> RawPart | None:
    """All images of a folder, or of its sub-folders, by whose names they are labelled, in the size that they have.

    Their labels are "" where they lie in the folder itself. None where there are none at either place. Raises DataError
    for images at both places or of several sizes, and for one that is unreadable, too large or transparent.
    """
    loose, classes = _image_files(folder), _classes(folder)
    if not loose and not classes:
        return None
    if loose and classes:
        raise DataError(
            f"{folder} holds {len(loose):,} images beside its sub-folders, so that it is unclear whether they have "
            "labels; move the ones or the others elsewhere"
        )
    found = _survey(folder) if classes else [_survey_picture(path, "") for path in loose]
    sizes = Counter(picture.size for picture in found)
    if len(sizes) > 1:
        some = ", ".join(f"{height}x{width}" for height, width in list(sizes)[:3])
        raise DataError(f"{folder} holds images of several sizes ({some}, height x width); bring them to one")
    return _load(folder, found, 1 if all(picture.is_grey for picture in found) else 3, next(iter(sizes)), ())


def _classes(folder: Path) -> list[Path]:
    """The sub-folders that hold images, in order of their names; hidden ones are left out."""
    if not folder.is_dir():
        return []
    below = (child for child in folder.iterdir() if child.is_dir() and not child.name.startswith((".", "__")))
    return sorted(child for child in below if _image_files(child))


def _image_files(folder: Path) -> list[Path]:
    return sorted(
        child
        for child in folder.iterdir()
        if child.suffix.lower() in IMAGE_SUFFIXES and child.is_file() and not child.name.startswith(".")
    )


def _survey(folder: Path) -> list[_Picture]:
    """Every image below the folder, by its header alone: its pixels are not unpacked yet."""
    classes = _classes(folder)
    if not classes:
        raise DataError(
            f"{folder} holds neither idx files or SVHN's by their usual names nor one sub-folder of images a class "
            "(such as 0/a.png, 1/b.png); arrange it so, or give an .npz"
        )
    return [_survey_picture(path, child.name) for child in classes for path in _image_files(child)]


def _survey_picture(path: Path, class_name: str) -> _Picture:
    with _opened(path) as picture:
        picture.verify()  # the check sums of a PNG's parts, which Pillow passes over as it unpacks them
    with _opened(path) as picture:
        height, width = picture.height, picture.width
        if picture.format != _TURNED and picture.getexif().get(ExifTags.Base.Orientation) in LYING:
            height, width = width, height
        return _Picture(path, class_name, (height, width), _is_grey(picture))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image file, opened but not unpacked; what Pillow finds wrong with it within the block is named."""
    try:
        with warnings.catch_warnings():
            # Oddities in metadata that nobody here reads, and Pillow's word on large images: our own limit is tighter.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                _refuse_too_large(picture, path)
                yield picture
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} is too large ({error}); crop it to one digit") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is no readable image; replace or remove it") from error
    except DAMAGE as error:
        raise DataError(f"{path} is a damaged image ({error}); replace or remove it") from error


def _refuse_too_large(picture: Image.Image, path: Path) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise DataError(
            f"{path} has {picture.width:,} x {picture.height:,} pixels; "
            f"expected at most {MAX_PIXELS:,} in all: crop it to one digit"
        )


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode == "P":
        palette = np.asarray(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return picture.mode in EIGHT_BIT_GREY + SIXTEEN_BIT_GREY


def _load(folder: Path, pictures: Sequence[_Picture], channels: int, size: Size, notes: tuple[str, ...]) -> RawPart:
    images = np.empty((len(pictures), channels, *size), np.uint8)
    for place, picture in zip(images, pictures, strict=True):
        place[:] = _load_pixels(picture, channels, size)
    return RawPart(images, np.asarray([picture.class_name for picture in pictures]), str(folder), notes)


def _load_pixels(found: _Picture, channels: int, size: Size) -> Images:
    """The pixels of one image file: uint8 [C, H, W]."""
    with _opened(found.path) as picture:
        fitting = _to_eight_bit(picture, found.path)
        if picture.format != _TURNED:
            fitting = ImageOps.exif_transpose(fitting)
        fitting = fitting.convert("L" if channels == 1 else "RGB")
        if found.size != size:
            fitting = resize_picture(fitting, size)
        return np.asarray(fitting, np.uint8).reshape(*size, channels).transpose(2, 0, 1)


def _to_eight_bit(picture: Image.Image, path: Path) -> Image.Image:
    """The picture with 8 bits a channel and without its alpha channel, which must be opaque."""
    if picture.mode in SIXTEEN_BIT_GREY:
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))  # Pillow's own conversion clips at 255
    if picture.mode in ("I", "F"):
        raise DataError(f"{path} has 32 bits a pixel, whose range is unknown; save it with 8 bits")
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise DataError(
            f"{path} is partly transparent, so that its background is unknown; save it without transparency"
        )
    return picture

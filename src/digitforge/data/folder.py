"""A folder of images with one sub-folder a class, below `train` and `test` (or `val`) if it has them."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from digitforge.data.digits import Images
from digitforge.data.raw import RawPart, Size, check_room, images_in_words, resize_note, resize_picture, target_size
from digitforge.errors import DataError

TRAIN = "train"
HELD_OUT = ("test", "val", "valid", "validation")  # beside `train`: the first of them is held out
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
# Images too, as telephones, cameras and drawing programs write them, which Pillow reads not at all or not the same way.
UNREAD_SUFFIXES = frozenset(
    {".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw"}
)
MOST_LEFT_OUT = 5  # folders that are left out, by name; further ones are counted
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


@dataclass(frozen=True)
class _Inside:
    """What lies in one folder, but for what is hidden, in order of the names: images, those of kinds that are not read,
    and folders.
    """

    images: list[Path]
    unread: list[Path]
    folders: list[Path]


def read_folder(folder: Path) -> tuple[RawPart, RawPart | None]:
    """The training part of a folder of images, and its held-out part if it has `train` and `test` or `val` folders.

    Grey if every image is grey, else colour. A note tells what lies there and is not read. Raises DataError for a
    folder without classes and for an image that is unreadable, too large or transparent.
    """
    parts = _parts(folder)
    found = [_survey(part, classes) for part, classes in parts.items()]
    every = [picture for pictures in found for picture in pictures]
    channels = 1 if all(picture.is_grey for picture in every) else 3
    sizes = Counter(picture.size for picture in every)
    size = target_size(sizes, channels)
    notes = _left_out(folder, parts) + resize_note(sizes, size)
    train = _load(folder, found[0], channels, size, notes)
    return train, _load(folder, found[1], channels, size, ()) if len(found) > 1 else None


def read_pictures(folder: Path) -> RawPart | None:
    """All images of a folder without classes, or of all its parts' classes, in the size that they have.

    They are labelled by their classes, with "" where there are none. None where there are no images. Raises DataError
    for images beside classes, or of several sizes, and for one that is unreadable, too large or transparent.
    """
    inside, parts = _look(folder), _parts(folder)
    has_classes = any(parts.values())
    if has_classes and inside.images:
        raise DataError(
            f"{folder} holds {len(inside.images):,} images beside its sub-folders, so that it is unclear whether they "
            "have labels; move the ones or the others elsewhere"
        )
    if has_classes:
        found = [picture for part, classes in parts.items() for picture in _survey(part, classes)]
        notes = _left_out(folder, parts)
    elif inside.images:
        found = [_survey_picture(path, "") for path in inside.images]
        kinds = ", ".join(sorted({path.suffix.lower() for path in inside.unread}))
        images = images_in_words(len(inside.unread))
        notes = (f"left out: {images} of kinds that cannot be read ({kinds})",) if kinds else ()
    else:
        return None
    sizes = Counter(picture.size for picture in found)
    if len(sizes) > 1:
        some = ", ".join(f"{height}x{width}" for height, width in list(sizes)[:3])
        raise DataError(f"{folder} holds images of several sizes ({some}, height x width); bring them to one")
    size = next(iter(sizes))
    channels = 1 if all(picture.is_grey for picture in found) else 3
    check_room(str(folder), len(found), channels, size)
    return _load(folder, found, channels, size, notes)


def _parts(folder: Path) -> dict[Path, dict[Path, _Inside]]:
    """The folder of the training part, and that of the held-out part where there is one, with the classes of each."""
    train = folder / TRAIN
    if not (classes := _classes(train)):
        return {folder: _classes(folder)}
    parts = {train: classes}
    for name in HELD_OUT:
        if classes := _classes(folder / name):
            return parts | {folder / name: classes}
    return parts


def _classes(folder: Path) -> dict[Path, _Inside]:
    """The sub-folders that hold images, in order of their names, with what lies in each."""
    if not folder.is_dir():
        return {}
    return {child: inside for child in _look(folder).folders if (inside := _look(child)).images}


def _look(folder: Path) -> _Inside:
    images: list[Path] = []
    unread: list[Path] = []
    folders: list[Path] = []
    for child in sorted(folder.iterdir()):
        suffix = child.suffix.lower()
        if child.name.startswith("."):
            continue
        if suffix in IMAGE_SUFFIXES and child.is_file():
            images.append(child)
        elif suffix in UNREAD_SUFFIXES and child.is_file():
            unread.append(child)
        elif not child.name.startswith("__") and child.is_dir():
            folders.append(child)
    return _Inside(images, unread, folders)


def _left_out(folder: Path, parts: Mapping[Path, dict[Path, _Inside]]) -> tuple[str, ...]:
    """One sentence for the user on what lies there and is not read; none if that is nothing."""
    inside = {child: found for classes in parts.values() for child, found in classes.items()}
    levels = [(part, "the class folders") for part in parts]
    if folder not in parts:
        levels.insert(0, (folder, " and ".join(part.name for part in parts)))
    images, folders = Counter[str](), list[str]()
    for level, beside in levels:
        found = _look(level)
        images[f"beside {beside}"] += len(found.images + found.unread)
        for child in found.folders:
            if child not in inside and child not in parts:
                why = _why_no_class(child) if level in parts else f"beside {beside}"
                folders.append(f"{_shown(child, folder)} ({why})")
    for found in inside.values():
        images.update(f"of the kind {path.suffix.lower()}" for path in found.unread)
        folders += [f"{_shown(child, folder)} (inside a class folder)" for child in found.folders]
    what = [f"{images_in_words(count)} {where}" for where, count in images.items() if count]
    what += folders[:MOST_LEFT_OUT]
    if len(folders) > MOST_LEFT_OUT:
        what.append(f"{len(folders) - MOST_LEFT_OUT:,} more folders")
    return (f"left out: {'; '.join(what)}",) if what else ()


def _why_no_class(folder: Path) -> str:
    return "images only in folders inside it" if _classes(folder) else "no image of a kind that can be read"


def _shown(path: Path, folder: Path) -> str:
    """A path below the folder, as a terminal can print it."""
    text = path.relative_to(folder).as_posix()
    return text if text.isprintable() else repr(text)


def _survey(folder: Path, classes: dict[Path, _Inside]) -> list[_Picture]:
    """Every image of the classes of a folder, by its header alone: its pixels are not unpacked yet."""
    if not classes:
        raise DataError(
            f"{folder} holds neither idx files or SVHN's by their usual names nor one sub-folder of images a class "
            "(such as cat/a.png, dog/b.png); arrange it so, or give an .npz; without labels put all images into one "
            "sub-folder and train express-untold"
        )
    return [_survey_picture(path, child.name) for child, inside in classes.items() for path in inside.images]


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

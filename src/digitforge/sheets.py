"""Sheets: many images side by side in one picture, for people to look at."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from digitforge.data.digits import FEW_LABELS, Digits, Images, few_of
from digitforge.errors import OutputError

if TYPE_CHECKING:
    from digitforge.forge import Forge

Picture = NDArray[np.uint8]  # [H, W] grey or [H, W, 3] RGB

SCALE = 2  # each pixel of a digit becomes so many on a side: 28 pixels are small on today's screens
GAP = 2  # pixels between two images of a labelled sheet, before scaling
BAND_GAP = 4  # pixels between two labels
MODEL_COLUMNS = 10  # images of a label on a model's sheet
_DRAWN_FREELY = 500  # for it where nobody tells the model its labels: some 50 of each digit, if it draws them equally
MAX_IMAGES = 10_000  # on one picture
MAX_PIXELS = 2**24  # of one picture before scaling: 10,000 images of 32x32 with gaps; in colour, doubled, 200 MB
PNG_DAMAGE = (OSError, ValueError, SyntaxError, LookupError, struct.error, Image.DecompressionBombError)
_BACKGROUND = 40  # darker than ink, lighter than paper, so that black images keep their edges
_INK = 230
_PAPER, _ON_PAPER = 255, 30  # grey levels of paper and of what is written on it
_PAPER_GAP = 14  # pixels between pictures on paper, and around them all
_LETTERS = 14  # of a label's name that are shown
_FONT_SIZE = 14  # pixels


def grid(images: Images, columns: int) -> Picture:
    """Images [N, C, H, W] in rows of `columns`, edge to edge: uint8 [rows * H, columns * W] or, for C = 3, [..., 3].

    Places that are left over are black. Raises OutputError for more than a picture can hold.
    """
    if columns < 1 or len(images) == 0:
        raise ValueError(f"a grid needs at least one image and one column, not {len(images)} and {columns}")
    count, channels, height, width = images.shape
    rows = math.ceil(count / columns)
    check_fits(count, height, width, rows * columns)
    places = np.zeros((rows * columns, channels, height, width), np.uint8)
    places[:count] = images
    tiles = places.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    return _as_picture(tiles.reshape(rows * height, columns * width, channels))


def square_grid(images: Images) -> Picture:
    """The images in a grid with about as many rows as columns."""
    return grid(images, math.ceil(math.sqrt(len(images))))


def captioned_rows(
    pictures: Sequence[Image.Image], captions: Sequence[str], columns: int, caption: int, font_size: int
) -> Image.Image:
    """Pictures in rows of `columns` on white paper, each below its caption.

    caption: pixels for one above its picture. font_size: in pixels.
    """
    font = ImageFont.load_default(font_size)
    columns = min(columns, len(pictures))
    width = _PAPER_GAP + max([one.width for one in pictures] + [math.ceil(font.getlength(each)) for each in captions])
    height = _PAPER_GAP + max(one.height for one in pictures) + caption
    mode = "RGB" if any(one.mode == "RGB" for one in pictures) else "L"
    paper, ink = (level if mode == "L" else (level,) * 3 for level in (_PAPER, _ON_PAPER))
    size = (columns * width + _PAPER_GAP, math.ceil(len(pictures) / columns) * height + _PAPER_GAP)
    sheet = Image.new(mode, size, paper)
    draw = ImageDraw.Draw(sheet)
    for place, (picture, text) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(place, columns)
        left, top = _PAPER_GAP + column * width, _PAPER_GAP // 2 + row * height
        draw.text((left, top + caption // 2), text, fill=ink, font=font, anchor="lm")
        sheet.paste(picture, (left, top + caption))
    return sheet


def beside(pictures: Sequence[Picture]) -> Picture:
    """Pictures of one height, left to right, a gap between them."""
    gap = np.full_like(pictures[0][:, :BAND_GAP], _BACKGROUND)
    return np.concatenate([part for picture in pictures for part in (gap, picture)][1:], axis=1)


def labelled_sheet(digits: Digits, columns: int | None = None) -> Image.Image:
    """One band a label that occurs, its name at the left, the images in rows of `columns`, doubled in size.

    columns: None makes the sheet about square. Raises OutputError for more than a picture can hold.
    """
    labels = [int(label) for label in np.flatnonzero(digits.counts)]
    if not labels:
        raise ValueError("a sheet needs at least one image")
    columns = min(columns or math.ceil(math.sqrt(len(digits))), int(digits.counts.max()))
    places = sum(math.ceil(int(digits.counts[label]) / columns) * columns for label in labels)
    check_fits(len(digits), digits.shape[1] + GAP, digits.shape[2] + GAP, places)
    font = ImageFont.load_default(_FONT_SIZE)
    names = [_shortened(digits.names[label]) for label in labels]
    margin = max(math.ceil(font.getlength(name)) for name in names) + 4 * SCALE
    bands = [_band(digits.images[digits.labels == label], columns) for label in labels]
    width = margin + bands[0].shape[1] * SCALE
    height = (sum(len(band) for band in bands) + BAND_GAP * (len(bands) + 1)) * SCALE
    sheet = Image.new("L" if bands[0].ndim == 2 else "RGB", (width, height), _grey(_BACKGROUND, bands[0]))
    draw, top = ImageDraw.Draw(sheet), BAND_GAP * SCALE
    for name, band in zip(names, bands, strict=True):
        middle = top + digits.shape[1] * SCALE // 2
        draw.text((margin // 2, middle), name, fill=_grey(_INK, band), font=font, anchor="mm")
        sheet.paste(Image.fromarray(enlarged(band)), (margin, top))
        top += (len(band) + BAND_GAP) * SCALE
    return sheet


def model_sheet(forge: Forge) -> Image.Image:
    """A few images of each label that a model draws, a row a label; fewer of a label that it hardly draws.

    Of many labels 26 are shown; a model that is told none of many shows a hundred images as they come.
    """
    if len(forge.names) > FEW_LABELS and not forge.is_told:
        return Image.fromarray(enlarged(grid(forge.generate(count=MODEL_COLUMNS**2).images, MODEL_COLUMNS)))
    return labelled_sheet(_by_label(forge), MODEL_COLUMNS)


def enlarged(picture: Picture, scale: int = SCALE) -> Picture:
    """A picture with each pixel repeated `scale` times in both directions."""
    return picture.repeat(scale, 0).repeat(scale, 1)


def png_bytes(picture: Picture | Image.Image) -> bytes:
    """A picture as a PNG file; equal pictures give equal bytes."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def read_png(content: bytes) -> Image.Image:
    """A sheet's PNG file as a picture, after the check sums of all its parts, which Pillow else passes over.

    Raises one of PNG_DAMAGE for what is damaged, no PNG, or larger than a sheet can be.
    """
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        if picture.width * picture.height > MAX_PIXELS * SCALE**2:
            raise ValueError(f"{picture.width:,} x {picture.height:,} pixels are too many for a sheet")
        picture.verify()
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        picture.load()
        return picture


def check_fits(count: int, height: int, width: int, places: int | None = None) -> None:
    """Raise OutputError if one picture can't hold `count` images of this size (pixels) on `places` places."""
    if count > MAX_IMAGES or (places or count) * height * width > MAX_PIXELS:
        most = min(MAX_IMAGES, MAX_PIXELS // (height * width))
        raise OutputError(
            f"{count:,} images are too many for one picture, which holds about {most:,} of them; "
            "write a folder or an .npz file instead"
        )


def _by_label(forge: Forge) -> Digits:
    if forge.is_told:
        shown = few_of(np.asarray(forge.card.trained, np.int64))
        parts = [forge.generate(forge.card.names[label], MODEL_COLUMNS) for label in shown]
        images = np.concatenate([part.images for part in parts])
        return Digits(images, np.concatenate([part.labels for part in parts]), forge.card.names)
    drawn = forge.generate(count=_DRAWN_FREELY)
    chosen = [np.flatnonzero(drawn.labels == label)[:MODEL_COLUMNS] for label in range(len(drawn.names))]
    return drawn.take(np.concatenate(chosen))


def _band(images: Images, columns: int) -> Picture:
    """One label's images in rows, a gap behind each image and between rows; places left over are background."""
    count, channels, height, width = images.shape
    rows = math.ceil(count / columns)
    places = np.full((rows * columns, channels, height + GAP, width + GAP), _BACKGROUND, np.uint8)
    places[:count, :, :height, :width] = images
    tiles = places.reshape(rows, columns, channels, height + GAP, width + GAP).transpose(0, 3, 1, 4, 2)
    return _as_picture(tiles.reshape(rows * (height + GAP), columns * (width + GAP), channels))


def _as_picture(pixels: NDArray[np.uint8]) -> Picture:
    return np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _grey(level: int, band: Picture) -> int | tuple[int, int, int]:
    return level if band.ndim == 2 else (level, level, level)


def _shortened(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"

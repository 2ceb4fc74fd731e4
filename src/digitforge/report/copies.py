"""Sheet of copies: generated images beside the training images that they are nearest to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from digitforge.data.digits import DataSet, Images
from digitforge.forge import Forge
from digitforge.sheets import Picture, beside, enlarged, grid

MAX_PAIRS = 20
_COLUMNS = 5  # pairs side by side
_GAP = 14  # pixels between pairs, and around them all
_CAPTION = 22  # pixels for a caption above its pair
_FONT_SIZE = 14  # pixels
_PAPER, _INK = 255, 30  # grey levels


def copies_sheet(
    images: Images, originals: Images, relative: NDArray[np.float32], captions: Sequence[str] | None = None
) -> Image.Image:
    """Pairs of a generated image at the left and its nearest training image at the right, the most copy-like first.

    images, originals: uint8 [N, C, H, W], at least one of each, paired by place. relative: [N], the relative distances
    (`Nearest.relative`), by which pairs are ordered; up to MAX_PAIRS are shown. captions: what to call each pair before
    its distance, such as its label's name.
    """
    if len(images) == 0 or images.shape != originals.shape or len(relative) != len(images):
        raise ValueError(f"{images.shape}, {originals.shape} and {len(relative)} distances make no pairs")
    chosen = np.argsort(relative, kind="stable")[:MAX_PAIRS]
    pairs = [_pair(images[place], originals[place]) for place in chosen]
    return _laid_out(pairs, [_caption(captions[place] if captions else "", relative[place]) for place in chosen])


def copies_of(forge: Forge, evaluation: Mapping[str, Any], data: DataSet) -> Image.Image | None:
    """The images of an evaluation that are most like a training image, as copies_sheet() shows them.

    evaluation: of this model, as Evaluation.as_dict() has it, held against `data`; None without any such image.
    """
    closest = (evaluation.get("details") or {}).get("closest")
    if not closest:
        return None
    drawn = forge.generate(count=evaluation["count"], seed=evaluation["seed"])
    train = data.train.only([data.train.label_of(name) for name in forge.names])
    images = drawn.take(np.asarray([pair["image"] for pair in closest]))
    originals = train.take(np.asarray([pair["original"] for pair in closest]))
    relative = np.asarray([pair["relative"] for pair in closest], np.float32)
    captions = [originals.names[label] for label in originals.labels]
    return copies_sheet(images.images, originals.images, relative, captions)


def _pair(image: NDArray[np.uint8], original: NDArray[np.uint8]) -> Picture:
    return enlarged(beside([grid(one[None], 1) for one in (image, original)]))


def _caption(name: str, relative: np.float32) -> str:
    return f"{name}: {relative:.2f}" if name else f"{relative:.2f}"


def _laid_out(pairs: Sequence[Picture], captions: Sequence[str]) -> Image.Image:
    """Pairs of one size in rows on white paper, each below its caption."""
    font = ImageFont.load_default(_FONT_SIZE)
    columns = min(_COLUMNS, len(pairs))
    height = _CAPTION + pairs[0].shape[0] + _GAP
    width = _GAP + max(pairs[0].shape[1], *(ceil(font.getlength(caption)) for caption in captions))
    size = (columns * width + _GAP, ceil(len(pairs) / columns) * height + _GAP)
    is_grey = pairs[0].ndim == 2
    paper, ink = (level if is_grey else (level,) * 3 for level in (_PAPER, _INK))
    sheet = Image.new("L" if is_grey else "RGB", size, paper)
    draw = ImageDraw.Draw(sheet)
    for place, (pair, caption) in enumerate(zip(pairs, captions, strict=True)):
        row, column = divmod(place, columns)
        left, top = _GAP + column * width, _GAP // 2 + row * height
        draw.text((left, top + _CAPTION // 2), caption, fill=ink, font=font, anchor="lm")
        sheet.paste(Image.fromarray(pair), (left, top + _CAPTION))
    return sheet

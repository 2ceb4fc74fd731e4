"""A digit that a hand drew, made into what MNIST would have made of it."""

from __future__ import annotations

import base64
import binascii

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitforge.data.digits import Images
from digitforge.errors import UserError
from digitforge.studio.bounds import DRAWING_SIDE

DRAWING_SHAPE = (1, 28, 28)  # what the networks see of a drawing: channels, height and width
_SIDE, _BOX = 28, 20  # pixels; LeCun et al. 1998: fitted into 20x20 and placed by the centre of mass in 28x28
_INK = 32  # grey levels below which a pixel is paper
_LEAST = 12  # pixels of ink, fewer of which are a slip of the pen


def read_drawing(pixels: str) -> NDArray[np.uint8]:
    """The grey levels uint8 [side, side] that a page sent in base64. Raises UserError for anything else."""
    try:
        content = base64.b64decode(pixels, validate=True)
    except binascii.Error:
        raise UserError("the drawing is not base64; draw it again") from None
    if len(content) != DRAWING_SIDE**2:
        raise UserError(f"a drawing has {DRAWING_SIDE**2:,} bytes, not {len(content):,}; draw it again")
    return np.frombuffer(content, np.uint8).reshape(DRAWING_SIDE, DRAWING_SIDE)


def as_mnist(drawing: NDArray[np.uint8]) -> Images:
    """A drawing uint8 [H, W], ink bright, as one image of MNIST's kind: uint8 [1, 1, 28, 28].

    Cut to its ink, fitted into 20x20 with its proportions kept, and shifted so that its centre of mass is the middle
    (LeCun et al., "Gradient-based learning applied to document recognition", 1998). Raises UserError for no ink.
    """
    rows, columns = np.nonzero(drawing > _INK)
    if len(rows) < _LEAST:
        raise UserError("there is nothing drawn yet; draw a digit with the mouse or a finger")
    cut = drawing[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    factor = _BOX / max(cut.shape)
    height, width = (max(1, round(size * factor)) for size in cut.shape)
    small = np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.BOX))
    top, left = (_start(small, axis) for axis in (0, 1))
    image = np.zeros((1, 1, _SIDE, _SIDE), np.uint8)
    image[0, 0, top : top + height, left : left + width] = small
    return image


def _start(small: NDArray[np.uint8], axis: int) -> int:
    """Where a picture begins along an axis so that its centre of mass falls in the middle, as far as it fits."""
    weights = small.astype(np.float64).sum(1 - axis)
    centre = float((np.arange(len(weights)) + 0.5) @ weights / weights.sum())
    return min(max(round(_SIDE / 2 - centre), 0), _SIDE - len(weights))

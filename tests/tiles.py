"""The images in an answer of the studio, which come as one picture."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image


def cut(answer: dict[str, Any], place: int) -> np.ndarray:
    """One image of an answer, uint8 [H, W]."""
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["picture"].split(",")[1]))))
    columns = answer["columns"]
    row, column = divmod(place, columns)
    height, width = picture.shape[0] // -(-answer["count"] // columns), picture.shape[1] // columns
    return picture[row * height : (row + 1) * height, column * width : (column + 1) * width]

"""A number for each image, measured from its pixels, a cacheful of images at a time."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import Images

PerImage = NDArray[np.float64]  # [N]

CHUNK_PIXELS = 2**19  # of images worked on at once: as float32 some 2 MB, which a core's cache holds


def by_chunk(measure: Callable[[Images], PerImage], images: Images) -> PerImage:
    """What `measure` finds in images [N, C, H, W], a chunk at a time: float64 [N]; N may be 0."""
    step = max(1, CHUNK_PIXELS // max(1, prod(images.shape[1:])))
    parts = [measure(images[start : start + step]) for start in range(0, len(images), step)]
    return np.concatenate([np.empty(0), *parts])

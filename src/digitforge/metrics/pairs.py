"""Every vector of one set against every vector of another, a block of rows at a time, so that memory stays small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAIRS_AT_ONCE = 2**20  # 4 MiB of float32 a block: much smaller blocks cost BLAS its speed, larger ones leave the cache


def check_features(a: NDArray[Any], b: NDArray[Any], least: int) -> None:
    """Raises ValueError unless a [N, F] and b [M, F] are finite, share F > 0 and hold `least` vectors or more each."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or a.shape[1] == 0:
        raise ValueError(f"features must be [N, F] and [M, F], not {list(a.shape)} and {list(b.shape)}")
    if min(len(a), len(b)) < least:
        raise ValueError(f"both sets need at least {least} vectors, not {len(a)} and {len(b)}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("features must be finite")


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices that cut `rows` into blocks of about PAIRS_AT_ONCE pairs, each row making `columns` of them."""
    height = max(1, PAIRS_AT_ONCE // columns)
    for start in range(0, rows, height):
        yield slice(start, min(start + height, rows))

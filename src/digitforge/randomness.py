"""Randomness: every random number comes from (seed, purpose, index), never from hidden state."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from digitforge.errors import UserError

Latents = NDArray[np.float32]  # [N, Z]


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The random numbers for one purpose of one seed at one index (a step, an epoch): the same on every call."""
    if not 0 <= seed < 2**32:
        raise UserError(f"a seed lies in 0 to {2**32 - 1}, not at {seed}")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), index])))


def draw_latents(rng: np.random.Generator, count: int, size: int, distribution: str) -> Latents:
    """`count` latents: float32 [count, size], "normal" from N(0, 1) or "uniform" from -1..1."""
    if distribution == "uniform":
        return rng.random((count, size), dtype=np.float32) * 2 - 1
    return rng.standard_normal((count, size), dtype=np.float32)


def spread_labels(rng: np.random.Generator, frequencies: Sequence[int], count: int) -> NDArray[np.int64]:
    """`count` labels that follow the frequencies [classes], in random order: int64 [count].

    Systematic sampling: independent draws would leave labels out of small sets by chance, and fixed shares would begin
    with the same label whatever the seed; this gives each label its share rounded down or up, in the mean just its
    share.
    """
    ends = np.cumsum(np.asarray(frequencies, np.float64))
    positions = (np.arange(count) + rng.random()) * (ends[-1] / count)
    # Rounding may put the last position on the very end; the last label that occurs holds it.
    labels = np.minimum(np.searchsorted(ends, positions, side="right"), np.flatnonzero(frequencies)[-1])
    return rng.permutation(labels.astype(np.int64))

"""Randomness: every random number comes from (seed, purpose, index), never from hidden state."""

import zlib

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

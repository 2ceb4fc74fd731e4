"""Distributions of one number held against each other: samples on a line, and counts of labels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def wasserstein(a: ArrayLike, b: ArrayLike) -> float:
    """The Wasserstein-1 distance of samples a [N] and b [M], in their unit: how far the mass of one has to be moved.

    It is the area between the two distribution functions (Vallender 1974). Raises ValueError for an empty sample and
    for numbers that are not finite.
    """
    a, b = _sample(a), _sample(b)
    places = np.sort(np.concatenate([a, b]))
    shares_a, shares_b = (np.searchsorted(sample, places[:-1], side="right") / len(sample) for sample in (a, b))
    return float(np.abs(shares_a - shares_b) @ np.diff(places))


def chance_above(a: ArrayLike, b: ArrayLike) -> float | None:
    """P(one of a [N] exceeds one of b [M]), ties counted half: the area under the ROC curve; None if one is empty."""
    first, second = np.asarray(a), np.sort(np.asarray(b))
    if not len(first) or not len(second):
        return None
    below, up_to = (np.searchsorted(second, first, side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(second)))


def total_variation(p: ArrayLike, q: ArrayLike) -> float:
    """The total variation distance of the shares in counts p [L] and q [L], 0..1: how much of one lies elsewhere.

    Raises ValueError for tables that differ in length, hold no counts, or hold a negative one.
    """
    p, q = _shares(p, q)
    return float(np.abs(p - q).sum() / 2)


def kl_divergence(p: ArrayLike, q: ArrayLike) -> float:
    """The Kullback-Leibler divergence of the shares in counts p [L] from those in q [L], in nats, 0 and up.

    With labels drawn as p and the data's as q it is the second figure of Stacked MNIST (Metz et al. 2017). A label
    without a draw adds nothing; one that is drawn and that the data lack makes it infinite (`math.inf`).
    Raises ValueError as `total_variation` does.
    """
    p, q = _shares(p, q)
    drawn = p > 0
    if not q[drawn].all():
        return math.inf
    divergence = float(p[drawn] @ np.log(p[drawn] / q[drawn]))
    return max(0.0, divergence)  # rounding may take that of equal shares below 0


def _sample(values: ArrayLike) -> NDArray[np.float64]:
    """The values [N], sorted."""
    sample = np.sort(np.asarray(values, np.float64))
    if sample.ndim != 1 or len(sample) == 0 or not np.isfinite(sample).all():
        raise ValueError(f"a sample must be finite numbers [N], at least one, not {list(sample.shape)}")
    return sample


def _shares(p: ArrayLike, q: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two tables of counts [L], each divided by its sum."""
    counts_p, counts_q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    if counts_p.ndim != 1 or counts_p.shape != counts_q.shape:
        raise ValueError(f"counts must be two tables [L], not {list(counts_p.shape)} and {list(counts_q.shape)}")
    for counts in (counts_p, counts_q):
        if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.any()):
            raise ValueError("counts must be finite, at least 0 each, and not all 0")
    return counts_p / counts_p.sum(), counts_q / counts_q.sum()

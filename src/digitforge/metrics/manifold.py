"""How two sets of images overlap: precision, recall, density and coverage, in the features of a classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.metrics.pairs import check_features, row_blocks

Vectors = NDArray[np.float32]  # [N, F]

# A distance is told from another only where they differ by more than some sqrt(F) roundings (errors of a sum of F
# products add up like a random walk), with 4 for the terms that go in and for bad luck.
ROUNDINGS = 4


@dataclass(frozen=True)
class Overlap:
    """How far images that were drawn and real ones lie in the same places.

    precision: share of drawn images that lie among real ones, 0..1 (Kynkaanniemi et al. 2019).
    recall: share of real images that lie among drawn ones, 0..1 (the same).
    density: how many real neighbourhoods hold a drawn image, over those expected; 0 and up, about 1 for two samples of
    one distribution. Real outliers count little in it, unlike in precision (Naeem et al. 2020).
    coverage: share of real images with a drawn one in their neighbourhood, 0..1 (the same).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(real: NDArray[Any], fake: NDArray[Any], neighbours: int = 5) -> Overlap:
    """The overlap of features real [N, F] and fake [M, F].

    A point's neighbourhood is the open ball that reaches to its `neighbours`-th nearest other point of its own set;
    a point just as far away is outside, as in the `prdc` package of Naeem et al.

    Distances come from float32 products around the real mean. Those that rounding cannot tell apart count as equal,
    which for 128 features is one part in 10^5 of a point's squared distance from that mean.

    Raises ValueError where a set has no more points than `neighbours`, for other shapes and for numbers that are not
    finite.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1, not {neighbours}")
    check_features(real, fake, neighbours + 1)
    centre = real.mean(0, dtype=np.float64)
    real, fake = (real - centre).astype(np.float32), (fake - centre).astype(np.float32)
    real_radii, fake_radii = _squared_radii(real, neighbours), _squared_radii(fake, neighbours)

    holding = np.zeros(len(fake), np.int64)  # real neighbourhoods that hold each fake
    covered = recalled = 0
    for rows in row_blocks(len(real), len(fake)):
        distances = _squared_distances(real[rows], fake)
        held = distances < real_radii[rows, None]
        holding += held.sum(0)
        covered += int(held.any(1).sum())
        recalled += int((distances < fake_radii).any(1).sum())
    return Overlap(
        precision=float(np.mean(holding > 0)),
        recall=recalled / len(real),
        density=float(holding.mean()) / neighbours,
        coverage=covered / len(real),
    )


def _squared_radii(points: Vectors, neighbours: int) -> NDArray[np.float32]:
    """The squared distance [N] from each point to its nearest others' last, less what rounding may have added to it.

    So a tie, which the same rounding may turn either way, is always a tie: not nearer.
    """
    radii = np.empty(len(points), np.float32)
    for rows in row_blocks(len(points), len(points)):
        distances = _squared_distances(points[rows], points)
        own = np.arange(rows.start, rows.stop)
        distances[own - rows.start, own] = np.inf  # a point is not its own neighbour
        distances.partition(neighbours - 1, axis=1)
        radii[rows] = distances[:, neighbours - 1]
    rounding = ROUNDINGS * math.sqrt(points.shape[1]) * np.finfo(np.float32).eps
    slack: NDArray[np.float32] = radii - rounding * (_squared_norms(points) + np.abs(radii))
    return slack


def _squared_distances(a: Vectors, b: Vectors) -> NDArray[np.float32]:
    """Squared distances [N, M]; rounding can take those of equal points a little below 0."""
    distances: NDArray[np.float32] = (-2 * a) @ b.T
    distances += _squared_norms(a)[:, None]
    distances += _squared_norms(b)
    return distances


def _squared_norms(points: Vectors) -> NDArray[np.float32]:
    norms: NDArray[np.float32] = np.einsum("nf,nf->n", points, points)
    return norms

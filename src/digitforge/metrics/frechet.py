"""The Frechet distance between two sets of images, in the features of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 2  # vectors: a covariance needs two
Vector = NDArray[np.float64]  # [F]
Matrix = NDArray[np.float64]  # [F, F]


@dataclass(frozen=True)
class Moments:
    """The mean [F] and covariance [F, F] (unbiased, divided by n - 1) of `count` feature vectors, in float64."""

    mean: Vector
    covariance: Matrix
    count: int


def moments(features: NDArray[Any]) -> Moments:
    """The moments of features [N, F]; N may be 0 or 1, whose covariance is taken as 0. Raises ValueError for NaN."""
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError(f"features must be finite and [N, F], not {list(features.shape)}")
    count, size = features.shape
    if count == 0:
        return Moments(np.zeros(size), np.zeros((size, size)), 0)
    wide = features.astype(np.float64)
    mean = wide.mean(0)
    centred = wide - mean
    return Moments(mean, centred.T @ centred / max(count - 1, 1), count)


def merge(parts: Sequence[Moments]) -> Moments:
    """The moments of all vectors together, from the moments of the parts (Chan, Golub and LeVeque 1979)."""
    count = sum(part.count for part in parts)
    mean = sum((part.count * part.mean for part in parts), np.zeros_like(parts[0].mean)) / max(count, 1)
    scatter = np.zeros_like(parts[0].covariance)
    for part in parts:
        shift = part.mean - mean
        scatter += max(part.count - 1, 0) * part.covariance + part.count * np.outer(shift, shift)
    return Moments(mean, scatter / max(count - 1, 1), count)


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared Wasserstein-2 distance of two Gaussians (Dowson and Landau 1982), as in FID (Heusel et al. 2017).

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), at least 0. The last trace is the sum of the singular values of
    C_a^(1/2) C_b^(1/2): unlike a root of the product's eigenvalues it never takes the root of rounding errors, so
    features that are always 0, or fewer images than features, cost no accuracy.
    """
    if min(a.count, b.count) < LEAST:
        raise ValueError(f"a covariance needs at least {LEAST} vectors, not {a.count} and {b.count}")
    shift = a.mean - b.mean
    overlap = np.linalg.svd(_root(a.covariance) @ _root(b.covariance), compute_uv=False).sum()
    distance = shift @ shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    return max(0.0, float(distance))


def _root(covariance: Matrix) -> Matrix:
    """The symmetric root of a positive semidefinite matrix; eigenvalues that rounding made negative count as 0."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root: Matrix = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root

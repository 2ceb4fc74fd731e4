"""The Frechet distance: closed forms, another computation of it, and matrices that trip a careless one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from digitforge.metrics.frechet import Moments, frechet_distance, merge, moments


def gaussian(mean: np.ndarray, covariance: np.ndarray) -> Moments:
    return Moments(np.asarray(mean, float), np.asarray(covariance, float), 1000)


def random_covariance(rng: np.random.Generator, size: int, rank: int | None = None) -> np.ndarray:
    factor = rng.standard_normal((size, rank or 2 * size))
    return factor @ factor.T


def test_moments_are_mean_and_unbiased_covariance() -> None:
    features = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    found = moments(features)
    np.testing.assert_allclose(found.mean, features.astype(float).mean(0))
    np.testing.assert_allclose(found.covariance, np.cov(features.astype(float), rowvar=False))
    assert found.mean.dtype == found.covariance.dtype == np.float64
    assert found.count == 50


def test_float32_features_far_from_zero_keep_their_variance() -> None:
    features = (np.random.default_rng(0).standard_normal((2000, 1)) + 4096).astype(np.float32)
    np.testing.assert_allclose(moments(features).covariance, np.var(features.astype(float), ddof=1), rtol=1e-9)


@pytest.mark.parametrize("features", [np.full((3, 2), np.nan), np.full((3, 2), np.inf), np.zeros(3)])
def test_features_that_are_no_numbers_are_refused(features: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite"):
        moments(features)


def test_merged_parts_are_the_moments_of_the_whole() -> None:
    features = np.random.default_rng(0).standard_normal((101, 5)) + np.arange(5)
    parts = [moments(part) for part in np.split(features, [0, 1, 2, 40])]
    assert [part.count for part in parts] == [0, 1, 1, 38, 61]
    whole, merged = moments(features), merge(parts)
    np.testing.assert_allclose(merged.mean, whole.mean)
    np.testing.assert_allclose(merged.covariance, whole.covariance)
    assert merged.count == 101


def test_diagonal_gaussians_have_a_closed_form() -> None:
    mean_a, mean_b = np.asarray([0.0, 1, 2]), np.asarray([3.0, 1, -2])
    deviation_a, deviation_b = np.asarray([1.0, 2, 0]), np.asarray([4.0, 2, 5])
    expected = ((mean_a - mean_b) ** 2).sum() + ((deviation_a - deviation_b) ** 2).sum()
    found = frechet_distance(gaussian(mean_a, np.diag(deviation_a**2)), gaussian(mean_b, np.diag(deviation_b**2)))
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_shift_alone_counts_squared() -> None:
    covariance = random_covariance(np.random.default_rng(1), 8)
    shift = np.arange(8.0)
    found = frechet_distance(gaussian(shift, covariance), gaussian(np.zeros(8), covariance))
    assert found == pytest.approx((shift**2).sum(), rel=1e-10)


def test_a_scaled_gaussian_has_a_closed_form() -> None:
    covariance = random_covariance(np.random.default_rng(2), 8)
    found = frechet_distance(gaussian(np.zeros(8), 9 * covariance), gaussian(np.zeros(8), covariance))
    assert found == pytest.approx(4 * np.trace(covariance), rel=1e-10)


@pytest.mark.parametrize("rank", [None, 20])
def test_it_agrees_with_the_root_of_the_product(rank: int | None) -> None:
    rng = np.random.default_rng(3)
    a, b = (gaussian(rng.standard_normal(64), random_covariance(rng, 64, rank)) for _ in range(2))
    root = np.real(sqrtm(a.covariance @ b.covariance + 1e-12 * np.eye(64)))
    expected = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 12), rank=st.integers(1, 12))
def test_it_is_a_distance(seed: int, size: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (gaussian(rng.standard_normal(size), random_covariance(rng, size, rank)) for _ in range(2))
    scale = np.trace(a.covariance) + np.trace(b.covariance)
    assert frechet_distance(a, a) <= 1e-12 * scale
    assert frechet_distance(a, b) >= 0
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9, abs=1e-12 * scale)


def test_dead_features_cost_no_accuracy() -> None:
    """32 of 64 features are always 0: a root of rounding errors would add some 1e-8 of the trace."""
    rng = np.random.default_rng(4)
    alive_a, alive_b = rng.standard_normal((500, 32)) * 10, rng.standard_normal((500, 32)) * 10
    dead = np.zeros((500, 32))
    alone = frechet_distance(moments(alive_a), moments(alive_b))
    among = frechet_distance(moments(np.hstack([alive_a, dead])), moments(np.hstack([alive_b, dead])))
    assert among == pytest.approx(alone, rel=1e-11)


def test_fewer_images_than_features_are_no_trouble() -> None:
    features = np.random.default_rng(5).standard_normal((4, 64))
    assert frechet_distance(moments(features[:2]), moments(features[2:])) > 0


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(moments(np.zeros((1, 3))), moments(np.zeros((5, 3))))

"""The kernel distance: answers by hand, a closed form, torchmetrics, and what blocks and float32 cost."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from digitforge.metrics.kernel import kernel_distance


def read_features(seed: int, count: int, mean: float = 0.3) -> np.ndarray:
    """Features as a classifier gives them: float32 [count, 128], correlated, none below 0."""
    mixing = np.random.default_rng(0).standard_normal((128, 128)) / 6
    noise = np.random.default_rng(seed).standard_normal((count, 128))
    return np.maximum(noise @ mixing + mean, 0).astype(np.float32)


def kernel_means(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """The means inside a, inside b and between them, all pairs at once in float64."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def mean_inside(x: np.ndarray) -> float:
        values = kernel(x, x)
        return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))

    return mean_inside(wide_a), mean_inside(wide_b), kernel(wide_a, wide_b).mean()


def pair_on_a_line(rng: np.random.Generator, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """200 points of N(0, 1) and 300 of N(shift, 1)."""
    return rng.standard_normal((200, 1)), rng.standard_normal((300, 1)) + shift


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """The mean of independent values and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def test_two_places_have_a_distance_by_hand() -> None:
    """k(0, 0) = 1, k(1, 1) = 8, k(0, 1) = 1."""
    assert kernel_distance(np.zeros((2, 1)), np.ones((3, 1))) == pytest.approx(1 + 8 - 2 * 1)


def test_the_product_is_divided_by_the_number_of_features() -> None:
    """k(1, 1) = (4 / 4 + 1)^3 = 8 for four features as for one."""
    assert kernel_distance(np.zeros((2, 4)), np.ones((2, 4))) == pytest.approx(7)


def test_a_vector_is_not_paired_with_itself_so_equal_sets_are_below_0() -> None:
    """Inside: k(0, 1) = 1. Between: (1 + 1 + 1 + 8) / 4."""
    places = np.asarray([[0.0], [1.0]])
    assert kernel_distance(places, places) == pytest.approx(1 + 1 - 2 * 11 / 4)


def test_a_shifted_gaussian_has_a_closed_form() -> None:
    """On a line it is 3 d1^2 + 3 d2^2 + d3^2, d the differences of the moments: 1, 1 and 4 for N(0, 1) and N(1, 1)."""
    rng = np.random.default_rng(1)
    mean, error = mean_and_error([kernel_distance(*pair_on_a_line(rng, shift=1)) for _ in range(400)])
    assert error < 0.5
    assert abs(mean - (3 * 1 + 3 * 1 + 16)) < 4 * error


def test_samples_of_one_distribution_are_0_on_average() -> None:
    rng = np.random.default_rng(2)
    distances = [kernel_distance(*rng.standard_normal((2, 20, 4))) for _ in range(400)]
    mean, error = mean_and_error(distances)
    assert abs(mean) < 4 * error
    assert min(distances) < 0


def test_it_agrees_with_torchmetrics() -> None:
    a, b = read_features(1, 300), read_features(2, 300, mean=0.5)
    expected = poly_mmd(torch.from_numpy(a).double(), torch.from_numpy(b).double()).item()
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("scale", [1, 100])
@pytest.mark.parametrize("sizes", [(2, 5), (700, 400), (1500, 1000)])
def test_float32_products_cost_no_more_than_is_said(sizes: tuple[int, int], scale: int) -> None:
    a, b = scale * read_features(1, sizes[0]), scale * read_features(2, sizes[1])
    inside_a, inside_b, between = kernel_means(a, b)
    found = kernel_distance(a, b)
    assert abs(found - (inside_a + inside_b - 2 * between)) < 5e-7 * max(inside_a, inside_b)


@pytest.mark.parametrize("pairs", [1, 7, 64, 1000])
def test_blocks_of_any_size_give_the_same(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = read_features(1, 33), read_features(2, 20)
    whole = kernel_distance(a, b)
    monkeypatch.setattr("digitforge.metrics.pairs.PAIRS_AT_ONCE", pairs)
    assert kernel_distance(a, b) == pytest.approx(whole, rel=1e-5)
    assert kernel_distance(b, a) == pytest.approx(whole, rel=1e-5)


def test_the_pairs_never_lie_in_memory_all_at_once() -> None:
    """4000 x 4000 pairs are 64 MB of float32."""
    a, b = read_features(1, 4000), read_features(2, 4000)
    tracemalloc.start()
    kernel_distance(a, b)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    ("features", "told"),
    [
        (np.zeros((1, 3)), "at least 2 vectors"),
        (np.full((4, 3), np.nan), "finite"),
        (np.zeros((4, 2)), r"not \[4, 3\] and \[4, 2\]"),
    ],
)
def test_features_that_have_no_distance_are_refused(features: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        kernel_distance(np.zeros((4, 3)), features)

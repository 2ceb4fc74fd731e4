"""Precision, recall, density and coverage: answers by hand, the prdc package, ties, and points far from 0."""

from __future__ import annotations

import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc

from digitforge.metrics.manifold import Overlap, overlap


def column(*places: float) -> np.ndarray:
    return np.asarray(places, np.float64)[:, None]


def gaussian(seed: int, count: int, size: int = 16, shift: float = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32) + np.float32(shift)


def told_by_prdc(real: np.ndarray, fake: np.ndarray, neighbours: int) -> Overlap:
    return Overlap(**compute_prdc(real, fake, neighbours))


def assert_equal(found: Overlap, expected: Overlap) -> None:
    assert astuple(found) == pytest.approx(astuple(expected), abs=1e-9)


def test_points_on_a_line_have_figures_by_hand() -> None:
    """Real radii 1, 1, 2 hold the first two fakes twice; fake radii 0.4, 0.4, 0.5, 0.5 hold the real 1 alone."""
    found = overlap(column(0, 1, 3), column(0.5, 0.9, 10, 10.5), neighbours=1)
    assert_equal(found, Overlap(precision=2 / 4, recall=1 / 3, density=4 / 4, coverage=2 / 3))


def test_more_neighbours_reach_further() -> None:
    """Real radii 3, 2, 3 hold the first two fakes three times; fake radii of 9 and more hold every real point."""
    found = overlap(column(0, 1, 3), column(0.5, 0.9, 10, 10.5), neighbours=2)
    assert_equal(found, Overlap(precision=2 / 4, recall=1, density=6 / (2 * 4), coverage=1))


def test_equal_sets_overlap_wholly() -> None:
    """Each point lies in its own neighbourhood and in those of 5 others but one, the last at the edge and outside."""
    points = gaussian(0, 700, size=64)
    assert_equal(overlap(points, points.copy()), Overlap(1, 1, 1, 1))


def test_sets_far_apart_do_not_overlap() -> None:
    assert_equal(overlap(gaussian(0, 50), gaussian(1, 60, shift=100)), Overlap(0, 0, 0, 0))


def test_samples_of_one_distribution_have_density_1_and_the_coverage_of_naeem() -> None:
    """Expected coverage (Naeem et al. 2020, section 3.4): about 1 - 1 / 2^k for sets of one size."""
    found = overlap(gaussian(0, 2000, size=4), gaussian(1, 2000, size=4), neighbours=3)
    assert found.density == pytest.approx(1, abs=0.08)  # about 4 standard errors, as below
    assert found.coverage == pytest.approx(1 - 1 / 2**3, abs=0.03)


def test_a_collapsed_model_is_precise_and_covers_little() -> None:
    real = gaussian(0, 300)
    found = overlap(real, np.repeat(real[:1], 200, axis=0))
    assert (found.precision, found.recall) == (1, 0)
    assert found.coverage < 0.2


def test_exchanging_the_sets_exchanges_precision_and_recall() -> None:
    there, back = (
        overlap(*sets) for sets in [(gaussian(0, 200), gaussian(1, 150)), (gaussian(1, 150), gaussian(0, 200))]
    )
    assert (there.precision, there.recall) == (back.recall, back.precision)


@pytest.mark.parametrize("neighbours", [1, 5])
@pytest.mark.parametrize(("size", "shift"), [(2, 0.5), (16, 0.2), (128, 0)])
def test_it_agrees_with_prdc(size: int, shift: float, neighbours: int) -> None:
    real, fake = gaussian(0, 300, size), gaussian(1, 200, size, shift)
    assert_equal(overlap(real, fake, neighbours), told_by_prdc(real, fake, neighbours))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    real_count=st.integers(8, 40),
    fake_count=st.integers(8, 40),
    size=st.integers(1, 4),
    side=st.integers(1, 5),
    neighbours=st.integers(1, 6),
)
def test_ties_and_equal_points_are_taken_as_prdc_does(
    seed: int, real_count: int, fake_count: int, size: int, side: int, neighbours: int
) -> None:
    """On a small lattice nearly every distance is a tie, and many points are one."""
    rng = np.random.default_rng(seed)
    real, fake = (rng.integers(0, side, (count, size)).astype(np.float64) for count in (real_count, fake_count))
    assert_equal(overlap(real, fake, neighbours), told_by_prdc(real, fake, neighbours))


def test_points_that_are_all_one_have_no_neighbourhood() -> None:
    assert_equal(overlap(np.full((10, 3), 0.1), np.full((10, 3), 0.1)), Overlap(0, 0, 0, 0))


def test_points_far_from_0_have_the_figures_of_points_near_it() -> None:
    real, fake = gaussian(0, 300).astype(np.float64), gaussian(1, 200, shift=0.3).astype(np.float64)
    assert_equal(overlap(real + 1e5, fake + 1e5), overlap(real, fake))


@pytest.mark.parametrize("pairs", [1, 1000, 10_000])
def test_blocks_of_any_size_give_the_same(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = gaussian(0, 120), gaussian(1, 90)
    whole = overlap(real, fake)
    monkeypatch.setattr("digitforge.metrics.pairs.PAIRS_AT_ONCE", pairs)
    assert_equal(overlap(real, fake), whole)


def test_the_distances_never_lie_in_memory_all_at_once() -> None:
    """4000 x 4000 distances are 64 MB of float32."""
    real, fake = gaussian(0, 4000), gaussian(1, 4000)
    tracemalloc.start()
    overlap(real, fake)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


def test_as_many_points_as_neighbours_are_too_few() -> None:
    overlap(gaussian(0, 6), gaussian(1, 6))
    for real, fake in [(5, 6), (6, 5)]:
        with pytest.raises(ValueError, match="at least 6 vectors"):
            overlap(gaussian(0, real), gaussian(1, fake))


def test_no_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match="neighbours must be at least 1, not 0"):
        overlap(gaussian(0, 6), gaussian(1, 6), neighbours=0)


def test_features_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        overlap(gaussian(0, 6), np.full((6, 16), np.nan))

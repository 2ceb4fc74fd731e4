"""Distances between distributions of one number: answers by hand, and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, wasserstein_distance

from digitforge.metrics.distributions import kl_divergence, total_variation, wasserstein

PLACES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


def test_one_point_moves_as_far_as_it_has_to() -> None:
    assert wasserstein([2.0], [5.5]) == 3.5


def test_a_smaller_sample_shares_its_mass_out() -> None:
    """Half of 0's mass goes to 1, half to 3."""
    assert wasserstein([0], [1, 3]) == pytest.approx(2)


def test_a_shifted_sample_is_as_far_as_the_shift() -> None:
    sample = np.random.default_rng(0).standard_normal(1000)
    assert wasserstein(sample, sample[::-1] - 0.7) == pytest.approx(0.7)


def test_equal_samples_are_at_0_in_any_order() -> None:
    assert wasserstein([3, 1, 1, 2], [1, 2, 3, 1]) == 0


@settings(max_examples=50, deadline=None)
@given(a=PLACES, b=PLACES)
def test_wasserstein_agrees_with_scipy_with_any_sizes_and_ties(a: list[float], b: list[float]) -> None:
    assert wasserstein(a, b) == pytest.approx(wasserstein_distance(a, b), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("sample", [[], [1.0, math.nan], [math.inf], [[1.0], [2.0]]])
def test_samples_that_are_no_points_on_a_line_are_refused(sample: list[float]) -> None:
    for pair in [(sample, [1.0]), ([1.0], sample)]:
        with pytest.raises(ValueError, match="finite numbers"):
            wasserstein(*pair)


def test_total_variation_is_the_share_that_lies_elsewhere() -> None:
    assert total_variation([1, 1, 2], [2, 1, 1]) == pytest.approx(0.25)


def test_total_variation_compares_shares_and_not_counts() -> None:
    assert total_variation([1, 2, 3], [10, 20, 30]) == pytest.approx(0)


def test_tables_with_nothing_in_common_are_1_apart() -> None:
    assert total_variation([5, 0, 0], [0, 1, 7]) == pytest.approx(1)


def test_kl_divergence_of_half_the_labels_is_the_logarithm_of_2() -> None:
    assert kl_divergence([7, 0, 7, 0], [1, 1, 1, 1]) == pytest.approx(math.log(2))


def test_kl_divergence_is_taken_of_the_first_from_the_second() -> None:
    """Shares 1/2, 1/2 and 1/4, 3/4: ln(2) / 2 + ln(2/3) / 2."""
    assert kl_divergence([5, 5], [1, 3]) == pytest.approx(math.log(2 * 2 / 3) / 2)


def test_equal_shares_have_no_divergence() -> None:
    for counts in np.random.default_rng(0).integers(1, 100, (50, 10)):
        assert 0 <= kl_divergence(counts, 3 * counts) < 1e-12


def test_a_label_that_the_data_lack_makes_the_divergence_infinite() -> None:
    assert kl_divergence([9, 1], [10, 0]) == math.inf


def test_a_label_that_neither_has_adds_nothing() -> None:
    assert kl_divergence([5, 0, 5], [1, 0, 3]) == pytest.approx(kl_divergence([5, 5], [1, 3]))


def test_kl_divergence_of_a_thousand_labels_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    drawn, data = rng.poisson(2, 1000), rng.poisson(60, 1000)
    assert (drawn == 0).any()
    assert kl_divergence(drawn, data) == pytest.approx(entropy(drawn, data), rel=1e-12)


@pytest.mark.parametrize("measure", [total_variation, kl_divergence])
@pytest.mark.parametrize("counts", [[0, 0], [1, -1], [1, math.nan], [1, 2, 3], 4])
def test_tables_that_hold_no_counts_are_refused(measure, counts) -> None:
    for pair in [(counts, [1, 1]), ([1, 1], counts)]:
        with pytest.raises(ValueError, match="counts must be"):
            measure(*pair)

"""Intervals and the rule, on numbers whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from digitforge.studies.intervals import (
    Interval,
    Region,
    Word,
    join,
    judge,
    ratio_interval,
    share_interval,
    student_interval,
    welch_interval,
)

T_2 = 4.302652729911275  # of 2 degrees of freedom at 97.5 %, from a printed table


def test_three_seeds_give_the_interval_of_the_printed_table() -> None:
    found = student_interval([1.0, 2.0, 3.0])
    half = T_2 / math.sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, 2 - half, 2 + half))


def test_one_seed_tells_nothing() -> None:
    assert student_interval([7.0]) == Interval(7.0, -math.inf, math.inf)
    assert welch_interval([7.0], [1.0, 2.0]) == Interval(5.5, -math.inf, math.inf)
    assert ratio_interval([2.0]) == Interval(pytest.approx(2.0), 0.0, math.inf)


def test_the_share_of_runs_has_the_interval_of_the_printed_tables() -> None:
    found = [share_interval(values) for values in ([0.0] * 3, [1.0, 0.0, 0.0], [1.0, 1.0, 1.0])]
    bounds = [(one.mean, one.low, one.high) for one in found]
    expected = [(0, 0, 0.7076), (1 / 3, 0.0084, 0.9057), (1, 0.2924, 1)]
    assert bounds == [pytest.approx(one, abs=1e-4) for one in expected]


def test_no_interval_goes_beyond_what_is_possible() -> None:
    share = Region(0.0, 1.0)
    assert Interval(0.97, 0.84, 1.1).within(share) == Interval(0.97, 0.84, 1.0)
    assert Interval(0.03, -0.2, 0.26).within(share) == Interval(0.03, 0.0, 0.26)
    assert student_interval([0.7]).within(share) == student_interval([0.7])  # still tells nothing


def test_welch_agrees_with_an_independent_computation() -> None:
    first, second = [3.0, 4.5, 5.1, 2.2], [1.0, 1.2, 0.7]
    theirs = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    found = welch_interval(first, second)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_equal_values_leave_no_doubt() -> None:
    assert welch_interval([2.0, 2.0], [1.0, 1.0]) == Interval(1.0, 1.0, 1.0)


def test_a_ratio_and_its_inverse_have_inverse_intervals() -> None:
    there, back = ratio_interval([2.0, 3.0, 2.5], [1.0, 1.5]), ratio_interval([1.0, 1.5], [2.0, 3.0, 2.5])
    assert (there.mean, there.low, there.high) == pytest.approx((1 / back.mean, 1 / back.high, 1 / back.low))


def test_the_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(5, 2, (400, 3))
    hits = [found.low < 5 < found.high for found in map(student_interval, draws.tolist())]
    assert 0.92 < np.mean(hits) < 0.98


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (1.1, 2.0, "holds"),
        (0.2, 0.9, "does not hold"),
        (0.9, 1.1, "cannot be told"),
        (1.0, 2.0, "cannot be told"),  # the bound itself is not claimed
        (-math.inf, math.inf, "cannot be told"),
    ],
)
def test_an_interval_decides_by_where_it_lies(low: float, high: float, word: Word) -> None:
    assert judge(Interval((low + high) / 2, low, high), Region(low=1.0)) == word


def test_being_alike_needs_an_interval_within_both_bounds() -> None:
    alike = Region(0.8, 1.25)
    assert judge(Interval(1.0, 0.9, 1.1), alike) == "holds"
    assert judge(Interval(1.0, 0.7, 1.1), alike) == "cannot be told"
    assert judge(Interval(1.5, 1.3, 1.8), alike) == "does not hold"


def test_a_claim_of_parts_falls_with_one_and_holds_with_all() -> None:
    assert join(["holds", "holds"]) == "holds"
    assert join(["holds", "cannot be told"]) == "cannot be told"
    assert join(["cannot be told", "does not hold"]) == "does not hold"
    assert join([]) == "cannot be told"

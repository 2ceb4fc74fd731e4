"""What claims read out of one run, on made-up tables and curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.report.history import Curve
from digitforge.studies.evidence import MissingError
from digitforge.studies.statistics_of_runs import (
    average,
    beside_others,
    marks_by_label,
    marks_count,
    opposition,
    parts,
    shares_by_label,
    taken_next_for,
    trend,
    unsure_count,
    unsure_share,
    wobble,
)


def curve(*values: float) -> Curve:
    images = np.arange(1.0, len(values) + 1)
    return Curve(images, images / 10, np.asarray(values))


def at_batches(epoch: int, epochs: int, batch: int = 256) -> Curve:
    """A value an epoch, told at the first whole batch after its end."""
    images = np.asarray([-(-epoch * count // batch) * batch for count in range(1, epochs + 1)], np.float64)
    return Curve(images, images / 10, np.arange(1.0, epochs + 1))


def of_label(marks: float, count: int) -> dict[str, object]:
    return {"stray_marks": {"value": marks, "n": count, "real": 0.25}}


FIGURES = {
    "details": {"by_label": {"2": of_label(0.5, 30), "3": of_label(0.25, 10), "4": {"stray_marks": None}}},
    "histogram": {"drawn": {"2": 30, "3": 10}, "data": {"2": 50, "3": 50, "7": 0}},
}
READING = {
    "4": {"n": 60, "unsure": 6, "second": {"9": 6}},
    "9": {"n": 40, "unsure": 20, "second": {"7": 10, "8": 5, "4": 5}},
}


def test_digits_are_held_against_their_own_shares_and_marks() -> None:
    assert shares_by_label(FIGURES) == {"2": 1.5, "3": 0.5}
    assert marks_by_label(FIGURES) == {"2": 0.25, "3": 0.0}
    assert marks_count(FIGURES, ["2", "3", "4", "5"]) == 40


def test_a_group_of_digits_stands_beside_all_others() -> None:
    assert beside_others({"1": 1.0, "2": 4.0, "5": 2.0, "8": 3.0}, ["2", "5", "8"]) == (3.0, 1.0)
    assert average({"2": 1.0}, ["2", "8"]) == 1.0  # hardly any 8 was drawn
    with pytest.raises(MissingError, match="read as 5, 8"):
        average({"2": 1.0}, ["5", "8"])


def test_doubt_is_counted_over_what_is_read_as_a_digit() -> None:
    assert unsure_share(READING, ["9"]) == 0.5
    assert unsure_share(READING, ["4", "9"]) == 0.26
    assert unsure_count(READING, "9") == 20
    assert taken_next_for(READING, "9", ["7", "8"]) == 0.75


def test_losses_that_mirror_each_other_are_opposed_and_equal_ones_are_not() -> None:
    mine = [1.0, 3.0, 2.0, 5.0, 4.0]
    assert opposition(curve(*mine), curve(*(9 - value for value in mine))) == pytest.approx(-1)
    assert opposition(curve(*mine), curve(*mine)) == pytest.approx(1)
    with pytest.raises(MissingError, match="too few ticks"):
        opposition(curve(1.0, 2.0), curve(2.0, 1.0))


def test_a_trend_asks_for_order_alone() -> None:
    assert trend(curve(100.0, 3.0, 2.9, 0.1)) == pytest.approx(-1)
    assert trend(curve(1.0, 2.0, 30.0)) == pytest.approx(1)
    assert trend(curve(5.0, 3.0, 3.0, 3.0)) == pytest.approx(-(0.6**0.5))  # ties share their mean rank
    with pytest.raises(MissingError, match="the same each time"):
        trend(curve(3.0, 3.0, 3.0))


def test_parts_are_equal_in_images_and_none_is_empty() -> None:
    assert [part.tolist() for part in parts(curve(1.0, 2.0, 3.0, 4.0), 2)] == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(MissingError, match="4 parts"):
        parts(curve(1.0, 2.0), 4)


def test_what_was_measured_at_a_moment_belongs_to_the_part_of_that_moment() -> None:
    every_tenth = Curve(np.arange(10.0, 101, 10), np.arange(10.0), np.arange(10.0, 101, 10))
    quarters = [part.tolist() for part in parts(every_tenth, 4, are_means=False)]
    assert quarters == [[10.0, 20.0], [30.0, 40.0, 50.0], [60.0, 70.0], [80.0, 90.0, 100.0]]


def test_an_epoch_that_ends_within_a_batch_is_a_part_all_the_same() -> None:
    assert [part.tolist() for part in parts(at_batches(60_000, 10), 10)] == [[float(epoch)] for epoch in range(1, 11)]


def test_how_often_a_loss_is_told_does_not_change_how_unsteady_it_is() -> None:
    rng = np.random.default_rng(0)
    fine = Curve(np.arange(1.0, 101) * 6144, np.arange(100.0), rng.normal(1, 0.2, 100))
    coarse = Curve(fine.images[9::10], fine.seconds[9::10], fine.values.reshape(10, 10).mean(1))
    assert wobble(coarse, 10) == pytest.approx(wobble(fine, 10))


def test_a_loss_that_jumps_is_less_steady_than_one_that_creeps_whatever_its_height() -> None:
    jumps, creeps = curve(1.0, 3.0, 1.0, 3.0), curve(1.0, 1.1, 1.0, 1.1)
    assert wobble(jumps, 4) > 5 * wobble(creeps, 4)
    assert wobble(curve(10.0, 30.0, 10.0, 30.0), 4) == pytest.approx(wobble(jumps, 4))

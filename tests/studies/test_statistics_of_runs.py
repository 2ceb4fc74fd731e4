"""What claims read out of one run, on made-up tables and curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.report.history import Curve
from digitforge.studies.evidence import MissingError
from digitforge.studies.statistics_of_runs import (
    average,
    beside_others,
    floors_by_label,
    marks_by_label,
    opposition,
    parts,
    shares_by_label,
    taken_next_for,
    trend,
    unsure_share,
    wobble,
)


def curve(*values: float) -> Curve:
    images = np.arange(1.0, len(values) + 1)
    return Curve(images, images / 10, np.asarray(values))


def of_label(frechet: float, floor: float, marks: float) -> dict[str, object]:
    return {"frechet": {"value": frechet, "real": floor}, "stray_marks": {"value": marks, "real": 0.25}}


FIGURES = {
    "details": {"by_label": {"2": of_label(6.0, 2.0, 0.5), "3": of_label(4.0, 4.0, 0.25)}},
    "histogram": {"drawn": {"2": 30, "3": 10}, "data": {"2": 50, "3": 50, "7": 0}},
}
READING = {
    "4": {"n": 60, "unsure": 6, "second": {"9": 6}},
    "9": {"n": 40, "unsure": 20, "second": {"7": 10, "8": 5, "4": 5}},
}


def test_digits_are_held_against_their_own_floors_shares_and_marks() -> None:
    assert floors_by_label(FIGURES) == {"2": 3.0, "3": 1.0}
    assert shares_by_label(FIGURES) == {"2": 1.5, "3": 0.5}
    assert marks_by_label(FIGURES) == {"2": 0.25, "3": 0.0}


def test_a_group_of_digits_stands_beside_all_others() -> None:
    assert beside_others({"1": 1.0, "2": 4.0, "5": 2.0, "8": 3.0}, ["2", "5", "8"]) == (3.0, 1.0)
    with pytest.raises(MissingError, match="read as 8"):
        average({"2": 1.0}, ["2", "8"])


def test_doubt_is_counted_over_what_is_read_as_a_digit() -> None:
    assert unsure_share(READING, ["9"]) == 0.5
    assert unsure_share(READING, ["4", "9"]) == 0.26
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


def test_parts_are_equal_in_images_and_none_is_empty() -> None:
    assert [part.tolist() for part in parts(curve(1.0, 2.0, 3.0, 4.0), 2)] == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(MissingError, match="4 parts"):
        parts(curve(1.0, 2.0), 4)


def test_a_loss_that_jumps_is_less_steady_than_one_that_creeps_whatever_its_height() -> None:
    jumps, creeps = curve(1.0, 3.0, 1.0, 3.0), curve(1.0, 1.1, 1.0, 1.1)
    assert wobble(jumps, 4) > 5 * wobble(creeps, 4)
    assert wobble(curve(10.0, 30.0, 10.0, 30.0), 4) == pytest.approx(wobble(jumps, 4))

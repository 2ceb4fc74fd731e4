"""Growth between moments, and what `one-digit` finds in trainings whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from digitforge.studies.growth import Growth, Moment
from digitforge.studies.intervals import Word
from digitforge.studies.measures import chance_above, digit_figures, sureness
from digitforge.studies.one_digit_findings import Group, findings_of

IMAGES = (100, 200, 400, 700, 1000)


def growth(scale: float, seconds: float = 0.01, noise: float = 1.0, read: float = 0.95) -> Growth:
    """A distance of `scale` * 1000 / images floors, noise times over; seconds: an image."""
    moments = [
        Moment(images, images * seconds, noise * scale * 1000 / images, scale * noise * 0.1, read) for images in IMAGES
    ]
    return Growth(tuple(moments))


def seeds(scale: float, seconds: float = 0.01, read: float = 0.95) -> list[Growth]:
    return [growth(scale, seconds, noise, read) for noise in (0.99, 1.0, 1.01)]


def words(alone: Sequence[Growth], untold: Sequence[Growth], told: Sequence[Growth]) -> dict[str, Word]:
    group = Group("dcgan", {"3": alone}, {"3": untold}, {"3": told}, {})
    return {finding.claim.key.removeprefix("dcgan-"): finding.word for finding in findings_of(group, None, 3)}


def test_a_quality_is_reached_on_a_straight_line_between_logarithms() -> None:
    found = growth(1.0).reaches(1.25)
    assert (found.images, found.seconds, found.is_reached) == (pytest.approx(800), pytest.approx(8), True)
    assert growth(1.0).floors_after(800) == pytest.approx(1.25)


def test_what_is_never_reached_was_tried_for_the_whole_run() -> None:
    found = growth(1.0).reaches(0.5)
    assert (found.images, found.is_reached) == (1000, False)


def test_a_digit_that_is_hardly_drawn_has_no_quality_yet() -> None:
    late = Growth((Moment(100, 1.0, None), Moment(1000, 10.0, 2.0)))
    assert late.floors_after(100) is None
    assert late.floors_after(990) == 2.0
    assert late.reaches(3.0).images == 1000


def test_specialists_that_learn_twice_as_fast_are_found_to_do_so() -> None:
    found = words(seeds(0.5), seeds(1.0), seeds(1.0))
    assert found == {
        "feasible": "holds",
        "fewer-images": "holds",
        "faster": "holds",
        "fewer-classes-help": "holds",
        "equal-seconds": "holds",
        "time-an-image": "holds",
        "ten-cost-more": "holds",  # five times the time
        "equal-cost": "does not hold",
    }


def test_specialists_that_learn_a_hundred_times_as_fast_are_cheaper_even_for_ten_digits() -> None:
    found = words(seeds(0.01), seeds(1.0), seeds(1.0))
    assert (found["equal-cost"], found["faster"]) == ("holds", "holds")


def test_specialists_that_are_slower_and_draw_no_digit_are_found_out() -> None:
    found = words(seeds(2.0, seconds=0.03, read=0.4), seeds(1.0), seeds(1.0))
    assert (found["feasible"], found["fewer-classes-help"], found["time-an-image"]) == ("does not hold",) * 3
    # No specialist reached the quality: that it takes longer is sure, how much is not.
    assert (found["faster"], found["ten-cost-more"]) == ("does not hold", "holds")


def test_a_conditional_model_that_is_as_fast_keeps_specialists_from_winning() -> None:
    found = words(seeds(0.5), seeds(1.0), seeds(0.5))
    assert found["fewer-images"] in ("does not hold", "cannot be told")


def test_fewer_seeds_than_three_settle_nothing() -> None:
    group = Group("dcgan", {"3": seeds(0.5)}, {"3": seeds(1.0)}, {"3": seeds(1.0)}, {})
    found = findings_of(group, None, 2)
    assert {finding.word for finding in found} == {"cannot be told"}
    assert found[0].by_itself == "holds"


def test_images_of_one_distribution_lie_at_the_floor_and_others_above_it() -> None:
    rng = np.random.default_rng(0)
    train, held_out, like = (rng.normal(0, 1, (count, 6)).astype(np.float32) for count in (2000, 300, 300))
    near, far = digit_figures(like, held_out, train), digit_figures(like + 2, held_out, train)
    assert near["floors"] < 2 < 50 < far["floors"]
    assert abs(near["kernel"]) < 0.1 < far["kernel"]


def test_the_classifier_is_unsure_where_two_labels_are_nearly_even() -> None:
    logits = np.asarray([[9.0, 0.0, 0.0], [2.0, 1.9, 0.0], [0.0, 0.0, 9.0]], np.float32)
    found = sureness(logits, ("7", "8", "9"))
    assert found["7"] == {"n": 2, "unsure": 1, "second": {"8": 1}}
    assert found["9"] == {"n": 1, "unsure": 0, "second": {}}


def test_a_chance_of_lying_above_is_that_of_a_pair() -> None:
    first, second = np.asarray([1.0, 3.0], np.float32), np.asarray([2.0, 1.0], np.float32)
    assert chance_above(first, second) == (0.5 + 2) / 4
    assert chance_above(first, second[:0]) is None

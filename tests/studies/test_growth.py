"""Growth between moments, and what `one-digit` finds in trainings whose answer is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from digitforge.metrics.distributions import chance_above
from digitforge.studies.evidence import MissingError
from digitforge.studies.finding import Finding
from digitforge.studies.growth import Growth, Moment
from digitforge.studies.intervals import Word
from digitforge.studies.measures import digit_figures, sureness
from digitforge.studies.one_digit_findings import Group, findings_of
from digitforge.studies.one_digit_sides import Sides, cost

IMAGES = (100, 200, 400, 700, 1000)
NOISE = (0.99, 1.0, 1.01)

Seeds = Mapping[int, Growth]


def growth(scale: float, seconds: float = 0.01, noise: float = 1.0, read: float = 0.95) -> Growth:
    """A distance of `scale` * 1000 / images floors, noise times over; seconds: an image."""
    moments = [
        Moment(images, images * seconds, noise * scale * 1000 / images, scale * noise * 0.1, read) for images in IMAGES
    ]
    return Growth(tuple(moments))


def seeds(scale: float, seconds: float = 0.01, read: float = 0.95) -> dict[int, Growth]:
    return {seed: growth(scale, seconds, noise, read) for seed, noise in enumerate(NOISE)}


def through(*floors: float | None) -> dict[int, Growth]:
    """Three seeds that are alike but for some noise, by their distances after IMAGES."""
    return {
        seed: Growth(
            tuple(
                Moment(images, images / 100, None if value is None else value * noise, read=0.95)
                for images, value in zip(IMAGES, floors, strict=True)
            )
        )
        for seed, noise in enumerate(NOISE)
    }


def answers(alone: Seeds, untold: Seeds, told: Seeds, quality: float | None = None) -> dict[str, Finding]:
    group = Group("dcgan", {"3": alone}, {"3": untold}, {"3": told}, count=500)
    return {finding.claim.key.removeprefix("dcgan-"): finding for finding in findings_of(group, quality)}


def words(alone: Seeds, untold: Seeds, told: Seeds) -> dict[str, Word]:
    return {key: finding.word for key, finding in answers(alone, untold, told).items()}


def test_a_quality_is_reached_on_a_straight_line_between_logarithms() -> None:
    found = growth(1.0).reaches(1.25)
    assert (found.images, found.seconds, found.bound) == (pytest.approx(800), pytest.approx(8), "")
    assert growth(1.0).floors_after(800) == pytest.approx(1.25)


def test_what_is_never_reached_took_at_least_the_whole_run() -> None:
    found = growth(1.0).reaches(0.5)
    assert (found.images, found.bound) == (1000, "at least")


def test_what_is_there_when_first_measured_took_at_most_as_long() -> None:
    found = growth(1.0).reaches(20.0)
    assert (found.images, found.seconds, found.bound) == (100, 1.0, "at most")


def test_a_digit_that_is_hardly_drawn_has_no_quality_yet() -> None:
    late = Growth((Moment(100, 1.0, None), Moment(1000, 10.0, 2.0)))
    with pytest.raises(MissingError, match="is hardly drawn after 100 images"):
        late.floors_after(100)
    assert late.floors_after(990) == 2.0
    assert (late.reaches(3.0).images, late.reaches(3.0).bound) == (1000, "at most")


@pytest.mark.parametrize("images", [94, 1100])
def test_what_lies_outside_the_moments_is_told_as_not_measured(images: int) -> None:
    with pytest.raises(MissingError, match=f"was not measured after {images:,} images"):
        growth(1.0).floors_after(images)


def test_neither_the_start_of_training_nor_a_perfect_digit_has_a_logarithm() -> None:
    found = Growth((Moment(0, 0.0, 50.0), Moment(10, 0.1, 4.0), Moment(100, 1.0, 0.0)))
    assert found.reaches(60.0).images == 10
    assert 10 < found.reaches(0.0).images <= 100
    assert 0 < found.floors_after(50) < 4.0
    assert found.floors_after(100) < 1e-3


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


def test_what_is_better_by_images_may_be_worse_by_time() -> None:
    """Specialists need half the images, and three times the seconds an image."""
    found = answers(seeds(0.5, seconds=0.03), seeds(1.0), seeds(1.0))
    assert (found["fewer-images"].word, found["equal-seconds"].word) == ("holds", "does not hold")
    assert "was not measured after 33 images" in found["equal-cost"].sentence  # a tenth of the other model's 10 s
    assert found["ten-cost-more"].conditions[0].values == pytest.approx((10 * 0.5 * 3,) * 3, rel=0.05)


def test_a_conditional_model_that_is_as_fast_keeps_specialists_from_winning() -> None:
    found = words(seeds(0.5), seeds(1.0), seeds(0.5))
    assert found["fewer-images"] in ("does not hold", "cannot be told")


def test_a_conditional_model_is_asked_wherever_one_model_for_all_digits_is() -> None:
    found = words(seeds(0.5), seeds(1.0), seeds(0.04))
    assert (found["equal-seconds"], found["equal-cost"]) == ("does not hold", "does not hold")
    cheap = answers(seeds(0.5), seeds(1.0), through(90.0, 80.0, 70.0, 60.0, 50.0))["ten-cost-more"]
    assert [one.bound for one in cheap.conditions] == ["", "at most"]  # the conditional one never gets there
    assert cheap.word == "cannot be told"


def test_specialists_cost_what_they_take_together_and_one_model_what_its_last_digit_takes() -> None:
    early, late = ({seed: growth(scale) for seed in range(3)} for scale in (0.2, 0.8))  # reach 1 after 200 and 800
    group = Group("dcgan", {"3": early, "8": late}, {"3": late, "8": early}, {"3": late, "8": late}, 500, labels=7)
    found = {one.claim.key: one for one in findings_of(group, quality=1.0)}["dcgan-ten-cost-more"]
    assert [one.values for one in found.conditions] == [(pytest.approx(7 * (200 + 800) / 2 / 800),) * 3] * 2
    assert [one.bound for one in found.conditions] == ["", ""]
    assert found.conditions[0].says.startswith("7 specialists' seconds")


def test_one_model_that_never_has_a_digit_may_take_any_time() -> None:
    never, soon = ({seed: growth(scale) for seed in range(3)} for scale in (5.0, 0.5))
    sides = Sides({"3": soon, "8": soon}, 500, 10, "one", {"3": never, "8": soon})
    assert cost(sides, {"3": 1.0, "8": 1.0}).bound == "at most"
    turned = Sides({"3": never, "8": soon}, 500, 10, "one", {"3": soon, "8": soon})
    assert cost(turned, {"3": 1.0, "8": 1.0}).bound == "at least"
    both = Sides({"3": never, "8": soon}, 500, 10, "one", {"3": soon, "8": never})
    with pytest.raises(MissingError, match="some bounds point one way"):
        cost(both, {"3": 1.0, "8": 1.0})


def test_every_condition_says_how_many_images_stand_behind_it() -> None:
    counts = {key: {one.n for one in found.conditions} for key, found in answers(*[seeds(1.0)] * 3).items()}
    assert counts.pop("time-an-image") == {0}  # a clock draws none
    assert set(map(frozenset, counts.values())) == {frozenset({500})}


def test_a_diverged_training_takes_its_seed_from_both_sides() -> None:
    alone = {1: growth(0.5), 2: growth(0.25)}  # seed 0 came to no end
    untold = {0: growth(0.1), 1: growth(1.0), 2: growth(1.0)}
    found = answers(alone, untold, untold)["fewer-classes-help"]
    assert found.conditions[0].values == (pytest.approx(0.5), pytest.approx(0.25))
    assert (found.word, found.reasons) == ("cannot be told", ("2 of 3 seeds",))


def test_fewer_seeds_than_three_settle_nothing() -> None:
    two = [{seed: some[seed] for seed in (0, 1)} for some in (seeds(0.5), seeds(1.0), seeds(1.0))]
    found = answers(*two)
    assert {finding.word for finding in found.values()} == {"cannot be told"}
    assert found["feasible"].by_itself == "holds"


def test_without_one_whole_seed_there_is_no_figure() -> None:
    found = answers({}, seeds(1.0), seeds(1.0))["feasible"]
    assert (found.word, found.by_itself, found.conditions) == ("cannot be told", None, ())
    assert found.reasons == ("0 of 3 seeds", "a training came to no end")


def test_a_quality_that_both_have_when_first_measured_tells_nothing() -> None:
    found = answers(seeds(0.5), seeds(1.0), seeds(1.0), quality=50.0)
    assert {found[key].word for key in ("fewer-images", "faster", "ten-cost-more")} == {"cannot be told"}


def test_a_specialist_that_was_there_when_first_measured_may_have_been_far_earlier() -> None:
    late = through(9.0, 8.0, 7.0, 3.0, 0.95)  # reaches 1 after about 970 images
    found = answers(seeds(0.01), late, late, quality=1.0)
    assert (found["faster"].word, found["ten-cost-more"].word) == ("holds", "cannot be told")
    assert {one.bound for one in found["ten-cost-more"].conditions} == {"at most"}
    assert found["ten-cost-more"].conditions[0].values[0] > 1  # what it would be if a bound were the truth


def test_a_model_that_cannot_be_compared_takes_nothing_from_one_that_can() -> None:
    undrawn = through(None, None, None, None, None)
    found = answers(seeds(2.0), seeds(1.0), undrawn)["equal-cost"]
    assert (found.word, len(found.conditions)) == ("does not hold", 1)
    assert found.sentence.endswith("Left open: the conditional model's 3 is hardly drawn after 1,000 images.")
    found = answers(seeds(0.01), seeds(1.0), undrawn)["equal-cost"]
    assert (found.word, found.by_itself, len(found.conditions)) == ("cannot be told", "cannot be told", 1)


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

"""The schedule of a run: batches that double, and rates that rise, stay and fall to zero in a straight line."""

from __future__ import annotations

import pytest

from digitforge.sections import Training
from digitforge.training.schedule import rate_factor, timetable

IMAGES = 1000


def training(**settings: object) -> Training:
    return Training(images=IMAGES, batch_size=10, **settings)


@pytest.mark.parametrize("seen", [0, 10, 500, 990])
def test_without_a_schedule_the_rate_stays(seen: int) -> None:
    assert rate_factor(training(), seen, IMAGES) == 1


@pytest.mark.parametrize(("seen", "factor"), [(0, 1), (500, 1), (600, 0.8), (750, 0.5), (990, 0.02), (1000, 0)])
def test_from_half_of_the_run_on_the_rate_falls_to_zero_in_a_straight_line(seen: int, factor: float) -> None:
    assert rate_factor(training(constant_until=0.5), seen, IMAGES) == pytest.approx(factor)


@pytest.mark.parametrize(("seen", "factor"), [(0, 1), (250, 0.75), (999, 0.001)])
def test_a_rate_may_fall_from_the_start(seen: int, factor: float) -> None:
    assert rate_factor(training(constant_until=0), seen, IMAGES) == pytest.approx(factor)


@pytest.mark.parametrize(("seen", "factor"), [(0, 0.1), (40, 0.5), (80, 0.9), (90, 1), (100, 1), (900, 1)])
def test_in_the_warm_up_each_step_adds_an_equal_part_and_the_first_is_not_lost(seen: int, factor: float) -> None:
    assert rate_factor(training(warmup_images=100), seen, IMAGES) == pytest.approx(factor)


def test_warm_up_and_fall_multiply() -> None:
    assert rate_factor(training(warmup_images=1000, constant_until=0.5), 740, IMAGES) == pytest.approx(0.75 * 0.52)


def test_a_longer_run_falls_later() -> None:
    assert rate_factor(training(constant_until=0.5), 900, 2 * IMAGES) == 1


def sizes(images: int, **settings: object) -> list[int]:
    """The batch of each step."""
    times = timetable(training(**settings), images)
    return [times.batch_size(step) for step in range(times.steps)]


@pytest.mark.parametrize(("images", "expected"), [(10, [10]), (11, [10, 10]), (40, [10] * 4), (1, [10])])
def test_a_batch_stays_and_the_last_one_is_whole(images: int, expected: list[int]) -> None:
    assert sizes(images) == expected


def test_a_batch_doubles_at_equal_distances_in_images() -> None:
    assert sizes(240, batch_doublings=2) == [10] * 8 + [20] * 4 + [40] * 2


@pytest.mark.parametrize("images", [1, 10, 35, 100, 333, 1000])
@pytest.mark.parametrize("doublings", [0, 1, 3])
def test_images_seen_are_those_of_the_steps_before(images: int, doublings: int) -> None:
    times = timetable(training(batch_doublings=doublings), images)
    seen = [times.images_after(step) for step in range(times.steps + 1)]
    batches = sizes(images, batch_doublings=doublings)
    assert seen == [sum(batches[:step]) for step in range(times.steps + 1)]
    assert images <= times.images == seen[-1] < images + batches[-1]
    assert batches == sorted(batches)

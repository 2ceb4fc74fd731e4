"""A time budget: what the clock says of a few steps becomes an image count."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from digitforge.recipe import load_recipe
from digitforge.training import budget
from digitforge.training.budget import images_in

BATCH = 32


class Machine:
    """A clock that only steps move: the first ones take longer, as on a machine that is still warming up.

    seconds: what a step with 32 images takes; others take as much longer as they are larger.
    """

    def __init__(self, seconds: float, first_steps: int = 0, first_seconds: float = 0.0) -> None:
        self.now, self.steps = 100.0, 0
        self.sizes: list[int] = []
        self.seconds, self.first_steps, self.first_seconds = seconds, first_steps, first_seconds

    def perf_counter(self) -> float:
        return self.now

    def probe(self, batch_size: int) -> Callable[[], None]:
        self.sizes.append(batch_size)

        def step() -> None:
            self.now += self.first_seconds if self.steps < self.first_steps else self.seconds * batch_size / BATCH
            self.steps += 1

        return step


ALONE = SimpleNamespace(broadcast=lambda value: value)


def count(
    monkeypatch: pytest.MonkeyPatch,
    machine: Machine,
    seconds: float,
    fabric: object = ALONE,
    doublings: int = 0,
    recipe: str = "raschka",
) -> int:
    monkeypatch.setattr(budget, "time", machine)
    length = {"training.seconds": seconds, "training.batch_size": BATCH, "training.batch_doublings": doublings}
    return images_in(load_recipe(recipe).with_settings(length), machine.probe, fabric)


@pytest.mark.parametrize(("step_seconds", "steps"), [(0.01, 6000), (0.02, 3000), (0.5, 120)])
def test_the_count_follows_the_speed(monkeypatch: pytest.MonkeyPatch, step_seconds: float, steps: int) -> None:
    assert count(monkeypatch, Machine(step_seconds), 60) == steps * BATCH


def test_a_longer_budget_shows_more_images_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    hour, minute = (count(monkeypatch, Machine(0.01), seconds) for seconds in (3600, 60))
    assert hour == pytest.approx(60 * minute, rel=1e-3)


def test_a_round_that_was_disturbed_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    class Disturbed(Machine):
        """Something else has the machine from the second second on, for half a second."""

        def probe(self, batch_size: int) -> Callable[[], None]:
            def step() -> None:
                self.now += 0.01 * (10 if 102 < self.now < 102.5 else 1)

            return step

    assert count(monkeypatch, Disturbed(0.01), 60) == 6000 * BATCH


@pytest.mark.parametrize(("seconds", "taken"), [(0.02, 1000), (0.17, 1000), (0.9, 1000)])
def test_turns_of_the_generator_count_as_often_as_they_come(
    monkeypatch: pytest.MonkeyPatch, seconds: float, taken: int
) -> None:
    class FifthTurns(Machine):
        """Every fifth step has G's turn, which doubles it."""

        def probe(self, batch_size: int) -> Callable[[], None]:
            def step() -> None:
                self.now += seconds * (1 if self.steps % 5 else 2)
                self.steps += 1

            return step

    budget = taken * seconds * 6 / 5
    assert count(monkeypatch, FifthTurns(seconds), budget, recipe="wgan") == pytest.approx(taken * BATCH, rel=1e-3)


def test_slow_first_steps_are_not_taken_for_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_start = Machine(0.01, first_steps=5, first_seconds=3.0)
    assert count(monkeypatch, slow_start, 60) == count(monkeypatch, Machine(0.01), 60)


@pytest.mark.parametrize("seconds", [1e-6, 0.5])
def test_there_is_at_least_one_batch(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    assert count(monkeypatch, Machine(2.0), seconds) == BATCH


@pytest.mark.parametrize("seconds", [1, 60, 7200])
def test_measuring_takes_a_small_share_of_the_budget_and_never_long(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    machine = Machine(0.01)
    count(monkeypatch, machine, seconds)
    assert machine.now - 100 <= min(max(0.07 * seconds, 0.5), 4.0) + 0.2


def test_the_first_process_decides_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = SimpleNamespace(broadcast=lambda value: 50 * value)  # the first process's clock runs so much faster
    assert count(monkeypatch, Machine(0.01), 20, fabric) == 40 * BATCH


def test_a_slow_moment_hits_every_size_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    class Moody(Machine):
        """Everything takes twice as long from the third second on."""

        def probe(self, batch_size: int) -> Callable[[], None]:
            def step() -> None:
                self.now += 0.01 * batch_size / BATCH * (2 if self.now > 103 else 1)

            return step

    one, three = (count(monkeypatch, Moody(0.01), 60, doublings=doublings) for doublings in (0, 2))
    assert three == pytest.approx(one, rel=0.1)


def test_each_size_of_a_growing_batch_is_timed_and_serves_an_equal_share_of_the_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Parallel(Machine):
        """Twice the images take half as long again."""

        def probe(self, batch_size: int) -> Callable[[], None]:
            self.sizes.append(batch_size)
            seconds = 0.01 * 1.5 ** (batch_size // BATCH).bit_length() / 1.5

            def step() -> None:
                self.now += seconds

            return step

    machine = Parallel(0.01)
    images = count(monkeypatch, machine, 60, doublings=2)
    assert machine.sizes == [32, 64, 128]
    needed = sum(images / 3 / size * 0.01 * 1.5**doubling for doubling, size in enumerate(machine.sizes))
    assert needed == pytest.approx(60, rel=1e-3)

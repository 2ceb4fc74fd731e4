"""`bench`: what each measure is taken from, and what can be held beside the reference machine's."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from digitforge.data import DataSet
from digitforge.errors import DataError, DigitforgeError, InterruptionError, RecipeError
from digitforge.forge import Forge
from digitforge.recipe import load_recipe
from digitforge.sections import Compute
from digitforge.studies import bench as room
from digitforge.studies.bench import Bench, bench, read_reference
from digitforge.studies.machine import find_machine, onednn_instructions
from tiny_models import write_model
from tiny_runs import Listener, tiny_data, tiny_recipe


class Clock:
    """A clock that steps alone move: each takes `seconds`."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def step_of(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(room, "time", clock)
    return clock


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few of everything, each shortly."""
    for name, value in {"STARTS": 1, "DRAWN": 300, "JUDGED": 200, "BLOCK": 0.01, "ROUNDS": 2}.items():
        monkeypatch.setattr(room, name, value)


def test_the_speed_of_a_block_is_its_steps_over_its_time(clock: Clock) -> None:
    assert room.speed(lambda: clock.step_of(0.25), 1.0) == pytest.approx(4)


def test_a_block_has_as_many_steps_as_it_needs_to_warm_up(clock: Clock) -> None:
    taken: list[float] = []

    def take_step() -> None:
        taken.append(clock.now)
        clock.step_of(5)

    room.speed(take_step, 1.0, at_least=3)
    assert len(taken) == 3


def test_steps_are_told_as_images_of_the_batch_by_the_median_of_blocks_in_turns(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[int] = []
    # One block of each recipe is 100 times slower, as if the machine had been busy.
    paces = {16: iter([0.5, 0.5, 50, 0.5, 0.5]), 32: iter([2, 2, 2, 2, 200])}

    def stepper(recipe: Any, data: DataSet) -> Any:
        return lambda: None

    def speed(take_step: Any, seconds: float, at_least: int = 1) -> float:
        size = (16, 32)[len(order) % 2]
        order.append(size)
        return 1 / next(paces[size])

    monkeypatch.setattr(room, "stepper", stepper)
    monkeypatch.setattr(room, "speed", speed)
    recipes = [tiny_recipe(), tiny_recipe({"training.batch_size": 32})]
    found = room.stepping(recipes, tiny_data())
    assert {key: measure.value for key, measure in found.items()} == {"tiny_16": 32, "tiny_32": 16}
    assert found["tiny_16"].n == room.ROUNDS
    assert order == [16, 32] * (1 + room.ROUNDS)


def test_a_step_of_a_recipe_that_doubles_its_batch_shows_the_batch_that_was_asked_for() -> None:
    recipe = tiny_recipe({"training.batch_doublings": 2, "training.batch_size": 24, "training.pretrain_images": 48})
    take_step = room.stepper(recipe, tiny_data())
    for _ in range(3):
        take_step()
    trainer = take_step.__self__  # type: ignore[attr-defined]
    assert trainer.images == 3 * 24


def test_drawing_counts_labelled_digits_in_memory(tmp_path: Path, clock: Clock) -> None:
    asked: list[int] = []
    forge = Forge.load(write_model(tmp_path / "tiny.onnx"))

    def generate(count: int) -> None:
        asked.append(count)
        clock.step_of(4)

    forge.generate = generate  # type: ignore[method-assign, assignment]
    (measure,) = room.drawing(forge).values()
    assert asked == [room.DRAWN]
    assert measure.value == room.DRAWN / 4


@pytest.mark.usefixtures("small")
def test_start_up_is_that_of_fresh_processes_which_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = dict(room.start_up())
    assert all(0.01 < measure.value < 60 for measure in found.values() if measure.value)
    assert found["import"].value < found["trainer"].value  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_fails_is_no_measurement() -> None:
    with pytest.raises(DigitforgeError, match="code 3: no paper left"):
        room.process_seconds(["-c", "import sys; print('no paper left', file=sys.stderr); sys.exit(3)"])


def test_without_mnist_it_says_so_and_trains_on_what_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_data(name: str, progress: Any = None) -> DataSet:
        if name == "mnist":
            raise DataError("no network")
        return replace(tiny_data(), name=name)

    monkeypatch.setattr(room, "load_data", load_data)
    said: list[str] = []
    assert room.data_at_hand(said.append).name == "mnist-5k"
    assert "mnist can't be fetched here" in said[0]


@pytest.mark.usefixtures("small")
def test_the_run_is_measured_against_mnist_whatever_it_was_trained_on() -> None:
    found = room.training(tiny_recipe({"record.figures": "1/1 run"}), tiny_data(side=28))
    assert found["run.images"].value == 640
    distance, ratio = found["run.frechet"].value, found["run.ratio"].value
    assert distance is not None
    assert ratio is not None
    assert distance / ratio == pytest.approx(0.032, abs=0.001)  # F, that of MNIST's test images
    assert found["run.frechet"].n == 200
    assert found["run.seconds"].value > found["run.images"].n > 0  # type: ignore[operator]


def test_an_interrupted_run_names_no_folder_that_is_gone() -> None:
    listener = Listener(at=160, act=lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(InterruptionError) as caught:
        room.training(tiny_recipe(), tiny_data(), [listener])
    assert caught.value.exit_code == 130
    assert "resume" not in str(caught.value)


def test_what_limits_the_instructions_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    told = onednn_instructions()
    if told is None or "Intel" not in told:
        pytest.skip("PyTorch has no oneDNN here, or the processor is not of this kind")
    assert told == "Intel SSE4.1"


def test_a_device_that_is_not_there_is_refused_before_anything_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    said: list[str] = []
    with pytest.raises(RecipeError, match='no usable "cuda"'):
        bench(device="cuda", notify=said.append)
    assert said == ["looking at the machine"]


def test_all_of_it_comes_together_and_survives_json(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Any] = []

    def training(recipe: Any, data: DataSet, observers: Any) -> dict[str, Any]:
        trained.append(recipe)
        return {"run.images": room.Measure("run", 5.0, "images", 1, "run")}

    def stepping(recipes: Any, data: DataSet) -> dict[str, Any]:
        names = [f"{recipe.name}_{recipe.training.batch_size}" for recipe in recipes]
        return {name: room.Measure(name, 1.0, "images/s", 1, "blocks") for name in names}

    machine = replace(read_reference().machine, processor="toaster")
    stubs = {"find_machine": lambda compute: machine, "data_at_hand": lambda say, progress: tiny_data()}
    stubs |= {"start_up": lambda: iter(()), "drawing": lambda forge: {}, "stepping": stepping, "training": training}
    for name, stub in stubs.items():
        monkeypatch.setattr(room, name, stub)
    found = bench(seconds=7, seed=3, precision="32")
    assert list(found.measures) == ["express_32", "express_128", "dcgan_256", "run.images"]
    assert (trained[0].training.seconds, trained[0].training.seed, trained[0].compute.precision) == (7, 3, "32")
    assert Bench.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_runs_are_compared_only_where_their_length_and_data_are_equal() -> None:
    reference = read_reference()
    other = replace(reference, seconds=reference.seconds + 1)
    for key in reference.measures:
        assert reference.comparable(reference, key)
        assert other.comparable(reference, key) == (not key.startswith("run."))
    assert not replace(reference, data="mnist-5k").comparable(reference, "run.frechet")


def test_the_reference_holds_every_measure_of_a_minute_on_mnist() -> None:
    reference = read_reference()
    assert (reference.seconds, reference.data) == (60, "mnist")
    assert all(measure.value for measure in reference.measures.values())
    express = load_recipe("express").training
    sizes = (express.batch_size, express.batch_size * 2**express.batch_doublings)
    assert {f"express_{size}" for size in sizes} < reference.measures.keys()
    assert {"import", "trainer", "one_digit", "drawing", "run.ratio", "run.accuracy"} < reference.measures.keys()


def test_the_machine_tells_what_it_computes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitforge.studies.machine.onednn_instructions", lambda: "SSE")
    machine = find_machine(Compute(device="cpu", precision="32", threads=1))
    assert (machine.device, machine.precision, machine.threads) == ("cpu", "32", 1)
    assert machine.onednn == "SSE"
    assert machine.processor
    assert machine.cores >= 1

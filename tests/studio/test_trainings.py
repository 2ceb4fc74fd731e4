"""Trainings: which commands are run, and that they are found again, paused, stopped and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest

from digitforge.errors import RunError, UserError
from digitforge.holding import held
from digitforge.studio import process as process_module
from digitforge.studio import trainings as trainings_module
from digitforge.studio.bounds import TrainingWish
from digitforge.studio.process import Worker, last_words, read_worker, start
from digitforge.studio.shelf import Shelf
from digitforge.studio.telling import tell_briefly
from digitforge.studio.trainings import Trainings
from drawn_runs import write_run

# Stands for a training: writes down that it was interrupted, as a run saves its state, and ends.
ACTOR = """
import signal, sys, time
def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(0.1)
    print("digitforge: stopped; everything so far is saved in it: go on with it", flush=True)
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


class Stage:
    """Trainings whose processes are actors, and the words that each was given."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shelf = Shelf(path)
        self.shelf.create()
        self.words: list[list[str]] = []
        self.pids: list[int] = []
        monkeypatch.setattr(trainings_module, "start", self._act)
        self.trainings = Trainings(self.shelf)

    def _act(
        self, job: str, words: Sequence[str], environment: Mapping[str, str], log: Path, record: Path
    ) -> subprocess.Popen[bytes]:
        self.words.append(list(words))
        with log.open("wb") as said:
            process = subprocess.Popen([sys.executable, "-c", ACTOR], stdout=said, start_new_session=True)
        self.pids.append(process.pid)
        born = psutil.Process(process.pid).create_time()
        record.write_text(json.dumps({"pid": process.pid, "born": born, "job": job}))
        while last_words(log) != "ready":
            time.sleep(0.01)
        return process


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(tmp_path / "runs", monkeypatch)
    yield stage
    for pid in stage.pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_a_wish_becomes_the_words_of_a_command(stage: Stage) -> None:
    wish = TrainingWish(recipe="dcgan", data="mnist-5k", digits=("3", "5"), seconds=90, seed=4)
    assert stage.trainings.start(wish) == "dcgan-4"
    words = stage.words[0]
    assert words[:8] == [
        "train",
        "dcgan",
        "--data",
        "mnist-5k",
        "--seed",
        "4",
        "--out",
        str(stage.shelf.path / "dcgan-4"),
    ]
    assert words[8:12] == ["--digits", "3,5", "--budget", "90s"]
    assert "record.sheet=1/40 run" in words
    assert "--budget" not in _words_of(stage, TrainingWish(seconds=None))


@pytest.mark.parametrize("recipe", ["nothing", "/tmp/x.toml", "x.toml", "..\\x"])
def test_a_recipe_is_a_name_and_no_file(stage: Stage, recipe: str) -> None:
    with pytest.raises(UserError, match="there is no recipe"):
        stage.trainings.start(TrainingWish(recipe=recipe))
    assert not stage.words


@pytest.mark.parametrize("data", ["/etc", ".", "../data", "svhm"])
def test_data_are_a_name_and_no_path(stage: Stage, data: str) -> None:
    with pytest.raises(UserError, match="there is no data set"):
        stage.trainings.start(TrainingWish(data=data))


def test_a_training_is_found_again_by_another_server_and_paused(stage: Stage) -> None:
    name = stage.trainings.start(TrainingWish())
    assert tell_briefly(stage.shelf, stage.trainings, name)["state"] == "starting"
    write_run(stage.shelf.path / name)
    other = Trainings(stage.shelf)
    assert tell_briefly(stage.shelf, other, name)["state"] == "training"
    worker = other.worker(name)
    assert worker is not None
    other.pause(name)
    assert worker.wait(10)
    told = tell_briefly(stage.shelf, other, name)
    assert (told["state"], told["problem"]) == ("paused", "")


def test_a_run_that_is_pausing_is_not_disturbed_again(stage: Stage) -> None:
    """A second signal would end it before it has saved."""
    name = stage.trainings.start(TrainingWish())
    write_run(stage.shelf.path / name)
    stage.trainings.pause(name)
    stage.trainings.pause(name)
    assert tell_briefly(stage.shelf, stage.trainings, name)["state"] == "pausing"
    worker = read_worker(stage.shelf.record(name))
    assert worker is not None and worker.wait(10)
    assert last_words(stage.shelf.log(name)).startswith("digitforge: stopped")


def test_a_run_that_takes_long_to_save_is_asked_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitforge.studio.trainings._PATIENCE", 0.0)
    name = stage.trainings.start(TrainingWish())
    write_run(stage.shelf.path / name)
    for _ in range(2):
        stage.trainings.pause(name)
    worker = read_worker(stage.shelf.record(name))
    assert worker is not None and worker.wait(10)
    assert last_words(stage.shelf.log(name)).startswith("digitforge: stopped")


def test_a_paused_run_goes_on(stage: Stage) -> None:
    name = stage.trainings.start(TrainingWish())
    write_run(stage.shelf.path / name)
    with pytest.raises(RunError, match="at work already"):
        stage.trainings.resume(name)
    stage.trainings.pause(name)
    worker = read_worker(stage.shelf.record(name))
    assert worker is not None and worker.wait(10)
    stage.trainings.resume(name)
    assert stage.words[-1] == ["train", "--out", str(stage.shelf.path / name), "--resume"]


def test_a_stopped_run_leaves_a_model_and_can_go_on(stage: Stage) -> None:
    name = stage.trainings.start(TrainingWish())
    write_run(stage.shelf.path / name)
    stage.trainings.stop(name)
    assert stage.words[-1] == ["export", str(stage.shelf.path / name), "--out", str(stage.shelf.stopped_model(name))]
    assert tell_briefly(stage.shelf, stage.trainings, name)["state"] == "stopping"
    os.kill(stage.pids[-1], signal.SIGKILL)
    stage.shelf.stopped_model(name).write_bytes(b"a model")
    worker = read_worker(stage.shelf.record(name))
    assert worker is not None and worker.wait(10)
    assert tell_briefly(stage.shelf, stage.trainings, name)["state"] == "stopped"
    assert stage.shelf.models() == [name]
    with held(stage.shelf.path / name):  # by a terminal that goes on with it
        assert tell_briefly(stage.shelf, stage.trainings, name)["state"] == "elsewhere"
    stage.trainings.resume(name)
    assert not stage.shelf.stopped_model(name).exists()


def test_the_model_of_a_stopped_run_is_not_that_of_a_later_one(stage: Stage) -> None:
    folder = write_run(stage.shelf.path / "a-run")
    stage.shelf.stopped_model("a-run").write_bytes(b"a model")
    assert tell_briefly(stage.shelf, stage.trainings, "a-run")["state"] == "stopped"
    later = stage.shelf.stopped_model("a-run").stat().st_mtime + 10
    os.utime(folder.recipe, (later, later))  # as a run that begins, or goes on, writes it
    assert tell_briefly(stage.shelf, stage.trainings, "a-run")["state"] != "stopped"
    assert stage.shelf.models() == []


def test_a_run_that_is_stopped_before_it_began_is_gone(stage: Stage) -> None:
    name = stage.trainings.start(TrainingWish())
    assert stage.trainings.start(TrainingWish()) == f"{name}-2"  # though the first one has no folder yet
    stage.trainings.stop(name)
    assert stage.shelf.names() == [f"{name}-2"]
    assert len(stage.words) == 2


def test_two_trainings_are_enough_for_one_machine(stage: Stage) -> None:
    first = stage.trainings.start(TrainingWish(name="first"))
    stage.trainings.start(TrainingWish(name="second"))
    with pytest.raises(RunError, match=r"second and first are being trained|first and second are being trained"):
        stage.trainings.start(TrainingWish(name="third"))
    worker = stage.trainings.worker(first)
    stage.trainings.pause(first)
    assert worker is not None and worker.wait(10)
    assert stage.trainings.start(TrainingWish(name="third")) == "third"


def test_a_run_that_never_began_says_why_until_the_next_one(stage: Stage) -> None:
    name = stage.trainings.start(TrainingWish())
    os.kill(stage.pids[0], signal.SIGKILL)
    worker = read_worker(stage.shelf.record(name))
    assert worker is not None and worker.wait(10)
    stage.shelf.log(name).write_text(f"fetching mnist\ndigitforge: nobody answers at {stage.shelf.path}/x\n")
    told = tell_briefly(stage.shelf, stage.trainings, name)
    assert (told["state"], told["problem"]) == ("failed", "nobody answers at x")
    stage.trainings.start(TrainingWish(name="next"))
    assert stage.shelf.names() == ["next"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("digitforge: the losses are no numbers any more", "the losses are no numbers any more"),
        ("epoch 0.1 500 images", "its process ended without a word"),
        ("digitforge: stopped; everything so far is saved in x", ""),
        ("digitforge: stopped; go on from what is saved in x with `digitforge train --out x --resume`", ""),
    ],
)
def test_a_run_that_came_to_grief_says_of_what(stage: Stage, said: str, problem: str) -> None:
    name = stage.trainings.start(TrainingWish())
    write_run(stage.shelf.path / name)
    os.kill(stage.pids[0], signal.SIGKILL)
    worker = read_worker(stage.shelf.record(name))
    assert worker is not None and worker.wait(10)
    stage.shelf.log(name).write_text(f"{said}\n")
    told = tell_briefly(stage.shelf, stage.trainings, name)
    assert told["state"] == "paused"
    assert told["problem"].startswith(problem) and bool(told["problem"]) == bool(problem)


def test_a_later_process_of_the_same_number_is_another_one() -> None:
    me = psutil.Process()
    assert Worker(me.pid, me.create_time(), "train").is_alive()
    assert not Worker(me.pid, me.create_time() - 60, "train").is_alive()


def test_a_process_is_started_apart_and_recorded(tmp_path: Path) -> None:
    log, record = tmp_path / "log", tmp_path / "record"
    child = start("train", ["--version"], os.environ, log, record)
    assert os.getsid(child.pid) == child.pid
    assert read_worker(record) == Worker(child.pid, pytest.approx(time.time(), abs=60), "train")  # type: ignore[arg-type]
    assert child.wait(60) == 0
    assert last_words(log).startswith("digitforge ")
    assert process_module.read_worker(tmp_path / "none") is None


def _words_of(stage: Stage, wish: TrainingWish) -> list[str]:
    stage.trainings.start(wish)
    return stage.words[-1]

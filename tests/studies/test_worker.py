"""A worker, in this process and with a training that takes no time: what it trains, and what it tells."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from digitforge.errors import DigitforgeError, DivergenceError
from digitforge.recipe import Recipe
from digitforge.runs import RunFolder
from digitforge.sections import Compute
from digitforge.studies.worker import Begun, Done, Failed, Job, Message, Moved, Noted, Ready, Stopped, Task, work
from digitforge.training.interruption import Interruption
from tiny_runs import tiny_data, tiny_recipe

JOB = Job(tiny_recipe(), tiny_data())
READY = Ready(JOB.recipe.compute)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A worker takes SIGTERM to itself, which a test gives back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


class Trainings:
    """Stands for train(): keeps what it was asked for, and does at a label what `at` says."""

    def __init__(self, **at: Any) -> None:
        self.at = at
        self.asked: list[tuple[Recipe, dict[str, Any]]] = []

    def __call__(self, recipe: Recipe, data: object, **options: Any) -> None:
        self.asked.append((recipe, options))
        assert data is JOB.data
        (teller,) = options["observers"]
        teller.started(SimpleNamespace(times=SimpleNamespace(images=640)), None, 32)
        with Interruption() as interruption:
            teller.stepped(48)
            teller.stepped(64)
            act = self.at.get(f"digit_{recipe.data.digits[0]}")
            if act is not None:
                act()
            teller.stepped(80)
            if interruption.asked:
                raise interruption.error(Path("run"))


def told(trainings: Trainings, monkeypatch: pytest.MonkeyPatch, names: str = "35", is_first: bool = True) -> list[Any]:
    """Everything that a worker tells that is handed tasks of these names and then let go."""
    monkeypatch.setattr("digitforge.training.train.train", trainings)
    return told_of(list(names), monkeypatch, is_first)


def told_of(groups: Sequence[str], monkeypatch: pytest.MonkeyPatch, is_first: bool = True) -> list[Any]:
    """Everything that a worker tells that is handed groups of tasks, each of labels of one letter."""
    line = {"images": 640, "clock": {"seconds": 2.5}}
    monkeypatch.setattr(RunFolder, "read_stats", lambda folder: [line])
    ours, theirs = Pipe()
    for names in groups:
        ours.send([Task(name, RunFolder(Path(f"digit-{name}"))) for name in names])
    ours.send([])
    work(theirs, JOB, is_first)
    messages: list[Message] = []
    while ours.poll():
        messages.append(ours.recv())
    return messages


def test_each_label_is_trained_alone_in_its_folder_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings()
    messages = told(trainings, monkeypatch)
    assert messages == [
        READY,
        Begun("3", 32, 640),
        Moved("3", 48),  # and not the next one, which came at once
        Done("3", 640, 2.5),
        Begun("5", 32, 640),
        Done("5", 640, 2.5),
    ]
    for name, (recipe, options) in zip("35", trainings.asked, strict=True):
        assert recipe == JOB.recipe.with_settings({"data.digits": [name]})
        assert (options["out"], options["resume"]) == (Path(f"digit-{name}"), True)


def test_an_error_is_told_with_its_label_and_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge() -> None:
        raise DivergenceError("the losses are no numbers any more")

    failed = told(Trainings(digit_3=diverge), monkeypatch)[-1]
    assert isinstance(failed, Failed)
    assert (failed.name, failed.kind, failed.message) == ("3", DivergenceError, "the losses are no numbers any more")
    assert "in diverge" in failed.trace


def test_an_error_of_ours_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = told(Trainings(digit_5=lambda: [][0]), monkeypatch)[-1]
    assert (failed.name, failed.kind) == ("5", DigitforgeError)
    assert failed.message.startswith("an unexpected IndexError (list index out of range)")


def test_a_signal_while_a_label_is_trained_ends_the_worker_after_it_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings(digit_3=lambda: signal.raise_signal(signal.SIGTERM))
    assert told(trainings, monkeypatch)[-1] == Stopped()
    assert len(trainings.asked) == 1


def test_a_signal_before_the_first_step_is_passed_on_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings()

    def early(*arguments: Any, **options: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        Trainings.__call__(trainings, *arguments, **options)

    assert told(early, monkeypatch)[-1] == Stopped()  # type: ignore[arg-type]
    assert len(trainings.asked) == 1


def test_a_signal_between_two_labels_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings()

    def late(*arguments: Any, **options: Any) -> None:
        Trainings.__call__(trainings, *arguments, **options)
        signal.raise_signal(signal.SIGTERM)

    assert told(late, monkeypatch)[-2:] == [Done("3", 640, 2.5), Stopped()]  # type: ignore[arg-type]


def test_labels_that_come_together_are_trained_at_once_and_told_of_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def train_together(recipe: Recipe, data: object, members: Any, finished: Any, note: Any) -> None:
        asked.append((recipe, data, [member.folder.path for member in members]))
        note("in turn")
        for member in members:
            member.observer.started(SimpleNamespace(times=SimpleNamespace(images=640)), None, 32)
            member.observer.stepped(48)
        for member in members:
            signal.raise_signal(signal.SIGTERM)
            finished(member)

    monkeypatch.setattr("digitforge.training.together.train_together", train_together)
    moved = [each for name in "35" for each in (Begun(name, 32, 640), Moved(name, 48))]
    # A signal while files are written: the rest is for a resume.
    assert told_of(["35"], monkeypatch) == [READY, Noted("in turn"), *moved, Done("3", 640, 2.5), Stopped()]
    assert asked == [(JOB.recipe, JOB.data, [Path("digit-3"), Path("digit-5")])]


@pytest.mark.parametrize(("is_first", "count"), [(True, 5), (False, 0)])
def test_one_worker_alone_serves_an_accelerator(monkeypatch: pytest.MonkeyPatch, is_first: bool, count: int) -> None:
    cuda = Compute(device="cuda", precision="bf16", threads=2)
    monkeypatch.setattr("digitforge.training.compute.resolve_compute", lambda compute: cuda)
    messages = told(Trainings(), monkeypatch, is_first=is_first)
    assert messages[:1] == ([Ready(cuda)] if is_first else [])
    assert len(messages[1:]) == count

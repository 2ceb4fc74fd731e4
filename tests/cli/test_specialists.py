"""`digitforge specialists`: what its words come to, what it refuses, and what a person sees meanwhile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from digitforge.cli import main
from digitforge.cli.specialists import JobDisplay
from digitforge.forge import Forge
from digitforge.recipe import load_recipe
from digitforge.runs import SpecialistsFolder
from digitforge.set_file import set_card, write_set
from digitforge.studies.worker import Begun, Done, Message, Moved, Noted, Ready
from tiny_models import card_table, write_model

pytestmark = pytest.mark.usefixtures("folder")

RECIPE = load_recipe("express").with_settings({"data.digits": ["3", "5", "7"], "training.seed": 2})


def test_the_options_become_settings_of_every_specialist(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    asked: dict[str, Any] = {}

    def train_specialists(recipe: str | None, **options: Any) -> SpecialistsFolder:
        asked.update(options, recipe=recipe)
        job = SpecialistsFolder(folder / "job")
        job.path.mkdir()
        digits = {label: folder / f"{label}.onnx" for label in (3, 5)}
        for label, path in digits.items():
            write_model(path, card=card_table(frequencies=[9 * (each == label) for each in range(10)]))
        card = set_card({label: Forge.load(path).card for label, path in digits.items()}, {})
        write_set(job.model, card, {label: path.read_bytes() for label, path in digits.items()})
        return job

    monkeypatch.setattr("digitforge.studies.specialists.train_specialists", train_specialists)
    words = "dcgan --data mnist-5k --digits 3,5 --budget 2m --seed 7 --workers 3 --out job --set r1=0 --resume"
    assert main(["specialists", *words.split()]) == 0
    assert asked["recipe"] == "dcgan"
    assert (asked["out"], asked["workers"], asked["resume"]) == (Path("job"), 3, True)
    assert asked["settings"] == {
        "data.name": "mnist-5k",
        "data.digits": "3,5",
        "training.seconds": 120,
        "training.seed": 7,
        "objective.r1": 0,
    }
    out = capfd.readouterr().out
    assert out.startswith(f"{folder}/job: every digit had finished already\n{folder}/job: 12,800 images\n")
    assert out.endswith(f"next: digitforge generate {folder}/job --digit 5\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("nothing-such", 'no recipe "nothing-such"'),
        ("full", 'no recipe "full", but a folder of that name: train on it with --data full'),
        ("--budget 60s --images 5", "one length"),
        ("--workers 0", "at least one worker"),
        ("--resume", "name its folder with --out"),
        ("--data mnist-5k --digits 12", 'no label "12"'),
        ("--data mnist-5k --out full", "full holds other files; choose another --out"),
        ("--data mnist-5k --out full --resume", r"no job of specialists: it holds no specialists\.toml"),
    ],
)
def test_what_cannot_be_trained_is_one_line_code_2_and_nothing_left_behind(
    folder: Path, capfd: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "taken").touch()
    assert main(["specialists", *words.split()]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(r"digitforge: [^\n]{10,400}\n", err)
    assert re.search(told, err)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == ["full", "full/taken"]


class Clock:
    """A clock that stands until it is set, in seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.monotonic", made)
    return made


def shown(*messages: Message, finished: tuple[str, ...] = ()) -> JobDisplay:
    """A display that has heard these messages."""
    display = JobDisplay()
    display.started("three specialists", RECIPE.data.digits, finished)
    for message in messages:
        display.heard(message)
    return display


def test_a_log_says_what_begins_and_when_a_digit_is_done(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    display = shown(Ready(RECIPE.compute), Begun("3", 0, 6000), Begun("5", 2000, 6000))
    clock.now += 10
    display.heard(Moved("5", 4000))
    display.heard(Noted("the rest in turn"))
    display.heard(Done("3", 6000, 8.04))
    display.ended()
    assert capfd.readouterr().err.splitlines() == [
        "three specialists",
        "the rest in turn",
        "digit 3: 6,000 images in 8.0 s of training steps; 1 of 3 done, 800 images/s together, 10 s left",
    ]


def test_digits_that_have_not_begun_count_as_much_as_the_others(clock: Clock) -> None:
    assert shown(Ready(RECIPE.compute)).total == 0
    assert shown(Begun("3", 0, 6000)).total == 18_000
    assert shown(Begun("3", 0, 6000), Begun("5", 0, 5000)).total == 16_500
    assert shown(Begun("3", 0, 6000), finished=("5",)).total == 12_000


def test_speed_counts_what_this_session_has_shown(clock: Clock) -> None:
    display = shown(Begun("3", 1000, 6000), Begun("5", 0, 6000))
    clock.now += 4
    display.heard(Moved("3", 3000))
    display.heard(Moved("5", 2000))
    assert (display.images, display.speed) == (5000, 1000)


def test_a_resumed_digit_whose_files_alone_were_missing_promises_no_time(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    shown(Begun("7", 6000, 6000), Done("7", 6000, 8.0), finished=("3", "5"))
    lines = capfd.readouterr().err.splitlines()
    assert lines[1:] == [
        "finished already: 3, 5",
        "digit 7: 6,000 images in 8.0 s of training steps; 3 of 3 done",
    ]

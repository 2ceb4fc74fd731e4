"""`digitforge bench`: a table beside the reference machine, JSON for programs, and how it ends early."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from digitforge.cli import main
from digitforge.studies.bench import Bench, Measure, read_reference

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the study is asked for; it then finds the reference's values, another machine and half the drawing."""
    asked: dict[str, Any] = {}
    reference = read_reference()

    def bench(seconds: float, seed: int, **options: Any) -> Bench:
        asked.update(options, seconds=seconds, seed=seed)
        machine = replace(reference.machine, processor="toaster [mark II]")
        drawing = Measure("draw labelled digits", 1234.4, "images/s", 20_000, "images")
        measures = {**reference.measures, "drawing": drawing}
        return replace(reference, machine=machine, seconds=seconds, seed=seed, measures=measures)

    monkeypatch.setattr("digitforge.studies.bench.bench", bench)
    monkeypatch.setenv("COLUMNS", "180")
    return asked


def row(out: str, title: str) -> list[str]:
    """The cells of the line that begins with a title."""
    line = next(line for line in out.splitlines() if line.startswith(f"│ {title}"))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_each_measure_stands_beside_the_reference_machine_s(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench"]) == 0
    out = capsys.readouterr().out
    reference = read_reference()
    assert row(out, "processor")[1].startswith("toaster [mark II], cores:")
    assert row(out, "processor")[2].startswith(reference.machine.processor)
    its = f"{reference.measures['drawing'].value:,.0f} images/s"
    assert row(out, "draw labelled digits") == ["draw labelled digits", "1,234 images/s", its, "20,000 images"]
    accuracy = f"{reference.measures['run.accuracy'].value:.2%}"
    assert row(out, "express, 60 s: read as asked")[1:3] == [accuracy, accuracy]
    assert f"measured on {reference.date}" in out


def test_a_run_of_another_length_is_not_held_beside_the_reference_s(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--budget", "5s"]) == 0
    out = capsys.readouterr().out
    assert row(out, "express, 60 s: read as asked")[2] == "-"
    assert row(out, "draw labelled digits")[2] != "-"
    assert "its run, of 60 s on mnist, is another and not shown" in out


def test_the_options_reach_the_study_and_json_holds_all_that_it_found(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *["--budget", "2m", "--seed", "4", "--precision", "32", "--device", "cpu", "--json"]]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (asked["seconds"], asked["seed"], asked["precision"], asked["device"]) == (120, 4, "32", "cpu")
    assert table["machine"]["processor"] == "toaster [mark II]"
    assert Bench.from_dict(table).measures["drawing"].value == 1234.4


@pytest.mark.parametrize(
    ("words", "told"),
    [("--budget 0s", "a budget is a time above zero"), ("--precision 16", "--precision"), ("--seed x", "--seed")],
)
def test_what_cannot_be_is_refused_in_one_line(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words.split()]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_without_what_training_needs_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["bench"]) == 2
    assert "pip install -c constraints.txt '.[train]'" in capsys.readouterr().err


def test_ctrl_c_ends_it_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def bench(*words: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("digitforge.studies.bench.bench", bench)
    assert main(["bench"]) == 130
    assert capsys.readouterr().err == "digitforge: interrupted\n"

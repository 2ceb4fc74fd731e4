"""What a person sees of a run: each thing that goes wrong is said when it shows up, and not again while it lasts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.progress import Progress

from digitforge.cli.display import Display, as_word, download_progress, print_columns
from digitforge.runs import RunFolder
from digitforge.training.diagnosis import Finding
from digitforge.training.observers import Tick
from digitforge.training.plan import make_plan
from tiny_runs import tiny_data, tiny_recipe


def shown(capfd: pytest.CaptureFixture[str], *findings: tuple[Finding, ...] | None) -> list[list[str]]:
    """What is printed at each tick, by lines."""
    display = Display()
    display.started(make_plan(tiny_recipe(), tiny_data()), RunFolder(Path("run")), 0)
    capfd.readouterr()
    told = []
    for number, found in enumerate(findings, 1):
        line = {"images": 80 * number, "loss": {"discriminator": 1.0}, "clock": {"images_per_second": 5.0}}
        display.ticked(Tick(80 * number, line, findings=found))
        told.append(capfd.readouterr().err.splitlines())
    display.ended()
    return told


def test_what_goes_wrong_is_said_once_however_long_it_lasts(capfd: pytest.CaptureFixture[str]) -> None:
    collapse, few = (
        Finding("collapse", ("Only [8] are drawn, 3 %; " * 9).strip()),
        Finding("too-little-data", "Too few."),
    )
    again = Finding("collapse", "Only [8] are drawn, 2 %.")
    told = shown(
        capfd, (), (collapse,), None, (again,), (few, again), (again, few), (few,), None, (few,), (few, again), (), ()
    )
    quiet: list[str] = []
    assert told == [
        quiet,
        [collapse.sentence],  # whole, in one line, brackets and all
        quiet,
        quiet,
        [few.sentence],
        quiet,
        quiet,
        quiet,
        quiet,
        [again.sentence],  # it had gone
        quiet,
        quiet,
    ]


def test_what_was_done_to_the_images_is_told_first(capfd: pytest.CaptureFixture[str]) -> None:
    data = replace(tiny_data(), notes=("3 images [odd] resized from 9x9 to 8x8",))
    Display().started(make_plan(tiny_recipe(), data), RunFolder(Path("run")), 0)
    note, what = capfd.readouterr().err.splitlines()
    assert note == "3 images [odd] resized from 9x9 to 8x8"
    assert "on tiny" in what


def test_each_file_of_a_download_has_its_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with download_progress() as hear:
        hear("first.gz", 10, 10)
        hear("second.gz", 5, 10)
        hear("second.gz", 10, 10)
    shown = capsys.readouterr().err
    assert "first.gz" in shown
    assert "second.gz" in shown


def test_a_transfer_that_broke_off_is_over_for_the_display(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stopped: list[bool] = []
    plain = Progress.stop
    monkeypatch.setattr(Progress, "stop", lambda progress: stopped.append(True) or plain(progress))
    with download_progress() as hear:
        hear("first.gz from a", 5, 10)
        hear("first.gz from a", 5, 5)  # as a source says of what broke off
        hear("first.gz from b", 10, 10)
        assert stopped


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_cell_is_shown_whole_however_many_columns_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    heads = [f"runs/model-{number}" for number in range(30)]
    rows = {key: [f"{key[0]}{number}.1234" for number in range(30)] for key in ("distance", "width of strokes")}
    print_columns("figure", heads, rows, justify="right")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    for key, cells in rows.items():
        own = " ".join(line for line in lines if key in line)
        assert all(f" {cell} " in own for cell in cells)


def test_a_path_that_looks_like_an_option_is_made_none() -> None:
    assert [as_word(Path(name)) for name in ("-run", "run", "a/-run")] == ["./-run", "run", "a/-run"]

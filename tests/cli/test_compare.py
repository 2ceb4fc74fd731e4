"""`digitforge compare`: a page on several runs, a table of what they reached, and one line for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from digitforge.cli import main
from digitforge.runs import RunFolder
from drawn_runs import stats_line, write_run
from tiny_models import HASH, card_table, write_model
from tiny_runs import tiny_digits, write_npz


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs of one name, one of which is finished."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    done = write_run(tmp_path / "a" / "run", settings={"training.images": 300})
    figures = {"frechet": {"value": 1.5}, "ratio": {"value": 46.0}, "accuracy": {"value": 0.75}}
    write_model(done.model, card=card_table(figures=figures))
    done.write_hashes()
    write_run(tmp_path / "b" / "run", [stats_line(80, 1)], settings={"training.images": 300, "training.seed": 9})
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["compare", *arguments]) == 0
    return capsys.readouterr().out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["compare", *arguments]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.count("\n") == 1
    return said.err


def test_runs_are_shown_and_told_by_what_tells_them_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "a/run", "b/run")
    page = (folder / "compare.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "a/run" in page and "b/run" in page
    lines = [line for line in out.splitlines() if "│" in line]
    finished, going = (next(line for line in lines if name in line) for name in ("a/run", "b/run"))
    for word in ("300", "3.0", "1.500", "46.00", "75.00%"):
        assert word in finished
    assert "80 of 300" in going
    assert "%" not in going
    seed = next(line for line in lines if "training.seed" in line)
    assert "5" in seed and "9" in seed
    assert "training.images" not in out
    assert "compare.html" in out


def test_a_name_that_is_taken_is_numbered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "compare.html").write_text("mine")
    assert "compare-2.html" in told(capsys, "a/run", "b/run")
    assert (folder / "compare.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "begin"), [("c.svg", b"<?xml"), ("c.PDF", b"%PDF"), ("new/c.png", b"\x89PNG"), ("new/c.html", b"<!DOC")]
)
def test_out_says_what_is_written_and_where(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, begin: bytes
) -> None:
    assert name in told(capsys, "a/run", "--out", name)
    assert (folder / name).read_bytes().startswith(begin)


@pytest.mark.parametrize("name", ["a/run/sheet.png", "a/run/report.html"])
def test_no_file_of_a_finished_run_is_written_over(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    run = RunFolder(folder / "a" / "run")
    (folder / name).write_bytes(b"mine")
    run.write_hashes()
    assert "is one of the files that" in complaint(capsys, "a/run", "b/run", "--out", name)
    assert (folder / name).read_bytes() == b"mine"
    told(capsys, "a/run", "b/run", "--out", "a/run/other.html")


def test_settings_move_no_cursor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(folder / "c", settings={"training.images": 300, "data.name": "\x1b[2Jdata"})
    assert r"\x1b[2Jdata" in told(capsys, "a/run", "c")


def test_a_run_is_not_shown_with_figures_of_other_images(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFORGE_CACHE", str(folder / "cache"))
    place = write_npz(folder / "own.npz", tiny_digits(300, side=28))
    run = RunFolder(folder / "a" / "run")
    figures = {"frechet": {"value": 1.5}}
    write_model(run.model, card=card_table(figures=figures, data={"name": str(place), "sha256": HASH, "count": 9}))
    run.write_hashes()
    assert main(["compare", "a/run", "b/run"]) == 0
    said = capsys.readouterr()
    assert "1.500" in said.out
    assert f"a/run is shown with the figures that it has: {place} holds other images than" in said.err


def test_a_run_without_its_end_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(folder / "c", settings={"training.images": 300})
    assert main(["compare", "c"]) == 0
    assert "c: all its images are seen, and its model and figures are still to come" in capsys.readouterr().err


def test_equal_runs_are_said_to_be_set_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(folder / "c", settings={"training.images": 300})
    assert "the runs have the same settings" in told(capsys, "a/run", "c")


@pytest.mark.parametrize("name", ["c.jpg", "c", "c.htm"])
def test_other_files_are_refused(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert ".html page, or in a .png, .svg or .pdf" in complaint(capsys, "a/run", "--out", name)


def test_what_is_no_run_is_refused_and_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "b is no run folder" in complaint(capsys, "a/run", "b")
    assert "nowhere is no run folder" in complaint(capsys, "a/run", "nowhere")
    assert "given twice" in complaint(capsys, "a/run", "./a/run")
    assert not (folder / "compare.html").exists()


def test_a_run_without_statistics_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(folder / "new", [])
    assert "new has no line of statistics yet" in complaint(capsys, "a/run", "new")


def test_a_run_that_cannot_be_read_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b" / "run" / "stats.jsonl").write_text('{"images": 80}\n')
    assert "is damaged at line 1" in complaint(capsys, "a/run", "b/run")


def test_what_a_run_lacks_is_told_and_the_rest_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a" / "run" / "model.onnx").write_bytes(b"no model")
    assert main(["compare", "a/run", "b/run"]) == 0
    said = capsys.readouterr()
    assert "a/run: model.onnx is missing or damaged" in said.err
    assert "1.500" not in said.out
    assert "model.onnx is missing or damaged" in (folder / "compare.html").read_text("utf-8")


def test_a_plain_install_is_told_what_to_add(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install -c constraints.txt '.[train]'" in complaint(capsys, "a/run")

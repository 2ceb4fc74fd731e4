"""A run's history: every quantity with its moments, epochs beside images, and damage named in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digitforge.errors import RunError
from digitforge.report.history import distinguishing_names, read_history
from digitforge.runs import RunFolder
from drawn_runs import stats_line, write_run


def test_a_curve_holds_a_quantitys_values_with_images_and_seconds(tmp_path: Path) -> None:
    lines = [stats_line(100 * step, step, accuracy={"fake": step / 10} if step % 2 else None) for step in (1, 2, 3)]
    history = read_history(write_run(tmp_path / "run", lines))
    fake = history.curves["accuracy.fake"]
    np.testing.assert_array_equal(fake.images, [100, 300])
    np.testing.assert_array_equal(fake.seconds, [1, 3])
    np.testing.assert_array_equal(fake.values, [0.1, 0.3])
    assert len(history.curves["loss.generator"].values) == 3
    assert (history.images, history.seconds, history.name) == (300, 3.0, "run")


def test_epochs_follow_images(tmp_path: Path) -> None:
    epochs = read_history(write_run(tmp_path / "run")).epochs
    assert epochs is not None
    assert epochs.before == 0
    assert epochs.after(250) == pytest.approx(2.5)
    assert epochs.images(1.5) == pytest.approx(150)


def test_epochs_begin_after_pretraining(tmp_path: Path) -> None:
    lines = [stats_line(50, 0), stats_line(100, 0), stats_line(140, 0.2), stats_line(300, 1.0)]
    epochs = read_history(write_run(tmp_path / "run", lines)).epochs
    assert epochs is not None
    assert epochs.before == pytest.approx(100)
    assert epochs.each == pytest.approx(200)


def test_pretraining_shows_even_where_no_line_was_told_during_it(tmp_path: Path) -> None:
    lines = [stats_line(images, epoch) for images, epoch in ((104, 0.02), (300, 1), (500, 2))]
    epochs = read_history(write_run(tmp_path / "run", lines)).epochs
    assert epochs is not None
    assert epochs.before == pytest.approx(100)
    assert epochs.each == pytest.approx(200)


def test_there_are_no_epochs_before_the_first_one_begins(tmp_path: Path) -> None:
    assert read_history(write_run(tmp_path / "run", [stats_line(50, 0)])).epochs is None


def test_what_is_no_run_and_a_run_without_statistics_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run folder"):
        read_history(RunFolder(tmp_path))
    with pytest.raises(RunError, match="has no line of statistics yet"):
        read_history(write_run(tmp_path / "run", []))


@pytest.mark.parametrize("line", ["{}", "[]", "7", '{"images": "x"}', '{"images": 3, "clock": 5, "epoch": 1}', "{"])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    folder = write_run(tmp_path / "run")
    with folder.stats.open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(RunError, match=r"stats\.jsonl is damaged at line 4: .+"):
        read_history(folder)


def test_statistics_that_are_no_text_are_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    folder.stats.write_bytes(b"\xff\xfe\n")
    with pytest.raises(RunError, match=r"cannot read the statistics .*stats\.jsonl"):
        read_history(folder)


def test_names_are_the_shortest_ends_that_differ() -> None:
    paths = [Path("/runs/a/run"), Path("/runs/b/run"), Path("/runs/dcgan-0"), Path("/run")]
    assert distinguishing_names(paths) == ["a/run", "b/run", "dcgan-0", "/run"]


def test_one_run_given_twice_is_refused() -> None:
    with pytest.raises(RunError, match="given twice"):
        distinguishing_names([Path("runs/a"), Path("runs/../runs/a")])

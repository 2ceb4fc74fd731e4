"""`digitforge data`: the list, and one data set counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digitforge.cli import main
from digitforge.data import catalogue


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")


def test_the_list_names_every_data_set_and_where_they_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data"]) == 0
    out = capsys.readouterr().out
    assert f"kept in {tmp_path / 'cache'}\n" in out
    for entry in catalogue():
        assert entry.name in out
        assert f"{entry.train_count:,}" in out


def test_a_path_is_counted_by_label_with_its_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.arange(40) % 10
    np.savez(tmp_path / "own.npz", images=np.zeros((40, 20, 20), np.uint8), labels=labels)
    assert main(["data", str(tmp_path / "own.npz")]) == 0
    out = capsys.readouterr().out
    assert "28x28x1" in out
    assert "7: " in out
    assert "resized" in out
    assert "sha256" in out


def test_what_is_held_out_is_told_once_and_so_is_that_nothing_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "own.npz", images=np.zeros((10, 28, 28), np.uint8), labels=np.zeros(10, int))
    assert main(["data", str(tmp_path / "own.npz")]) == 0
    first, second, third, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("own.npz: 9 training images of 28x28x1 (0: 9, ")
    assert second.startswith("1 test image of 28x28x1 (0: 1, ")
    assert third == "no test part of its own: a fixed tenth (1 image) is held out"
    np.savez(tmp_path / "tiny.npz", images=np.zeros((6, 28, 28), np.uint8), labels=np.arange(6) % 2)
    assert main(["data", str(tmp_path / "tiny.npz")]) == 0
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "no test part",
        "6 images: too few to hold out a tenth as a test part",
    ]


def test_many_labels_are_counted_by_their_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.concatenate([np.repeat(np.arange(300), 10), np.zeros(10, int)])
    np.savez(tmp_path / "own.npz", images=np.zeros((3010, 28, 28), np.uint8), labels=labels)
    assert main(["data", str(tmp_path / "own.npz")]) == 0
    out = capsys.readouterr().out
    assert "(300 labels, 9 to 18 images each)" in out
    assert "299:" not in out


def test_a_data_set_is_written_as_others_read_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.arange(40) % 10
    np.savez(tmp_path / "own.npz", images=np.zeros((40, 32, 32, 3), np.uint8), labels=labels)
    assert main(["data", str(tmp_path / "own.npz"), "--out", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert f"written: {tmp_path / 'new' / 'train_32x32.mat'}\n" in out
    assert main(["data", str(tmp_path / "new")]) == 0
    assert "36 training images of 32x32x3" in capsys.readouterr().out


def test_a_folder_without_a_data_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--out", str(tmp_path / "new")]) == 2
    assert "name a data set" in capsys.readouterr().err


def test_labels_with_names_are_written_as_numbers_and_the_names_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(
        tmp_path / "own.npz",
        images=np.zeros((20, 28, 28), np.uint8),
        labels=np.asarray(["cat", "dog"] * 10),
    )
    assert main(["data", str(tmp_path / "own.npz"), "--out", str(tmp_path / "out")]) == 0
    assert "the files hold labels as numbers: 0: cat, 1: dog" in capsys.readouterr().out

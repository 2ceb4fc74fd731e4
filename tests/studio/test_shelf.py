"""The shelf: names that cannot lead out of the folder of runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from digitforge.errors import RunError
from digitforge.studio.shelf import Shelf
from drawn_runs import write_run


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "runs")
    shelf.create()
    write_run(shelf.path / "a-run")
    return shelf


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../a-run", "a-run/samples", "/etc", ".studio", "a\0b", "none", "x" * 81]
)
def test_a_name_leads_nowhere_else(shelf: Shelf, name: str) -> None:
    with pytest.raises(RunError, match="there is no run"):
        shelf.run(name)
    with pytest.raises(RunError, match="there is no model"):
        shelf.model(name)


def test_a_link_to_a_folder_elsewhere_is_no_run(shelf: Shelf, tmp_path: Path) -> None:
    write_run(tmp_path / "elsewhere")
    (shelf.path / "link").symlink_to(tmp_path / "elsewhere")
    assert shelf.names() == ["a-run"]
    with pytest.raises(RunError):
        shelf.run("link")


def test_a_model_that_is_a_link_is_not_opened(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    shelf.run("a-run").model.symlink_to(tmp_path / "secret")
    with pytest.raises(RunError, match="no model"):
        shelf.model("a-run")


def test_the_newest_run_comes_first_and_other_folders_are_none(shelf: Shelf) -> None:
    write_run(shelf.path / "newer")
    os.utime(shelf.path / "a-run", (0, 0))
    (shelf.path / "holiday").mkdir()
    assert shelf.names() == ["newer", "a-run"]


def test_a_taken_name_is_numbered(shelf: Shelf) -> None:
    assert shelf.free_name("a-run") == "a-run-2"
    (shelf.path / "a-run-2").mkdir()
    assert shelf.free_name("a-run") == "a-run-3"
    assert shelf.free_name("other") == "other"
    assert shelf.free_name("pretrained") == "pretrained-2"  # which names the model in the package


@pytest.mark.parametrize(
    ("home", "sentence", "told"),
    [
        ("/home/me", "/home/me/data.npz holds T-shirt/top", "~/data.npz holds T-shirt/top"),
        ("/home/me", "/home/merlin/data.npz is gone", "/home/merlin/data.npz is gone"),
        ("/", "/data.npz holds T-shirt/top", "/data.npz holds T-shirt/top"),
    ],
)
def test_a_sentence_names_the_home_folder_by_its_sign(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, home: str, sentence: str, told: str
) -> None:
    monkeypatch.setenv("HOME", home)
    assert shelf.without_places(sentence) == told
    assert shelf.without_places(f"{shelf.path}/a-run is damaged") == "a-run is damaged"

"""`digitforge export`: a snapshot lies as a model file where it was asked for, and other commands take it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from digitforge.cli import main
from digitforge.forge import Forge
from digitforge.training.train import train
from tiny_runs import tiny_digits, tiny_recipe, write_npz


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits in a file and a run on them, whose model file nobody has made yet."""
    folder = tmp_path_factory.mktemp("made")
    settings = {
        "data.name": str(write_npz(folder / "digits.npz", tiny_digits(300, side=28))),
        "training.images": 320,
        "record.figures": "1/1 run",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(folder / "cache"))
        patch.setattr("digitforge.training.train.finish", lambda *_: None)
        train(tiny_recipe(settings), out=folder / "tiny-5")
    return folder


@pytest.fixture(autouse=True)
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a copy of the run and things that are none."""
    monkeypatch.setenv("DIGITFORGE_CACHE", str(made / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "tiny-5", tmp_path / "tiny-5")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_by_default_a_numbered_file_lies_in_the_working_folder_and_the_run_is_as_it_was(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((folder / "tiny-5").rglob("*"))
    assert main(["export", "tiny-5"]) == 0
    assert main(["export", "tiny-5", "--at", "320"]) == 0
    first, second = "tiny-5-320.onnx", "tiny-5-320-2.onnx"
    expected = "".join(
        f"{name}: the model after 320 images\nnext: digitforge evaluate {name}\n" for name in (first, second)
    )
    assert capsys.readouterr().out == expected
    assert Forge.load(first).card == Forge.load(second).card
    assert sorted((folder / "tiny-5").rglob("*")) == before


def test_an_early_model_is_generated_from_and_evaluated_like_any_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "tiny-5", "--at", "160", "--out", "models/early.onnx"]) == 0
    assert main(["generate", "models/early.onnx", "--digit", "7", "--count", "5", "--out", "sevens.npz"]) == 0
    with np.load("sevens.npz") as arrays:
        assert arrays["images"].shape == (5, 28, 28)
        assert arrays["labels"].tolist() == [7] * 5
    capsys.readouterr()
    assert main(["evaluate", "models/early.onnx", "--count", "50", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["weights_sha256"] == Forge.load("models/early.onnx").card.weights_sha256
    assert found["frechet"]["value"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nowhere", "nowhere is no run folder"),
        ("empty", "empty is no run folder"),
        ("tiny-5 --at 100", "nearest, --at 0 or --at 160"),
        ("tiny-5 --at 5k", "--at"),
        ("tiny-5 --out model.png", r"as an \.onnx file, not as model\.png"),
        ("tiny-5 --out empty", r"as an \.onnx file, not as empty"),
        ("tiny-5 --out tiny-5/model.onnx", "lies in the run folder"),
        ("tiny-5 --out /proc/model.onnx", "cannot write"),
        ("tiny-5 --out folder.onnx", r"folder\.onnx is a folder; name a file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_before_anything_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    monkeypatch.setattr("digitforge.training.export.export", lambda *_, **__: pytest.fail("a model was made"))
    (folder / "folder.onnx").mkdir()
    before = sorted(folder.rglob("*"))
    assert main(["export", *words.split()]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert re.fullmatch(r"digitforge: [^\n]{10,400}\n", told.err)
    assert re.search(said, told.err)
    assert sorted(folder.rglob("*")) == before


def test_the_runs_own_folder_can_be_the_working_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder / "tiny-5")
    assert main(["export", "."]) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert main(["export", ".", "--at", "0", "--out", "../untrained.onnx"]) == 0
    assert Forge.load(folder / "untrained.onnx").card.images == 0


def test_without_torch_the_way_to_it_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else name)
    assert main(["export", "tiny-5"]) == 2
    assert "pip install -c constraints.txt '.[train]'" in capsys.readouterr().err

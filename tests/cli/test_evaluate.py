"""`digitforge evaluate`: a table for people, JSON for programs, one and the same figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge import classifier as classifier_module
from digitforge.classifier import Classifier
from digitforge.cli import main
from digitforge.data import DataSet
from digitforge.errors import DataError
from digitforge.metrics import reference as reference_module
from digitforge.metrics.evaluation import Tstr
from digitforge.metrics.figure import Figure
from tiny_models import LEVEL, card_table, stacked_card, write_classifier, write_model, write_stacked_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models, and the digits that they were trained on in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(classifier_module, "PINNED", write_classifier(tmp_path / "classifier.onnx"))
    monkeypatch.setattr(reference_module, "SHIPPED", tmp_path / "shipped.npz")
    labels = np.arange(200) % 10
    noise = np.random.default_rng(0).integers(0, 5, (200, 28, 28))
    np.savez(tmp_path / "own.npz", images=(labels[:, None, None] * LEVEL + noise).astype(np.uint8), labels=labels)
    data = {"name": "own.npz", "sha256": "ab" * 32, "count": 180}
    write_model(tmp_path / "told.onnx", card=card_table(data=data))
    write_model(tmp_path / "free.onnx", card=card_table(data=data, conditional=False), conditional=False)
    return tmp_path


def test_the_table_shows_each_model_with_its_numbers_of_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "told.onnx", "free.onnx", "--count", "300"]) == 0
    out = capsys.readouterr().out
    assert "told.onnx" in out
    assert "free.onnx" in out
    accuracy = next(line for line in out.splitlines() if "Read as asked" in line and "label" not in line)
    assert "100.00% (100.00%)" in accuracy
    assert accuracy.rstrip().endswith("- │")
    assert "from 300 images each" in out
    assert "other images" in out
    assert "told.onnx by label" in out


def test_the_images_most_like_training_images_are_shown_beside_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "told.onnx", "--count", "60", "--copies", "copies.png"]) == 0
    with Image.open(folder / "copies.png") as sheet:
        assert sheet.width > 10 * 28


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["told.onnx", "--copies", "copies.txt"], ".png picture"),
        (["told.onnx", "free.onnx", "--copies", "copies.png"], "one model"),
        (["told.onnx", "--copies", "told.onnx/copies.png"], "told.onnx"),
        (["told.onnx", "--count", "5", "--copies", "copies.png"], "10 images or more"),
    ],
)
def test_copies_that_cannot_be_shown_are_refused_first(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert not told.out


def test_judges_that_learn_are_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Tstr(Figure(0.9, 20), Figure(0.95, 20), 180)
    asked: list[object] = []

    def train(*_: object, variety: float, **__: object) -> Tstr:
        asked.append(variety)
        return found

    monkeypatch.setattr("digitforge.judges.synthetic.train_on_synthetic", train)
    monkeypatch.setattr("digitforge.judges.inception.inception_distance", lambda *_, **__: Figure(12.5, 300, 180))
    monkeypatch.setattr("digitforge.judges.inception.need_fidelity", lambda: None)
    assert main(["evaluate", "told.onnx", "--count", "300", "--tstr", "--inception", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["tstr"] == found.as_dict()
    assert told["inception"]["value"] == 12.5
    assert main(["evaluate", "told.onnx", "--count", "300", "--tstr", "--tstr-variety", "1.3"]) == 0
    assert asked == [1, 1.3]
    assert main(["evaluate", "told.onnx", "--tstr-variety", "1.3"]) == 2
    assert "give both" in capsys.readouterr().err
    assert main(["evaluate", "told.onnx", "--tstr", "--tstr-variety", "nan"]) == 2
    assert "--tstr-variety lies in 0 to 1.5, not at nan" in capsys.readouterr().err
    assert main(["evaluate", "told.onnx", "--count", "300"]) == 0
    assert "Inception" not in capsys.readouterr().out


@pytest.mark.parametrize("sha256", ["ab" * 32, "cd" * 32])
def test_colour_digits_get_a_classifier_of_their_own_unless_the_pinned_one_learnt_from_them(
    sha256: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (3, 32, 32)
    pinned = write_classifier(folder / "pinned.onnx", reads=shape, data={"name": "painted", "sha256": "cd" * 32})
    monkeypatch.setattr(classifier_module, "PINNED_COLOUR", pinned)
    own = Classifier.load(write_classifier(folder / "own.onnx", reads=shape, data={"name": "own", "sha256": sha256}))
    asked: list[str] = []

    def train(data: DataSet, _notify: object) -> Classifier:
        asked.append(data.name)
        return own

    monkeypatch.setattr("digitforge.judges.own_classifier.own_classifier", train)
    images = np.repeat(np.arange(200)[:, None] % 10 * LEVEL, 3 * 32 * 32, 1).reshape(200, 32, 32, 3).astype(np.uint8)
    np.savez("colour.npz", images=images, labels=np.arange(200) % 10)
    data = {"name": "colour.npz", "sha256": sha256, "count": 200}
    write_model(folder / "colour.onnx", card=card_table(data=data, shape=list(shape)), shape=shape)
    assert main(["evaluate", "colour.onnx", "--count", "50"]) == 0
    assert asked == ([] if sha256 == "cd" * 32 else ["colour.npz"])


def test_json_is_one_entry_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "told.onnx", "free.onnx", "--count", "300", "--seed", "2", "--json"]) == 0
    told, free = json.loads(capsys.readouterr().out)
    assert told["accuracy"] == {"value": 1.0, "n": 300, "real": 1.0, "real_n": 20}
    assert free["accuracy"] is None
    assert told["seed"] == free["seed"] == 2
    assert told["frechet"]["n"] == 300
    assert told["floor"]["n"] > 0


def test_other_data_can_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "copy.npz").write_bytes((folder / "own.npz").read_bytes())
    assert main(["evaluate", "told.onnx", "--data", "copy.npz", "--count", "50", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert "copy" in found["data"]


def test_images_of_another_program_stand_beside_a_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "told.onnx", "--count", "60", "--seed", "2", "--out", "drawn.npz"]) == 0
    capsys.readouterr()
    words = ["evaluate", "told.onnx", "--images", "drawn.npz", "--data", "own.npz", "--count", "60", "--seed", "2"]
    assert main([*words, "--json"]) == 0
    model, images = json.loads(capsys.readouterr().out)
    assert images["frechet"] == model["frechet"] | {"value": pytest.approx(model["frechet"]["value"], rel=1e-6)}
    assert images["accuracy"] == model["accuracy"]
    assert Path(images["model"]).name == "drawn.npz"
    assert main(words) == 0
    assert "drawn.npz, own" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", "--images", "drawn.npz", "--data", "own.npz", "--copies", "copies.png"]) == 0
    assert (folder / "copies.png").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--images", "own.npz"], "name it with --data"),
        (["--images", "own.npz", "--data", "own.npz", "--tstr"], "leave them or --images out"),
        (["--images", "lost.npz", "--data", "own.npz"], "lost.npz is not there"),
        (["--images", "six.npz", "--data", "own.npz", "--copies", "copies.png"], "10 images or more, not 6"),
        (["told.onnx", "--images", "own.npz", "--data", "own.npz", "--copies", "copies.png"], "one model"),
    ],
)
def test_images_that_cannot_be_measured_are_refused_first(
    words: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(folder / "six.npz", images=np.zeros((6, 28, 28), np.uint8))
    assert main(["evaluate", *words]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert not told.out


def test_of_a_thousand_labels_the_modes_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.arange(2000) % 1000
    digits = labels[:, None] // [100, 10, 1] % 10
    images = np.broadcast_to((digits * LEVEL).astype(np.uint8)[:, None, None], (2000, 28, 28, 3))
    names = np.char.zfill(labels.astype(str), 3)
    np.savez("stacked.npz", images=images, labels=names, test_images=images[:50], test_labels=names[:50])
    write_stacked_model(folder / "stacked.onnx", card=stacked_card(), last=99)
    assert main(["evaluate", "stacked.onnx", "--data", "stacked.npz", "--count", "1000"]) == 0
    out = capsys.readouterr().out
    divergence = 0.901 * np.log(901)  # the last label stands for itself and the 900 after it, the others for themselves
    told = {line.split("│")[1].strip(): line for line in out.splitlines() if line.startswith("│")}
    assert "100 (1,000)" in told["Labels that occur"]
    assert f"{divergence:.3f}" in told["Divergence of the labels"]
    assert "by label" not in out
    assert "collapsed: 100 of the labels are drawn, where 632 of real" in out
    assert "000:" not in out


def test_images_that_the_classifier_does_not_read_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(folder / "own.npz") as held:
        np.savez(folder / "dark.npz", images=255 - held["images"], labels=held["labels"])
    assert main(["evaluate", "told.onnx", "--count", "60", "--data", "dark.npz"]) == 0
    assert "of dark.npz's own training images as labelled" in " ".join(capsys.readouterr().out.split())


def test_data_at_a_path_are_found_again_for_copies(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "own.npz").rename(folder / "mine" / "own.npz")
    data = {"name": "mine/own.npz", "sha256": "ab" * 32, "count": 180}
    write_model(folder / "far.onnx", card=card_table(data=data))
    assert main(["evaluate", "far.onnx", "--count", "60", "--copies", "copies.png"]) == 0
    assert (folder / "copies.png").is_file()


def test_a_model_that_cannot_be_measured_takes_no_other_ones_figures_along(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"name": "lost.npz", "sha256": "cd" * 32, "count": 180}
    write_model(folder / "lost.onnx", card=card_table(data=data))
    assert main(["evaluate", "told.onnx", "lost.onnx", "--count", "60", "--json"]) == 2
    said = capsys.readouterr()
    assert [Path(one["model"]).name for one in json.loads(said.out)] == ["told.onnx"]
    assert "lost.npz" in said.err
    assert main(["evaluate", "told.onnx", "lost.onnx", "--count", "60"]) == 2
    said = capsys.readouterr()
    assert "told.onnx" in said.out
    assert "lost.npz" in said.err


def test_what_was_done_to_the_images_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "told.onnx", "told.onnx", "--count", "60", "--data", "own.npz"]) == 0
    assert capsys.readouterr().err.count("no test part of its own: a fixed tenth") == 1


def test_a_judge_that_fails_takes_no_figures_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DataError("own.npz has no test part")

    monkeypatch.setattr("digitforge.judges.synthetic.train_on_synthetic", fail)
    assert main(["evaluate", "told.onnx", "--count", "60", "--tstr", "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["frechet"]["n"] == 60
    assert "no test part" in said.err


def test_what_judges_cannot_judge_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("digitforge.metrics.evaluate.evaluate", lambda *_, **__: pytest.fail("it was measured"))
    assert main(["evaluate", "told.onnx", "free.onnx", "--tstr"]) == 2
    assert "free.onnx is not told which digit to draw" in capsys.readouterr().err

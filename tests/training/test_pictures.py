"""The pictures of a run: real images laid out as its samples are, and what is drawn of it at its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge import classifier as classifier_module
from digitforge.data import DataSet, Digits
from digitforge.forge import Forge
from digitforge.runs import RunFolder
from digitforge.sheets import BAND_GAP, GAP, SCALE
from digitforge.training.finish import write_pictures
from digitforge.training.pictures import real_sheet
from digitforge.training.plan import make_plan
from digitforge.training.train import train
from drawn_runs import write_run
from tiny_models import write_classifier, write_model
from tiny_runs import tiny_data, tiny_recipe


@pytest.mark.parametrize("is_told", [True, False])
def test_a_run_begins_with_real_images_in_the_layout_of_its_samples(
    light_end: None, tmp_path: Path, is_told: bool
) -> None:
    settings = {"networks.conditional": is_told, "training.images": 32, "networks.latent_size": 6}
    folder = train(tiny_recipe(settings), tiny_data(), out=tmp_path / "run")
    real, drawn = Image.open(folder.real_sheet), Image.open(folder.samples()[0])
    assert (real.size, real.mode) == (drawn.size, drawn.mode)
    assert "real.png" in folder.hashes.read_text()


def test_a_labelled_sheet_of_real_images_has_ten_of_each_label_in_its_row() -> None:
    levels, labels = np.asarray([100, 150, 200], np.uint8), np.arange(60) % 3
    images = np.broadcast_to(levels[labels][:, None, None, None], (60, 1, 8, 8)).copy()
    sheet = real_sheet(make_plan(tiny_recipe(), DataSet("own", Digits(images, labels, ("a", "b", "c")), None)))
    tile = (8 * SCALE) ** 2
    for label, row in enumerate(np.array_split(sheet, 3)):
        assert [np.count_nonzero(row == level) // tile for level in levels] == [10 * (label == k) for k in range(3)]


def test_of_a_thousand_labels_a_sheet_of_real_images_shows_some() -> None:
    images, names = np.zeros((3000, 1, 8, 8), np.uint8), tuple(map(str, range(1000)))
    labels = np.arange(3000) % 1000
    plan = make_plan(tiny_recipe(), DataSet("own", Digits(images, labels, names), None))
    assert real_sheet(plan).shape[0] == (26 * (8 + GAP) + 27 * BAND_GAP) * SCALE


def test_a_sheet_without_labels_has_a_hundred_training_images_which_are_always_the_same() -> None:
    plan = make_plan(tiny_recipe({"networks.conditional": False}), tiny_data())
    sheet = real_sheet(plan)
    np.testing.assert_array_equal(real_sheet(plan), sheet)
    tiles = sheet[::SCALE, ::SCALE].reshape(10, 8, 10, 8).swapaxes(1, 2).reshape(100, 64)
    known = {image.tobytes() for image in plan.train.images}
    assert len({tile.tobytes() for tile in tiles} & known) == 100


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setattr(classifier_module, "PINNED", write_classifier(tmp_path / "classifier.onnx"))
    return write_run(tmp_path / "run", sheets={0: 100, 300: 120}, real=50)


def test_a_run_ends_with_its_pictures(ended: RunFolder) -> None:
    write_model(ended.model, conditional=False)
    write_pictures(Forge.load(ended.model), ended)
    for path in (ended.final_sheet, ended.curves, ended.evolution, ended.best):
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            picture.load()


def test_what_the_classifier_does_not_read_has_no_best(ended: RunFolder) -> None:
    write_model(ended.model, shape=(1, 8, 8))
    write_pictures(Forge.load(ended.model), ended)
    assert ended.curves.is_file()
    assert not ended.best.exists()

"""The classifier: features and labels of any number of images, and only of images that it can read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitforge import classifier as classifier_module
from digitforge.classifier import PROCEDURE, Classifier, classifier_for, is_stand_in, own_classifier_path
from digitforge.data import DIGIT_NAMES, street
from digitforge.errors import ModelError
from tiny_models import FEATURES, LEVEL, write_classifier, write_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_classifier(tmp_path / "classifier.onnx")


def flat_images(labels: np.ndarray) -> np.ndarray:
    return np.broadcast_to((labels * LEVEL).astype(np.uint8)[:, None, None, None], (len(labels), 1, 28, 28))


def test_it_reads_labels_and_features_across_batches(path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 10, 1234)
    reading = Classifier.load(path).read(flat_images(labels))
    np.testing.assert_array_equal(reading.labels, labels)
    assert reading.labels.dtype == np.int64
    assert reading.features.shape == (1234, FEATURES)
    assert len(reading) == 1234


def test_batches_do_not_change_what_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 28, 28), np.uint8)
    classifier = Classifier.load(path)
    whole = classifier.read(images)
    monkeypatch.setattr(classifier_module, "BATCH", 7)
    np.testing.assert_allclose(classifier.read(images).features, whole.features, rtol=1e-5)


def test_no_images_are_no_trouble(path: Path) -> None:
    reading = Classifier.load(path).read(np.empty((0, 1, 28, 28), np.uint8))
    assert reading.features.shape == (0, FEATURES)
    assert reading.labels.shape == (0,)


def test_images_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(ModelError, match="1x28x28, not of 3x32x32"):
        Classifier.load(path).read(np.zeros((2, 3, 32, 32), np.uint8))


def test_it_fits_its_own_size_and_labels_alone(path: Path) -> None:
    classifier = Classifier.load(path)
    assert classifier.fits((1, 28, 28), ("3", "5"))
    assert not classifier.fits((3, 32, 32), ("3",))
    assert not classifier.fits((1, 28, 28), ("Trouser",))


def test_its_hash_is_that_of_its_file(path: Path) -> None:
    assert Classifier.load(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "generator"},
        {"names": ["0"] * 10},
        {"names": 7},
        {"shape": [28, 28]},
        {"shape": ["1", 28, 28]},
        {"shape": [1, 32, 32]},
        {"names": ["0", "1"]},
        {"tells_crowded": True},
        {"crowded": True, "tells_crowded": False},
    ],
)
def test_a_card_that_lies_is_refused(path: Path, changes: dict[str, Any]) -> None:
    write_classifier(path, **changes)
    with pytest.raises(ModelError, match=r"classifier\.onnx"):
        Classifier.load(path)


def test_a_generator_is_no_classifier(tmp_path: Path) -> None:
    for load in (Classifier.load, Classifier.of_channels):
        with pytest.raises(ModelError, match="no classifier"):
            load(write_model(tmp_path / "model.onnx", card={"kind": "generator"}))


def test_an_installation_without_the_pinned_classifier_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(classifier_module, "PINNED", tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="install digitforge again"):
        Classifier.load()


# Stacked digits, read channel by channel, and the choice of a classifier

STACKED_NAMES = tuple(f"{number:03}" for number in range(1000))


def stacked_images(labels: np.ndarray) -> np.ndarray:
    return np.concatenate([flat_images(labels // place % 10) for place in (100, 10, 1)], axis=1)


def test_stacked_digits_are_read_channel_by_channel(path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 1000, 700)
    classifier, images = Classifier.of_channels(path), stacked_images(labels)
    reading = classifier.read(images)
    np.testing.assert_array_equal(reading.labels, labels)
    assert classifier.names == STACKED_NAMES
    assert classifier.shape == (3, 28, 28)
    assert classifier.feature_count == 3 * FEATURES
    assert classifier.sha256 == Classifier.load(path).sha256
    single = [Classifier.load(path).read(images[:, [channel]]) for channel in range(3)]
    np.testing.assert_array_equal(reading.features, np.concatenate([one.features for one in single], axis=1))


def test_a_stacked_label_is_as_likely_as_its_digits_are_together(path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 4, (3, 3, 28, 28), np.uint8) + np.uint8(40)
    reading = Classifier.of_channels(path).read(images)
    chances = []
    for channel in range(3):
        logits = Classifier.load(path).read(images[:, [channel]]).logits.astype(float)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        chances.append(shares / shares.sum(1, keepdims=True))
    expected = np.einsum("na,nb,nc->nabc", *chances).reshape(3, 1000)
    likely = expected > 1e-20
    assert likely.any(1).all()
    np.testing.assert_allclose(reading.logits[likely], np.log(expected[likely]), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(np.exp(reading.logits.astype(float)).sum(1), 1, rtol=1e-3)


def test_no_stacked_images_are_no_trouble(path: Path) -> None:
    reading = Classifier.of_channels(path).read(np.empty((0, 3, 28, 28), np.uint8))
    assert reading.features.shape == (0, 3 * FEATURES)
    assert reading.logits.shape == (0, 1000)


def test_the_classifier_is_chosen_by_shape_and_labels(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_module, "PINNED", path)
    thousand = tuple(f"{number:03}" for number in range(1000))
    for shape, names, all_names in (((1, 28, 28), ("3", "5"), None), ((3, 28, 28), ("000", "357"), thousand)):
        chosen = classifier_for(shape, names, all_names=all_names)
        assert chosen is not None
        assert chosen.shape == shape
    assert classifier_for((3, 28, 28), ("000", "001")) is None  # classes that are numbered, and no stacked digits
    assert classifier_for((3, 28, 28), ("3", "5")) is None
    assert classifier_for((3, 32, 32), ("000",)) is None
    assert classifier_for((1, 28, 28), ("Trouser",)) is None


# Colour digits, and whose eyes read them

COLOUR = (3, 32, 32)


@pytest.fixture
def colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classifier:
    """The pinned classifier of colour digits, which learnt from data of the hash "cd" * 32; the cache is empty."""
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    data = {"name": "painted", "sha256": "cd" * 32}
    file = write_classifier(tmp_path / "colour.onnx", reads=COLOUR, crowded=True, data=data)
    monkeypatch.setattr(classifier_module, "PINNED_COLOUR", file)
    return Classifier.load(file)


def keep_own(data_sha256: str) -> Path:
    path = own_classifier_path(data_sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_classifier(path, reads=COLOUR, data={"name": "own", "sha256": data_sha256}, procedure=PROCEDURE)


def test_crowded_images_are_told_by_those_that_can(
    path: Path, colour: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = np.asarray([90, 110, 0, 255, 99], np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (5, *COLOUR))
    monkeypatch.setattr(classifier_module, "BATCH", 2)
    crowded = colour.read(images).crowded
    assert crowded is not None
    assert crowded.dtype == np.float32
    assert (crowded > 0).tolist() == [False, True, False, True, False]
    none = colour.read(images[:0]).crowded
    assert none is not None and none.shape == (0,)
    assert Classifier.load(path).read(flat_images(np.arange(3))).crowded is None


def test_channels_are_colours_unless_they_are_digits(path: Path, colour: Classifier) -> None:
    assert colour.sees_colours
    assert not Classifier.load(path).sees_colours
    assert not Classifier.of_channels(path).sees_colours


def test_colour_digits_are_read_by_the_pinned_one_or_by_their_own(colour: Classifier) -> None:
    def chosen(data_sha256: str | None) -> str:
        found = classifier_for(COLOUR, DIGIT_NAMES, data_sha256=data_sha256)
        assert found is not None
        return found.data_name

    assert chosen(None) == chosen("ef" * 32) == "painted"
    keep_own("ef" * 32)
    keep_own("cd" * 32)
    assert chosen("ef" * 32) == "own"
    assert chosen("cd" * 32) == chosen(None) == "painted"
    assert classifier_for(COLOUR, ("cat",)) is None


def test_who_learnt_from_other_colour_images_is_a_stand_in(path: Path, colour: Classifier) -> None:
    assert is_stand_in(colour, "ef" * 32)
    assert not is_stand_in(colour, "cd" * 32)
    assert not is_stand_in(Classifier.load(path), "ef" * 32)


def test_the_pinned_one_of_colour_learnt_from_street_as_it_is_drawn_now() -> None:
    classifier = Classifier.load(classifier_module.PINNED_COLOUR)
    assert classifier.learnt_from(street.TRAIN_SHA256)
    assert classifier.shape == street.SHAPE
    assert classifier.names == DIGIT_NAMES
    assert classifier.tells_crowded

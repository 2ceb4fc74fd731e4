"""The classifier: features and labels of any number of images, and only of images that it can read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitforge import classifier as classifier_module
from digitforge.classifier import Classifier, classifier_for
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
    for shape, names in (((1, 28, 28), ("3", "5")), ((3, 28, 28), ("000", "357"))):
        chosen = classifier_for(shape, names)
        assert chosen is not None
        assert chosen.shape == shape
    assert classifier_for((3, 28, 28), ("3", "5")) is None
    assert classifier_for((3, 32, 32), ("000",)) is None
    assert classifier_for((1, 28, 28), ("Trouser",)) is None

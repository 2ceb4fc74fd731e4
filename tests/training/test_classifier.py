"""The classifier's training: it learns to read what it is shown, and its distortions leave images images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from digitforge.data import DataSet, Digits
from digitforge.training import classifier as classifier_module
from digitforge.training.classifier import FEATURES, Reader, accuracy, distorted, train_classifier

CLASSES = 4


def stripes(count: int, seed: int) -> Digits:
    """Four kinds of stripes that no distortion turns into one another: wide or narrow, upright or lying."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    waves = np.sin(np.arange(16)[None] * np.where(labels % 2, 2.2, 0.8)[:, None] + rng.uniform(0, 6, (count, 1)))
    images = np.repeat((waves * 100 + 128).astype(np.uint8)[:, None, None], 16, 2)
    lying = labels >= 2
    images[lying] = images[lying].swapaxes(2, 3)
    return Digits(images, labels, tuple("abcd"))


def test_a_few_steps_read_far_better_than_chance(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(classifier_module, "BATCH", 32)
    unseen = stripes(100, seed=1)
    reader = train_classifier(DataSet("stripes", stripes(320, seed=0), None), epochs=3)
    assert not reader.training
    assert accuracy(reader, unseen) > 0.7 > 2 / CLASSES
    assert "epoch 3/3" in capsys.readouterr().out


def test_accuracy_is_the_share_read_right() -> None:
    class Fixed(Reader):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return images, torch.tensor([[0.0, 0.0, 1.0, 0.0]]).expand(len(images), -1)

    digits = stripes(600, seed=0)
    assert accuracy(Fixed(CLASSES), digits) == pytest.approx(0.25)
    assert accuracy(Fixed(CLASSES), digits.only([2])) == 1


def test_a_reader_gives_features_and_a_logit_a_class() -> None:
    features, logits = Reader(CLASSES).eval()(torch.from_numpy(stripes(5, 0).images))
    assert features.shape == (5, FEATURES)
    assert logits.shape == (5, CLASSES)


def test_distorted_images_keep_their_shape_and_range_and_differ_one_by_one() -> None:
    torch.manual_seed(0)
    images = torch.full((50, 1, 28, 28), 255, dtype=torch.uint8)
    found = distorted(images)
    assert found.shape == images.shape
    assert found.min() >= 0 and found.max() <= 255.001
    assert found[:, 0, 10:18, 10:18].min() > 254  # the middle never leaves the picture
    assert len(torch.unique(found.flatten(1), dim=0)) == 50


def test_a_distortion_by_nothing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TURN", "SCALE", "SHEAR", "SHIFT"):
        monkeypatch.setattr(classifier_module, name, 0.0)
    images = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(distorted(images), images.float(), atol=0.01, rtol=0)


def test_a_shift_moves_a_picture_by_at_most_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TURN", "SCALE", "SHEAR"):
        monkeypatch.setattr(classifier_module, name, 0.0)
    torch.manual_seed(0)
    images = torch.zeros(200, 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 14, 14] = 255
    found = distorted(images)[:, 0]
    places = torch.arange(28.0)
    centres = (found.sum(1) * places).sum(1) / found.sum((1, 2))
    moved = (centres - 14).abs()
    assert moved.max() <= 2.01
    assert moved.max() > 1.5

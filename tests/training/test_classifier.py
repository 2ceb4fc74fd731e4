"""The classifier's training: it learns to read what it is shown, and its distortions leave images images."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from digitforge.classifier import Classifier
from digitforge.data import DataSet, Digits, street
from digitforge.sections import Compute
from digitforge.training import classifier as classifier_module
from digitforge.training.classifier import (
    FEATURES,
    RATE,
    WEIGHT_DECAY,
    Reader,
    accuracy,
    crowded_accuracy,
    distorted,
    main,
    train_classifier,
)
from digitforge.training.compute import resolve_compute

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


def dotted(count: int, seed: int) -> tuple[Digits, np.ndarray]:
    """The same stripes in colour, every third image with a bright square at its left edge, and which those are."""
    digits = stripes(count, seed)
    images = np.repeat(digits.images // 2, 3, 1)
    has = np.arange(count) % 3 == 0
    images[has, :, 4:12, :4] = 255
    return Digits(images, digits.labels, digits.names), has


def test_a_second_head_learns_which_images_are_crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_module, "BATCH", 32)
    digits, crowded = dotted(320, seed=0)
    unseen, unseen_crowded = dotted(99, seed=1)
    reader = train_classifier(DataSet("dotted", digits, None), epochs=5, crowded=crowded)
    assert accuracy(reader, unseen) > 0.7
    assert crowded_accuracy(reader, unseen, unseen_crowded) > 0.9
    assert crowded_accuracy(reader, unseen, ~unseen_crowded) < 0.1


def test_the_command_writes_a_classifier_that_tells_street_s_crowded_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digits, crowded = dotted(64, seed=0)
    truth = SimpleNamespace(is_crowded=crowded)
    monkeypatch.setattr(classifier_module, "BATCH", 32)
    monkeypatch.setattr(classifier_module, "load_data", lambda _name: DataSet(street.NAME, digits, digits))
    monkeypatch.setattr(street, "load_truth", lambda: (truth, truth))
    path = tmp_path / "classifier.onnx"
    monkeypatch.setattr("sys.argv", ["classifier", "--data", "street", "--epochs", "5", "--out", str(path)])
    main()
    classifier = Classifier.load(path)
    reading = classifier.read(digits.images)
    assert reading.crowded is not None
    assert ((reading.crowded > 0) == crowded).mean() == pytest.approx(classifier.card["crowded_accuracy"], abs=0.02)
    assert classifier.learnt_from(digits.sha256)
    assert str(path) in capsys.readouterr().out


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


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 128), (3, 64, 48), (2, 128, 128)])
def test_it_reads_any_channels_and_sizes_from_8_to_128(shape: tuple[int, int, int]) -> None:
    features, logits = Reader(CLASSES, shape).eval()(torch.zeros(2, *shape, dtype=torch.uint8))
    assert features.shape == (2, FEATURES)
    assert logits.shape == (2, CLASSES)


def test_large_images_are_halved_before_the_costly_layers() -> None:
    def costly_size(side: int) -> int:
        sizes: list[int] = []
        reader = Reader(CLASSES, (3, side, side)).eval()
        layer = next(layer for layer in reader.maps if getattr(layer, "out_channels", 0) == 64)
        layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(output.shape[-1]))
        reader(torch.zeros(1, 3, side, side, dtype=torch.uint8))
        return sizes[0]

    assert [costly_size(side) for side in (28, 32, 40, 64, 128)] == [14, 16, 20, 16, 16]


def test_the_pinned_course_draws_its_random_numbers_in_the_order_that_its_file_was_made_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(classifier_module, "BATCH", 32)
    digits = stripes(80, seed=0)
    found = train_classifier(DataSet("stripes", digits, None), seed=7, epochs=2)
    compute = resolve_compute(Compute(device="cpu"))
    with classifier_module._set_apart(7, compute.threads):
        reader = Reader(CLASSES).to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(reader.parameters(), RATE, weight_decay=WEIGHT_DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, 4, pct_start=1 / 2)
        for _ in range(2):
            for chosen in torch.split(torch.randperm(80), 32)[:2]:
                with torch.autocast("cpu", torch.bfloat16, enabled=compute.precision == "bf16"):
                    _, logits = reader(distorted(torch.from_numpy(digits.images[chosen.numpy()])))
                    loss = torch.nn.functional.cross_entropy(logits.float(), torch.from_numpy(digits.labels)[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
    for name, value in reader.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, msg=name)


def test_distortions_can_be_mild_and_bring_the_edge_in() -> None:
    torch.manual_seed(0)
    images = torch.full((50, 3, 12, 20), 200, dtype=torch.uint8)
    assert distorted(images, edges="zeros").min() < 100
    assert distorted(images, edges="border").min() > 199
    images[:, :, 4:8, 8:12] = 0
    torch.manual_seed(1)
    wide = (distorted(images, edges="border") - images).abs().mean()
    torch.manual_seed(1)
    mild = (distorted(images, share=0.25, edges="border") - images).abs().mean()
    assert 0 < mild < wide / 2

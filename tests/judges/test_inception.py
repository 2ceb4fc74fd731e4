"""Inception's distance: the number itself, what it is taken from, and what is said where the network can't be had."""

from __future__ import annotations

import hashlib
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from patterns import patterned_set

from digitforge.data import DataSet, Digits
from digitforge.data.sources import Mirror
from digitforge.errors import DataError, ModelError, UserError
from digitforge.forge import Forge
from digitforge.judges import inception as module
from digitforge.judges.inception import Extractor, as_rgb, inception_distance, inception_v3
from digitforge.randomness import stream
from tiny_models import card_table, write_model

SHAPE = (1, 8, 8)
FEATURES = 5


class Fake:
    """A small linear network in Inception's place, which remembers what it read."""

    def __init__(self, channels: int = 3) -> None:
        self.weights = np.random.default_rng(0).normal(size=(channels * 64, FEATURES)) / 1000
        self.counts: list[int] = []

    def read(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8 and images.shape[1] == 3
        self.counts.append(len(images))
        return (images.reshape(len(images), -1) @ self.weights).astype(np.float32)

    @property
    def extractor(self) -> Extractor:
        return Extractor("f" * 64, self.read)


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge.load(write_model(tmp_path / "levels.onnx", shape=SHAPE))


def noise(count: int, seed: int) -> Digits:
    rng = np.random.default_rng(seed)
    return Digits(rng.integers(0, 256, (count, *SHAPE), np.uint8), np.arange(count, dtype=np.int64) % 10)


def independent_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The textbook formula, with SciPy's root of a matrix."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    root = scipy.linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False))
    traces = np.trace(np.cov(a, rowvar=False)) + np.trace(np.cov(b, rowvar=False)) - 2 * np.trace(root.real)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + traces)


def test_it_is_the_textbook_distance_of_model_and_test_images_to_training_images(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MERGED", 37)  # so that moments are merged from parts
    data, fake = DataSet("noise", noise(120, 0), noise(700, 1)), Fake()
    found = inception_distance(forge, data, 600, seed=2, extractor=fake.extractor)
    test = data.test.take(stream(0, "images for Inception").permutation(700)[:600])
    train, test, drawn = (
        fake.read(as_rgb(images)) for images in (data.train.images, test.images, forge.generate(None, 600, 2).images)
    )
    assert (found.n, found.reference_n) == (600, 120)
    assert found.value == pytest.approx(independent_distance(drawn, train), rel=1e-4)
    assert found.real == pytest.approx(independent_distance(test, train), rel=1e-4)


def test_fewer_test_images_than_are_drawn_are_not_set_beside_the_model(tmp_path: Path) -> None:
    card = card_table(shape=list(SHAPE), frequencies=[0, 5, 5] + [0] * 7)
    two, data = Forge.load(write_model(tmp_path / "two.onnx", card=card, shape=SHAPE)), noise(200, 0)
    told: list[str] = []
    for held_out, count, is_set in ((noise(100, 1), 20, True), (noise(100, 1), 21, False), (data.only([7]), 9, False)):
        found = inception_distance(
            two, DataSet("noise", data, held_out), count, extractor=Fake().extractor, notify=told.append
        )
        assert (found.n, found.real is not None) == (count, is_set)
        assert found.real_n == (count if is_set else None)
    few = [line for line in told if "fewer than" in line]
    assert [line.partition(",")[0] for line in few] == [
        f"noise has {there} test images of what the model draws" for there in (20, 0)
    ]


def test_real_images_are_read_once_and_no_more_than_are_drawn(forge: Forge) -> None:
    data, fake, lines = DataSet("noise", noise(500, 0), noise(400, 1)), Fake(), list[str]()
    first = inception_distance(forge, data, 100, extractor=fake.extractor, notify=lines.append)
    again = inception_distance(forge, data, 100, seed=1, extractor=fake.extractor, notify=lines.append)
    assert fake.counts == [100, 100, 100, 100]
    assert (first.reference_n, first.real) == (again.reference_n, again.real) == (100, first.real)
    assert first.value != again.value
    kinds = [line.removeprefix("reading 100 ").partition(" with")[0] for line in lines]
    drawn = "images of levels.onnx"
    assert kinds == ["training images of noise, once,", drawn, "test images of noise, once,", drawn]


def test_a_model_of_some_labels_is_held_against_these_alone(tmp_path: Path) -> None:
    card = card_table(shape=list(SHAPE), frequencies=[0, 5, 5] + [0] * 7)
    forge = Forge.load(write_model(tmp_path / "two.onnx", card=card, shape=SHAPE))
    found = inception_distance(forge, DataSet("noise", noise(200, 0), None), 100, extractor=Fake().extractor)
    assert found.reference_n == 40
    assert found.real is None


def test_grey_images_get_three_equal_channels_and_colour_stays() -> None:
    grey = noise(3, 0).images
    assert (as_rgb(grey) == grey).all() and as_rgb(grey).shape == (3, 3, 8, 8)
    colour = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), np.uint8)
    assert as_rgb(colour) is colour


def test_images_of_another_shape_and_too_few_of_them_are_refused(forge: Forge) -> None:
    with pytest.raises(ModelError, match=r"draws images of 1x8x8, and those of bars are of 3x12x12"):
        inception_distance(forge, patterned_set(40, shape=(3, 12, 12)), 10, extractor=Fake().extractor)
    with pytest.raises(UserError, match="at least 2 images, not 1"):
        inception_distance(forge, DataSet("noise", noise(20, 0), None), 1, extractor=Fake().extractor)


def install_package(monkeypatch: pytest.MonkeyPatch, build: object) -> None:
    """Let a stand-in be imported as torch-fidelity."""
    package = types.ModuleType("torch_fidelity")
    package.FeatureExtractorInceptionV3 = build  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UserError, match=r"pip install -c constraints\.txt '\.\[inception\]'") as raised:
        inception_v3()
    assert "\n" not in str(raised.value)


def test_a_torchvision_of_another_pytorch_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "torch_fidelity.py"
    package.write_text('raise RuntimeError("operator torchvision::nms does not exist")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch_fidelity", raising=False)
    with pytest.raises(UserError, match="torchvision was not built for the installed PyTorch"):
        inception_v3()


def test_without_a_network_it_says_where_the_weights_were_looked_for_and_the_way_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_package(monkeypatch, None)
    monkeypatch.delenv("DIGITFORGE_INCEPTION", raising=False)
    monkeypatch.setattr(module, "SOURCE", Mirror("http://127.0.0.1:9/weights", suffix=""))
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/weights.*DIGITFORGE_INCEPTION") as raised:
        inception_v3()
    assert time.perf_counter() - start < 15
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_a_file_that_is_not_the_published_one_is_never_unpickled(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(b"anything")
    install_package(monkeypatch, lambda *_, **__: pytest.fail("the file was used"))
    monkeypatch.setenv("DIGITFORGE_INCEPTION", str(path) if by == "variable" else "")
    with pytest.raises(DataError, match=r"other\.pth does not hold Inception's published weights"):
        inception_v3(path if by == "argument" else None)


def test_the_published_file_goes_to_the_package_and_features_come_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    checksum = f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    monkeypatch.setattr(module, "WEIGHTS", module.RemoteFile("weights.pth", 7, checksum))
    asked = []

    class Network(torch.nn.Module):
        def __init__(self, name: str, features: list[str], feature_extractor_weights_path: str) -> None:
            super().__init__()
            asked.append((features, feature_extractor_weights_path))

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            assert len(images) <= module.BATCH and images.dtype == torch.uint8
            return (images.float().mean((2, 3)),)

    install_package(monkeypatch, Network)
    extractor = inception_v3(path)
    images = np.random.default_rng(0).integers(0, 256, (module.BATCH + 3, 3, 8, 8), np.uint8)
    np.testing.assert_allclose(extractor.read(images), images.mean((2, 3)), rtol=1e-5)
    assert asked == [(["2048"], str(path))]
    assert extractor.sha256 == checksum.removeprefix("sha256:")

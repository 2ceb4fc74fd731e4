"""stacked-mnist: three digits in one image, each in its channel and in the name; the same at each load; trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge.data import DIGIT_NAMES, DataSet, Digits, cache_folder, catalogue, load_data, load_digits, stacked
from digitforge.data.mnist import MNIST
from digitforge.data.stacked import load_stacked_mnist, stack
from digitforge.errors import DataError
from digitforge.forge import Forge
from digitforge.randomness import stream
from digitforge.training.train import train
from tiny_runs import tiny_digits, tiny_recipe

OWN_CACHE = cache_folder()  # the user's, before these tests get one of their own


def marked_digits(count: int, first: int = 0) -> Digits:
    """Images whose every pixel is their place, and whose label is that place's last digit."""
    places = np.arange(first, first + count)
    images = np.broadcast_to(places.astype(np.uint8)[:, None, None, None], (count, 1, 4, 4)).copy()
    return Digits(images, places % 10)


def test_each_channel_holds_the_digit_that_the_name_has_in_its_place() -> None:
    made = stack(marked_digits(40), 500, stream(0, "test"))
    assert made.images.shape == (500, 3, 4, 4)
    assert made.images.dtype == np.uint8
    assert made.names == tuple(f"{number:03}" for number in range(1000))
    for image, label in zip(made.images, made.labels, strict=True):
        assert (image == image[:, :1, :1]).all()
        assert made.names[label] == "".join(str(mark % 10) for mark in image[:, 0, 0])


def test_channels_are_drawn_one_by_one_with_replacement_and_evenly() -> None:
    marks = stack(marked_digits(20), 20_000, stream(0, "test")).images[:, :, 0, 0]
    for channel in marks.T:
        assert np.abs(np.bincount(channel, minlength=20) - 1000).max() < 200  # 6 sigma
    pairs = np.bincount(marks[:, 0].astype(int) * 20 + marks[:, 1], minlength=400)
    assert 50 - 43 < pairs.min() <= pairs.max() < 50 + 43  # 6 sigma, pairs of an image with itself among them


@pytest.fixture
def tiny_mnist(monkeypatch: pytest.MonkeyPatch) -> Callable[[], DataSet]:
    """Tiny digits in MNIST's place, 100 to learn from and 50 others to test with; loads what is made of them."""
    base = DataSet("mnist", marked_digits(100), marked_digits(50, first=100))
    monkeypatch.setattr(stacked, "load_idx_set", lambda _set, _progress: base)
    monkeypatch.setattr(stacked, "TRAIN_COUNT", 600)
    monkeypatch.setattr(stacked, "TEST_COUNT", 200)
    with pytest.raises(DataError, match=r"draws other digits for stacked-mnist .* pip install"):
        load_stacked_mnist()
    for part, digits, count in (("train", base.train, 600), ("test", base.test, 200)):
        made = stack(digits, count, stream(stacked.SEED, f"stacked-mnist {part}"))
        monkeypatch.setattr(stacked, f"{part.upper()}_SHA256", made.sha256)
    return lambda: load_data("stacked-mnist")


def test_training_images_come_of_training_digits_and_test_images_of_test_digits(
    tiny_mnist: Callable[[], DataSet],
) -> None:
    data = tiny_mnist()
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (600, 200)
    assert data.train.images.max() < 100 <= data.test.images.min()


def test_it_is_the_same_at_each_load(tiny_mnist: Callable[[], DataSet]) -> None:
    assert tiny_mnist().train.sha256 == tiny_mnist().train.sha256


def test_it_is_here_when_mnist_is() -> None:
    entry = next(entry for entry in catalogue() if entry.name == "stacked-mnist")
    assert not entry.is_cached
    (cache_folder() / "mnist").mkdir(parents=True)
    for file in MNIST.files:
        (cache_folder() / "mnist" / file.name).write_bytes(b"1234")
    assert entry.is_cached
    assert entry.cached_bytes == 16


def test_real_stacked_mnist_is_the_pinned_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITFORGE_CACHE", str(OWN_CACHE))
    try:
        load_data("mnist")
    except DataError as error:
        pytest.skip(f"MNIST can't be had: {error}")
    train, test = (load_digits("stacked-mnist", part) for part in ("train", "test"))
    assert (train.sha256, test.sha256) == (stacked.TRAIN_SHA256, stacked.TEST_SHA256)
    assert (len(train), len(test), train.shape) == (60_000, 10_000, (3, 28, 28))
    assert (train.counts > 0).all()
    digits = load_digits("mnist", "test")
    known = {image.tobytes(): label for image, label in zip(digits.images, digits.labels, strict=True)}
    for image, label in zip(test.images[:100], test.labels[:100], strict=True):
        assert test.names[label] == "".join(DIGIT_NAMES[known[channel.tobytes()]] for channel in image)


@pytest.mark.parametrize("is_told", [False, True])
def test_a_model_learns_a_thousand_labels_and_draws_any(tmp_path: Path, is_told: bool) -> None:
    data = DataSet("tiny", stack(tiny_digits(60), 3000, stream(0, "test")), None)
    settings = {"networks.conditional": is_told, "training.images": 64, "training.seed": 1}
    folder = train(tiny_recipe(settings), data, out=tmp_path / "run")
    with Image.open(folder.real_sheet) as real, Image.open(folder.samples()[-1]) as drawn:
        assert real.size[1] == drawn.size[1]
        assert real.size[1] < 26 * 40  # 26 labels of ten images at most, doubled, or ten rows without labels
        assert real.mode == "RGB"
    with Image.open(folder.final_sheet) as sheet:
        assert sheet.size[1] < 26 * 40
    forge = Forge.load(folder.model)
    assert len(forge.card.names) == 1000
    if is_told:
        assert forge.generate("123", 5).images.shape == (5, 3, 8, 8)
        assert folder.model.stat().st_size < 2e6

"""Sheets: every image in its place, every label by its name, and never more than a picture can hold."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge import sheets
from digitforge.data import Digits
from digitforge.errors import OutputError
from digitforge.forge import Forge
from digitforge.sheets import enlarged, grid, labelled_sheet, model_sheet, png_bytes, square_grid
from tiny_models import stacked_card, write_classifier, write_model, write_stacked_model

RNG = np.random.default_rng(0)


def some_digits(labels: list[int], channels: int = 1, side: int = 28) -> Digits:
    images = RNG.integers(0, 256, (len(labels), channels, side, side), np.uint8)
    return Digits(images, np.asarray(labels, np.int64))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_holds_each_image_in_reading_order(channels: int) -> None:
    images = RNG.integers(0, 256, (5, channels, 4, 6), np.uint8)
    picture = grid(images, columns=3)
    assert picture.shape == ((8, 18) if channels == 1 else (8, 18, 3))
    for number, image in enumerate(images):
        row, column = divmod(number, 3)
        tile = picture[row * 4 : row * 4 + 4, column * 6 : column * 6 + 6]
        np.testing.assert_array_equal(tile, image[0] if channels == 1 else image.transpose(1, 2, 0))
    assert not picture[4:, 12:].any()


def test_a_square_grid_is_about_square() -> None:
    assert square_grid(np.zeros((64, 1, 28, 28), np.uint8)).shape == (224, 224)
    assert square_grid(np.zeros((10, 1, 28, 28), np.uint8)).shape == (84, 112)


def test_a_png_holds_the_very_pixels() -> None:
    for shape in ((5, 7), (5, 7, 3)):
        picture = RNG.integers(0, 256, shape, np.uint8)
        content = png_bytes(picture)
        assert content[:4] == b"\x89PNG"
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), picture)
        assert png_bytes(picture) == content


@pytest.mark.parametrize("channels", [1, 3])
def test_a_labelled_sheet_shows_every_image_once_and_doubled(channels: int) -> None:
    digits = some_digits([3, 1, 3, 3, 8], channels, side=12)
    pixels = np.asarray(labelled_sheet(digits, columns=2))
    assert pixels.ndim == (2 if channels == 1 else 3)
    order = [1, 0, 2, 3, 4]  # by label, then as they came
    tops = [_top_of(pixels, digits, index) for index in order]
    assert tops == sorted(tops)
    assert tops[1] == tops[2] < tops[3] < tops[4]


def _top_of(pixels: np.ndarray, digits: Digits, index: int) -> int:
    """The row at which an image stands in the sheet, found by looking for its pixels."""
    image = digits.images[index]
    tile = enlarged(image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0))
    height, width = tile.shape[:2]
    places = [
        top
        for top in range(pixels.shape[0] - height + 1)
        for left in range(pixels.shape[1] - width + 1)
        if np.array_equal(pixels[top, left], tile[0, 0])
        and np.array_equal(pixels[top : top + height, left : left + width], tile)
    ]
    assert len(places) == 1
    return places[0]


def test_names_stand_at_the_left_of_their_row() -> None:
    digits = Digits(
        np.zeros((2, 1, 28, 28), np.uint8), np.asarray([0, 1]), ("T-shirt/top", "a name that is far too long")
    )
    pixels = np.asarray(labelled_sheet(digits))
    margin = pixels.shape[1] - (28 + sheets.GAP) * sheets.SCALE
    assert margin < 200
    half = pixels.shape[0] // 2
    assert pixels[:half, :margin].max() > 200
    assert pixels[half:, :margin].max() > 200


def test_ten_thousand_images_fit_and_more_do_not() -> None:
    images = np.zeros((10_001, 1, 8, 8), np.uint8)
    assert square_grid(images[:10_000]).shape == (800, 800)
    with pytest.raises(OutputError, match=r"10,001 images.*\.npz"):
        square_grid(images)
    with pytest.raises(OutputError, match="10,001 images"):
        labelled_sheet(Digits(images, np.zeros(10_001, np.int64)))


def test_a_sheet_of_large_images_or_many_gaps_is_bounded_by_its_pixels() -> None:
    images = np.zeros((400, 1, 256, 256), np.uint8)
    with pytest.raises(OutputError, match="about 256"):
        square_grid(images)
    uneven = np.concatenate([np.zeros(3000, np.int64), np.arange(1, 1000)])
    names = tuple(map(str, range(1000)))
    with pytest.raises(OutputError):
        labelled_sheet(Digits(np.zeros((3999, 1, 28, 28), np.uint8), uneven, names))


def test_of_a_model_of_a_thousand_labels_some_are_shown(tmp_path: Path) -> None:
    forge = Forge.load(write_stacked_model(tmp_path / "model.onnx", card=stacked_card()))
    sheet = model_sheet(forge)
    assert sheet.mode == "RGB"
    assert sheet.size[1] == (26 * (28 + sheets.GAP) + 27 * sheets.BAND_GAP) * sheets.SCALE


def test_a_model_that_is_told_none_of_a_thousand_labels_shows_a_hundred_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitforge.classifier.PINNED", write_classifier(tmp_path / "classifier.onnx"))
    card = stacked_card(conditional=False)
    forge = Forge.load(write_model(tmp_path / "free.onnx", conditional=False, shape=(3, 28, 28), card=card))
    sheet = np.asarray(model_sheet(forge))
    assert sheet.shape == (560, 560, 3)
    np.testing.assert_array_equal(sheet, enlarged(grid(forge.generate(count=100).images, 10)))

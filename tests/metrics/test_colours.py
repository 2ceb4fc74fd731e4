"""Colours: figures of images that can be told beforehand, and what each kind of damage does to them."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.data.digits import Images
from digitforge.metrics import per_image
from digitforge.metrics.colours import (
    BLUE,
    GREEN,
    RED,
    brightnesses,
    channel_means,
    colour_spread,
    contrasts,
    saturations,
)

MEASURES = [brightnesses, contrasts, saturations, lambda images: channel_means(images, GREEN)]


def plain(*colours: tuple[int, int, int]) -> Images:
    """One flat image of 4x6 pixels a colour."""
    return np.broadcast_to(np.asarray(colours, np.uint8)[:, :, None, None], (len(colours), 3, 4, 6)).copy()


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> Images:
    return np.concatenate([plain(left), plain(right)], axis=3)


def test_brightness_weighs_channels_as_eyes_do() -> None:
    images = plain((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (100, 100, 100))
    assert brightnesses(images) == pytest.approx([0, 255, 0.299 * 255, 0.587 * 255, 0.114 * 255, 100], abs=1e-3)


def test_contrast_is_the_deviation_within_an_image_and_not_between_images() -> None:
    assert contrasts(plain((0, 0, 0), (255, 255, 255))) == pytest.approx([0, 0], abs=1e-3)
    assert contrasts(halves((0, 0, 0), (255, 255, 255))) == pytest.approx([127.5])
    assert contrasts(halves((50, 50, 50), (90, 90, 90))) == pytest.approx([20])


def test_saturation_is_0_for_greys_and_255_for_a_pure_colour() -> None:
    assert saturations(plain((90, 90, 90), (255, 0, 0), (10, 60, 40))).tolist() == [0, 255, 50]
    assert saturations(halves((255, 0, 0), (90, 90, 90))).tolist() == [127.5]


def test_each_channel_has_its_own_mean() -> None:
    images = halves((10, 20, 30), (30, 60, 90))
    assert [channel_means(images, channel)[0] for channel in (RED, GREEN, BLUE)] == [20, 40, 60]


def test_colour_spread_is_the_distance_from_the_mean_colour() -> None:
    assert colour_spread([[10, 20, 30]] * 5) == 0
    assert colour_spread([[0, 0, 0], [255, 255, 255]] * 3) == pytest.approx(127.5 * 3**0.5)
    colours = np.random.default_rng(0).normal(0, [3, 4, 12], (100_000, 3))
    assert colour_spread(colours) == pytest.approx(13, rel=0.01)
    assert colour_spread(colours) == pytest.approx(np.trace(np.cov(colours.T)) ** 0.5, rel=1e-4)


@pytest.mark.parametrize("measure", MEASURES)
def test_images_are_measured_each_by_itself(measure, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(1).integers(0, 256, (7, 3, 9, 6), np.uint8)
    whole = measure(images)
    assert whole.shape == (7,) and whole.dtype == np.float64
    monkeypatch.setattr(per_image, "CHUNK_PIXELS", 2 * 3 * 9 * 6)
    np.testing.assert_allclose(measure(images), whole, rtol=1e-5)
    assert measure(images[:0]).shape == (0,)


@pytest.mark.parametrize("measure", MEASURES)
def test_grey_images_are_refused(measure) -> None:
    with pytest.raises(ValueError, match=r"\[N, 3, H, W\]"):
        measure(np.zeros((2, 1, 8, 8), np.uint8))

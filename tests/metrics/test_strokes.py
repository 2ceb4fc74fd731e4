"""Widths and slants of drawn bars, and loose marks against another way to find connected pieces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from digitforge.metrics import per_image
from digitforge.metrics.strokes import INK_LEVEL, MARK_PIXELS, slants, stray_ink, stroke_widths

SIDE = 40
FINE = 16  # points on a side of each pixel, so that drawn edges are anti-aliased


def points() -> tuple[np.ndarray, np.ndarray]:
    """Right and up from the middle of an image, in pixels, at every fine point."""
    along = (np.arange(SIDE * FINE) + 0.5) / FINE - SIDE / 2
    return along[None, :], -along[:, None]


def drawn(inside: np.ndarray) -> np.ndarray:
    """An image [1, 1, SIDE, SIDE] of a shape given at fine points."""
    shares = inside.reshape(SIDE, FINE, SIDE, FINE).mean((1, 3))
    return np.rint(255 * shares).astype(np.uint8)[None, None]


def bar(width: float, length: float, angle: float, offset: float = 0.01) -> np.ndarray:
    """A bar that lies along the given angle in degrees, its middle `offset` pixels right of the image's."""
    right, up = points()
    right = right - offset
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along, across = right * cos + up * sin, up * cos - right * sin
    return drawn((np.abs(along) <= length / 2) & (np.abs(across) <= width / 2))


def sheared_bar(slant: float) -> np.ndarray:
    """An upright bar whose rows are pushed sideways, to the right above the middle for a positive slant in degrees."""
    right, up = points()
    return drawn((np.abs(right - 1.3 - up * np.tan(np.radians(slant))) <= 2) & (np.abs(up) <= 11))


def image_of(*rows: str) -> np.ndarray:
    """An image [1, 1, H, W] with full ink at each #, and a level below INK_LEVEL at each dot."""
    levels = {"#": 255, ".": INK_LEVEL - 1, " ": 0}
    return np.asarray([[levels[letter] for letter in row] for row in rows], np.uint8)[None, None]


@pytest.mark.parametrize("angle", [0, 90])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_bar_along_an_axis_has_its_width(width: int, angle: int) -> None:
    image = np.zeros((1, 1, 30, 30), np.uint8)
    image[:, :, 10 : 10 + width] = 255
    image = np.rot90(image, angle // 90, (2, 3))
    # The corners of the bar, where it meets the border, are cut to octagons: a few hundredths of its perimeter.
    assert stroke_widths(image)[0] == pytest.approx(30 * width / (30 + width), rel=0.04)


def test_an_edge_along_an_axis_is_exact_however_blurred() -> None:
    sharp = np.zeros((1, 1, 20, 400), np.uint8)
    sharp[:, :, 5:9] = 255
    soft = np.zeros_like(sharp)
    soft[:, :, 4:10] = np.asarray([51, 204, 255, 255, 204, 51])[:, None]
    for image in (sharp, soft):
        assert stroke_widths(image)[0] == pytest.approx(400 * 4 / (400 + 4), rel=0.005)


@pytest.mark.parametrize("width", [2, 2.5, 3, 4])
@pytest.mark.parametrize("angle", range(0, 180, 15))
@pytest.mark.parametrize("offset", [0.01, 0.3])
def test_a_slanted_bar_has_its_width(width: float, angle: int, offset: float) -> None:
    expected = 30 * width / (30 + width)
    assert stroke_widths(bar(width, 30, angle, offset))[0] == pytest.approx(expected, rel=0.06)


def test_fainter_ink_is_no_thinner() -> None:
    image = bar(3, 30, 20)
    assert stroke_widths(image // 2)[0] == pytest.approx(stroke_widths(image)[0], rel=0.01)


def test_an_image_without_ink_has_no_width_and_no_slant() -> None:
    images = np.concatenate([bar(3, 20, 80), np.zeros((1, 1, SIDE, SIDE), np.uint8)])
    for measure in (stroke_widths, slants):
        assert np.isnan(measure(images)).tolist() == [False, True]


@pytest.mark.parametrize("slant", [-50, -20, -5, 0, 5, 20, 50])
def test_a_sheared_bar_has_its_slant(slant: float) -> None:
    image = sheared_bar(slant)
    # The bar's shear alone: its second moment across does not enter.
    assert slants(image)[0] == pytest.approx(slant, abs=0.3)
    assert slants(image[..., ::-1])[0] == pytest.approx(-slants(image)[0], abs=1e-9)
    assert slants(image[..., ::-1, :])[0] == pytest.approx(-slants(image)[0], abs=1e-9)


def test_a_slash_leans_to_the_right() -> None:
    assert slants(image_of("  #", " # ", "#  "))[0] == pytest.approx(45)


def test_a_flat_line_has_no_slant() -> None:
    images = np.zeros((28, 1, 28, 28), np.uint8)
    images[np.arange(28), 0, np.arange(28)] = np.random.default_rng(2).integers(0, 256, (28, 28))
    assert np.isnan(slants(images)).all()


def test_ink_in_one_piece_is_not_stray() -> None:
    hooked = image_of("#   #", "#   #", " # # ", "  #  ")
    assert stray_ink(hooked)[0] == 0


def test_the_largest_piece_is_the_one_with_most_ink() -> None:
    image = image_of("###  ", "     ", "#### ", "     ", "   ##")
    assert stray_ink(image)[0] == pytest.approx(5 / 9)


def test_faint_ink_neither_joins_nor_counts() -> None:
    assert stray_ink(image_of("###.##", "......"))[0] == pytest.approx(2 / 5)


def test_a_speck_is_no_mark() -> None:
    assert MARK_PIXELS == 2
    found = [stray_ink(image_of("###   ", mark))[0] for mark in ("     #", "    ##")]
    assert found == pytest.approx([0, 2 / 5])


def test_an_empty_image_and_one_of_specks_have_no_stray_ink() -> None:
    assert stray_ink(np.concatenate([image_of("# #", "   "), image_of("   ", "...")])).tolist() == [0, 0]


def test_ink_at_the_edges_joins_neither_rows_nor_images() -> None:
    image = image_of("   ##", "##   ", "     ", "   ##")
    assert stray_ink(np.concatenate([image, image[:, :, ::-1]])) == pytest.approx([2 / 3, 2 / 3])


def test_a_spiral_is_one_piece() -> None:
    """A long way around, so that labels have to travel far."""
    spiral = np.zeros((61, 61), bool)
    row, column, heading, length = 0, 0, (0, 1), 60
    while length > 0:
        for turn in range(2):
            for _ in range(length):
                spiral[row, column] = True
                row, column = row + heading[0], column + heading[1]
            heading = (heading[1], -heading[0])
            length -= 2 * turn
    image = spiral[None, None].astype(np.uint8) * 255
    assert ndimage.label(spiral, np.ones((3, 3)))[1] == 1
    assert stray_ink(image)[0] == 0


def share_by_scipy(image: np.ndarray) -> float:
    """The share of stray ink of one image [H, W] from scipy.ndimage.label."""
    labels, count = ndimage.label(image >= INK_LEVEL, np.ones((3, 3)))
    pieces = [labels == piece for piece in range(1, count + 1)]
    inks = [int(image[piece].sum()) for piece in pieces if piece.sum() >= MARK_PIXELS]
    return 1 - max(inks) / sum(inks) if inks else 0.0


@pytest.mark.parametrize("density", [0.1, 0.3, 0.45, 0.6, 0.9])
def test_stray_ink_agrees_with_scipy(density: float) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(INK_LEVEL, 256, (40, 1, 17, 23)) * (rng.random((40, 1, 17, 23)) < density)
    images = images.astype(np.uint8)
    images[::2] = np.maximum(images[::2], rng.integers(0, INK_LEVEL, images[::2].shape))  # faint ink between
    assert stray_ink(images) == pytest.approx([share_by_scipy(image[0]) for image in images])


@pytest.mark.parametrize("measure", [stroke_widths, slants, stray_ink])
def test_images_are_measured_each_by_itself(measure, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    images = (rng.random((7, 1, 9, 6)) < 0.4).astype(np.uint8) * 255
    whole = measure(images)
    assert whole.shape == (7,) and whole.dtype == np.float64
    monkeypatch.setattr(per_image, "CHUNK_PIXELS", 2 * 9 * 6)
    np.testing.assert_array_equal(measure(images), whole)
    np.testing.assert_array_equal(np.concatenate([measure(images[i : i + 1]) for i in range(7)]), whole)
    assert measure(images[:0]).shape == (0,)


@pytest.mark.parametrize("measure", [stroke_widths, slants, stray_ink])
def test_colour_images_are_refused(measure) -> None:
    with pytest.raises(ValueError, match="grey"):
        measure(np.zeros((2, 3, 8, 8), np.uint8))

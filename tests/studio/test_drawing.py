"""A drawing becomes what MNIST would have made of it."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.errors import UserError
from digitforge.studio.drawing import as_mnist


def drawing(rows: slice, columns: slice) -> np.ndarray:
    pixels = np.zeros((112, 112), np.uint8)
    pixels[rows, columns] = 255
    return pixels


def test_the_longer_side_becomes_twenty_pixels_and_proportions_stay() -> None:
    image = as_mnist(drawing(slice(10, 90), slice(30, 50)))[0, 0]
    rows, columns = np.nonzero(image)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 5)


@pytest.mark.parametrize("corner", [(0, 0), (60, 70), (30, 0)])
def test_where_and_how_large_it_was_drawn_makes_no_difference(corner: tuple[int, int]) -> None:
    top, left = corner
    image = as_mnist(drawing(slice(top, top + 40), slice(left, left + 20)))
    assert np.array_equal(image, as_mnist(drawing(slice(10, 90), slice(30, 70))))


def test_the_centre_of_mass_is_the_middle() -> None:
    pixels = drawing(slice(10, 90), slice(30, 50))
    pixels[70:90, 50:80] = 255  # an L, heavier at the foot
    image = as_mnist(pixels)[0, 0].astype(float)
    places = np.arange(28) + 0.5
    assert abs(image.sum(1) @ places / image.sum() - 14) <= 0.5
    assert abs(image.sum(0) @ places / image.sum() - 14) <= 0.5


def test_a_slip_of_the_pen_is_no_digit() -> None:
    with pytest.raises(UserError, match="nothing drawn"):
        as_mnist(drawing(slice(0, 2), slice(0, 2)))

"""The sheet of copies: pairs side by side, the most copy-like first."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.report.copies import MAX_PAIRS, copies_sheet
from digitforge.sheets import BAND_GAP, SCALE, png_bytes

SIDE = 20
PAPER = 255


def flat_images(levels: np.ndarray, channels: int = 1) -> np.ndarray:
    return np.broadcast_to(levels.astype(np.uint8)[:, None, None, None], (len(levels), channels, SIDE, SIDE)).copy()


def level_at(picture: np.ndarray, level: int) -> tuple[int, int]:
    """The upper left corner of the square that one level fills; letters never fill one."""
    rows, columns = np.nonzero(picture == level)
    for top, left in zip(rows, columns, strict=True):
        square = picture[top : top + SIDE * SCALE, left : left + SIDE * SCALE]
        if square.size == (SIDE * SCALE) ** 2 and (square == level).all():
            return int(top), int(left)
    raise AssertionError(f"no image of level {level} in the picture")


def test_an_image_stands_left_of_its_original() -> None:
    picture = np.asarray(
        copies_sheet(flat_images(np.asarray([100])), flat_images(np.asarray([120])), np.asarray([0.5]))
    )
    top, left = level_at(picture, 100)
    assert level_at(picture, 120) == (top, left + (SIDE + BAND_GAP) * SCALE)
    assert (picture[:top] < PAPER).any()  # the caption


def test_the_most_copy_like_pairs_come_first_and_the_least_are_left_out() -> None:
    count = MAX_PAIRS + 3
    levels, relative = np.arange(count) * 3 + 60, np.random.default_rng(0).permutation(count) / count
    picture = np.asarray(copies_sheet(flat_images(levels), flat_images(levels + 1), relative))
    order = np.argsort(relative)
    places = [level_at(picture, int(levels[place])) for place in order[:MAX_PAIRS]]
    assert places == sorted(places)
    for place in order[MAX_PAIRS:]:
        with pytest.raises(AssertionError, match="no image"):
            level_at(picture, int(levels[place]))


def test_captions_and_distances_are_shown() -> None:
    image = flat_images(np.asarray([100]))
    sheets = [
        png_bytes(copies_sheet(image, image, np.asarray([relative]), captions))
        for relative, captions in ((0.5, None), (0.6, None), (0.5, ["a"]), (0.5, ["b"]))
    ]
    assert len(set(sheets)) == 4
    assert sheets[0] == png_bytes(copies_sheet(image, image, np.asarray([0.5])))


def test_a_long_caption_runs_into_no_other() -> None:
    image = flat_images(np.asarray([100, 100]))
    short, long = (copies_sheet(image, image, np.asarray([0.5, 0.6]), [name] * 2) for name in ("a", "a" * 40))
    assert long.width > short.width


def test_colour_stays_colour() -> None:
    image = flat_images(np.asarray([100]), 3)
    image[:, 0] = 200
    sheet = copies_sheet(image, image, np.asarray([0.5]))
    assert sheet.mode == "RGB"
    assert (np.asarray(sheet) == (200, 100, 100)).all(-1).sum() == 2 * (SIDE * SCALE) ** 2


def test_what_makes_no_pairs_is_refused() -> None:
    two, one = flat_images(np.asarray([1, 2])), flat_images(np.asarray([1]))
    for images, originals, relative in ((two, one, [0, 0]), (two, two, [0]), (one[:0], one[:0], [])):
        with pytest.raises(ValueError, match="no pairs"):
            copies_sheet(images, originals, np.asarray(relative))

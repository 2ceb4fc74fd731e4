"""street: the same images everywhere, drawn once and kept; the truth on them is what the pixels show."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge.data import catalogue, load_data, street, street_digits
from digitforge.data.street import Part, Truth, cached_path, draw_chunk, draw_part, load_street, load_truth
from digitforge.data.street_digits import CROP, FREQUENCIES, STYLES, Glyph, Glyphs, render_glyphs, set_numbers
from digitforge.data.street_paint import CONTRAST_LEAST, LIGHTNESS, draw_colours
from digitforge.errors import DataError
from digitforge.randomness import stream

COUNT = 200
# Digits.sha256 of `drawn`. Where this changes, the pinned hashes of the whole data set in street.py do too.
DRAWN_SHA256 = "9e7d62b42aec32da7be7f587db9ef8ee5781e170d64611a0679b38533cf2f597"


@pytest.fixture(scope="module")
def glyphs() -> Glyphs:
    return render_glyphs()


@pytest.fixture(scope="module")
def drawn(glyphs: Glyphs) -> Part:
    return draw_chunk(glyphs, COUNT, stream(0, "test"))


def test_images_are_drawn_bit_by_bit_as_pinned(drawn: Part) -> None:
    assert drawn.digits.shape == (3, 32, 32)
    assert drawn.digits.sha256 == DRAWN_SHA256


def test_one_seed_gives_one_set_of_images_and_truths_and_another_seed_another(glyphs: Glyphs, drawn: Part) -> None:
    again = draw_chunk(glyphs, COUNT, stream(0, "test"))
    assert again.digits.sha256 == drawn.digits.sha256
    for name in ("shares", "ink", "ground", "styles"):
        assert np.array_equal(getattr(again.truth, name), getattr(drawn.truth, name))
    assert draw_chunk(glyphs, COUNT, stream(1, "test")).digits.sha256 != drawn.digits.sha256


def test_labels_are_as_frequent_as_stated(drawn: Part) -> None:
    assert sum(FREQUENCIES) == 100
    assert np.abs(drawn.digits.counts - np.array(FREQUENCIES) * COUNT / 100).max() < 1


def test_every_style_has_ten_digits_of_one_height_that_differ(glyphs: Glyphs) -> None:
    for style in range(len(STYLES)):
        masks = [np.asarray(glyphs[style, digit].mask) for digit in range(10)]
        assert len({mask.tobytes() for mask in masks}) == 10
        for mask in masks:
            rows = np.flatnonzero((mask > 127).any(1))
            assert 0.85 * street_digits.GLYPH_HEIGHT < rows[-1] - rows[0] + 1 < 1.25 * street_digits.GLYPH_HEIGHT
            edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
            assert not edge.any(), "a glyph that touches its picture's edge is cut"


@pytest.fixture
def seen_from_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of 16 pixels' height, upright, in the middle; a 0 is 8 pixels wide."""
    monkeypatch.setattr(street_digits, "HEIGHTS", (16.0, 16.0))
    monkeypatch.setattr(street_digits, "WIDTHS", (0.5, 0.5))
    for name in ("OFFSETS", "JITTERS", "HALF_TURNS", "SHEARS", "STEPS", "VANISHINGS"):
        monkeypatch.setattr(street_digits, name, (0.0, 0.0))


@pytest.mark.parametrize(("gap", "share"), [(0.25, 1.0), (0.5, 0.5), (0.625, 0.25), (0.75, 0.0)])
@pytest.mark.usefixtures("seen_from_the_front")
def test_shares_are_the_part_of_a_neighbours_ink_that_lies_in_the_crop(
    gap: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(street_digits, "GAPS", (gap, gap))
    bar = np.pad(np.full((32, 16), 255, np.uint8), street_digits.GLYPH_MARGIN)
    bars = {(style, digit): Glyph(Image.fromarray(bar), 16) for style in range(len(STYLES)) for digit in range(10)}
    numbers = set_numbers(bars, 60, stream(0, "test"))
    # The crop ends 16 pixels from its middle; a neighbour reaches from 4 and the gap to 12 and the gap.
    stands = np.array([[mask[28, :52].any(), mask[28, 60:].any()] for mask in numbers.masks])
    assert 10 < np.count_nonzero(stands.all(1)) < 50 > np.count_nonzero(~stands.any(1)) > 5
    assert np.abs(numbers.shares - share * stands).max() < 0.04


def test_a_neighbour_counts_when_a_quarter_of_its_ink_is_in_the_image() -> None:
    shares = np.array([[0, 0], [0.2, 0.24], [0.25, 0], [0.1, 0.9], [0.4, 1]], np.float32)
    paint = np.zeros((5, 3), np.uint8)
    truth = Truth(shares, paint, paint, np.zeros(5, np.uint8))
    assert truth.neighbours.tolist() == [0, 0, 1, 1, 2]
    assert truth.is_crowded.tolist() == [False, False, True, True, True]


def test_lone_and_crowded_digits_both_occur_often(drawn: Part) -> None:
    assert 0.3 < drawn.truth.is_crowded.mean() < 0.7
    assert np.count_nonzero(drawn.truth.neighbours == 2) > COUNT / 20


def test_ink_and_ground_are_the_colours_that_the_pixels_have(glyphs: Glyphs, drawn: Part) -> None:
    masks = set_numbers(glyphs, COUNT, stream(0, "test")).masks[:, *CROP]  # the draws that `drawn` began with
    nearer = 0
    for image, mask, ink, ground in zip(
        drawn.digits.images, masks, drawn.truth.ink.astype(int), drawn.truth.ground.astype(int), strict=True
    ):
        inked = np.median(image[:, mask == 255], axis=1)
        nearer += np.abs(inked - ink).sum() < np.abs(inked - ground).sum()
    assert nearer > 0.9 * COUNT  # thin strokes are blurred into their ground


def test_ink_is_lighter_than_its_ground_as_often_as_darker_and_never_near_it() -> None:
    ink, ground = draw_colours(1000, stream(0, "test"))
    difference = (ink.astype(float) - ground) @ LIGHTNESS
    assert 0.4 < np.mean(difference > 0) < 0.6
    assert np.abs(difference).min() > CONTRAST_LEAST - 10  # colours that are cut at 0 and 255 lose some
    spread = ink.max(1).astype(int) - ink.min(1)
    assert np.mean(spread < 10) > 0.1, "there is grey paint"
    assert np.mean(spread > 50) > 0.1, "there is coloured paint"
    assert len(np.unique(ink.argmax(1))) == 3, "red, green and blue each are strongest in some"


@pytest.fixture
def tiny_street(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """A data set of 60 and 20 images; tells, when called, how many images were drawn since the last call."""
    monkeypatch.setattr(street, "TRAIN_COUNT", 60)
    monkeypatch.setattr(street, "TEST_COUNT", 20)
    monkeypatch.setattr(street, "CHUNK", 40)
    with pytest.raises(
        DataError, match=r"pillow .*, matplotlib .*, numpy .* draw other images for street .* pip install"
    ):
        load_street()
    assert not cached_path().exists(), "images that fail the check are not kept"
    counts: list[int] = []

    def draw_counted(glyphs: Glyphs, count: int, rng: np.random.Generator) -> Part:
        counts.append(count)
        return draw_chunk(glyphs, count, rng)

    def drawn_lately() -> list[int]:
        lately = counts.copy()
        counts.clear()
        return lately

    parts = [draw_part(render_glyphs(), name, count, lambda _: None) for name, count in (("train", 60), ("test", 20))]
    monkeypatch.setattr(street, "TRAIN_SHA256", parts[0].digits.sha256)
    monkeypatch.setattr(street, "TEST_SHA256", parts[1].digits.sha256)
    monkeypatch.setattr(street, "draw_chunk", draw_counted)
    return drawn_lately


def test_images_are_drawn_on_first_use_and_then_kept(tiny_street: Callable[[], list[int]]) -> None:
    heard: list[tuple[str, int, int | None]] = []
    first = load_data("street", progress=lambda *news: heard.append(news))
    assert tiny_street() == [40, 20, 20]
    assert [done for _, done, _ in heard] == [40 * 3072, 60 * 3072, 80 * 3072]
    assert {(what, total) for what, _, total in heard} == {("street (drawn here)", 80 * 3072)}
    second = load_data("street")
    assert tiny_street() == []
    assert first.test is not None and second.test is not None
    assert (first.train.sha256, first.test.sha256) == (second.train.sha256, second.test.sha256)
    assert (len(second.train), len(second.test)) == (60, 20)
    entry = next(entry for entry in catalogue() if entry.name == "street")
    assert entry.is_cached
    assert entry.cached_bytes > 80 * 3072


def test_truth_is_kept_beside_the_images(tiny_street: Callable[[], list[int]], glyphs: Glyphs) -> None:
    load_street()
    tiny_street()
    train, test = load_truth()
    assert tiny_street() == []
    assert (len(train.shares), len(test.shares)) == (60, 20)
    made = draw_chunk(glyphs, 20, stream(street.SEED, "street test")).truth
    for name in ("shares", "ink", "ground", "styles"):
        assert np.array_equal(getattr(test, name), getattr(made, name))


@pytest.mark.parametrize("damage", ["cut", "bit", "other"])
def test_a_damaged_file_in_the_cache_is_replaced(tiny_street: Callable[[], list[int]], damage: str) -> None:
    whole = load_street()
    content = cached_path().read_bytes()
    tiny_street()
    if damage == "cut":
        cached_path().write_bytes(content[:-1000])
    elif damage == "bit":
        middle = len(content) // 2
        cached_path().write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        np.savez(cached_path(), images=whole.train.images)
    assert load_street().train.sha256 == whole.train.sha256
    assert tiny_street() == [40, 20, 20]
    assert cached_path().read_bytes() == content


def test_a_cache_that_cannot_be_written_only_costs_time(tiny_street: Callable[[], list[int]], cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("a file where the folder should be")
    assert len(load_street().train) == 60
    assert len(load_street().train) == 60
    assert tiny_street() == [40, 20, 20] * 2


def test_without_matplotlib_or_its_fonts_the_way_on_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("matplotlib.get_data_path", lambda: str(tmp_path))
    with pytest.raises(DataError, match=r"matplotlib lacks the font .*DejaVuSans-Bold\.ttf; pip install"):
        render_glyphs()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DataError, match=r"street is drawn with the fonts of matplotlib; pip install"):
        render_glyphs()

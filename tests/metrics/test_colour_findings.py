"""Sets made from colour images: each kind of damage moves the figure that should move, and is named by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from digitforge.classifier import PINNED_COLOUR, Classifier
from digitforge.data import DataSet, Digits
from digitforge.data.street import Part, draw_chunk
from digitforge.data.street_digits import render_glyphs
from digitforge.metrics import findings as findings_module
from digitforge.metrics.colours import LUMA
from digitforge.metrics.details import Details, measure_details
from digitforge.metrics.figure import Figure
from digitforge.metrics.findings import describe_details
from digitforge.metrics.real import Real, find_real, measure

COUNT = 500  # images of each part


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(PINNED_COLOUR)


@pytest.fixture(scope="module")
def parts() -> list[Part]:
    """House numbers in three parts: to train on, to hold out, and to stand for what a model draws."""
    glyphs = render_glyphs()
    return [draw_chunk(glyphs, COUNT, np.random.default_rng(seed)) for seed in range(3)]


@pytest.fixture(scope="module")
def real(parts: list[Part], classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Real:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return find_real(DataSet("parts", parts[0].digits, parts[1].digits), classifier)


def with_pixels(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Part], Digits]:
    """What changes the pixels of a part, as numbers of 0..255."""

    def made(part: Part) -> Digits:
        changed = change(part.digits.images.astype(np.float64))
        return replace(part.digits, images=changed.round().clip(0, 255).astype(np.uint8))

    return made


def grey(images: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.einsum("c,nchw->nhw", LUMA, images)[:, None], images.shape)


def flatter(images: np.ndarray) -> np.ndarray:
    """Half the contrast around each image's own colour, which so stays."""
    means = images.mean((2, 3), keepdims=True)
    return means + (images - means) / 2


def one_colour(images: np.ndarray) -> np.ndarray:
    """Every image in the mean colour of all."""
    return images - images.mean((2, 3), keepdims=True) + images.mean((0, 2, 3), keepdims=True)


def neighbours(part: Part, *, are_shown: bool) -> Digits:
    """The images with a neighbouring digit alone, or those without."""
    return part.digits.take(np.resize(np.flatnonzero(part.truth.is_crowded == are_shown), COUNT))


def details(digits: Digits, real: Real, classifier: Classifier) -> Details:
    return measure_details(measure(digits, classifier), real)


def test_other_real_images_are_not_complained_of(parts: list[Part], real: Real, classifier: Classifier) -> None:
    assert list(describe_details(details(parts[2].digits, real, classifier))) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (with_pixels(grey), "paler"),
        (with_pixels(lambda images: 1.5 * images - 0.5 * grey(images)), "gaudier"),
        (with_pixels(one_colour), "few colours"),
        (with_pixels(flatter), "flatter"),
        (with_pixels(lambda images: images * 0.7), "darker"),
        (with_pixels(lambda images: images * 0.7 + 77), "brighter"),
        (partial(neighbours, are_shown=False), "neighbours missing"),
        (partial(neighbours, are_shown=True), "crowded"),
    ],
    ids=["grey", "gaudy", "one colour", "flat", "dark", "bright", "no neighbours", "neighbours in all"],
)
def test_damage_is_named(
    make: Callable[[Part], Digits], words: str, parts: list[Part], real: Real, classifier: Classifier
) -> None:
    found = list(describe_details(details(make(parts[2]), real, classifier)))
    assert any(sentence.startswith(words) for sentence in found), found


def test_each_figure_moves_with_its_damage_and_not_with_another(
    parts: list[Part], real: Real, classifier: Classifier
) -> None:
    as_it_is = details(parts[2].digits, real, classifier)
    washed, flat, same = (
        details(with_pixels(change)(parts[2]), real, classifier) for change in (grey, flatter, one_colour)
    )
    assert as_it_is.saturation and as_it_is.contrast and as_it_is.brightness and as_it_is.colour_spread
    assert washed.saturation and washed.brightness and washed.contrast
    assert washed.saturation.mean.value == 0
    assert washed.brightness.mean.value == pytest.approx(as_it_is.brightness.mean.value, rel=0.01)
    assert washed.contrast.mean.value == pytest.approx(as_it_is.contrast.mean.value, rel=0.02)
    assert flat.contrast and flat.colour_spread
    assert flat.contrast.mean.value == pytest.approx(as_it_is.contrast.mean.value / 2, rel=0.02)
    assert flat.colour_spread.value == pytest.approx(as_it_is.colour_spread.value, rel=0.01)
    assert same.colour_spread
    assert same.colour_spread.value < 0.3 * as_it_is.colour_spread.value  # clipping leaves some


def test_crowded_images_are_counted_as_they_were_drawn(parts: list[Part], real: Real, classifier: Classifier) -> None:
    found = details(parts[2].digits, real, classifier).crowded
    assert found is not None
    assert found.value == pytest.approx(float(parts[2].truth.is_crowded.mean()), abs=0.05)
    assert found.n == COUNT


def test_colour_images_have_no_strokes_and_stacked_digits_no_colours(
    parts: list[Part], real: Real, classifier: Classifier
) -> None:
    in_colour = details(parts[2].digits, real, classifier)
    assert (in_colour.stroke_width, in_colour.slant, in_colour.stray_marks) == (None, None, None)
    channels = Classifier.of_channels()
    digits = np.random.default_rng(0).integers(0, 256, (10, 3, 28, 28), np.uint8)
    stacked = measure(Digits(digits, np.arange(10), channels.names), channels)
    assert not channels.sees_colours
    assert stacked.properties == {}


@pytest.mark.parametrize(("n", "real_n", "is_found"), [(12, 10_000, False), (10_000, 12, False), (500, 500, True)])
def test_a_spread_of_few_images_may_be_low_by_chance(n: int, real_n: int, is_found: bool) -> None:
    assert findings_module._is_narrow(Figure(6.9, n, None, 10.0, real_n)) == is_found

"""All that is measured beyond the key figures: where a model's images lie among real ones, digit by digit, in their
strokes or colours, and whether they copy them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.metrics.colours import colour_spread
from digitforge.metrics.copies import Nearest, is_copy, nearest
from digitforge.metrics.distributions import wasserstein
from digitforge.metrics.figure import Figure
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.metrics.kernel import kernel_distance
from digitforge.metrics.manifold import overlap
from digitforge.metrics.real import CHANNELS, Measured, Real

MOST = 10_000  # images of each kind whose pairs are compared
NEIGHBOURS = 5  # of precision, recall, density and coverage: Naeem et al. 2020's choice
FEWEST_OF_A_LABEL = 50  # images of a label below which it has no figures of its own
CLOSEST = 20  # images that lie closest to a training image, kept so that they can be looked at


@dataclass(frozen=True)
class Property:
    """One property that every image has, such as the width of its strokes, in drawn and in real images.

    distance: Wasserstein-1 distance between its distributions, in the property's unit. mean, spread (the standard
    deviation): of the drawn images; `real` is that of real images.
    """

    distance: Figure
    mean: Figure
    spread: Figure


@dataclass(frozen=True)
class OfLabel:
    """What the images of one label measure against real ones of it, with as many real ones in the model's place."""

    frechet: Figure
    kernel: Figure
    stray_marks: Figure | None


@dataclass(frozen=True)
class Closest:
    """A drawn image and the training image that it is most like.

    image: its index among the drawn ones; original: the index of the training image; relative: see copies.Nearest.
    """

    image: int
    original: int
    relative: float


@dataclass(frozen=True)
class Details:
    """Figures that need the real images themselves; `real` is what real ones measure in their place.

    Grey images have strokes, others colours; of each other's figures they have None.

    kernel: kernel distance (KID); precision, recall, density, coverage: see manifold.Overlap.
    stroke_width: in pixels; slant: in degrees, positive leans right; stray_marks: share of images with ink apart from
    the stroke.
    brightness, contrast, saturation: see metrics/colours.py, 0..255; colour_spread: how varied the mean colours of
    images are, None also where channels are no colours.
    crowded: share of images in which the classifier sees a digit beside the one in the middle, None if it can't tell.
    copies: share of images that copy a training image, None without held-out images to tell what is one.
    closest: the images most like a training image, the most like first.
    by_label: by name, for labels of which enough images were drawn and, where some are, held out.
    """

    kernel: Figure
    precision: Figure
    recall: Figure
    density: Figure
    coverage: Figure
    stroke_width: Property | None
    slant: Property | None
    stray_marks: Figure | None
    brightness: Property | None
    contrast: Property | None
    saturation: Property | None
    colour_spread: Figure | None
    crowded: Figure | None
    copies: Figure | None
    closest: tuple[Closest, ...]
    by_label: dict[str, OfLabel]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain types."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def measure_details(drawn: Measured, real: Real) -> Details:
    """Hold drawn images against real ones, at least 2 of training; labels of both are indices into the same names."""
    found = nearest(drawn.digits.images, drawn.digits.labels, real.train.digits)
    others = real.train if real.test is None else real.test
    return Details(
        **_pairwise(drawn, real),
        stroke_width=_property(drawn, real, "width"),
        slant=_property(drawn, real, "slant"),
        stray_marks=_share(drawn, others, "stray"),
        brightness=_property(drawn, real, "brightness"),
        contrast=_property(drawn, real, "contrast"),
        saturation=_property(drawn, real, "saturation"),
        colour_spread=_colour_spread(drawn, others),
        crowded=_share(drawn, others, "crowded"),
        copies=_copies(found, real),
        closest=_closest(found),
        by_label=_by_label(drawn, real),
    )


def _pairwise(drawn: Measured, real: Real) -> dict[str, Figure]:
    """Kernel distance and overlap, from equal numbers of drawn and of held-out images against the same real ones.

    Held-out images too few to have their neighbours count as none, since they would set the number of drawn ones too.
    """
    train = real.train.some(MOST).features
    test = None if real.test is None or len(real.test) <= NEIGHBOURS else real.test
    count = min(len(drawn), MOST, *([] if test is None else [len(test)]))
    features = [drawn.features[:count]] + ([] if test is None else [test.some(count).features])
    distances = [kernel_distance(each, train) for each in features]
    figures = {"kernel": _equal(distances, count, len(train))}
    overlaps = [overlap(train, each, min(NEIGHBOURS, count - 1, len(train) - 1)) for each in features]
    for name in ("precision", "recall", "density", "coverage"):
        figures[name] = _equal([float(getattr(each, name)) for each in overlaps], count, len(train))
    return figures


def _equal(values: Sequence[float], count: int, reference_n: int) -> Figure:
    """A figure of drawn images and, if `values` has a second one, of as many held-out ones."""
    real = (values[1], count) if len(values) > 1 else (None, None)
    return Figure(values[0], count, reference_n, *real)


def _property(drawn: Measured, real: Real, key: str) -> Property | None:
    """A property's distribution; images without it, such as empty ones, are left out."""
    if key not in drawn.properties:
        return None
    values, train = _known(drawn.properties[key]), _known(real.train.properties[key])
    test = None if real.test is None else _known(real.test.properties[key])
    if min(len(values), len(train), *([] if test is None else [len(test)])) == 0:
        return None
    others = train if test is None else test

    def figure(measure: Callable[[NDArray[np.float64]], Any]) -> Figure:
        return Figure(float(measure(values)), len(values), None, float(measure(others)), len(others))

    floor = (None, None) if test is None else (wasserstein(test, train), len(test))
    distance = Figure(wasserstein(values, train), len(values), len(train), *floor)
    return Property(distance, figure(np.mean), figure(np.std))


def _known(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return values[np.isfinite(values)].astype(np.float64)


def _share(drawn: Measured, others: Measured, key: str) -> Figure | None:
    """The share of images of which a property is above 0, in drawn and in real images."""
    return _of_all(drawn, others, [key], lambda values: float((values > 0).mean()))


def _colour_spread(drawn: Measured, others: Measured) -> Figure | None:
    return _of_all(drawn, others, list(CHANNELS), colour_spread)


def _of_all(
    drawn: Measured, others: Measured, keys: Sequence[str], measure: Callable[[NDArray[np.float32]], float]
) -> Figure | None:
    """What some properties of all images together, [N, keys], measure; None where nobody took them."""
    if len(drawn) == 0 or not set(keys) <= set(drawn.properties):
        return None
    values = [np.stack([part.properties[key] for key in keys], 1) for part in (drawn, others)]
    real = (measure(values[1]), len(others)) if len(others) else (None, None)
    return Figure(measure(values[0]), len(drawn), None, *real)


def _copies(found: Nearest, real: Real) -> Figure | None:
    """The share of copies; `real` is the chance that a fresh real image seems to be one, by those held out that do.

    The threshold is one of theirs, so that a fresh image lies below it a little more often than they do.
    """
    threshold, held_out = real.copy_threshold, real.nearest_to_test
    if threshold is None or held_out is None:
        return None
    known, seeming = int((held_out.indices >= 0).sum()), int(is_copy(held_out, threshold).sum())
    share = float(is_copy(found, threshold).mean())
    return Figure(share, len(found.indices), len(real.train), (seeming + 1) / (known + 1), known)


def _closest(found: Nearest) -> tuple[Closest, ...]:
    known = np.flatnonzero(found.indices >= 0)
    first = known[np.argsort(found.relative[known], kind="stable")][:CLOSEST]
    return tuple(Closest(int(place), int(found.indices[place]), float(found.relative[place])) for place in first)


def _by_label(drawn: Measured, real: Real) -> dict[str, OfLabel]:
    figures = {}
    for label in np.flatnonzero(drawn.digits.counts >= FEWEST_OF_A_LABEL).tolist():
        train, test = real.train.only([label]), None if real.test is None else real.test.only([label])
        count = min(int(drawn.digits.counts[label]), len(train) if test is None else len(test))
        if count >= FEWEST_OF_A_LABEL:
            some, held_out = drawn.only([label]).take(np.arange(count)), None if test is None else test.some(count)
            figures[real.train.digits.names[label]] = _of_label(some, train, held_out)
    return figures


def _of_label(drawn: Measured, train: Measured, test: Measured | None) -> OfLabel:
    sets = [drawn] if test is None else [drawn, test]
    frechet = [frechet_distance(moments(each.features), moments(train.features)) for each in sets]
    kernel = [kernel_distance(each.features, train.features) for each in sets]
    stray_marks = _share(drawn, train if test is None else test, "stray")
    return OfLabel(_equal(frechet, len(drawn), len(train)), _equal(kernel, len(drawn), len(train)), stray_marks)


def _plain(value: Any) -> Any:
    """Figures, and what holds them, as plain types."""
    if isinstance(value, Figure):
        return value.as_dict()
    if isinstance(value, Property | OfLabel | Closest):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value

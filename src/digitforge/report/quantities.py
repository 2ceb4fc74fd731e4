"""Quantities: the figures of an evaluation, each with its name, how it was measured, and which way is good."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["lower", "higher", "as real"]
Place = tuple[str, ...]  # keys in an evaluation, one inside the other

_DIGITS, _FEW_DIGITS = 4, 3  # that are written of a figure, and of a number that chance has a hand in, ...
_MOST_DECIMALS = 6  # ... but no more than so many after its point


@dataclass(frozen=True)
class Paper:
    """Where an idea comes from; arxiv: its number there."""

    authors: str
    arxiv: str


@dataclass(frozen=True)
class Quantity:
    """One figure of an evaluation.

    how: a sentence on how it is measured. better: "as real" where it should be what real images measure.
    is_share: in 0..1, written in percent. real: what real images measure, or where that stands, if the figure itself
    does not say.
    """

    place: Place
    title: str
    how: str
    better: Better
    is_share: bool = False
    unit: str = ""
    real: Place | float | None = None
    papers: tuple[Paper, ...] = ()


@dataclass(frozen=True)
class Measured:
    """One value. n: images that it was taken from. real: the same of real held-out images. None where not told.

    real_n: images that `real` was taken from, where it is a figure of its own.
    """

    value: float
    n: int | None
    real: float | None
    real_n: int | None = None


_HEUSEL = Paper("Heusel et al. 2017", "1706.08500")
_BINKOWSKI = Paper("Bińkowski et al. 2018", "1801.01401")
_KYNKAANNIEMI = Paper("Kynkäänniemi et al. 2019", "1904.06991")
_NAEEM = Paper("Naeem et al. 2020", "2002.09797")
_METZ = Paper("Metz et al. 2016", "1611.02163")
_CASTRO = Paper("Castro et al. 2019", "1809.10780")
_ESTEBAN = Paper("Esteban et al. 2017", "1706.02633")
_RAVURI = Paper("Ravuri and Vinyals 2019", "1905.10887")
_SZEGEDY = Paper("Szegedy et al. 2015", "1512.00567")

KEY_FIGURES = (
    Quantity(
        ("frechet",),
        "Frechet distance",
        "The distance between generated images and real training images, each taken as a Gaussian in the features of "
        "the pinned classifier.",
        "lower",
        real=("floor",),
        papers=(_HEUSEL,),
    ),
    Quantity(
        ("ratio",),
        "Frechet distance in F",
        "The same in units of F, the distance of real held-out images: 1 is as near as other real images.",
        "lower",
        real=1.0,
    ),
    Quantity(
        ("accuracy",),
        "Read as asked",
        "The share of images that the pinned classifier takes for the label that was asked for.",
        "higher",
        is_share=True,
    ),
    Quantity(
        ("histogram", "total_variation"),
        "Labels off their shares",
        "The total variation between the labels as the classifier reads them and those of the training data: the share "
        "of images whose label would have to change.",
        "lower",
        is_share=True,
    ),
)
FURTHER_FIGURES = (
    Quantity(
        ("histogram", "modes"),
        "Labels that occur",
        "How many of the labels are read at least once among the drawn images.",
        "higher",
        real=("histogram", "modes_in_data"),
        papers=(_METZ,),
    ),
    Quantity(
        ("histogram", "kl"),
        "Divergence of the labels",
        "The Kullback-Leibler divergence, in nats, of the labels drawn from those of the training data.",
        "lower",
        papers=(_METZ,),
    ),
    Quantity(
        ("details", "kernel"),
        "Kernel distance",
        "The squared maximum mean discrepancy in the classifier's features with a cubic kernel; it has no bias, so "
        "that it can fall below 0.",
        "lower",
        papers=(_BINKOWSKI,),
    ),
    Quantity(
        ("details", "precision"),
        "Precision",
        "The share of generated images that lie among real ones, as near as those are to their nearest neighbours.",
        "higher",
        is_share=True,
        papers=(_KYNKAANNIEMI,),
    ),
    Quantity(
        ("details", "recall"),
        "Recall",
        "The share of real images that lie among generated ones, as near as those are to their nearest neighbours.",
        "higher",
        is_share=True,
        papers=(_KYNKAANNIEMI,),
    ),
    Quantity(
        ("details", "density"),
        "Density",
        "How many neighbourhoods of real images hold a generated image, over how many are expected; it can pass 1.",
        "as real",
        papers=(_NAEEM,),
    ),
    Quantity(
        ("details", "coverage"),
        "Coverage",
        "The share of real images whose neighbourhood holds a generated image.",
        "higher",
        is_share=True,
        papers=(_NAEEM,),
    ),
    Quantity(
        ("details", "stray_marks"),
        "Stray marks",
        "The share of images with ink that is not joined to the main stroke.",
        "as real",
        is_share=True,
    ),
    Quantity(
        ("details", "copies"),
        "Copies",
        "The share of images that lie nearer to one training image than held-out real images do.",
        "lower",
        is_share=True,
    ),
    Quantity(
        ("tstr", "synthetic"),
        "Trained on what it drew",
        "The accuracy on real test images of a classifier that learned from generated images alone; beside it, of one "
        "that learned from real ones.",
        "higher",
        is_share=True,
        real=("tstr", "real"),
        papers=(_ESTEBAN, _RAVURI),
    ),
    Quantity(
        ("inception",),
        "Inception distance",
        "The Frechet distance in the features of Inception v3, which photographs were used to train.",
        "lower",
        papers=(_HEUSEL, _SZEGEDY),
    ),
)
_OF_EACH: tuple[tuple[str, str, str, Better], ...] = (
    ("mean", "mean", "Over all images, the mean of {}.", "as real"),
    ("spread", "spread", "Over all images, the standard deviation of {}.", "as real"),
    ("distance", "distance", "The Wasserstein distance to real images in {}.", "lower"),
)


def _property(section: str, title: str, unit: str, what: str, *papers: Paper) -> tuple[Quantity, ...]:
    """The quantities of a property that every image has; `what` goes into sentences."""
    return tuple(
        Quantity(("details", section, key), f"{title}, {words}", how.format(what), better, unit=unit, papers=papers)
        for key, words, how, better in _OF_EACH
    )


STROKES = (
    *_property("stroke_width", "Stroke width", "px", "the mean width of an image's strokes, 2 ink / outline"),
    *_property("slant", "Slant", "°", "the lean of an image by its second moments, positive to the right", _CASTRO),
)
COLOURS = (
    *_property("brightness", "Brightness", "", "the mean luma of an image, from 0 for black to 255 for white"),
    *_property("contrast", "Contrast", "", "the standard deviation of luma within an image, 0 for a flat one"),
    *_property("saturation", "Saturation", "", "the mean over an image of max - min of R, G and B, 0 for a grey one"),
    Quantity(
        ("details", "colour_spread"),
        "Colour spread",
        "How far the mean colours of images lie from their own mean: the root of the trace of their covariance, in "
        "levels of RGB. It is near 0 where all images have one colour.",
        "as real",
    ),
    Quantity(
        ("details", "crowded"),
        "Crowded",
        "The share of images in which the classifier sees a digit beside the one in the middle; the others show one.",
        "as real",
        is_share=True,
    ),
)
PROPERTIES = (*STROKES, *COLOURS)


def by_label(name: str) -> tuple[Quantity, ...]:
    """What is measured of each label by itself; titles are the same for every label."""
    in_details = ("details", "by_label", name)
    return (
        Quantity(("accuracy_by_label", name), "Read as asked", "", "higher", is_share=True),
        Quantity((*in_details, "frechet"), "Frechet distance", "", "lower"),
        Quantity((*in_details, "kernel"), "Kernel distance", "", "lower"),
        Quantity((*in_details, "stray_marks"), "Stray marks", "", "as real", is_share=True),
    )


def measured(evaluation: Mapping[str, Any], quantity: Quantity) -> Measured | None:
    """The value of a quantity; None where the evaluation, which may be of an older release, does not have it."""
    found = _at(evaluation, quantity.place)
    value = value_of(found)
    if value is None:
        return None
    n = found.get("n") if isinstance(found, Mapping) else evaluation.get("count")
    own = value_of(found.get("real")) if isinstance(found, Mapping) else None
    beside = _at(evaluation, quantity.real) if isinstance(quantity.real, tuple) else quantity.real
    real_n = beside.get("n") if own is None and isinstance(beside, Mapping) else None
    return Measured(value, _whole(n), value_of(beside) if own is None else own, _whole(real_n))


def written_real(found: Measured, quantity: Quantity) -> str:
    """What real images measure, in words, with how many they are where that is another number; "" where not told."""
    if found.real is None:
        return ""
    is_alike = found.real_n is None or found.real_n == found.n
    return written(found.real, quantity) + ("" if is_alike else f", n {found.real_n:,}")


def written(value: float, quantity: Quantity, spread: float | None = None) -> str:
    """A value in words, such as 97.31%, 1,025 or 0.0325; spread: a standard deviation that stands behind it."""
    scale, unit = (100.0, "%") if quantity.is_share else (1.0, quantity.unit)
    space = " " if unit not in ("%", "°", "") else ""
    is_whole = float(value).is_integer()
    decimals = 2 if quantity.is_share else 0 if is_whole else _decimals(value, _DIGITS)
    behind = "" if spread is None else f" ± {spread * scale:,.{decimals}f}"
    return f"{value * scale:,.{decimals}f}{behind}{space}{unit}"


def number(value: float) -> str:
    """A number in three digits, such as 0.0325, 2.00 or 1,270; what rounding leaves of 0 is 0."""
    if not math.isfinite(value):
        return f"{value:g}"
    rounded = round(value, _MOST_DECIMALS)
    return f"{rounded:,.{_decimals(rounded, _FEW_DIGITS)}f}" if rounded else "0"


def labels_of(evaluations: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of all labels of which something was measured or counted, in the order in which they come."""
    places: tuple[Place, ...] = (("histogram", "data"), ("histogram", "drawn"), ("accuracy_by_label",))
    tables = [_at(one, place) for one in evaluations for place in (*places, ("details", "by_label"))]
    return list(dict.fromkeys(str(name) for table in tables if isinstance(table, Mapping) for name in table))


def _decimals(value: float, digits: int) -> int:
    return min(_MOST_DECIMALS, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def _at(table: Any, place: Place) -> Any:
    for key in place:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _whole(found: Any) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def value_of(found: Any) -> float | None:
    """A finite number, by itself or under "value"; a card may hold anything."""
    value = found.get("value") if isinstance(found, Mapping) else found
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)

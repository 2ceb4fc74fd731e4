"""What sets a model's images apart from real ones, in words: which figures are off, by how much, and why it may be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from digitforge.metrics.details import Details, Property
from digitforge.metrics.figure import Figure

# How far from real images a figure must lie to be worth a sentence. Each is several times what samples of real digits
# differ by, and well below what blur, noise, collapse or copies that one can see bring about (docs/figures.md).
FEW_READ = 0.02  # share of images read as asked below that of real ones
RARE = 1 / 5  # of its share in the data is a label rarely drawn
RARE_AT_LEAST = 10  # ... if so many images of it were expected
LOW = 0.75  # of real images' precision, recall or spread of colours, or of the labels that they would have
TIMES_REAL = 2.0  # as many stray marks as on real images
TIMES_COPIES = 5.0  # as many copies as fresh real images would seem to be
CROWDS_APART = 0.1  # between the shares of images that show a neighbouring digit
STANDARD_ERRORS = 4.0  # that a figure must lie from the real one, so that chance is no finding


@dataclass(frozen=True)
class _Words:
    """How a property's difference from real images is told.

    many: the property's name in the plural; more, less: what images with more or less of it are. apart: how far the
    distributions must lie apart, in `unit`.
    """

    many: str
    more: str
    less: str
    unit: str
    apart: float


# Parts of 1,000 images of street lie up to 2.8 levels of brightness apart, 1.1 of contrast and 2.1 of saturation.
_PROPERTIES = {
    "stroke_width": _Words(
        "stroke widths", "strokes wider: blurred or bold", "strokes thinner: frail or grainy", "px", 0.2
    ),
    "slant": _Words("slants", "strokes leaning further right", "strokes leaning further left", "degrees", 3.0),
    "brightness": _Words("levels of brightness", "brighter", "darker", "levels", 10.0),
    "contrast": _Words("contrasts", "harsher: too much contrast", "flatter: too little contrast", "levels", 5.0),
    "saturation": _Words("saturations", "gaudier: colours too strong", "paler: colours too weak", "levels", 6.0),
}


def describe_labels(accuracy: Figure | None, drawn: Mapping[str, int], data: Mapping[str, int]) -> Iterator[str]:
    """What is off in how the images are read: digits other than asked for, and labels that are hardly drawn.

    accuracy: share read as asked, with that of real images. drawn, data: images of each label that were read, and that
    the data have.
    """
    real = accuracy.real if accuracy is not None else None
    if accuracy is not None and real is not None and _is_below(accuracy, real, real - FEW_READ):
        yield (
            f"mislabelled or unreadable: {1 - accuracy.value:.1%} of the images are not read as the label asked for, "
            f"against {1 - real:.1%} of real ones"
        )
    count, total = sum(drawn.values()), sum(data.values())
    expected = {name: count * number / total for name, number in data.items()}
    rare = [name for name, wanted in expected.items() if wanted >= RARE_AT_LEAST and drawn.get(name, 0) < RARE * wanted]
    if rare:
        named = ", ".join(rare[:10]) + (f" and {len(rare) - 10:,} more" if len(rare) > 10 else "")
        yield f"collapsed: {named} are drawn less than a fifth as often as in the data"
        return
    modes = sum(drawn.get(name, 0) > 0 for name, number in data.items() if number)
    by_chance = sum(1 - (1 - number / total) ** count for number in data.values())
    if modes < LOW * by_chance:  # where labels are too many to expect ten images of each
        yield f"collapsed: {modes:,} of the labels are drawn, where {by_chance:,.0f} of real images' labels would be"


def describe_details(details: Details) -> Iterator[str]:
    """What is off in the figures that are held against real images."""
    recall, precision = details.recall, details.precision
    if _is_low(recall):
        yield (
            f"little variety: drawn images reach {recall.value:.0%} of the real ones (recall), where other real images "
            f"reach {recall.real:.0%}"
        )
    if _is_low(precision):
        yield (
            f"unlike real digits: {precision.value:.0%} of the images lie among real ones (precision), where "
            f"{precision.real:.0%} of other real images do"
        )
    for name, words in _PROPERTIES.items():
        yield from _property(getattr(details, name), words)
    yield from _colours(details)
    marks, copies = details.stray_marks, details.copies
    if marks is not None and _exceeds(marks, TIMES_REAL):
        yield f"noisy: {marks.value:.1%} of the images have stray marks, against {marks.real:.1%} of real ones"
    if copies is not None and _exceeds(copies, TIMES_COPIES):
        yield (
            f"memorised: {copies.value:.1%} of the images copy a training image, where {copies.real:.1%} of fresh real "
            "ones would seem to"
        )


def _is_below(share: Figure, real: float, least: float) -> bool:
    """Whether a share is less than `least`, and further below the real one than chance would have it."""
    return share.value < least and real - share.value > STANDARD_ERRORS * _error(share, real)


def _is_low(share: Figure) -> bool:
    return share.real is not None and _is_below(share, share.real, LOW * share.real)


def _exceeds(share: Figure, times: float) -> bool:
    """Whether a share is so many times the real one, and by more than chance would have it."""
    if share.real is None:
        return False
    return share.value > times * share.real and share.value - share.real > STANDARD_ERRORS * _error(share, share.real)


def _error(share: Figure, real: float) -> float:
    """The standard error of the difference to the real share, if both were alike: each is of so many images."""
    counts = [share.n, share.real_n or share.n]
    least = 1 / (min(counts) + 1)  # none of few images may be chance
    rate = min(max(real, least), 1 - least)
    return float((rate * (1 - rate) * sum(1 / count for count in counts)) ** 0.5)


def _property(found: Property | None, words: _Words) -> Iterator[str]:
    if found is None or found.mean.real is None or found.spread.real is None:
        return
    by_chance = STANDARD_ERRORS * found.spread.real / found.distance.n**0.5  # what few images lie off without a fault
    if found.distance.value < words.apart + (found.distance.real or 0) + by_chance:
        return
    difference, unit = found.mean.value - found.mean.real, words.unit
    if abs(difference) < words.apart / 2:
        yield (
            f"{words.many} differ from real ones by {found.distance.value:.2f} {unit} in the mean, some up, some down"
        )
        return
    way = words.more if difference > 0 else words.less
    yield f"{way}: {found.mean.value:.2f} {unit} in the mean, against {found.mean.real:.2f} of real ones"


def _colours(details: Details) -> Iterator[str]:
    """What is off in colour images taken together: their variety of colours, and how many show two digits."""
    colours, crowded = details.colour_spread, details.crowded
    if colours is not None and _is_narrow(colours):
        yield (
            f"few colours: the mean colours of images spread by {colours.value:.1f} levels, where those of real ones "
            f"do by {colours.real:.1f}"
        )
    if crowded is not None and crowded.real is not None and _is_apart(crowded, crowded.real):
        way = "crowded" if crowded.value > crowded.real else "neighbours missing"
        yield (
            f"{way}: {crowded.value:.0%} of the images show a neighbouring digit, against {crowded.real:.0%} of real "
            "ones"
        )


def _is_narrow(spread: Figure) -> bool:
    """Whether a spread is low beside the real one, and by more than chance would have it.

    The standard error of a spread of n normal values is 1 / sqrt(2 n) of it.
    """
    if spread.real is None:
        return False
    error = math.sqrt(0.5 * (1 / spread.n + 1 / (spread.real_n or spread.n)))
    return spread.value < spread.real * min(LOW, 1 - STANDARD_ERRORS * error)


def _is_apart(share: Figure, real: float) -> bool:
    """Whether a share lies well off the real one, and further than chance would have it."""
    off = abs(share.value - real)
    return off > CROWDS_APART and off > STANDARD_ERRORS * _error(share, real)

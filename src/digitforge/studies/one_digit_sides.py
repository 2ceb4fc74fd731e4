"""The sides that `study one-digit` compares: specialists and one model of all digits, over images, seconds and cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Literal

from digitforge.studies.evidence import MissingError
from digitforge.studies.finding import SHARE, Bound, Condition
from digitforge.studies.growth import Growth
from digitforge.studies.intervals import Region

LESS, MORE = Region(high=1.0), Region(low=1.0)  # of a ratio
_READ = Region(low=0.9)  # of a specialist's images that must be read as its digit, where training works at all
_SAME = Region(1 / 1.1, 1.1)  # of seconds an image: what a shared machine makes of one and the same work
_TURNED: Mapping[Bound, Bound] = {"": "", "at least": "at most", "at most": "at least"}  # in a denominator

Grown = Mapping[str, Mapping[int, Growth]]  # by digit and by seed
Unit = Literal["images", "seconds"]


@dataclass(frozen=True)
class Sides:
    """Specialists, and a model of all digits that they are held against.

    count: images of a digit behind each distance. labels: specialists that it takes to draw every label. name: of the
    other model; without one the specialists stand alone.
    """

    alone: Grown
    count: int
    labels: int
    name: str = ""
    other: Grown = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        """Those with which every training came to its end."""
        finished = [set(by_seed) for side in (self.alone, self.other) for by_seed in side.values()]
        return sorted(set.intersection(*finished))

    def each(self, measure: Callable[[int], float]) -> tuple[float, ...]:
        """A value a seed. Raises MissingError where there is none."""
        if not self.seeds:
            raise MissingError("a training came to no end")
        return tuple(map(measure, self.seeds))

    def ratios(self, measure: Callable[[str, Growth, Growth], float]) -> tuple[float, ...]:
        """A ratio of each digit and seed, the geometric mean over digits a seed."""
        return self.each(
            lambda seed: _geometric(
                [measure(digit, grown[seed], self.other[digit][seed]) for digit, grown in self.alone.items()]
            )
        )


def share_read(sides: Sides) -> Condition:
    """Specialists' images that are read as their digit, the mean over digits a seed."""
    values = sides.each(lambda seed: mean(grown[seed].last.read or 0.0 for grown in sides.alone.values()))
    return Condition("share of specialists' images read as their digit", values, _READ, n=sides.count, possible=SHARE)


def until(sides: Sides, targets: Mapping[str, float], unit: Unit) -> Condition:
    """Images or seconds of a specialist until its digit's target in floors, over those of the other model.

    Raises MissingError where the truth may lie on both sides of what is known.
    """
    bounds: set[Bound] = set()

    def ratio(digit: str, mine: Growth, theirs: Growth) -> float:
        own, other = (growth.reaches(targets[digit]) for growth in (mine, theirs))
        bounds.update({own.bound, _TURNED[other.bound]})
        return float(getattr(own, unit)) / float(getattr(other, unit))

    values = sides.ratios(ratio)
    says = f"a specialist's {unit} to the quality over the {sides.name} model's"
    return Condition(says, values, LESS, is_ratio=True, n=sides.count, bound=_joint(bounds, sides))


def cost(sides: Sides, targets: Mapping[str, float]) -> Condition:
    """Seconds until the specialists of all labels reach their targets, over those until the other model has all of its.

    The specialists' add up: those of labels that were not trained are taken for the mean of those that were. The one
    model is done with its last digit. Raises MissingError where the truth may lie on both sides of what is known.
    """
    bounds: set[Bound] = set()

    def ratio(seed: int) -> float:
        own, other = (
            [grown[seed].reaches(targets[digit]) for digit, grown in side.items()]
            for side in (sides.alone, {digit: sides.other[digit] for digit in sides.alone})
        )
        last = max(other, key=lambda one: one.seconds)
        never = any(one.bound == "at least" for one in other)
        bounds.update(one.bound for one in own)
        bounds.add("at most" if never else _TURNED[last.bound])
        return sides.labels * mean(one.seconds for one in own) / last.seconds

    values = sides.each(ratio)
    says = f"{sides.labels} specialists' seconds to the quality over the {sides.name} model's"
    return Condition(says, values, MORE, is_ratio=True, n=sides.count, bound=_joint(bounds, sides))


def _joint(bounds: Collection[Bound], sides: Sides) -> Bound:
    """The bound of values that rest on such ones."""
    if {"at least", "at most"} <= set(bounds):
        raise MissingError(f"beside the {sides.name} model some bounds point one way and some the other")
    return next((bound for bound in bounds if bound), "")


def at_equal_images(sides: Sides) -> Condition:
    """Distances at the end of as many images."""
    says = f"a specialist's distance at the end over the {sides.name} model's"
    return _compared(sides, says, lambda mine, theirs: (mine.last.images, mine.last.images))


def kernels_at_equal_images(sides: Sides) -> Condition:
    """The difference of kernel distances, which may be below 0 and has no ratio, the mean over digits a seed."""

    def difference(seed: int) -> float:
        return mean(
            _kernel("a specialist's", digit, grown[seed])
            - _kernel(f"the {sides.name} model's", digit, sides.other[digit][seed])
            for digit, grown in sides.alone.items()
        )

    says = f"a specialist's kernel distance at the end less the {sides.name} model's"
    return Condition(says, sides.each(difference), Region(high=0.0), n=sides.count)


def at_equal_seconds(sides: Sides) -> Condition:
    """Distances after as many seconds as the shorter of both trainings took."""

    def places(mine: Growth, theirs: Growth) -> tuple[float, float]:
        seconds = min(mine.last.seconds, theirs.last.seconds)
        return seconds / mine.seconds_an_image, seconds / theirs.seconds_an_image

    return _compared(sides, f"a specialist's distance after as many seconds over the {sides.name} model's", places)


def at_equal_cost(sides: Sides) -> Condition:
    """Distances where the specialists of all labels share the other model's seconds."""

    def places(mine: Growth, theirs: Growth) -> tuple[float, float]:
        seconds = min(theirs.last.seconds, sides.labels * mine.last.seconds)
        return seconds / sides.labels / mine.seconds_an_image, seconds / theirs.seconds_an_image

    part = "a tenth" if sides.labels == 10 else f"1/{sides.labels}"
    says = f"a specialist's distance after {part} of the time over the {sides.name} model's"
    return _compared(sides, says, places)


def time_an_image(sides: Sides) -> Condition:
    """Seconds of training steps an image."""
    values = sides.ratios(lambda digit, mine, theirs: mine.seconds_an_image / theirs.seconds_an_image)
    return Condition(f"a specialist's seconds an image over the {sides.name} model's", values, _SAME, is_ratio=True)


def _compared(sides: Sides, says: str, places: Callable[[Growth, Growth], tuple[float, float]]) -> Condition:
    """Ratios of distances at two places, given in images of either side."""

    def ratio(digit: str, mine: Growth, theirs: Growth) -> float:
        own, other = places(mine, theirs)
        return _floors("a specialist's", digit, mine, own) / _floors(f"the {sides.name} model's", digit, theirs, other)

    return Condition(says, sides.ratios(ratio), LESS, is_ratio=True, n=sides.count)


def _floors(whose: str, digit: str, growth: Growth, images: float) -> float:
    try:
        return growth.floors_after(images)
    except MissingError as error:
        raise MissingError(f"{whose} {digit} {error}") from None


def _kernel(whose: str, digit: str, growth: Growth) -> float:
    if growth.last.kernel is None:
        raise MissingError(f"{whose} {digit} is hardly drawn at the end")
    return growth.last.kernel


def _geometric(values: Sequence[float]) -> float:
    return math.exp(mean(map(math.log, values)))

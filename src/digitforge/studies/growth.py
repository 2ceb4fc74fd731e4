"""Growth: how a digit's quality rises with images and seconds, read between the moments at which it was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from digitforge.report.history import read_history
from digitforge.runs import RunFolder
from digitforge.studies.evidence import MissingError
from digitforge.studies.finding import Bound
from digitforge.studies.measures import Measures

_ROOM = 0.05  # of the images that are asked for: how far a moment may lie from them, as steps are whole batches
_LEAST_FLOORS = 1e-6  # a distance of nothing at all has no logarithm
_LEAST_SECONDS = 1e-3  # statistics tell milliseconds, and a run of one tiny step has none


@dataclass(frozen=True)
class Moment:
    """A digit after some training; floors: its distance over that of real images, None while it is hardly drawn.

    kernel: its kernel distance less that of real images. read: the share of images read as the digit.
    """

    images: int
    seconds: float
    floors: float | None
    kernel: float | None = None
    read: float | None = None


@dataclass(frozen=True)
class Reached:
    """Images and seconds until a quality was reached.

    bound: "at least" as many where training ended before; "at most" where the quality was there when first measured.
    """

    images: float
    seconds: float
    bound: Bound = ""


@dataclass(frozen=True)
class Growth:
    """One digit of one seed, moment by moment, of rising images."""

    moments: tuple[Moment, ...]

    @property
    def last(self) -> Moment:
        """Its end."""
        return self.moments[-1]

    @property
    def seconds_an_image(self) -> float:
        """Of training steps."""
        return self.last.seconds / self.last.images

    def reaches(self, floors: float) -> Reached:
        """When the distance first falls to so many floors, on a straight line between logarithms."""
        drawn, aim = self._drawn(), max(floors, _LEAST_FLOORS)
        if drawn and drawn[0][1] <= aim:
            return self._reached(drawn[0][0], "at most")
        for (before, far), (after, near) in pairwise(drawn):
            if near <= aim:
                share = math.log(far / aim) / math.log(far / near)
                return self._reached(before * (after / before) ** share)
        return self._reached(self.last.images, "at least")

    def floors_after(self, images: float) -> float:
        """The distance in floors after so many images, likewise.

        Raises MissingError, to be read after the digit's name, where nothing was measured there or the digit is hardly
        drawn.
        """
        drawn = self._drawn()
        for (before, far), (after, near) in pairwise(drawn):
            if before <= images <= after:
                share = math.log(images / before) / math.log(after / before)
                return float(far * (near / far) ** share)
        near_ones = [(abs(count - images), floors) for count, floors in drawn if abs(count - images) <= _ROOM * images]
        if near_ones:
            return min(near_ones)[1]
        is_within = self.moments[0].images <= images <= self.last.images
        raise MissingError(f"{'is hardly drawn' if is_within else 'was not measured'} after {images:,.0f} images")

    def _reached(self, images: float, bound: Bound = "") -> Reached:
        return Reached(images, images * self.seconds_an_image, bound)

    def _drawn(self) -> list[tuple[int, float]]:
        """Images and distance of each moment at which the digit was drawn; all are above 0, as logarithms need."""
        return [
            (one.images, max(one.floors, _LEAST_FLOORS))
            for one in self.moments
            if one.images > 0 and one.floors is not None
        ]


def growths(stages: Mapping[int, RunFolder], digits: Sequence[str], measures: Measures) -> dict[str, Growth]:
    """How each digit of those that a training is measured by grew.

    stages: the run that tells of it by the images after which it does: one run at several moments, or runs of several
    lengths at their ends.
    """
    moments: dict[str, list[Moment]] = {digit: [] for digit in digits}
    for images, run in sorted(stages.items(), key=lambda stage: stage[0]):
        history, found = read_history(run), measures.of_digits(run, images, digits)
        seconds = max(history.seconds, _LEAST_SECONDS) * images / history.images
        for digit in digits:
            one = found.get(digit, {})
            moments[digit].append(Moment(images, seconds, one.get("floors"), one.get("kernel"), one.get("read")))
    return {digit: Growth(tuple(some)) for digit, some in moments.items()}

"""Growth: how a digit's quality rises with images and seconds, read between the moments at which it was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from digitforge.report.history import read_history
from digitforge.runs import RunFolder
from digitforge.studies.measures import Measures


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
    """When a quality was reached, in images and seconds; or, where it never was, how long that was tried."""

    images: float
    seconds: float
    is_reached: bool


@dataclass(frozen=True)
class Growth:
    """One digit in one training, moment by moment."""

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
        known = [moment for moment in self.moments if moment.floors is not None]
        if known and known[0].floors is not None and known[0].floors <= floors:
            return Reached(known[0].images, known[0].seconds, True)
        for before, after in pairwise(known):
            assert before.floors is not None and after.floors is not None
            if after.floors <= floors:
                share = math.log(before.floors / floors) / math.log(before.floors / after.floors)
                images = before.images * (after.images / before.images) ** share
                return Reached(images, images * self.seconds_an_image, True)
        return Reached(self.last.images, self.last.seconds, False)

    def floors_after(self, images: float) -> float | None:
        """The distance in floors after so many images, likewise; None before the first moment that it is known of."""
        known = [moment for moment in self.moments if moment.floors is not None]
        for before, after in pairwise(known):
            if before.images <= images <= after.images:
                assert before.floors is not None and after.floors is not None
                share = math.log(images / before.images) / math.log(after.images / before.images)
                return float(before.floors * (after.floors / before.floors) ** share)
        nearest = min(known, key=lambda moment: abs(moment.images - images), default=None)
        return None if nearest is None or abs(nearest.images - images) > _ROOM * images else nearest.floors


_ROOM = 0.05  # of the images that are asked for: how far a moment may lie from them, as steps are whole batches


def grown(run: RunFolder, digit: str, moments: Sequence[int], digits: Sequence[str], measures: Measures) -> Growth:
    """How a digit grew in a run; digits: all that the run is measured by, which are taken together."""
    history = read_history(run)
    seconds_an_image = history.seconds / history.images
    found = []
    for images in moments:
        one = measures.of_digits(run, images, digits).get(digit, {})
        found.append(Moment(images, images * seconds_an_image, one.get("floors"), one.get("kernel"), one.get("read")))
    return Growth(tuple(found))

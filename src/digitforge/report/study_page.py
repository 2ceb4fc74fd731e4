"""The page of a study: each claim with its verdict, the figures that decide it, and the pictures that show it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from digitforge import __version__
from digitforge.report.page import template
from digitforge.report.plates import Plate
from digitforge.report.quantities import number
from digitforge.report.tables import Table

_ROOM = 0.08  # of a bar's width, left and right of what it shows


@dataclass(frozen=True)
class Bar:
    """One figure that decides a claim, drawn as an interval over what is claimed.

    mean, low, high: of the figure; the bounds may be infinite, as may those of `claimed`, where it must lie.
    points: single values, where each run has one. values: all of them in words. word: what the figure decides.
    is_ratio: whether it is drawn on a logarithmic scale. n: images behind each value, 0 for none.
    """

    says: str
    mean: float
    low: float
    high: float
    claimed: tuple[float, float]
    points: tuple[float, ...]
    values: str
    word: str
    is_ratio: bool = False
    n: int = 0
    bound: str = ""

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest number that is drawn."""
        drawn = [value for value in (self.mean, self.low, self.high, *self.claimed, *self.points) if self._has(value)]
        return min(drawn), max(drawn)

    def place(self, value: float) -> float:
        """Where a number lies in the drawing, 0..100; infinite ones at its edges."""
        if not self._has(value):
            return 0.0 if value < self.mean else 100.0
        low, high = (self._scaled(end) for end in self.ends)
        if high == low:
            return 50.0
        share = (self._scaled(value) - low) / (high - low)
        return round(100 * (_ROOM + share * (1 - 2 * _ROOM)), 2)

    def _has(self, value: float) -> bool:
        return math.isfinite(value) and (value > 0 or not self.is_ratio)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.is_ratio else value


@dataclass(frozen=True)
class ShownFinding:
    """A claim on the page. word: its verdict; sentence: the same with what it rests on."""

    key: str
    says: str
    how: str
    word: str
    sentence: str
    bars: tuple[Bar, ...]
    plates: tuple[Plate, ...]


@dataclass(frozen=True)
class StudyPart:
    """What stands under one title: findings, or tables and pictures.

    note: what to look for. heading: of the tables' rows.
    """

    title: str
    findings: tuple[ShownFinding, ...] = ()
    tables: tuple[Table, ...] = ()
    plates: tuple[Plate, ...] = ()
    note: str = ""
    heading: str = "figure"

    @property
    def anchor(self) -> str:
        """Its name within the page."""
        return "-".join("".join(letter if letter.isalnum() else " " for letter in self.title.lower()).split())


@dataclass(frozen=True)
class StudiedTraining:
    """One training that a study rests on. name: within the study; run: its folder's; seconds: of training steps."""

    name: str
    run: str
    recipe: str
    seed: int
    images: int
    seconds: float
    data: str


def study_page(
    title: str, lead: str, about: Sequence[str], parts: Sequence[StudyPart], trainings: Sequence[StudiedTraining]
) -> str:
    """A study as one HTML page that stands alone; equal findings give an equal page."""
    return template("study.html.j2").render(
        title=title,
        lead=lead,
        about=about,
        parts=parts,
        findings=[finding for part in parts for finding in part.findings],
        trainings=trainings,
        number=number,
        version=__version__,
    )

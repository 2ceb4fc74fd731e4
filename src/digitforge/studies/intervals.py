"""Intervals over seeds, and the one rule by which a figure decides a claim; pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, variance
from typing import Literal

from digitforge.studies.evidence import MissingError

LEVEL = 0.95  # how often such an interval holds the true mean

Word = Literal["holds", "does not hold", "cannot be told"]


@dataclass(frozen=True)
class Interval:
    """A mean and the interval that holds the true one with a confidence of LEVEL; infinite for a single value."""

    mean: float
    low: float
    high: float

    def within(self, region: Region) -> Interval:
        """What of it lies in a region that holds the mean; where it is not known, it stays infinite."""
        if math.isinf(self.low):
            return self
        return Interval(self.mean, max(self.low, region.low), min(self.high, region.high))


@dataclass(frozen=True)
class Region:
    """Where a quantity lies, or is said to lie: between two bounds, either of which may be infinite."""

    low: float = -math.inf
    high: float = math.inf


ANYWHERE = Region()


def student_interval(values: Sequence[float]) -> Interval:
    """Student's t interval of the mean of independent values (Student 1908).

    It takes them to be normal, which cannot be tested with a handful; but no test that does without is of any use here:
    the smallest two-sided p of a sign test on three values is 1/4.
    """
    return _interval(mean(values), _squared_error(values), len(values) - 1)


def welch_interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """The interval of mean(first) - mean(second), spreads and counts unequal (Welch 1947; Satterthwaite's degrees)."""
    errors = [_squared_error(values) for values in (first, second)]
    if not all(map(math.isfinite, errors)):
        return _interval(mean(first) - mean(second), math.inf, 0)
    total = sum(errors)
    parts = sum(error**2 / (len(values) - 1) for error, values in zip(errors, (first, second), strict=True))
    degrees = total**2 / parts if parts else len(first) + len(second) - 2
    return _interval(mean(first) - mean(second), total, degrees)


def ratio_interval(first: Sequence[float], second: Sequence[float] | None = None) -> Interval:
    """The interval of a ratio: of ratios as they are, or of the geometric means of two groups of positive values.

    It is taken on logarithms, so that twice and half lie equally far from 1. Raises MissingError for others.
    """
    logs = _logarithms(first)
    found = student_interval(logs) if second is None else welch_interval(logs, _logarithms(second))
    return Interval(math.exp(found.mean), math.exp(found.low), _exp(found.high))


def share_interval(values: Sequence[float]) -> Interval:
    """The exact interval of a share, from values that are each 0 or 1 (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    count, ones, tail = len(values), round(sum(values)), (1 - LEVEL) / 2
    low = float(beta.ppf(tail, ones, count - ones + 1)) if ones else 0.0
    high = float(beta.ppf(1 - tail, ones + 1, count - ones)) if ones < count else 1.0
    return Interval(ones / count, low, high)


def judge(interval: Interval, claimed: Region) -> Word:
    """Whether a claim holds: inside what is claimed it does, wholly outside it does not, else nobody can tell."""
    if claimed.low < interval.low and interval.high < claimed.high:
        return "holds"
    if interval.high <= claimed.low or claimed.high <= interval.low:
        return "does not hold"
    return "cannot be told"


def join(words: Sequence[Word]) -> Word:
    """The word for a claim of several parts: it falls with one of them, and holds with all."""
    if "does not hold" in words:
        return "does not hold"
    return "holds" if words and all(word == "holds" for word in words) else "cannot be told"


def _logarithms(values: Sequence[float]) -> list[float]:
    if not all(value > 0 for value in values):
        raise MissingError("a figure that is no more than 0 has no ratio to another")
    return [math.log(value) for value in values]


def _squared_error(values: Sequence[float]) -> float:
    """The squared standard error of a mean; infinite for a single value."""
    return variance(values) / len(values) if len(values) > 1 else math.inf


def _interval(middle: float, squared_error: float, degrees: float) -> Interval:
    from scipy.stats import t  # takes a second, and reports that are read again need none of it

    if not math.isfinite(squared_error):
        return Interval(middle, -math.inf, math.inf)
    half = float(t.ppf((1 + LEVEL) / 2, degrees)) * math.sqrt(squared_error)
    return Interval(middle, middle - half, middle + half)


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf

"""What claims read out of one run: groups of digits beside the others, and how curves move; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import correlation
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.report.history import Curve
from digitforge.studies.evidence import MissingError

Numbers = NDArray[np.float64]


def shares_by_label(figures: Mapping[str, Any]) -> dict[str, float]:
    """How often each label is drawn, over how often the data have it."""
    drawn, data = figures["histogram"]["drawn"], figures["histogram"]["data"]
    totals = sum(drawn.values()), sum(data.values())
    return {name: drawn.get(name, 0) / totals[0] / (count / totals[1]) for name, count in data.items() if count}


def marks_by_label(figures: Mapping[str, Any]) -> dict[str, float]:
    """The share of each label's images that carry stray marks, less that of held-out images."""
    table = {name: one["stray_marks"] for name, one in figures["details"]["by_label"].items()}
    return {name: one["value"] - one.get("real", 0.0) for name, one in table.items() if one}


def marks_count(figures: Mapping[str, Any], names: Sequence[str]) -> int:
    """How many images of some labels were looked at for stray marks."""
    table = {name: one["stray_marks"] for name, one in figures["details"]["by_label"].items()}
    return sum(int(table[name]["n"]) for name in names if table.get(name))


def average(values: Mapping[str, float], names: Sequence[str]) -> float:
    """The mean over those of some labels that were drawn often enough. Raises MissingError where none was."""
    found = [values[name] for name in names if name in values]
    if not found:
        raise MissingError(f"too few images were read as {', '.join(names)} to be measured")
    return float(np.mean(found))


def beside_others(values: Mapping[str, float], names: Sequence[str]) -> tuple[float, float]:
    """The mean over some labels, and that over all the others which were measured."""
    others = [name for name in values if name not in names]
    return average(values, names), average(values, others or ["others"])


def unsure_count(reading: Mapping[str, Any], name: str) -> int:
    """How many of the images read as one label the classifier is unsure of."""
    return int(_read_as(reading, name)["unsure"])


def unsure_share(reading: Mapping[str, Any], names: Sequence[str]) -> float:
    """Of the images read as some labels, the share of which the classifier is unsure."""
    counts = [reading[name] for name in names if name in reading]
    total = sum(one["n"] for one in counts)
    if not total:
        raise MissingError(f"no image was read as {', '.join(names)}")
    return float(sum(one["unsure"] for one in counts) / total)


def taken_next_for(reading: Mapping[str, Any], name: str, others: Sequence[str]) -> float:
    """Of the unsure images read as one label, the share that would next be taken for some others."""
    second = _read_as(reading, name)["second"]
    if not sum(second.values()):
        raise MissingError(f"the classifier is sure of every image that it reads as {name}")
    return float(sum(second.get(other, 0) for other in others) / sum(second.values()))


def _read_as(reading: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if name not in reading:
        raise MissingError(f"the data have no label {name}")
    return dict(reading[name])


def opposition(first: Curve, second: Curve) -> float:
    """Pearson's correlation of the steps of two curves from tick to tick: below 0 where they go against each other."""
    _, mine, theirs = np.intersect1d(first.images, second.images, return_indices=True)
    steps = np.diff(first.values[mine]), np.diff(second.values[theirs])
    if len(steps[0]) < 2 or not all(step.std() > 0 for step in steps):
        raise MissingError("a run recorded too few ticks to see how its losses move")
    return correlation(*(step.tolist() for step in steps))


def trend(curve: Curve) -> float:
    """Spearman's rank correlation of a curve with images: -1 where it always falls."""
    from scipy.stats import spearmanr  # takes a second, and reports that are read again need none of it

    if len(curve.values) < 3:
        raise MissingError("a run was measured too rarely to have a trend")
    if np.ptp(curve.values) == 0:
        raise MissingError("a run measured the same each time, which is no trend")
    return float(spearmanr(curve.images, curve.values).statistic)


def parts(curve: Curve, count: int, are_means: bool = True) -> list[Numbers]:
    """A curve's values in so many parts of equal length in images, the first part first.

    are_means: whether a value speaks for the images since the one before it, as a tick's loss is their mean. It then
    goes where the middle of these lies, as ticks come at whole batches and a part's end seldom does; else it goes where
    it was taken.
    """
    before = np.concatenate([[0.0], curve.images[:-1]])
    moments = (curve.images + before) / 2 if are_means else curve.images
    edges = np.linspace(0, curve.images[-1], count + 1)
    found = [curve.values[(moments > low) & (moments <= high)] for low, high in pairwise(edges)]
    if any(len(part) == 0 for part in found):
        raise MissingError(f"a run was measured too rarely to be looked at in {count} parts")
    return found


def unrest(values: Numbers) -> float:
    """How much values jump from one to the next: the standard deviation of the steps, in which no trend counts."""
    if len(values) < 3:
        raise MissingError("a run recorded too few ticks to see how its losses jump")
    return float(np.diff(values).std())


def wobble(curve: Curve, count: int) -> float:
    """How unsteady a loss is: the standard deviation of its steps between `count` equal parts, over its mean."""
    means = np.asarray([part.mean() for part in parts(curve, count)])
    return float(np.diff(means).std() / abs(means.mean()))

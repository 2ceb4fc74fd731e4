"""All figures of trained recipes in one table: a row a figure, a column a recipe, its runs put together."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from digitforge.report.history import History
from digitforge.report.quantities import FURTHER_FIGURES, KEY_FIGURES, PROPERTIES, Quantity, measured, written
from digitforge.report.shown import ShownRun
from passages import table


@dataclass(frozen=True)
class Length:
    """How long a model was trained: so many of the real images that its run showed to D."""

    history: History
    images: int

    @property
    def epochs(self) -> float:
        """The same in epochs."""
        return float(self.history.epochs.after(self.images)) if self.history.epochs else 0.0

    @property
    def seconds(self) -> float:
        """Time in training steps by then."""
        curve = self.history.curves["epoch"]
        return float(np.interp(self.images, curve.images, curve.seconds))


def figures_table(groups: Mapping[str, Sequence[ShownRun]], lengths: Mapping[str, Sequence[Length]]) -> str:
    """The table in Markdown.

    groups: the runs of a recipe, which differ in the seed alone, by its name. lengths: how long each was trained.
    """
    rows = [["", *groups, "real"], ["seeds", *(str(len(runs)) for runs in groups.values()), ""]]
    for key in ("images", "seconds"):
        cells = [spread([float(getattr(one, key)) for one in lengths[name]], "{:,.0f}") for name in groups]
        rows.append([key, *cells, ""])
    for quantity in (*KEY_FIGURES, *FURTHER_FIGURES, *PROPERTIES):
        found = [[measured(run.evaluation, quantity) for run in runs] for runs in groups.values()]
        known = [[one for one in column if one is not None] for column in found]
        if any(known):
            real = next((one.real for column in known for one in column if one.real is not None), None)
            cells = [cell([one.value for one in column], quantity) for column in known]
            rows.append([quantity.title, *cells, "" if real is None else written(real, quantity)])
    return f"{table(rows, are_numbers=True)}\n"


def cell(values: Sequence[float], quantity: Quantity) -> str:
    """A figure over seeds."""
    if not values:
        return "-"
    return written(statistics.mean(values), quantity, statistics.stdev(values) if len(values) > 1 else None)


def spread(values: Sequence[float], shape: str) -> str:
    """A mean, with its standard deviation where there are several values."""
    text = shape.format(statistics.mean(values))
    return text if len(values) == 1 else f"{text} ± {shape.format(statistics.stdev(values))}"

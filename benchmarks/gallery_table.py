"""All figures of trained recipes in one table: a row a figure, a column a recipe, its runs put together."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from digitforge.report.history import History
from digitforge.report.quantities import (
    FURTHER_FIGURES,
    KEY_FIGURES,
    PROPERTIES,
    Quantity,
    measured,
    written,
    written_real,
)
from digitforge.report.shown import ShownRun
from passages import table

_QUANTITIES = (*KEY_FIGURES, *FURTHER_FIGURES, *PROPERTIES)


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


def figures_column(runs: Sequence[ShownRun], lengths: Sequence[Length]) -> dict[str, list[str]]:
    """A recipe's cells by row, each with what real held-out images measure, or "".

    runs: those of one recipe, which differ in the seed alone. lengths: how long each was trained.
    """
    column = {"seeds": [str(len(runs)), ""]}
    for key in ("images", "seconds"):
        column[key] = [spread([float(getattr(one, key)) for one in lengths], "{:,.0f}"), ""]
    for quantity in _QUANTITIES:
        found = [one for run in runs if (one := measured(run.evaluation, quantity)) is not None]
        if found:
            told = next((real for one in found if (real := written_real(one, quantity))), "")
            column[quantity.title] = [cell([one.value for one in found], quantity), told]
    return column


def figures_table(columns: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """The table in Markdown, from the columns of `figures_column` by recipe; real images are those of the first."""
    rows = [["", *columns, "real"]]
    for title in ("seeds", "images", "seconds", *(quantity.title for quantity in _QUANTITIES)):
        found = [column.get(title) for column in columns.values()]
        if any(found):
            real = next((one[1] for one in found if one and one[1]), "")
            rows.append([title, *(one[0] if one else "-" for one in found), real])
    return f"{table(rows, are_numbers=True)}\n"


def cell(values: Sequence[float], quantity: Quantity) -> str:
    """A figure over seeds."""
    return written(statistics.mean(values), quantity, statistics.stdev(values) if len(values) > 1 else None)


def spread(values: Sequence[float], shape: str) -> str:
    """A mean, with its standard deviation where there are several values."""
    text = shape.format(statistics.mean(values))
    return text if len(values) == 1 else f"{text} ± {shape.format(statistics.stdev(values))}"

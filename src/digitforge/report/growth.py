"""How digits grow in several trainings: distance over images and over seconds, a row a digit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from digitforge.report.axes import (
    BLUE,
    GREEN,
    ORANGE,
    Layout,
    Look,
    Panel,
    draw_curve,
    empty_figure,
    scale_values,
    style,
)

KINDS = ("alone", "unconditional", "conditional")
_LOOKS = dict(
    zip(
        KINDS,
        (Look("one digit alone", BLUE), Look("unconditional", ORANGE, "--"), Look("conditional", GREEN, ":")),
        strict=True,
    )
)
_LAYOUT = Layout(width=8.0, left=0.85, right=0.15, top=0.45, bottom=0.5, column_gap=0.25)
_HEIGHT = 1.5  # inches a digit


@dataclass(frozen=True)
class GrowthCurve:
    """One training: images and seconds [T] by each moment, and distances in floors [T]."""

    images: Sequence[float]
    seconds: Sequence[float]
    floors: Sequence[float]


def growth_figure(digits: Mapping[str, Mapping[str, Sequence[GrowthCurve]]]) -> Figure:
    """A row a digit: over images at the left, over seconds at the right, every seed a curve in the look of its kind.

    digits: by name, curves by one of KINDS.
    """
    panels = [Panel(f"{digit}: distance\nin floors", (digit,), _HEIGHT, is_log=True) for digit in digits]
    with style():
        figure, columns = empty_figure(panels, 2, _LAYOUT)
        for panel, left, right, kinds in zip(panels, *columns, digits.values(), strict=True):
            for kind, curves in kinds.items():
                for curve in curves:
                    floors = np.asarray(curve.floors)
                    draw_curve(left, np.asarray(curve.images), floors, _LOOKS[kind])
                    draw_curve(right, np.asarray(curve.seconds), floors, _LOOKS[kind])
            for axes in (left, right):
                scale_values(axes, panel)
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axes.xaxis.set_major_formatter(EngFormatter(sep=""))
                axes.xaxis.set_minor_formatter(NullFormatter())
                axes.tick_params(labelbottom=panel is panels[-1], which="both")
        columns[0][-1].set_xlabel("real images shown to D")
        columns[1][-1].set_xlabel("seconds of training")
        shown = {kind for kinds in digits.values() for kind in kinds}
        looks = [look for kind, look in _LOOKS.items() if kind in shown]
        lines = [Line2D([], [], color=look.colour, linestyle=look.dash, label=look.label) for look in looks]
        figure.legend(handles=lines, loc="upper left", ncols=len(lines), frameon=False)
    return figure

"""Axes: the style that all figures share, and what they are put together from; all measures in inches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import (
    EngFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    ScalarFormatter,
    StrMethodFormatter,
)

from digitforge.report.history import Numbers

Dash = Literal["-", "--", ":", "-."]

# Okabe and Ito (2008): colours that people with any kind of colour blindness tell apart.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
YELLOW, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#444444"

TICK_STEPS = [1, 2, 5, 10]  # between numbers on an axis, times a power of ten
_TICKS = 4  # on an axis of values at most, an inch
_DPI = 200  # 7 inches are 1,400 pixels: sharp in print, and at a width of 900 pixels the letters are 14 high
_POINTS = 72  # an inch
_LETTER = 8 / _POINTS  # the height of all letters
_LABEL_SPACING = 1.3  # letters from one label to the next
_LABEL_GAP = 4  # points between a curve's end and its label
_SPARSE = 15  # measurements or fewer are marked one by one
_RIGHT_ROOM = 0.01  # of the x-axis, so that the last mark is whole
_TOP_ROOM = 0.08  # of an axis that begins at 0, likewise
_LARGE = 10_000  # values from which on thousands are written as k, so that numbers don't run into titles
_FEW_POWERS = 100  # times that values of a logarithmic axis differ, below which powers of ten are too few marks
_SHARES = (-0.03, 1.03)  # an axis of shares, so that curves at 0 and 1 are whole
_LIGHT, _PALE = "#888888", "#E4E4E4"
_STYLE: dict[str, Any] = {
    **{f"{part}.labelsize": _LETTER * _POINTS for part in ("axes", "xtick", "ytick")},
    "font.size": _LETTER * _POINTS,
    "legend.fontsize": _LETTER * _POINTS,
    "axes.edgecolor": _LIGHT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _PALE,
    "grid.linewidth": 0.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 2.5,
    "text.parse_math": False,  # a run's name may hold a dollar
    "svg.hashsalt": "digitforge",  # else the names inside an SVG are new every time
}


@dataclass(frozen=True)
class Look:
    """How a curve is drawn and what it is called."""

    label: str
    colour: str
    dash: Dash = "-"


@dataclass(frozen=True)
class Panel:
    """Quantities on one pair of axes, by their keys in History.curves.

    has_zero: whether the axis begins at 0, as for a value that is held against nothing else. is_log: whether it tells
    how many times values differ, as for a distance that falls by powers of ten.
    """

    title: str
    quantities: tuple[str, ...]
    height: float
    has_zero: bool = False
    is_log: bool = False

    @property
    def is_share(self) -> bool:
        """Whether all of them lie in 0..1."""
        return self.is_guessed or self.quantities == ("figures.accuracy",)

    @property
    def is_guessed(self) -> bool:
        """Whether they are shares at which D is as good as guessing at 1/2."""
        return all(quantity.startswith("accuracy.") for quantity in self.quantities)


@dataclass(frozen=True)
class Layout:
    """The room around a figure's panels, and between them.

    title_gap: from an axis to the name at its left, past the widest number.
    """

    width: float
    left: float
    right: float
    top: float
    bottom: float
    row_gap: float = 0.17
    column_gap: float = 0.0
    title_gap: float = 0.47


@contextmanager
def style() -> Iterator[None]:
    """Our style on matplotlib's own defaults, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def empty_figure(panels: Sequence[Panel], columns: int, layout: Layout) -> tuple[Figure, list[list[Axes]]]:
    """A figure with axes for each panel in each column; those of a row have the same values, told at the left."""
    heights = np.asarray([panel.height for panel in panels])
    height = layout.top + heights.sum() + layout.row_gap * (len(panels) - 1) + layout.bottom
    figure = Figure(figsize=(layout.width, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    width = (layout.width - layout.left - layout.right - layout.column_gap * (columns - 1)) / columns
    bottoms = height - layout.top - np.cumsum(heights) - layout.row_gap * np.arange(len(panels))
    made: list[list[Axes]] = []
    for left in layout.left + np.arange(columns) * (width + layout.column_gap):
        boxes = [
            (left / layout.width, bottom / height, width / layout.width, panel.height / height)
            for panel, bottom in zip(panels, bottoms, strict=True)
        ]
        first = made[0] if made else [None] * len(panels)
        made.append([figure.add_axes(box, sharey=axes) for box, axes in zip(boxes, first, strict=True)])
    for panel, axes in zip(panels, made[0], strict=True):
        axes.set_ylabel(panel.title)
        axes.yaxis.set_label_coords(-layout.title_gap / width, 0.5)
    for column in made[1:]:
        for axes in column:
            axes.tick_params(labelleft=False)
    return figure, made


def draw_curve(axes: Axes, x: Numbers, y: Numbers, look: Look) -> None:
    """One curve; where it has few points, each is marked."""
    marker = "o" if len(x) <= _SPARSE else ""
    axes.plot(x, y, color=look.colour, linestyle=look.dash, label=look.label, marker=marker)


def scale_values(axes: Axes, panel: Panel) -> None:
    """The axis of values once the curves are drawn: for shares all of 0..1, with 1/2 marked where D can but guess."""
    if panel.is_share:
        axes.set_ylim(_SHARES)
        axes.set_yticks([0, 0.5, 1], ["0", "1/2", "1"])
        if panel.is_guessed:
            axes.axhline(0.5, color=_LIGHT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        return
    if panel.is_log:
        _scale_by_powers(axes)
        return
    if panel.has_zero:
        axes.set_ylim(0, axes.dataLim.y1 * (1 + _TOP_ROOM))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    elif np.abs(axes.dataLim.intervaly).max() >= _LARGE:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    else:
        numbers = ScalarFormatter(useOffset=False)
        numbers.set_scientific(False)  # its power of ten would stand among the epochs
        axes.yaxis.set_major_formatter(numbers)
    axes.yaxis.set_major_locator(MaxNLocator(round(panel.height * _TICKS), steps=TICK_STEPS))


def _scale_by_powers(axes: Axes) -> None:
    """A logarithmic axis whose numbers are written out; within two powers of ten, 2 and 5 are marked between them."""
    low, high = axes.dataLim.minposy, axes.dataLim.y1
    if not 0 < low <= high < np.inf:  # nothing above 0 was measured, and a logarithm has no place for it
        return
    axes.set_yscale("log")
    steps = (1.0, 2.0, 5.0) if high < _FEW_POWERS * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def share_width(column: Sequence[Axes], end: float, title: str) -> None:
    """One x-axis from 0 for a whole column, named and numbered below its last panel."""
    for axes in column:
        axes.set_xlim(0, end * (1 + _RIGHT_ROOM))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.tick_params(labelbottom=axes is column[-1])
    column[-1].set_xlabel(title)


def label_ends(axes: Axes, ends: Sequence[tuple[Look, float]], height: float) -> None:
    """Each curve's label behind its last value, in its colour, moved where ends meet; height: of the axes."""
    low, high = axes.get_ylim()
    places = apart([(value - low) / (high - low) for _, value in ends], _LETTER * _LABEL_SPACING / height)
    for (look, _), place in zip(ends, places, strict=True):
        axes.annotate(
            look.label,
            (1, place),
            xytext=(_LABEL_GAP, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=look.colour,
            verticalalignment="center",
        )


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Places in 0..1 in their order, pushed up, and at the top down again, until `gap` lies between each two."""
    order = np.argsort(places, kind="stable")
    moved = np.asarray(places, np.float64)[order]
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + gap)
    moved[-1] = min(moved[-1], 1.0)
    for index in range(len(moved) - 2, -1, -1):
        moved[index] = min(moved[index], moved[index + 1] - gap)
    result = np.empty(len(moved))
    result[order] = moved
    return [float(place) for place in result]

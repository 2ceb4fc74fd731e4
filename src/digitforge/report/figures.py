"""Figures: the curves of one run, or of several in one picture; drawn with matplotlib's Agg, never with pyplot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice, product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from digitforge.report.axes import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    TICK_STEPS,
    YELLOW,
    Dash,
    Layout,
    Look,
    Panel,
    draw_curve,
    empty_figure,
    label_ends,
    scale_values,
    share_width,
    style,
)
from digitforge.report.history import Epochs, History

RUN_PANELS = (
    Panel("loss", ("loss.discriminator", "loss.generator"), 1.6),
    Panel("D's penalty", ("loss.penalty",), 0.9),
    Panel("D's accuracy", tuple(f"accuracy.{of}" for of in ("real_train", "real_held_out", "fake", "separation")), 1.6),
    Panel("Frechet distance", ("figures.frechet",), 1.0, is_log=True),
    Panel("read as asked", ("figures.accuracy",), 0.9),
    Panel("images/s", ("clock.images_per_second",), 0.9, has_zero=True),
)
LOOKS = {  # D is blue, as are real images, G orange, as are its fakes
    "loss.discriminator": Look("D", BLUE),
    "loss.generator": Look("G", ORANGE),
    "loss.penalty": Look("penalty", PURPLE),
    "accuracy.real_train": Look("real, training", BLUE),
    "accuracy.real_held_out": Look("real, held out", GREEN, "--"),  # lets the curve above through, often its twin
    "accuracy.fake": Look("fake", ORANGE),
    "accuracy.separation": Look("separation", GREY, ":"),
    "figures.frechet": Look("Frechet distance", ORANGE),
    "figures.accuracy": Look("read as asked", ORANGE),
    "clock.images_per_second": Look("images/s", GREY),
}
COMPARED = (  # one quantity a panel, since here the look tells the run
    Panel("Frechet distance", ("figures.frechet",), 1.3, is_log=True),
    Panel("read as asked", ("figures.accuracy",), 1.0),
    Panel("D's loss", ("loss.discriminator",), 1.3),
    Panel("G's loss", ("loss.generator",), 1.3),
    Panel("D's penalty", ("loss.penalty",), 1.0),
    Panel("D is right on\nreal, training", ("accuracy.real_train",), 1.0),
    Panel("D is right on\nreal, held out", ("accuracy.real_held_out",), 1.0),
    Panel("D is right on\nfake", ("accuracy.fake",), 1.0),
    Panel("separation", ("accuracy.separation",), 1.0),
)
_RUN_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, BLACK)
_RUN_DASHES: tuple[Dash, ...] = ("-", "--", ":", "-.")  # the colours come again with each of them

# What a file can be, and the metadata that would differ from day to day or release to release.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

_RUN_LAYOUT = Layout(width=7.0, left=0.7, right=1.0, top=0.5, bottom=0.45)
_COMPARED_LAYOUT = Layout(width=8.0, left=0.85, right=0.15, top=0.2, bottom=0.45, column_gap=0.2)
_EPOCH_TICKS = 8
# A legend's measures, in inches.
_LEGEND_LINE = 0.17
_LEGEND_TOP = 0.06  # above it
_LEGEND_ENTRY = 0.65  # an entry besides its name
_LEGEND_LETTER = 0.068  # what a letter of a name takes at most, in the mean
_NAME_LETTERS = 60  # of a run's name that are shown


def run_figure(history: History) -> Figure:
    """One run over images, epochs at the top: losses, penalty, D's accuracies, key figures, images/s.

    A panel of which nothing was measured is left out.
    """
    panels = _measured(RUN_PANELS, [history])
    with style():
        figure, (column,) = empty_figure(panels, 1, _RUN_LAYOUT)
        for panel, axes in zip(panels, column, strict=True):
            shown = {key: history.curves[key] for key in panel.quantities if key in history.curves}
            for key, curve in shown.items():
                draw_curve(axes, curve.images, curve.values, LOOKS[key])
            scale_values(axes, panel)
            if len(panel.quantities) > 1:
                label_ends(axes, [(LOOKS[key], curve.values[-1]) for key, curve in shown.items()], panel.height)
        share_width(column, history.images, "real images shown to D")
        if history.epochs is not None:
            _add_epochs(column[0], history.epochs)
    return figure


def comparison_figure(histories: Sequence[History]) -> Figure:
    """Several runs, each in a look of its own: over images at the left, over seconds of training at the right."""
    panels = _measured(COMPARED, histories)
    looks = _run_looks(_told_apart(histories))
    columns = _legend_columns(looks)
    legend_height = _LEGEND_TOP + _LEGEND_LINE * -(-len(looks) // columns)
    with style():
        layout = replace(_COMPARED_LAYOUT, top=_COMPARED_LAYOUT.top + legend_height)
        figure, (over_images, over_seconds) = empty_figure(panels, 2, layout)
        for panel, left, right in zip(panels, over_images, over_seconds, strict=True):
            for history, look in zip(histories, looks, strict=True):
                for curve in (history.curves[key] for key in panel.quantities if key in history.curves):
                    draw_curve(left, curve.images, curve.values, look)
                    draw_curve(right, curve.seconds, curve.values, look)
            scale_values(left, panel)
            scale_values(right, panel)
        share_width(over_images, max(history.images for history in histories), "real images shown to D")
        share_width(over_seconds, max(history.seconds for history in histories), "seconds of training")
        _add_legend(figure, looks, columns)
    return figure


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as a file of one of FORMATS; an equal figure gives equal bytes."""
    stream = io.BytesIO()
    with style():
        figure.savefig(stream, format=kind, metadata=FORMATS[kind])
    return stream.getvalue()


def _measured(panels: Sequence[Panel], histories: Sequence[History]) -> list[Panel]:
    """The panels that have something to show."""
    known = {key for history in histories for key in history.curves}
    return [panel for panel in panels if known.intersection(panel.quantities)]


def _add_epochs(axes: Axes, epochs: Epochs) -> None:
    """Epochs as a second axis above, from where they begin."""
    end = epochs.after(axes.get_xlim()[1])
    ticks = [tick for tick in MaxNLocator(_EPOCH_TICKS, steps=TICK_STEPS).tick_values(0, end) if 0 <= tick <= end]
    second = axes.secondary_xaxis("top", functions=(epochs.after, epochs.images))
    second.xaxis.set_major_locator(FixedLocator(ticks))
    second.set_xlabel("epoch")


def _run_looks(names: Sequence[str]) -> list[Look]:
    """A look of its own for each of 28 runs; further ones come in the same looks again."""
    looks = islice(cycle(product(_RUN_DASHES, _RUN_COLOURS)), len(names))
    return [Look(name, colour, dash) for name, (dash, colour) in zip(names, looks, strict=True)]


def _told_apart(histories: Sequence[History]) -> list[str]:
    """The runs' names, with how many images a distance on the way is of where that differs: few images raise it."""
    counts = [curve.values[-1] if (curve := history.curves.get("figures.n")) else None for history in histories]
    is_one = len({count for count in counts if count is not None}) <= 1
    return [
        _shortened(history.name) + ("" if is_one or count is None else f" (n = {count:,.0f})")
        for history, count in zip(histories, counts, strict=True)
    ]


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_LETTERS else f"…{name[1 - _NAME_LETTERS :]}"


def _legend_columns(looks: Sequence[Look]) -> int:
    """How many names fit beside each other."""
    entry = _LEGEND_ENTRY + _LEGEND_LETTER * max(len(look.label) for look in looks)
    room = _COMPARED_LAYOUT.width - _COMPARED_LAYOUT.left
    return max(1, min(len(looks), int(room / entry)))


def _add_legend(figure: Figure, looks: Sequence[Look], columns: int) -> None:
    """The runs' names above the panels."""
    width, height = (float(size) for size in figure.get_size_inches())
    legend = figure.legend(
        [Line2D([], [], color=look.colour, linestyle=look.dash) for look in looks],
        [str(number) for number in range(len(looks))],  # matplotlib would leave out names with a leading underscore
        loc="upper left",
        bbox_to_anchor=(_COMPARED_LAYOUT.left / width, 1 - _LEGEND_TOP / height),
        ncols=columns,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
    )
    for text, look in zip(legend.get_texts(), looks, strict=True):
        text.set_text(look.label)

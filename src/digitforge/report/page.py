"""The page: everything about one run or several in one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from digitforge import __version__
from digitforge.errors import enumerated
from digitforge.report.comparison import differing_settings
from digitforge.report.plates import Plate, curves_plate
from digitforge.report.quantities import COLOURS, FURTHER_FIGURES, KEY_FIGURES, PROPERTIES, STROKES
from digitforge.report.shown import ShownRun, shown_run
from digitforge.report.tables import (
    LabelCount,
    Table,
    are_comparable,
    figure_table,
    label_counts,
    label_tables,
    measured_at_all,
    seed_columns,
    single_columns,
)

__all__ = ["ShownRun", "report_page", "shown_run"]

_NAMES_IN_TITLE = 4


@dataclass(frozen=True)
class Wall:
    """Pictures under one heading, side by side unless they are wide.

    note: what to look for. on_paper: whether they are drawn on white paper and not on black.
    """

    title: str
    note: str
    plates: tuple[Plate, ...]
    is_wide: bool = False
    on_paper: bool = False


@dataclass(frozen=True)
class Histogram:
    """How often each label was drawn by one run."""

    run: str
    labels: tuple[LabelCount, ...]


def report_page(shown: Sequence[ShownRun]) -> str:
    """One page on one run or several, as HTML; equal runs give an equal page."""
    columns, all_figures = seed_columns(shown), (*KEY_FIGURES, *FURTHER_FIGURES)
    settings = differing_settings([run.recipe for run in shown])
    return template("report.html.j2").render(
        title=_title([run.name for run in shown]),
        lead=_lead(shown, len(settings)),
        shown=shown,
        figures=_filled(
            figure_table("Key figures", KEY_FIGURES, columns),
            figure_table("Further figures", FURTHER_FIGURES, columns),
        ),
        each_seed=_filled(figure_table("Every run", all_figures, single_columns(shown)))
        if len(columns) < len(shown)
        else [],
        is_comparable=are_comparable(shown),
        is_pooled=len(columns) < len(shown),
        curves=curves_plate([run.history for run in shown]),
        walls=_walls(shown),
        by_label=label_tables(columns),
        strokes=_filled(figure_table("Width and slant", STROKES, columns)),
        colours=_filled(figure_table("Colours of whole images", COLOURS, columns)),
        histograms=[Histogram(run.name, tuple(counts)) for run in shown if (counts := label_counts(run))],
        settings=settings,
        left_out=[sentence for run in shown for sentence in run.left_out],
        quantities=measured_at_all((*all_figures, *PROPERTIES), shown),
        version=__version__,
    )


def _walls(shown: Sequence[ShownRun]) -> list[Wall]:
    """The pictures in the order in which they are looked at; a wall without any is left out."""
    plates = [run.plates for run in shown]
    walls = [
        Wall(
            "What they draw" if len(shown) > 1 else "What it draws",
            "The same labels from the same seed by each model file, or the newest samples of a run on its way. "
            "Nothing was chosen.",
            _there(one.sheet for one in plates),
        ),
        Wall(
            "Real beside drawn",
            "Real training images, and the last samples in the same layout.",
            _beside_real(shown),
        ),
        Wall(
            "From first to last",
            "The same latents over the course of training.",
            _there(one.evolution for one in plates),
            is_wide=True,
            on_paper=True,
        ),
        Wall(
            "The best digits",
            "Those that the pinned classifier is surest of, the surest first: a choice that flatters.",
            _there(one.best for one in plates),
        ),
        Wall(
            "The nearest training images",
            "Drawn images, each at the left of the training image that is nearest to it, the most alike first.",
            _there(one.copies for one in plates),
            on_paper=True,
        ),
        Wall(
            "Before the generator learned",
            "Real images and noise, on which the discriminator learned alone.",
            _there(one.pretraining for one in plates),
        ),
    ]
    return [wall for wall in walls if wall.plates]


def _beside_real(shown: Sequence[ShownRun]) -> tuple[Plate, ...]:
    """The last samples of runs, each behind the real images of its data, which stand there once."""
    groups: dict[str, list[Plate]] = {}
    for run in shown:
        real, last = run.plates.real, run.plates.last
        if real and last:
            groups.setdefault(real.uri, [replace(real, caption=f"real: {run.data}")]).append(last)
    return tuple(plate for group in groups.values() for plate in group)


def _there(plates: Iterable[Plate | None]) -> tuple[Plate, ...]:
    return tuple(plate for plate in plates if plate)


def _filled(*tables: Table) -> list[Table]:
    """The tables that hold anything."""
    return [table for table in tables if table.rows]


def _title(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) > _NAMES_IN_TITLE:
        return f"{len(names)} runs compared"
    return enumerated(names)


def _lead(shown: Sequence[ShownRun], differing: int) -> str:
    """What is on the page, in a sentence or two."""
    if len(shown) == 1:
        (run,) = shown
        how_far = "so far " if run.reached.is_on_its_way else ""
        return (
            f"A run of the recipe {run.recipe.name} on {run.data}, with seed {run.recipe.training.seed}: {how_far}"
            f"{run.reached.images:,} images in {run.reached.seconds:,.0f} seconds."
        )
    settings = f"{differing} setting{'s' if differing > 1 else ''}" if differing else "no setting"
    recipes = list(dict.fromkeys(run.recipe.name for run in shown))
    return f"{len(shown)} runs of {enumerated(recipes)} held against each other. They differ in {settings}."


@cache
def template(name: str) -> Template:
    """A page without its content; whatever is put into it is escaped."""
    environment = Environment(
        loader=PackageLoader("digitforge.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)

"""`digitforge compare`: several runs on one page, and what they reached in a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.errors import OutputError, need
from digitforge.files import at_home

if TYPE_CHECKING:
    from digitforge.data.sources import Progress
    from digitforge.report.comparison import Reached
    from digitforge.report.shown import ShownRun
    from digitforge.runs import RunFolder

_PAGE = ".html"
_PICTURES = (".png", ".svg", ".pdf")


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, finished or not.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="An .html page, or the curves alone as .png, .svg or .pdf.",
            show_default="compare.html, numbered if it exists",
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Take all figures of finished runs, once; else the key ones.")
    ] = True,
) -> None:
    """Hold runs against each other: their figures, curves, pictures and settings, on one page that stands alone."""
    from digitforge.places import free_path, write_file

    path = at_home(out or free_path(Path("compare.html")))
    _check_out(path)
    from digitforge.cli.display import download_progress, notify
    from digitforge.report.comparison import differing_settings
    from digitforge.report.figures import comparison_figure, figure_bytes
    from digitforge.report.history import distinguishing_names
    from digitforge.report.page import report_page, shown_run
    from digitforge.runs import RunFolder

    folders = [RunFolder(at_home(run)) for run in runs]
    names = distinguishing_names([folder.path for folder in folders])
    shown = [shown_run(folder, name) for folder, name in zip(folders, names, strict=True)]
    if measure and path.suffix.lower() == _PAGE:
        with download_progress() as progress:
            shown = [_measured(folder, run, progress) for folder, run in zip(folders, shown, strict=True)]
    if path.suffix.lower() == _PAGE:
        content = report_page(shown).encode()
    else:
        content = figure_bytes(comparison_figure([run.history for run in shown]), path.suffix[1:].lower())
    write_file(path, content)
    for sentence in (sentence for run in shown for sentence in run.left_out):
        notify(sentence)
    _print_reached([run.reached for run in shown])
    _print_settings(names, differing_settings([run.recipe for run in shown]))
    print(path)


def _measured(folder: RunFolder, run: ShownRun, progress: Progress) -> ShownRun:
    """A finished run with all its figures, or as it is where they can't be taken."""
    from digitforge.cli.display import notify
    from digitforge.data import load_data
    from digitforge.errors import DataError, ModelError
    from digitforge.forge import Forge
    from digitforge.metrics.kept import kept_evaluation
    from digitforge.metrics.subject import Subject
    from digitforge.report.copies import copies_of
    from digitforge.report.page import shown_run
    from digitforge.sheets import png_bytes

    if run.model_sha256 is None:
        return run
    try:
        forge = Forge.load(folder.model)
        found = kept_evaluation(forge, notify, progress)
    except (ModelError, DataError) as error:
        notify(f"{run.name} is shown with the figures that it has: {error}")
        return run
    sheet = None
    try:
        if found["details"]:
            data = load_data(forge.card.data.name, progress=progress)
            is_same = data.train.sha256 == found["data_sha256"]
            sheet = copies_of(Subject.of_model(forge), found, data) if is_same else None
    except DataError as error:
        notify(f"{run.name} is shown without its drawings that are most like training images: {error}")
    return shown_run(folder, run.name, found, copies=png_bytes(sheet) if sheet else None)


def _check_out(path: Path) -> None:
    """Refuse what can't be written before any run is read."""
    from digitforge.places import check_place
    from digitforge.report import NEEDED

    if path.suffix.lower() not in (_PAGE, *_PICTURES):
        raise OutputError(
            f"runs are compared in an .html page, or in a .png, .svg or .pdf picture, not in {path}; "
            "give --out such a name"
        )
    need(NEEDED, "comparing needs", "train")
    check_place(path)


def _print_reached(found: Sequence[Reached]) -> None:
    """One row a run."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("run", overflow="fold")
    for heading in ("images", "seconds", "Frechet distance", "in F", "read as asked"):
        table.add_column(heading, justify="right", overflow="fold")
    for run in found:
        images = f"{run.images:,}" if run.images >= run.images_asked else f"{run.images:,} of {run.images_asked:,}"
        table.add_row(
            escape(run.name),
            images,
            f"{run.seconds:,.1f}",
            "-" if run.frechet is None else f"{run.frechet:,.3f}",
            "-" if run.ratio is None else f"{run.ratio:,.2f}",
            "-" if run.accuracy is None else f"{run.accuracy:.2%}",
        )
    Console().print(table)


def _print_settings(names: Sequence[str], settings: dict[str, list[str]]) -> None:
    """One row a setting in which the runs differ."""
    from digitforge.cli.display import print_columns

    if settings:
        print_columns("setting", names, settings)
    elif len(names) > 1:
        print("the runs have the same settings")

"""`digitforge compare`: the curves of several runs in one picture, and what they reached in a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.errors import OutputError, UserError

if TYPE_CHECKING:
    from digitforge.report.comparison import Reached

_KINDS = (".png", ".svg", ".pdf")


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, finished or not.")],
    out: Annotated[
        Path | None,
        typer.Option(help="A .png, .svg or .pdf picture.", show_default="compare.png, numbered if it exists"),
    ] = None,
) -> None:
    """Hold runs against each other: their curves in one picture, figures and settings in a table."""
    from digitforge.report.comparison import differing_settings, reached
    from digitforge.report.history import distinguishing_names, read_history
    from digitforge.runs import RunFolder
    from digitforge.writing import free_path, write_file

    path = (out or free_path(Path("compare.png"))).expanduser()
    _check_out(path)
    folders = [RunFolder(run.expanduser()) for run in runs]
    names = distinguishing_names([folder.path for folder in folders])
    histories = [read_history(folder, name) for folder, name in zip(folders, names, strict=True)]
    found = [reached(folder, history) for folder, history in zip(folders, histories, strict=True)]
    settings = differing_settings([folder.read_recipe() for folder in folders])

    from digitforge.report.figures import comparison_figure, figure_bytes

    write_file(path, figure_bytes(comparison_figure(histories), path.suffix[1:].lower()))
    _print_reached(found)
    _print_settings(names, settings)
    print(path)


def _check_out(path: Path) -> None:
    """Refuse what can't be written before any run is read."""
    from importlib.util import find_spec

    from digitforge.writing import check_place

    if path.suffix.lower() not in _KINDS:
        raise OutputError(f"runs are compared in a .png, .svg or .pdf picture, not in {path}; give --out such a name")
    if find_spec("matplotlib") is None:
        raise UserError(
            "comparing needs matplotlib, which the plain install leaves out: pip install 'digitforge[train]'"
        )
    check_place(path)


def _print_reached(found: Sequence[Reached]) -> None:
    """One row a run."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("run", overflow="fold")
    for heading in ("images", "seconds", "Frechet distance", "in F", "read as asked"):
        table.add_column(heading, justify="right")
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
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not settings:
        if len(names) > 1:
            print("the runs have the same settings")
        return
    table = Table()
    table.add_column("setting", no_wrap=True)
    for name in names:
        table.add_column(escape(name), overflow="fold")
    for key, values in settings.items():
        table.add_row(key, *map(escape, values))
    Console().print(table)

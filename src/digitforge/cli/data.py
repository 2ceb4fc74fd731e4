"""`digitforge data`: the data sets there are, or one of them fetched and counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.errors import UserError
from digitforge.files import at_home

if TYPE_CHECKING:
    from digitforge.data import DataSet, Digits


def data(
    name: Annotated[
        str | None, typer.Argument(help="A data set to fetch, or a path to look at.", show_default="list them all")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder to write it to: grey images as idx files, colour ones as SVHN's .mat files."),
    ] = None,
) -> None:
    """List the data sets, or fetch one and count what it holds."""
    if name is None:
        if out is not None:
            raise UserError(f"there is nothing to write to {out}: name a data set too")
        _print_list()
        return
    from digitforge.cli.display import download_progress
    from digitforge.data import load_data

    with download_progress() as progress:
        loaded = load_data(name, progress=progress)
    print("\n".join(_describe(loaded)))
    if out is not None:
        from digitforge.data_folder import MAT_NAMES, write_data_folder
        from digitforge.writing import numbering

        paths = write_data_folder(at_home(out), loaded)
        print("\n".join(f"written: {path}" for path in paths))
        if paths[0].name not in MAT_NAMES and (meant := numbering(loaded.train.names)):
            print(f"the files hold labels as numbers: {meant}")


def _print_list() -> None:
    from rich.console import Console
    from rich.table import Table

    from digitforge.data import cache_folder, catalogue

    table = Table("data set", "training", "test", "size", "here", "what it is")
    for entry in catalogue():
        channels, height, width = entry.shape
        test = "none" if entry.test_count is None else f"{entry.test_count:,}"
        here = f"{entry.cached_bytes / 1e6:.0f} MB" if entry.is_cached else "no"
        size = f"{height}x{width}x{channels}"
        table.add_row(entry.name, f"{entry.train_count:,}", test, size, here, entry.description)
    Console().print(table)
    print(f"kept in {cache_folder()}")


def _describe(loaded: DataSet) -> list[str]:
    lines = [f"{loaded.name}: {_counts('training', loaded.train)}"]
    if loaded.test is None:
        lines.append("no test part")
    else:
        lines.append(_counts("test", loaded.test))
    return [*lines, *loaded.notes, f"sha256 of the training part: {loaded.train.sha256}"]


def _counts(part: str, digits: Digits) -> str:
    channels, height, width = digits.shape
    images = "image" if len(digits) == 1 else "images"
    return f"{len(digits):,} {part} {images} of {height}x{width}x{channels} ({_by_label(digits)})"


def _by_label(digits: Digits) -> str:
    """The count of each label, or their range where labels are many."""
    from digitforge.data.digits import FEW_LABELS

    counts = digits.counts
    if len(counts) > FEW_LABELS:
        return f"{len(counts):,} labels, {counts.min():,} to {counts.max():,} images each"
    return ", ".join(f"{name}: {count:,}" for name, count in zip(digits.names, counts, strict=True))

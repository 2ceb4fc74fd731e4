"""`digitforge evaluate`: what models measure, as a table or as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from digitforge.metrics.evaluate import Evaluation, Figure


def evaluate(
    models: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[MODEL]...", help="Run folders or model files.", show_default="the pretrained model"),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="A data set's name or path to hold them against.", show_default="what each model was trained on"
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="How many images to draw from each model.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the images.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, one entry a model.")] = False,
) -> None:
    """Measure models: distance to real digits, and how often the digit asked for is the one drawn."""
    from digitforge.cli.display import download_progress
    from digitforge.forge import Forge
    from digitforge.metrics.evaluate import evaluate as measure

    forges = [Forge.load(model) for model in models] if models else [Forge.load()]
    with download_progress() as progress:
        evaluations = [measure(forge, data, count, seed, notify=_notify, progress=progress) for forge in forges]
    if as_json:
        print(json.dumps([evaluation.as_dict() for evaluation in evaluations], indent=2, ensure_ascii=False))
    else:
        _print_table(evaluations, [str(model) for model in models] if models else ["pretrained"])


def _notify(message: str) -> None:
    print(f"digitforge: {message}", file=sys.stderr)


def _print_table(evaluations: list[Evaluation], names: list[str]) -> None:
    """One row a model, by the name that it was given by; numbers of images stand beside the figures."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table()
    for heading in ("model", "data"):
        table.add_column(heading, overflow="fold")
    for heading in ("Frechet distance", "floor (test images)", "in floors", "read as asked"):
        table.add_column(heading, justify="right")
    for name, one in zip(names, evaluations, strict=True):
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        accuracy = "-" if one.accuracy is None else f"{one.accuracy.value:.2%} (n={one.accuracy.n:,})"
        figures = (_figure(one.frechet), _figure(one.floor), ratio, accuracy)
        table.add_row(escape(name), escape(one.data), *figures)
    console.print(table)
    for name, one in zip(names, evaluations, strict=True):
        drawn = " ".join(f"{label}:{number:,}" for label, number in one.histogram.drawn.items())
        console.print(f"{escape(name)} read as {escape(drawn)}", highlight=False, soft_wrap=True)
        for note in one.notes:
            console.print(f"{escape(name)}: {escape(note)}", highlight=False, soft_wrap=True)
    console.print(f"classifier {evaluations[0].classifier_sha256[:16]}", highlight=False)


def _figure(figure: Figure | None) -> str:
    return "-" if figure is None else f"{figure.value:.3f} (n={figure.n:,})"

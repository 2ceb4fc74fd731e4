"""`digitforge study`: the documents' questions, answered with numbers; its progress shown live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.cli.specialists import JobDisplay
from digitforge.errors import UserError
from digitforge.files import at_home
from digitforge.training import need_training

if TYPE_CHECKING:
    from digitforge.studies.study import How, Outcome

_PLACE = "runs/study-{}"

study = typer.Typer(add_completion=False, no_args_is_help=True, help="Answer the documents' questions with numbers.")

Quick = Annotated[bool, typer.Option("--quick", help="A few minutes: shows the way, and settles nothing.")]
DataName = Annotated[str, typer.Option(help="A data set's name, or a path to your own.")]
Workers = Annotated[int | None, typer.Option(help="Trainings side by side on this machine.", show_default="one a core")]
Cluster = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Train on this Ray cluster.", show_default="none")]


@study.command("one-digit")
def one_digit(
    quick: Quick = False,
    data: DataName = "mnist",
    digits: Annotated[str | None, typer.Option(help="Labels to compare.", show_default="1,3,8; 3 with --quick")] = None,
    recipes: Annotated[
        str | None, typer.Option(help="Recipes to compare.", show_default="raschka,express; express with --quick")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Trainings of each.", show_default="3; 2 with --quick")] = None,
    images: Annotated[
        int | None, typer.Option(help="Real images shown in each.", show_default="300,000; 6,000 with --quick")
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(help="To be reached, in floors.", show_default="what the unconditional model reaches"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder.", show_default="runs/study-one-digit, runs/study-one-digit-quick with --quick"),
    ] = None,
    workers: Workers = None,
    cluster: Cluster = None,
) -> None:
    """Does a GAN for one digit alone learn faster, or better, than one for all digits?"""
    need_training()
    from digitforge.studies.one_digit import FULL, QUICK, study_one_digit

    design = QUICK if quick else FULL
    if digits is not None:
        design = replace(design, digits=_listed(digits))
    if recipes is not None:
        design = replace(design, recipes=_listed(recipes))
    if seeds is not None:
        design = replace(design, seeds=seeds)
    if images is not None:
        design = replace(design, images=images)
    design = replace(design, quality=quality)
    place = at_home(out or Path(_PLACE.format("one-digit-quick" if quick else "one-digit")))
    with _shown(workers, cluster) as how:
        outcome = study_one_digit(place, data, design=design, how=how)
    _report(outcome, place)


@study.command("claims")
def claims(
    quick: Quick = False,
    data: DataName = "mnist",
    only: Annotated[
        str | None, typer.Option(help="Keys of claims, such as slow-d,pretraining.", show_default="all")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="A folder of runs to read where they fit.", show_default="runs/gallery where it is there"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder.", show_default="runs/study-claims, runs/study-claims-quick with --quick"),
    ] = None,
    workers: Workers = None,
    cluster: Cluster = None,
) -> None:
    """Hold what the documents claim against runs: those of a gallery, and trainings of what it lacks."""
    need_training()
    from digitforge.studies.claims import FULL, GALLERY, QUICK, study_claims

    runs = runs and at_home(runs)
    if runs is not None and not runs.is_dir():
        raise UserError(f"there is no folder {runs} to read runs from; leave --runs out to train them all")
    place = at_home(out or Path(_PLACE.format("claims-quick" if quick else "claims")))
    with _shown(workers, cluster) as how:
        outcome = study_claims(
            place, data, extent=QUICK if quick else FULL, only=_listed(only or ""), runs=runs or GALLERY, how=how
        )
    _report(outcome, place)


@contextmanager
def _shown(workers: int | None, cluster: str | None) -> Iterator[How]:
    """How a study is carried out, with its progress shown."""
    from digitforge.cli.display import download_progress, notify
    from digitforge.studies.study import How

    with download_progress() as progress:
        yield How(workers, cluster, JobDisplay("training"), notify, progress)


def _report(outcome: Outcome, place: Path) -> None:
    """Say what was found, and where it lies."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from digitforge.studies.study import StudyFolder

    console, folder = Console(), StudyFolder(place)
    table = Table()
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim")
    for title, findings in outcome.parts:
        table.add_section()
        for finding in findings:
            table.add_row(finding.word, escape(f"{finding.claim.says} ({title})"))
    if outcome.findings:
        console.print(table)
    console.print(escape(outcome.lead), highlight=False, soft_wrap=True)
    print(folder.results)
    print(folder.report)


def _listed(text: str) -> tuple[str, ...]:
    """Words between commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

"""`digitforge bench`: how fast this machine is, beside the reference machine, as a table or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.cli.train import DeviceName, Precision, parse_budget
from digitforge.training import need_training

if TYPE_CHECKING:
    from rich.table import Table

    from digitforge.studies.bench import Bench, Measure
    from digitforge.studies.machine import Machine

_NONE = "-"
_TITLES = ("processor", "instructions, PyTorch", "instructions, oneDNN", "computes with", "versions")
_FORMS = {  # how a value is written, by its unit
    "s": "{:,.2f} s",
    "images/s": "{:,.0f} images/s",
    "images": "{:,.0f}",
    "share": "{:.2%}",
    "F": "{:.1f} F",
    "": "{:.3f}",
}


def bench(
    budget: Annotated[str, typer.Option(help="Time in training steps of the run at the end, such as 60s.")] = "60s",
    seed: Annotated[int, typer.Option(help="Seed of the run at the end.")] = 0,
    device: Annotated[DeviceName, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[Precision, typer.Option(help="auto, bf16 or 32 (plain float32).")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how fast this machine is, and what a minute of training reaches on it; takes two minutes."""
    seconds = parse_budget(budget)
    assert seconds is not None
    need_training()
    from digitforge.cli.display import Display, download_progress, notify
    from digitforge.studies.bench import bench as measure

    with download_progress() as progress:
        found = measure(
            seconds,
            seed,
            device=device,
            precision=precision,
            observers=[Display()],
            notify=notify,
            progress=progress,
        )
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        _print(found)


def _print(found: Bench) -> None:
    from rich.console import Console

    from digitforge.studies.bench import read_reference

    reference = read_reference()
    console = Console()
    console.print(_machines(found.machine, reference.machine))
    console.print(_measures(found, reference))
    told = [f"trained on {found.data}, seed {found.seed}", f"the reference was measured on {reference.date}"]
    if (found.seconds, found.data) != (reference.seconds, reference.data):
        told.append(f"its run, of {reference.seconds:g} s on {reference.data}, is another and not shown")
    console.print("; ".join(told), highlight=False, soft_wrap=True)


def _machines(here: Machine, reference: Machine) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for heading in ("", "this machine", "reference"):
        table.add_column(heading)
    for title, mine, its in zip(_TITLES, _described(here), _described(reference), strict=True):
        table.add_row(title, escape(mine), escape(its))
    return table


def _described(machine: Machine) -> tuple[str, ...]:
    """A machine in words, one for each of _TITLES."""
    precision = "bf16" if machine.precision == "bf16" else "float32"
    return (
        f"{machine.processor}, cores: {machine.cores}",
        machine.aten,
        machine.onednn or _NONE,
        f"{machine.device}, {precision}, threads: {machine.threads}",
        f"torch {machine.torch}, onnxruntime {machine.onnxruntime}",
    )


def _measures(found: Bench, reference: Bench) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column("measured", no_wrap=True)
    table.add_column("this machine", justify="right", no_wrap=True)
    table.add_column("reference", justify="right", no_wrap=True)
    table.add_column("from")
    for key, measure in found.measures.items():
        its = reference.measures.get(key) if found.comparable(reference, key) else None
        table.add_row(measure.title, _written(measure), _written(its), f"{measure.n:,} {measure.of}")
    return table


def _written(measure: Measure | None) -> str:
    """A value with its unit."""
    if measure is None or measure.value is None:
        return _NONE
    return _FORMS[measure.unit].format(measure.value)

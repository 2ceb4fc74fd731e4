"""`digitforge specialists`: one model for each digit, trained as one job, its progress shown live."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.cli.train import (
    ChosenPrecision,
    DataName,
    Device,
    RecipeName,
    Seed,
    Settings,
    chosen_settings,
    parse_budget,
    report,
)
from digitforge.files import at_home
from digitforge.training import need_training

if TYPE_CHECKING:
    from digitforge.studies.worker import Message

_NAMES_SHOWN = 10  # in one line


def specialists(
    recipe: RecipeName = None,
    data: DataName = None,
    digits: Annotated[
        str | None, typer.Option(help="A model for these labels alone, such as 3,5.", show_default="the recipe's")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Each digit's time in training steps, such as 60s or 5m.", show_default="the recipe's length"
        ),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Each digit's passes over its own images, in the place of --budget.")
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="Real images shown to each digit's discriminator, in the place of --budget.")
    ] = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="Folder.", show_default="runs/NAME-specialists-SEED")] = None,
    set_: Settings = None,
    device: Device = None,
    precision: ChosenPrecision = None,
    workers: Annotated[
        int | None, typer.Option(help="Digits trained at once.", show_default="one a core; GPU: all")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the job in --out, or begin it if there is none.")
    ] = False,
) -> None:
    """Train one model per digit, side by side; one file of them all."""
    lengths = {"training.seconds": parse_budget(budget), "training.epochs": epochs, "training.images": images}
    options = {
        "data.name": data,
        "data.digits": digits,
        "training.seed": seed,
        "compute.device": device,
        "compute.precision": precision,
    }
    settings = chosen_settings(set_ or [], lengths, options)
    need_training()
    from digitforge.cli.display import download_progress
    from digitforge.studies.specialists import train_specialists

    display = JobDisplay()
    with download_progress() as progress:
        folder = train_specialists(
            recipe,
            settings=settings,
            out=out and at_home(out),
            resume=resume,
            workers=workers,
            watcher=display,
            progress=progress,
        )
    if resume and not display.has_started:
        typer.echo(f"{folder.path}: every digit had finished already")
    report(folder)


class JobDisplay:
    """Shows a job: images of all runs and a second, which are in training, time left; a line for each that is done.

    noun: what a run is called before its name. has_started: whether there was anything left to train.
    """

    def __init__(self, noun: str = "digit") -> None:
        from rich.console import Console

        self._noun = noun
        self._console = Console(stderr=True)
        self.has_started = False
        self._names: tuple[str, ...] = ()
        self._seen: dict[str, int] = {}  # images, of each digit that has begun
        self._totals: dict[str, int] = {}
        self._first = 0  # images that were seen before this session
        self._since = 0.0
        self._running: list[str] = []
        self._done: list[str] = []

    def started(self, title: str, names: Sequence[str], finished: Sequence[str]) -> None:
        """Say what begins, and begin the live line on a terminal."""
        from digitforge.cli.display import images_bar

        self.has_started, self._names, self._done = True, tuple(names), list(finished)
        self._print(title)
        if finished:
            self._print(f"finished already: {_few(finished)}")
        self._progress = images_bar(self._console)
        self._bar = self._progress.add_task("train", total=1, told="starting")
        if self._console.is_terminal:
            self._progress.start()

    def heard(self, message: Message) -> None:
        """Take in what a worker told."""
        from digitforge.studies.worker import Begun, Diverged, Done, Moved, Noted

        if isinstance(message, Begun):
            self._since = self._since or time.monotonic()
            self._running.append(message.name)
            self._first += message.images
            self._seen[message.name], self._totals[message.name] = message.images, message.total
        elif isinstance(message, Moved):
            self._seen[message.name] = message.images
        elif isinstance(message, Done):
            self._seen[message.name] = message.images
            self._running = [name for name in self._running if name != message.name]
            self._done.append(message.name)
            self._print(self._line(message.name, message.images, message.seconds))
        elif isinstance(message, Diverged):
            self._totals[message.name] = self._seen.get(message.name, 0)
            self._running = [name for name in self._running if name != message.name]
            self._print(f"{self._noun} {message.name}: {message.sentence}")
        elif isinstance(message, Noted):
            self._print(message.sentence)
        self._progress.update(self._bar, completed=self.images, total=max(1, self.total), told=self._text())

    def ended(self) -> None:
        """End the live line."""
        if self._console.is_terminal:
            self._progress.stop()

    @property
    def images(self) -> int:
        """Seen by all digits that this session trains."""
        return sum(self._seen.values())

    @property
    def total(self) -> int:
        """Images that they will see; those that have not begun count as much as the others do in the mean."""
        known = sum(self._totals.values())
        unknown = len(set(self._names) - set(self._totals) - set(self._done))
        return known + round(unknown * known / max(1, len(self._totals)))

    @property
    def speed(self) -> float:
        """Images a second of all workers, since the first of them began."""
        return (self.images - self._first) / max(time.monotonic() - self._since, 1e-9)

    def _text(self) -> str:
        if not self._since:
            return "starting"
        done = _few([name for name in self._names if name in self._done], " ")
        return f"{self.speed:,.0f} images/s  done {done or '-'}  running {_few(self._running, ' ') or '-'}"

    def _line(self, name: str, images: int, seconds: float) -> str:
        told = f"{images:,} images in {seconds:.1f} s of training steps; {len(self._done)} of {len(self._names)} done"
        if not self.speed:  # what was left of the digit was to write its files
            return f"{self._noun} {name}: {told}"
        left = round((self.total - self.images) / self.speed)
        return f"{self._noun} {name}: {told}, {self.speed:,.0f} images/s together, {left} s left"

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _few(names: Sequence[str], gap: str = ", ") -> str:
    """Names as a line has room for them, else how many they are."""
    return gap.join(names) if len(names) <= _NAMES_SHOWN else f"{len(names)}"

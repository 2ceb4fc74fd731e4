"""What a person sees while something takes long: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from digitforge.errors import printable

if TYPE_CHECKING:
    from digitforge.data import Progress as DataProgress
    from digitforge.runs import RunFolder
    from digitforge.training.diagnosis import Finding, Kind
    from digitforge.training.observers import Tick
    from digitforge.training.plan import Plan

_WIDEST, _HEAD = 24, 14  # cells of a terminal: what a longer cell, or head, is folded to
_FRAME = 3  # cells that a column's line and its two spaces take
_REFRESHES = 4  # a second, few enough to cost training nothing


class Display:
    """An observer that shows a run: images seen and a second, time left, losses, D's accuracies, what goes wrong.

    has_started: whether there was anything left to train.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._wrong: frozenset[Kind] = frozenset()  # what was found wrong when it was last asked
        self.has_started = False

    def started(self, plan: Plan, folder: RunFolder, images: int) -> None:
        """Say what begins, and begin the live line on a terminal."""
        recipe, self.has_started = plan.recipe, True
        self._total, self._first = plan.times.images, images
        self._since, self._losses, self._accuracy = time.monotonic(), "", ""
        compute = recipe.compute
        precision = "bf16" if compute.precision == "bf16" else "float32"
        for note in plan.notes:
            self._console.print(note, highlight=False, markup=False, soft_wrap=True)
        self._console.print(
            f"{recipe.name} on {plan.data_name}: {self._total:,} images, seed {recipe.training.seed}, "
            f"{compute.device}, {precision}, threads {compute.threads}, in {folder.path}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        if self._console.is_terminal:
            self._progress = images_bar(self._console)
            self._task = self._progress.add_task("train", total=self._total, completed=images, told="")
            self._progress.start()

    def stepped(self, images: int) -> None:
        """Move the bar."""
        if self._progress is not None:
            self._progress.update(self._task, completed=images)

    def ticked(self, tick: Tick) -> None:
        """Take in losses and accuracies; a line that stays where D's accuracy was measured."""
        if tick.line is None:
            return
        told = told_by(tick.line)
        self._accuracy = told.get("accuracy", self._accuracy)
        text = "  ".join(part for part in (told["speed"], told["losses"], self._accuracy) if part)
        if "accuracy" in tick.line:
            done, spent = tick.images - self._first, time.monotonic() - self._since
            left = round((self._total - tick.images) * spent / done) if done else 0
            where = f"epoch {tick.line['epoch']:6.2f} {tick.images:>11,} images"
            self._console.print(f"{where}  {text}  {left} s left", highlight=False, soft_wrap=True)
        if tick.findings is not None:
            self._warn(tick.findings)
        if self._progress is not None:
            self._progress.update(self._task, told=text)

    def _warn(self, findings: Sequence[Finding]) -> None:
        """Say what has newly gone wrong; what goes on is not said again, unless it had gone meanwhile."""
        for finding in findings:
            if finding.kind not in self._wrong:
                self._console.print(finding.sentence, style="yellow", highlight=False, markup=False, soft_wrap=True)
        self._wrong = frozenset(finding.kind for finding in findings)

    def ended(self) -> None:
        """End the live line."""
        if self._progress is not None:
            self._progress.stop()


def images_bar(console: Console) -> Progress:
    """A live line of images seen, of a text (the field `told`) and of the time left."""
    return Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} images"),
        TextColumn("{task.fields[told]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=console,
        refresh_per_second=_REFRESHES,
    )


def told_by(line: Mapping[str, Any]) -> dict[str, str]:
    """A line of statistics in short words."""
    loss = line["loss"]
    players = {"D": "discriminator", "G": "generator"}  # G has none where D learns alone
    losses = [f"{letter} {loss[player]:.2f}" for letter, player in players.items() if player in loss]
    told = {
        "speed": f"{line['clock']['images_per_second']:,.0f} images/s",
        "losses": f"loss {' '.join(losses)}",
    }
    if "accuracy" in line:
        kinds = {"real_train": "real", "real_held_out": "held-out", "fake": "fake"}
        shares = [f"{word} {line['accuracy'][kind]:.0%}" for kind, word in kinds.items() if kind in line["accuracy"]]
        told["accuracy"] = f"D right on {', '.join(shares)}"
    return told


def print_columns(
    title: str, heads: Sequence[str], rows: Mapping[str, Sequence[str]], justify: Literal["left", "right"] = "left"
) -> None:
    """Print a table with a row a key and a column a head: as many tables as it takes to show each cell whole."""
    console = Console()
    key_width = max(map(cell_len, (title, *rows)))
    widths = [min(_WIDEST, max(cell_len(row[place]) for row in rows.values())) for place in range(len(heads))]
    widths = [max(width, min(cell_len(head), _HEAD)) for width, head in zip(widths, heads, strict=True)]
    start = 0
    while start < len(heads):
        end, room = start + 1, console.width - key_width - widths[start] - 2 * _FRAME - 1
        while end < len(heads) and room >= widths[end] + _FRAME:
            room -= widths[end] + _FRAME
            end += 1
        table = Table()
        table.add_column(title, no_wrap=room >= 0, overflow="fold")
        for head, width in zip(heads[start:end], widths[start:end], strict=True):
            table.add_column(escape(head), justify=justify, overflow="fold", max_width=width)
        for key, cells in rows.items():
            table.add_row(key, *map(escape, cells[start:end]))
        console.print(table)
        start = end


def as_word(path: Path) -> str:
    """A path as a word of a command line, which would take one that begins with a dash for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def notify(message: str) -> None:
    """Say what is to be known of something that goes on all the same."""
    print(f"digitforge: {printable(message)}", file=sys.stderr)


@contextmanager
def download_progress() -> Iterator[DataProgress]:
    """What a download reports to: a bar that shows up only where something is fetched."""
    console = Console(stderr=True)
    progress = Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=console)
    tasks: dict[str, TaskID] = {}

    def hear(what: str, done: int, total: int | None) -> None:
        if what not in tasks:
            if not console.is_terminal:
                console.print(f"fetching {what}", highlight=False, markup=False)
            elif not progress.live.is_started:
                progress.start()
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done, total=total)
        if total is not None and done >= total and progress.live.is_started and progress.finished:
            progress.stop()

    try:
        yield hear
    finally:
        if progress.live.is_started:
            progress.stop()

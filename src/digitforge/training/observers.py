"""Observers: what hears a tick of a run and writes or shows something of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from digitforge.files import write_whole
from digitforge.runs import RunFolder
from digitforge.sheets import Picture, png_bytes
from digitforge.training.diagnosis import Finding
from digitforge.training.events import EventFile
from digitforge.training.plan import Plan

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tick:
    """What a run has to tell at a moment.

    images: real images shown to D so far. line: this tick's statistics, as `stats.jsonl` keeps them; None between
    ticks. sheet: the same latents drawn now, uint8 [H, W] or [H, W, 3]; weights: G's weights as safetensors.
    pretraining: before a run with pretraining, what D is going to tell apart: real images beside noise, as `sheet`.
    findings: what is wrong with the run by now, as `line` tells it too; None where `line` measured nothing.
    """

    images: int
    line: Mapping[str, Any] | None = None
    sheet: Picture | None = None
    weights: bytes | None = None
    pretraining: Picture | None = None
    findings: tuple[Finding, ...] | None = None


class Observer(Protocol):
    """Something that hears a run."""

    def started(self, plan: Plan, folder: RunFolder, images: int) -> None:
        """Training begins, or goes on after `images` images."""

    def stepped(self, images: int) -> None:
        """A step has brought the images seen to `images`; called for every step, so it must cost nothing."""

    def ticked(self, tick: Tick) -> None:
        """There is something to record."""

    def ended(self) -> None:
        """Training has ended, or was interrupted."""


class Recorder:
    """Keeps what a tick brings in the run folder: a line of statistics, a sheet, a snapshot."""

    def started(self, plan: Plan, folder: RunFolder, images: int) -> None:
        self._folder = folder

    def stepped(self, images: int) -> None:
        pass

    def ticked(self, tick: Tick) -> None:
        if tick.line is not None:
            self._folder.append_stats(tick.line)
        if tick.sheet is not None:
            write_whole(self._folder.sample(tick.images), png_bytes(tick.sheet))
        if tick.weights is not None:
            write_whole(self._folder.snapshot(tick.images), tick.weights)
        if tick.pretraining is not None:
            write_whole(self._folder.pretraining, png_bytes(tick.pretraining))

    def ended(self) -> None:
        pass


class TensorBoard:
    """Shows the statistics, sheets and what is wrong in TensorBoard, images seen as its step.

    It shows what the run folder holds anyway: where its files cannot be written, it says so once and the run goes on.
    """

    def started(self, plan: Plan, folder: RunFolder, images: int) -> None:
        # What an earlier process told of later images is taken back; a start tells of image 0 again.
        self._file: EventFile | None = None
        with self._shown():
            self._file = EventFile(folder.tensorboard, since=images + 1 if images else 0)

    def stepped(self, images: int) -> None:
        pass

    def ticked(self, tick: Tick) -> None:
        with self._shown():
            if self._file is not None:
                for summary in summaries(tick):
                    self._file.add(summary, tick.images)
                self._file.flush()

    def ended(self) -> None:
        with self._shown():
            if self._file is not None:
                self._file.close()

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Give up, with a word, where the disk does not take what is written in the block."""
        try:
            yield
        except OSError as error:
            lost, self._file = self._file, None
            if lost is not None:
                with suppress(OSError):  # of what is left in memory
                    lost.close()
            _LOGGER.warning(
                "TensorBoard's files cannot be written (%s); the run goes on, and stats.jsonl has it all",
                error.strerror or error,
            )


def summaries(tick: Tick) -> Iterator[Any]:
    """What TensorBoard is told of a tick."""
    from torch.utils.tensorboard import summary

    for name, value in flat_scalars(tick.line or {}):
        yield summary.scalar(name, value)  # type: ignore[no-untyped-call]
    for finding in tick.findings or ():
        yield summary.text(f"diagnosis/{finding.kind}", finding.sentence)  # type: ignore[no-untyped-call]
    for name, picture in (("samples", tick.sheet), ("pretraining", tick.pretraining)):
        if picture is not None:
            layout = "HW" if picture.ndim == 2 else "HWC"
            yield summary.image(name, picture, dataformats=layout)  # type: ignore[no-untyped-call]


def flat_scalars(line: Mapping[str, Any]) -> list[tuple[str, float]]:
    """A line of statistics as (section/name, value), without what TensorBoard has its own axis for."""
    scalars = []
    for section, values in line.items():
        if isinstance(values, Mapping):
            scalars += [
                (f"{section}/{name}", float(value)) for name, value in values.items() if isinstance(value, int | float)
            ]
    return scalars

"""Observers: what hears a tick of a run and writes or shows something of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from digitforge.files import write_whole
from digitforge.runs import RunFolder
from digitforge.sheets import Picture, png_bytes
from digitforge.training.diagnosis import Finding
from digitforge.training.plan import Plan


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
    """Shows the statistics, sheets and what is wrong in TensorBoard, images seen as its step."""

    def started(self, plan: Plan, folder: RunFolder, images: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # What an earlier process told of later images is taken back; a start tells of image 0 again.
        self._writer = SummaryWriter(str(folder.tensorboard), purge_step=images + 1 if images else 0)

    def stepped(self, images: int) -> None:
        pass

    def ticked(self, tick: Tick) -> None:
        for name, value in flat_scalars(tick.line or {}):
            self._writer.add_scalar(name, value, tick.images)
        for finding in tick.findings or ():
            self._writer.add_text(f"diagnosis/{finding.kind}", finding.sentence, tick.images)
        for name, picture in (("samples", tick.sheet), ("pretraining", tick.pretraining)):
            if picture is not None:
                self._writer.add_image(name, picture, tick.images, dataformats="HW" if picture.ndim == 2 else "HWC")

    def ended(self) -> None:
        self._writer.close()


def flat_scalars(line: Mapping[str, Any]) -> list[tuple[str, float]]:
    """A line of statistics as (section/name, value), without what TensorBoard has its own axis for."""
    scalars = []
    for section, values in line.items():
        if isinstance(values, Mapping):
            scalars += [
                (f"{section}/{name}", float(value)) for name, value in values.items() if isinstance(value, int | float)
            ]
    return scalars

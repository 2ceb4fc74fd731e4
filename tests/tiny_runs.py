"""Tiny runs for tests: a recipe whose steps take milliseconds, images to learn from, and what of a run must repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from digitforge.data import DataSet, Digits
from digitforge.recipe import Recipe, parse_recipe
from digitforge.runs import RunFolder
from digitforge.training.observers import Tick
from digitforge.training.plan import Plan

BATCH = 16
IMAGES = 40 * BATCH


def tiny_recipe(settings: Mapping[str, object] | None = None) -> Recipe:
    """40 steps with labels, dropout, a penalty every third step, an average and a schedule; every interval differs."""
    optimiser = {"rate": 1e-3, "beta1": 0.0, "beta2": 0.99}
    table: dict[str, Any] = {
        "name": "tiny",
        "document": "ours",
        "summary": "a recipe for tests",
        "data": {"name": "tiny"},
        "networks": {
            "family": "express",
            "conditional": True,
            "latent_size": 6,
            "generator_width": 4,
            "discriminator_width": 4,
            "dropout": 0.2,
        },
        "objective": {"loss": "non-saturating", "r1": 0.1, "penalty_every": 3},
        "generator_optimiser": optimiser,
        "discriminator_optimiser": optimiser,
        "training": {"images": IMAGES, "seed": 5, "batch_size": BATCH, "constant_until": 0.5, "ema_images": 100},
        "record": {
            "tick": "80 images",
            "accuracy": "320 images",
            "accuracy_images": 20,
            "figures": "240 images",
            "figure_images": 50,
            "sheet": "112 images",
            "snapshot": "160 images",
        },
        "compute": {"device": "cpu", "precision": "32", "threads": 1},
    }
    return parse_recipe(table, "tiny").with_settings(settings or {})


def tiny_digits(count: int, seed: int = 0, side: int = 8) -> Digits:
    """Noise with a bright row a label, so that there is something to learn: uint8 [count, 1, side, side]."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, 1, side, side), np.uint8)
    labels = np.arange(count) % 10
    images[np.arange(count), 0, labels % side] += 150
    return Digits(images, labels)


def tiny_data(count: int = 200, side: int = 8) -> DataSet:
    """A data set in memory, with a test part."""
    return DataSet("tiny", tiny_digits(count, 0, side), tiny_digits(30, 1, side))


class Listener:
    """An observer that keeps the ticks it hears and acts once the images seen have reached a count."""

    def __init__(self, at: int | None = None, act: Callable[[], None] = lambda: None) -> None:
        self.at, self.act = at, act
        self.ticks: list[Tick] = []

    def started(self, plan: Plan, folder: RunFolder, images: int) -> None:
        self.plan, self.first = plan, images

    def stepped(self, images: int) -> None:
        if images == self.at:
            self.act()

    def ticked(self, tick: Tick) -> None:
        self.ticks.append(tick)

    def ended(self) -> None:
        pass


def what_must_repeat(folder: RunFolder) -> dict[str, object]:
    """Everything in a run folder that time does not decide: statistics without `clock`, all other files as bytes."""
    stats = [{key: value for key, value in line.items() if key != "clock"} for line in folder.read_stats()]
    paths = [folder.recipe, *folder.samples(), *(folder.path / "snapshots").iterdir(), folder.checkpoints()[0]]
    paths += [path for path in (folder.model, folder.discriminator, folder.final_sheet) if path.exists()]
    return {"stats": stats} | {str(path.relative_to(folder.path)): path.read_bytes() for path in paths}


def write_npz(path: Path, digits: Digits) -> Path:
    """Grey digits as a file that `--data` takes."""
    np.savez(path, images=digits.images[:, 0], labels=digits.labels)
    return path

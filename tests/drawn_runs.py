"""Runs that nobody trained, for tests of what is drawn of them: statistics and sheets as the caller says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digitforge.recipe import Recipe
from digitforge.runs import RunFolder
from digitforge.sheets import png_bytes
from tiny_runs import tiny_recipe

SHEET_SIDE = 60


def stats_line(images: int, epoch: float, **sections: Any) -> dict[str, Any]:
    """A line of statistics with both losses; sections given as None are left out."""
    line: dict[str, Any] = {
        "images": images,
        "epoch": epoch,
        "loss": {"discriminator": 1.0 + images / 1e4, "generator": 2.0 - images / 1e4},
        "rate": {"generator": 1e-3, "discriminator": 1e-3},
        "clock": {"seconds": images / 100, "images_per_second": 100.0, "time": "2026-01-01T00:00:00+00:00"},
    }
    return {key: value for key, value in (line | sections).items() if value is not None}


def write_run(
    path: Path,
    lines: Sequence[Mapping[str, Any]] | None = None,
    settings: Mapping[str, object] | None = None,
    sheets: Mapping[int, int] | None = None,
    real: int | None = None,
) -> RunFolder:
    """A run folder.

    lines: of statistics; None: three epochs of 100 images. sheets: the grey level of each, by images; real: of real
    images' sheet, None for none.
    """
    return write_run_of(path, tiny_recipe(settings), lines, sheets, real)


def write_run_of(
    path: Path,
    recipe: Recipe,
    lines: Sequence[Mapping[str, Any]] | None = None,
    sheets: Mapping[int, int] | None = None,
    real: int | None = None,
    snapshots: Sequence[int] = (),
    is_finished: bool = False,
) -> RunFolder:
    """A run folder of any recipe, as write_run() makes them; snapshots: their image counts, no two of one content."""
    folder = RunFolder(path)
    folder.create(recipe)
    lines = [stats_line(100 * epoch, epoch) for epoch in (1, 2, 3)] if lines is None else lines
    folder.stats.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for images, level in (sheets or {}).items():
        folder.sample(images).write_bytes(grey_sheet(level))
    if real is not None:
        folder.real_sheet.write_bytes(grey_sheet(real))
    for images in snapshots:
        folder.snapshot(images).write_text(f"{path} {images}")
    if is_finished:
        folder.write_hashes()
    return folder


def write_shelf(folder: Path, trained: Path) -> Path:
    """A folder for the studio: a copy of a finished run, tiny-5, and one on its way, half."""
    shutil.copytree(trained, folder / "tiny-5")
    write_run(folder / "half", sheets={0: 10, 300: 200}, real=90)
    return folder


def grey_sheet(level: int) -> bytes:
    """A sheet of one grey level as a PNG file."""
    return png_bytes(np.full((SHEET_SIDE, SHEET_SIDE), level, np.uint8))

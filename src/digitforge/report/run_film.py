"""A run as a film: its sheets, the same latents each time, show how the generator learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from digitforge.errors import RunError, UserError
from digitforge.report.animations import MP4_RATE, Film
from digitforge.report.history import read_history
from digitforge.runs import RunFolder, count_of
from digitforge.sheets import PNG_DAMAGE, Picture, read_png

Caption = Literal["epoch", "images", "none"]

SHORTEST, LONGEST = 0.5, 120.0  # seconds
HOLD = 1.5  # seconds that the last frame, what training came to, stays longer than the others


def film_of_run(folder: RunFolder, caption: Caption = "images", seconds: float = 6.0) -> Film:
    """The sheets of a run, finished or not, in the order of their image counts, over `seconds` and a hold at the end.

    Of more sheets than can be seen in that time (25 a second), evenly spaced ones, the first and the last among them.
    Raises RunError for what is no run, has fewer than two sheets, or sheets that don't belong together.
    """
    if not SHORTEST <= seconds <= LONGEST:
        raise UserError(f"a run is shown in {SHORTEST} to {LONGEST:.0f} seconds, not in {seconds}")
    paths = _shown(_sheets(folder), int(seconds * MP4_RATE))
    counts = [count_of(path) for path in paths]
    return Film(
        _read_all([folder.intact(path) for path in paths]),
        seconds / len(paths),
        HOLD,
        _captions(folder, counts, caption),
    )


def _sheets(folder: RunFolder) -> list[Path]:
    if not folder.path.is_dir():
        raise RunError(f"there is no run folder {folder.path}; check the path")
    if not folder.recipe.is_file():
        raise RunError(f"{folder.path} is no run folder: it holds no {folder.recipe.name}; name another folder")
    paths = folder.samples()
    if len(paths) < 2:
        held = "one sheet" if paths else "no sheet"
        raise RunError(f"the run in {folder.path} has {held} so far, and an animation needs two; let it train on")
    return paths


def _shown(paths: list[Path], most: int) -> list[Path]:
    if len(paths) <= most:
        return paths
    return [paths[place] for place in np.rint(np.linspace(0, len(paths) - 1, most)).astype(int)]


def _read_all(paths: Sequence[Path]) -> list[Picture]:
    """The sheets as pictures of one size."""
    pictures = [_read(path) for path in paths]
    for path, picture in zip(paths, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            raise RunError(
                f"the sheet {path} is {_size(picture)}, and {paths[0].name} is {_size(pictures[0])}; "
                "take away those that belong to another run"
            )
    return pictures


def _read(path: Path) -> Picture:
    try:
        image = read_png(path.read_bytes())
    except PNG_DAMAGE as error:
        raise RunError(f"the sheet {path} can't be read ({error}); take it away") from None
    return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))


def _size(picture: Picture) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]} {'grey' if picture.ndim == 2 else 'in colour'}"


def _captions(folder: RunFolder, counts: Sequence[int], caption: Caption) -> list[str]:
    if caption == "none":
        return []
    if caption == "images":
        return [f"{count:,} images" for count in counts]
    known = read_history(folder).epochs
    # Before its first epoch a run's D may have learned alone.
    epochs = [0.0 if known is None else max(0.0, float(known.after(count))) for count in counts]
    decimals = 0 if epochs[-1] >= 10 else 1 if epochs[-1] >= 1 else 2  # a dozen sheets shall not look alike
    return [f"epoch {epoch:.{decimals}f}" for epoch in epochs]

"""What the page shows of a run: where it stands, its curves, what it says of itself, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from digitforge.errors import DigitforgeError
from digitforge.holding import is_held
from digitforge.recipe import Recipe
from digitforge.report.history import History, history_of
from digitforge.runs import RunFolder, count_of
from digitforge.studio.process import Worker, last_words
from digitforge.studio.shelf import Shelf
from digitforge.studio.trainings import Trainings
from digitforge.training.diagnosis import is_early

Kept = dict[str, tuple[object, dict[str, Any]]]  # by run: a stamp, and what was told then

SHOWN = (
    "loss.discriminator",
    "loss.generator",
    "accuracy.real_train",
    "accuracy.real_held_out",
    "accuracy.fake",
    "figures.frechet",
)
_FRESH = 60.0  # seconds after which a run that nobody here trains, and that writes nothing, counts as paused
_ERROR = "digitforge: "  # how the command line begins an error, ...
_STOPPED = "digitforge: stopped; "  # ... and how it says that an interruption went well
_LAST = "next: "  # how it begins its last line where all went well


def tell(shelf: Shelf, trainings: Trainings, name: str) -> dict[str, Any]:
    """A run in full. Raises RunError for a name that is none."""
    folder, worker = shelf.run(name), trainings.worker(name)
    told = tell_briefly(shelf, trainings, name)
    if told["state"] == "failed" or not folder.recipe.is_file():
        return told
    recipe = folder.read_recipe()
    told |= {
        "sheets": [count_of(path) for path in folder.samples()],
        "has_real": folder.real_sheet.is_file(),
        "summary": recipe.summary,
    }
    try:
        lines = folder.read_stats()
        history = history_of(folder, lines)
    except DigitforgeError:  # before the first line of statistics there are no curves
        return told
    is_training = worker is not None and told["state"] == "training"
    return told | _progress(recipe, history, lines, is_training)


def tell_all(shelf: Shelf, trainings: Trainings, kept: Kept) -> list[dict[str, Any]]:
    """All runs as a list shows them, the newest first; kept: what was told of each, for as long as its stamp stays."""
    names = shelf.names()
    for name in names:
        now = stamp(shelf, trainings, name)
        if kept.get(name, (None, {}))[0] != now:
            kept[name] = now, tell_briefly(shelf, trainings, name)
    for name in kept.keys() - set(names):
        kept.pop(name, None)
    return [kept[name][1] for name in names if name in kept]


def tell_briefly(shelf: Shelf, trainings: Trainings, name: str) -> dict[str, Any]:
    """A run as a list shows it."""
    folder, worker = shelf.run(name), trainings.worker(name)
    told: dict[str, Any] = {"name": name, "state": "failed", "problem": "", "images": 0, "total": 0}
    if not folder.recipe.is_file():
        told["state"] = "starting" if worker is not None else "failed"
        told["problem"] = shelf.without_places(last_words(shelf.log(name)).removeprefix(_ERROR))
        return told
    try:
        recipe, samples = folder.read_recipe(), folder.samples()
    except DigitforgeError as error:
        return told | {"problem": shelf.without_places(str(error))}
    told |= {
        "recipe": recipe.name,
        "data": recipe.data.name,
        "digits": list(recipe.data.digits),
        "seed": recipe.training.seed,
        "total": recipe.training.images or 0,
        "images": count_of(samples[-1]) if samples else 0,
    }
    told["state"] = _state(shelf, folder, worker, told["images"], told["total"])
    if told["state"] == "training" and worker is not None and trainings.is_pausing(worker):
        told["state"] = "pausing"
    if told["state"] == "paused":
        told["problem"] = shelf.without_places(_problem(last_words(shelf.log(name))))
    return told


def stamp(shelf: Shelf, trainings: Trainings, name: str) -> tuple[object, ...]:
    """Something that changes when there is anything new to tell of a run; cheap."""
    folder, worker = shelf.run(name), trainings.worker(name)
    files = [folder.recipe, folder.stats, folder.hashes, folder.samples_folder]
    files += [shelf.log(name), shelf.stopped_model(name)]
    is_pausing = worker is not None and trainings.is_pausing(worker)
    return (worker, is_pausing, _is_fresh(folder), is_held(folder.path), *(_changed(path) for path in files))


def _state(shelf: Shelf, folder: RunFolder, worker: Worker | None, images: int, total: int) -> str:
    """One of starting, training, finishing, stopping, elsewhere, paused, stopped, finished and failed."""
    if worker is not None and worker.job == "export":
        return "stopping"
    if worker is not None:
        return "finishing" if total and images >= total else "training"
    if folder.is_finished:
        return "finished"
    if is_held(folder.path):
        return "elsewhere"
    if shelf.is_stopped(folder.path.name):
        return "stopped"
    is_ours = shelf.record(folder.path.name).is_file()
    return "elsewhere" if not is_ours and _is_fresh(folder) else "paused"


def _is_fresh(folder: RunFolder) -> bool:
    """Whether something was written in a run's folder just now."""
    newest = max(_changed(path) for path in (folder.recipe, folder.stats, folder.samples_folder))
    return time.time() - newest < _FRESH


def _progress(
    recipe: Recipe, history: History, lines: Sequence[Mapping[str, Any]], is_training: bool
) -> dict[str, Any]:
    """How far a run is, how fast, what it measured and what it says of itself."""
    total, speed = recipe.training.images or history.images, float(lines[-1]["clock"]["images_per_second"])
    measured = [line for line in lines if "accuracy" in line or "figures" in line]
    return {
        "images": history.images,
        "seconds": history.seconds,
        "speed": speed,
        "left": (total - history.images) / speed if is_training and speed > 0 else None,
        "curves": {
            key: [[int(images), float(value)] for images, value in zip(curve.images, curve.values, strict=True)]
            for key in SHOWN
            if (curve := history.curves.get(key)) is not None
        },
        "diagnosis": list(map(str, measured[-1].get("diagnosis", []))) if measured else [],
        "is_diagnosed": bool(measured),
        "is_early": recipe.training.images is None or is_early(lines, recipe),
    }


def _problem(said: str) -> str:
    """What a process came to grief of, by its last line; "" where it ended as it should."""
    if not said or said.startswith((_STOPPED, _LAST)):
        return ""
    if said.startswith(_ERROR):
        return said.removeprefix(_ERROR)
    return "its process ended without a word; it can go on from where it was last saved"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

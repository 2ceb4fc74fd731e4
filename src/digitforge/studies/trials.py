"""Trials: the trainings that a study rests on, each an ordinary run in a folder of its own, found again or trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from digitforge import __version__
from digitforge.data import DataSet
from digitforge.errors import DigitforgeError, InterruptionError, RunError, UserError
from digitforge.files import make_folder, read_table, write_whole
from digitforge.onnx_file import available_cores
from digitforge.recipe import LENGTHS, Recipe
from digitforge.runs import RunFolder
from digitforge.studies.crew import Crew, Watcher, train_all
from digitforge.studies.worker import Diverged, Job, Message, Task, work
from digitforge.training.interruption import Interruption

_HASH_LETTERS = 8  # of a trial's hash in its folder's name
_WAY_ON = "the same command goes on"
# Tables of a recipe that decide what is learned; the others say how it is recorded and what it is computed with.
_LEARNED = ("data", "networks", "objective", "generator_optimiser", "discriminator_optimiser", "training")
_LENGTHS = tuple(key.split(".")[1] for key in LENGTHS)


@dataclass(frozen=True)
class Trial:
    """One training of a study.

    name: within the study. recipe: as asked, with data, seed, and a length that is no time, since another machine would
    turn that into other images.
    """

    name: str
    recipe: Recipe

    @cached_property
    def identity(self) -> str:
        """A hash of everything that is asked for; settings that came later count where they are used."""
        table = self.recipe.model_dump(mode="json", exclude={"document", "summary"})
        if not self.recipe.networks.clusters:
            del table["networks"]["clusters"]
        return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()

    def folder(self, place: Path) -> RunFolder:
        """Its run below a folder; the hash in the name keeps it apart from the like of another study."""
        return RunFolder(place / f"{self.name}-{self.identity[:_HASH_LETTERS]}")

    def verdict(self, place: Path) -> Path:
        """The file that says how its numbers ran away, where they did: beside its run, which may not have begun."""
        folder = self.folder(place).path
        return folder.with_name(f"{folder.name}.diverged.json")

    def images(self, data: DataSet) -> int:
        """Real images that it shows to D."""
        recipe, digits = self.recipe, data.train
        if recipe.data.digits:
            digits = digits.only([digits.label_of(name) for name in recipe.data.digits])
        images = recipe.training.length(recipe.data.count or len(digits))
        if images is None:
            raise UserError(f"the trial {self.name} is to last some seconds; give a study its trainings in images")
        return images


def is_alike(run: Recipe, asked: Recipe) -> bool:
    """Whether a run's resolved recipe is the one asked for, its length aside, and its data, as far as either says."""
    hashes = {run.data.sha256, asked.data.sha256} - {""}
    return run.name == asked.name and _learned(run) == _learned(asked) and len(hashes) < 2


def is_long_enough(run: Recipe, asked: Recipe, images: int) -> bool:
    """Whether the first `images` images of a run are what a run of that length would be; a schedule has one length."""
    length = run.training.images or 0
    return length == images if asked.has_schedule else length >= images


def find_runs(trial: Trial, data: DataSet, places: Sequence[Path]) -> list[RunFolder]:
    """The finished runs in some folders that are the trial, or begin as it."""
    images, asked = trial.images(data), trial.recipe.with_settings({"data.sha256": data.train.sha256})
    return [
        folder
        for folder, recipe in finished_runs(places)
        if is_alike(recipe, asked) and is_long_enough(recipe, asked, images)
    ]


def train_trials(
    trials: Sequence[Trial],
    place: Path,
    data: DataSet,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    watcher: Watcher | None = None,
) -> dict[str, str]:
    """Bring every trial's run below a folder to its end; what is finished there is left as it is.

    workers: trained side by side, by default one a core; each computes with one thread, as the trials should say.
    cluster: the address of a Ray cluster whose machines train instead.
    Returns what became of the trials whose numbers ran away, by their names: they are left unfinished, the others go
    on, and this version does not train them to the same end again. Raises InterruptionError after a signal, RunError
    where a folder holds something else, UserError for settings that do not go together, and the error of a trial that
    fails otherwise.
    """
    if workers is not None and workers < 1:
        raise UserError(f"a study needs at least one worker, not {workers}")
    if workers is not None and cluster is not None:
        raise UserError("--workers counts trainings on this machine, and --cluster uses all its cores; leave one out")
    folders = {trial.name: trial.folder(place) for trial in trials}
    if len(folders) < len(trials):
        raise UserError("two trainings of a study have one name; name each digit and recipe once")
    for trial in trials:
        _check_own(trial, folders[trial.name], data)
    diverged = divergences(trials, place)
    ended = [one.name for one in trials if one.name in diverged or folders[one.name].is_finished]
    tasks = [Task(one.name, folders[one.name], one.recipe) for one in trials if one.name not in ended]
    if not tasks:
        return diverged
    verdicts = {one.name: one.verdict(place) for one in trials}

    def hear(message: Message) -> None:
        if isinstance(message, Diverged):
            diverged[message.name] = message.sentence
            table = {"version": __version__, "sentence": message.sentence}
            write_whole(verdicts[message.name], json.dumps(table, indent=2).encode())
        if watcher is not None:
            watcher.heard(message)

    make_folder(place)
    if watcher is not None:
        watcher.started(f"{len(trials)} trainings in {place}", [trial.name for trial in trials], ended)
    try:
        with Interruption() as interruption:
            _train(tasks, data, workers, cluster, hear, interruption)
            if interruption.asked:
                raise InterruptionError(
                    f"stopped; what is done is saved in {place}: {_WAY_ON}", 128 + interruption.asked
                )
    finally:
        if watcher is not None:
            watcher.ended()
    return diverged


def divergences(trials: Sequence[Trial], place: Path) -> dict[str, str]:
    """What became of those of some trials whose numbers ran away, as this version found, by their names."""
    return {one.name: sentence for one in trials if (sentence := _divergence(one.verdict(place)))}


def _train(
    tasks: Sequence[Task],
    data: DataSet,
    workers: int | None,
    cluster: str | None,
    hear: Callable[[Message], None],
    interruption: Interruption,
) -> None:
    if cluster is not None:
        from digitforge.studies.cluster import train_on_cluster

        train_on_cluster(cluster, tasks, data, hear, interruption)
        return
    assert tasks[0].recipe is not None
    job = Job(tasks[0].recipe, data, noun="training", way_on=_WAY_ON, outlives=True)
    with Crew(work, job, min(workers or available_cores(), len(tasks))) as crew:
        train_all(crew, tasks, hear, interruption)


def _check_own(trial: Trial, folder: RunFolder, data: DataSet) -> None:
    """Raise RunError where a trial's folder holds another run, or one that learned from other images."""
    if not folder.recipe.is_file():
        return
    found = folder.read_recipe()
    if not is_alike(found, trial.recipe):
        raise RunError(f"{folder.path} holds another run than the study's own; choose another --out")
    if found.data.sha256 not in ("", data.train.sha256):
        raise RunError(
            f"the run in {folder.path} learned from other images than {data.name} holds now; choose another --out"
        )


def _divergence(verdict: Path) -> str | None:
    """How a trial's numbers ran away, as this version found; None where they did not, or another version said so."""
    told = read_table(verdict) or {}
    return str(told["sentence"]) if told.get("version") == __version__ and "sentence" in told else None


def finished_runs(places: Sequence[Path]) -> list[tuple[RunFolder, Recipe]]:
    """The finished runs that lie in some folders, with their recipes; what is no run is passed over."""
    found = []
    for place in places:
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            folder = RunFolder(path)
            try:
                if folder.is_finished:
                    found.append((folder, folder.read_recipe()))
            except DigitforgeError:
                continue
    return found


def _learned(recipe: Recipe) -> Mapping[str, Any]:
    """What decides what a run learns, its length and the hash of its data aside."""
    table = recipe.model_dump(mode="json", include=set(_LEARNED))
    table["data"].pop("sha256")
    for key in _LENGTHS:
        table["training"].pop(key, None)
    return table

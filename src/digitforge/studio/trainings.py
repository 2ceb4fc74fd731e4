"""Trainings: runs that are started, paused, stopped and gone on with, each in a process that outlives the studio."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from threading import Lock

from digitforge.data.catalogue import catalogue
from digitforge.errors import RunError, UserError
from digitforge.recipe import load_recipe
from digitforge.studio.bounds import TrainingWish
from digitforge.studio.process import Job, Worker, read_worker, start
from digitforge.studio.shelf import Shelf

AT_ONCE = 2  # trainings side by side: they share the cores, and each gets slower
_LOOK = 1.0  # seconds between two looks at whether anybody trains
_PATIENCE = 60.0  # seconds for a step and a measurement to end and the state to be saved
# Oftener than on the command line, so that there is always something to see; nothing of it changes what is learned.
WATCHED = {
    "record.tick": "1/100 run",
    "record.sheet": "1/40 run",
    "record.accuracy": "1/20 run",
    "record.accuracy_images": 1000,
    "record.snapshot": "1/20 run",
}


class Trainings:
    """What works on the runs of a shelf, found again by their records.

    environment: of the processes that are started.
    """

    def __init__(self, shelf: Shelf, environment: Mapping[str, str] = os.environ) -> None:
        self._shelf = shelf
        self._environment = dict(environment)
        self._children: list[subprocess.Popen[bytes]] = []
        self._interrupted: set[tuple[int, float]] = set()  # by process; a second signal would end it before it saved
        self._starting = Lock()
        self._looked, self._is_at_work = -_LOOK, False

    def worker(self, name: str) -> Worker | None:
        """Who works on a run now."""
        for child in list(self._children):
            child.poll()  # lets go of those that have ended
        worker = read_worker(self._shelf.record(name))
        return worker if worker is not None and worker.is_alive() else None

    def is_pausing(self, worker: Worker) -> bool:
        """Whether a process has been asked to save and end, which it is about as long as it lives."""
        return (worker.pid, worker.born) in self._interrupted

    def is_anyone_at_work(self) -> bool:
        """Whether any run is being worked on, as of a second ago."""
        if time.monotonic() - self._looked > _LOOK:
            records = list(self._shelf.own.glob("*.json"))
            self._is_at_work = any(self.worker(record.stem) is not None for record in records)
            self._looked = time.monotonic()
        return self._is_at_work

    def start(self, wish: TrainingWish) -> str:
        """Begin a run; its name. Raises UserError for what can't be trained."""
        recipe, known = load_recipe(_plain(wish.recipe)), [entry.name for entry in catalogue()]
        if wish.data not in known:
            raise UserError(f"there is no data set {wish.data!r} here; choose {', '.join(known)}")
        with self._starting:
            self._check_room()
            self._forget_the_failed()
            name = self._shelf.free_name(wish.name or f"{recipe.name}-{wish.seed}")
            words = ["train", recipe.name, "--data", wish.data, "--seed", str(wish.seed), "--out", self._place(name)]
            if wish.digits:
                words += ["--digits", ",".join(wish.digits)]
            if wish.seconds is not None:
                words += ["--budget", f"{wish.seconds:g}s"]
            for key, value in WATCHED.items():
                words += ["--set", f"{key}={value}"]
            self._begin(name, "train", words)
        return name

    def pause(self, name: str) -> None:
        """Have a run save its state and end its process; it can go on later."""
        self._interrupt(self._training(name))

    def stop(self, name: str) -> None:
        """End a run before its time, and make a model of what it has learned by now."""
        folder, worker = self._shelf.run(name), self.worker(name)
        if folder.is_finished:
            raise RunError(f"{name} has finished; there is nothing to stop")
        if worker is not None:
            self._interrupt(self._training(name))
            if not worker.wait(_PATIENCE):
                raise RunError(f"{name} is still busy with what it does; stop it again in a moment")
        if not folder.recipe.is_file():
            self._shelf.forget(name)  # it had not begun, so there is nothing to keep
            return
        model = self._shelf.stopped_model(name)
        with self._starting:
            self._begin(name, "export", ["export", self._place(name), "--out", str(model)])

    def resume(self, name: str) -> None:
        """Go on with a run from where it was saved."""
        folder = self._shelf.run(name)
        with self._starting:
            if self.worker(name) is not None:
                raise RunError(f"{name} is at work already")
            if folder.is_finished or not folder.recipe.is_file():
                raise RunError(f"{name} has {'finished' if folder.is_finished else 'not begun'}; start a new run")
            self._check_room()
            self._shelf.stopped_model(name).unlink(missing_ok=True)  # what it draws now is not what it will draw
            self._begin(name, "train", ["train", "--out", self._place(name), "--resume"])

    def _place(self, name: str) -> str:
        """The folder of a run; the command runs where the studio does, as a path to data may be of there."""
        return str(self._shelf.path / name)

    def _begin(self, name: str, job: Job, words: Sequence[str]) -> None:
        shelf = self._shelf
        shelf.create()
        child = start(job, words, self._environment, shelf.log(name), shelf.record(name))
        self._children.append(child)

    def _interrupt(self, worker: Worker) -> None:
        if not self.is_pausing(worker):
            self._interrupted.add((worker.pid, worker.born))
            worker.interrupt()

    def _training(self, name: str) -> Worker:
        """The process that trains a run. Raises RunError where none does."""
        self._shelf.run(name)
        worker = self.worker(name)
        if worker is None or worker.job != "train":
            raise RunError(f"{name} is not being trained by the studio now")
        return worker

    def _check_room(self) -> None:
        busy = [name for name in self._shelf.names() if self.worker(name) is not None]
        if len(busy) >= AT_ONCE:
            raise RunError(f"{' and '.join(busy)} are being trained already; pause one of them, or let it finish")

    def _forget_the_failed(self) -> None:
        """Drop the records of runs that left nothing and on which nobody works."""
        for record in self._shelf.own.glob("*.json"):
            name = record.stem
            if not (self._shelf.path / name).is_dir() and self.worker(name) is None:
                self._shelf.forget(name)


def _plain(recipe: str) -> str:
    """A recipe's name, which must not be taken for the path of a file."""
    if "/" in recipe or "\\" in recipe or "." in recipe:
        raise UserError(f"there is no recipe {recipe!r} here; choose one of the list")
    return recipe

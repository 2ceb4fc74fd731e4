"""A worker: a process of its own that trains what it is handed, one run after another or some at once, and tells how
far it is.

Torch is imported when work() runs, since the process that starts the workers needs none.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import TYPE_CHECKING

from digitforge.data import DataSet, load_data
from digitforge.errors import DigitforgeError, DivergenceError, InterruptionError, in_a_line
from digitforge.recipe import Recipe
from digitforge.runs import RunFolder
from digitforge.sections import Compute

if TYPE_CHECKING:
    from digitforge.training.observers import Tick
    from digitforge.training.plan import Plan

_TOLD_EVERY = 0.3  # seconds between two messages on how far a run is
_GRACE = 30.0  # seconds in which a worker whose parent has gone may still save its state


@dataclass(frozen=True)
class Job:
    """What all runs of a job have in common.

    recipe: as asked for; what it computes with and learns from is every run's. data: images that were handed in, if
    any. noun: what a run is called in errors. way_on: how the job goes on after a worker's end.
    outlives: whether the other runs go on where the numbers of one run away.
    """

    recipe: Recipe
    data: DataSet | None = None
    noun: str = "specialist"
    way_on: str = "go on with --resume"
    outlives: bool = False


@dataclass(frozen=True)
class Task:
    """One run and its folder; recipe: what is trained, None for the job's own on the label of that name."""

    name: str
    folder: RunFolder
    recipe: Recipe | None = None


@dataclass(frozen=True)
class Ready:
    """A worker can begin; compute: what "auto" means on this machine."""

    compute: Compute


@dataclass(frozen=True)
class Begun:
    """Training of a label begins, or goes on, at `images` of `total` images."""

    name: str
    images: int
    total: int


@dataclass(frozen=True)
class Moved:
    """A label's discriminator has seen so many real images."""

    name: str
    images: int


@dataclass(frozen=True)
class Done:
    """A label's run is finished: `images` in `seconds` of training steps."""

    name: str
    images: int
    seconds: float


@dataclass(frozen=True)
class Diverged:
    """The numbers of a run have run away, in one sentence; the others go on."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Noted:
    """Something that a person who watches the job may want to know: one sentence."""

    sentence: str


@dataclass(frozen=True)
class Failed:
    """A worker has ended with an error.

    name: of the label that it was training alone, if any. trace: where it happened.
    """

    name: str | None
    kind: type[DigitforgeError]
    message: str
    trace: str = ""


@dataclass(frozen=True)
class Stopped:
    """A worker was asked to end; the state of what it was training is saved."""


Message = Ready | Begun | Moved | Done | Diverged | Noted | Failed | Stopped


def work(line: Connection, job: Job, is_first: bool) -> None:
    """Train the tasks that come along the line, those of one message at once, until an empty one comes or a signal.

    is_first: an accelerator is served by the first worker alone; the others then end at once.
    """
    stop = _Stop()
    _end_with_parent()
    teller = _Teller(line, stop)
    try:
        _train_tasks(line, job, is_first, teller)
    except InterruptionError:
        teller.tell(Stopped())
    except EOFError:
        return  # the parent has gone
    except DigitforgeError as error:
        teller.tell(Failed(teller.name, type(error), str(error), traceback.format_exc()))
    except Exception as error:
        teller.tell(Failed(teller.name, DigitforgeError, in_a_line(error), traceback.format_exc()))


def _train_tasks(line: Connection, job: Job, is_first: bool, teller: _Teller) -> None:
    from digitforge.training.compute import resolve_compute

    asked = job.recipe.compute
    compute = resolve_compute(asked)
    if compute.device == "cpu" and not asked.threads:  # labels train side by side, a thread each
        compute = compute.model_copy(update={"threads": 1})
    if compute.device != "cpu" and not is_first:
        return
    teller.tell(Ready(compute))
    job = replace(job, recipe=job.recipe.model_copy(update={"compute": compute}))
    name = job.recipe.data.name
    data = job.data or replace(load_data(name), name=name)
    while (tasks := line.recv()) and not teller.stop.asked:
        if len(tasks) == 1:
            _train_alone(job, data, tasks[0], teller)
        else:
            _train_at_once(job.recipe, data, tasks, teller)
    if teller.stop.asked:
        teller.tell(Stopped())


def _train_alone(job: Job, data: DataSet, task: Task, teller: _Teller) -> None:
    from digitforge.training.train import train

    teller.name = task.name
    recipe = task.recipe or job.recipe.with_settings({"data.digits": [task.name]})
    try:
        train(recipe, data, out=task.folder.path, resume=True, observers=[teller])
    except DivergenceError as error:
        if not job.outlives:
            raise
        teller.tell(Diverged(task.name, str(error)))
    else:
        teller.tell_done(task.name, task.folder)
    teller.name = None


def _train_at_once(recipe: Recipe, data: DataSet, tasks: Sequence[Task], teller: _Teller) -> None:
    from digitforge.training.together import Member, train_together

    def finished(member: Member) -> None:
        teller.tell_done(member.name, member.folder)
        if teller.stop.asked:  # what is left of the others is to write their files, which a resume does
            raise InterruptionError("stopped", 128 + signal.SIGTERM)

    members = [Member(task.name, task.folder, teller.of(task.name)) for task in tasks]
    train_together(recipe, data, members, finished, lambda sentence: teller.tell(Noted(sentence)))


class _Stop:
    """Whether SIGTERM has come while nothing was trained; a run that is under way hears it itself."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._hear)
        if hasattr(signal, "pthread_sigmask"):  # Ctrl-C stays blocked: the parent alone hears it, and asks to stop
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class _Teller:
    """An observer that tells the parent how far a run is, and the run if it is to stop.

    name: of the label that is trained now.
    """

    def __init__(self, line: Connection, stop: _Stop, name: str | None = None) -> None:
        self._line = line
        self.stop = stop
        self.name = name
        self._due = 0.0

    def of(self, name: str) -> _Teller:
        """Another one on the same line, for a label among several that are trained at once."""
        return _Teller(self._line, self.stop, name)

    def tell(self, message: Message) -> None:
        """Send a message, if anybody is there to hear it."""
        with suppress(OSError):
            self._line.send(message)

    def tell_done(self, name: str, folder: RunFolder) -> None:
        """Tell that a run is finished."""
        last = folder.read_stats()[-1]
        self.tell(Done(name, last["images"], last["clock"]["seconds"]))

    def started(self, plan: Plan, folder: RunFolder, images: int) -> None:
        """Tell what begins."""
        self.tell(Begun(str(self.name), images, plan.times.images))

    def stepped(self, images: int) -> None:
        """Tell how far it is, now and then; a request to stop that came before the first step is passed on."""
        if self.stop.asked:
            signal.raise_signal(signal.SIGTERM)
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _TOLD_EVERY
            self.tell(Moved(str(self.name), images))

    def ticked(self, tick: Tick) -> None:
        """Nothing: the statistics are in the run folder."""

    def ended(self) -> None:
        """Nothing: what follows tells more."""


def _end_with_parent() -> None:
    """Have this process end when its parent does: in peace if it can, else by force."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

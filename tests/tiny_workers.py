"""Workers for tests of a crew, without torch, each at home in a process of its own; a folder's name says what to do."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from digitforge.errors import DivergenceError
from digitforge.sections import Compute
from digitforge.studies.worker import (
    Begun,
    Done,
    Failed,
    Job,
    Moved,
    Noted,
    Ready,
    Stopped,
    Task,
    _end_with_parent,
    _Stop,
)

CPU = Compute(device="cpu", precision="32", threads=1)


def willing(line: Connection, job: Job, is_first: bool) -> None:
    """Does what it is handed at once; at the task "diverge" it fails, at "die" it is gone, at "wait" it waits."""
    stop = _Stop()
    line.send(Ready(CPU))
    while tasks := line.recv():
        (task,) = tasks
        assert isinstance(task, Task)
        line.send(Begun(task.name, 0, 10))
        if task.name == "diverge":
            line.send(Failed(task.name, DivergenceError, "the losses are no numbers any more", "a trace"))
            return
        if task.name == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task.name.startswith("wait"):
            while not stop.asked:
                time.sleep(0.01)
            line.send(Moved(task.name, 5))
            line.send(Stopped())
            return
        line.send(Done(task.name, 10, float(os.environ["OMP_NUM_THREADS"])))


def together(line: Connection, job: Job, is_first: bool) -> None:
    """Does all tasks of a message at once, and notes which those were."""
    line.send(Ready(CPU))
    while tasks := line.recv():
        line.send(Noted(" ".join(task.name for task in tasks)))
        for task in tasks:
            line.send(Done(task.name, 10, 1.0))


def watched(line: Connection, job: Job, is_first: bool) -> None:
    """Leaves its number in its task's folder, waits to be stopped, and leaves a farewell there."""
    stop = _Stop()
    _end_with_parent()
    line.send(Ready(CPU))
    (task,) = line.recv()
    _leave(task.folder.path / "number", str(os.getpid()))
    while not stop.asked:
        time.sleep(0.01)
    _leave(task.folder.path / "farewell", "saved")


def deaf(line: Connection, job: Job, is_first: bool) -> None:
    """Leaves its number in its task's folder and hears no signal."""
    line.send(Ready(CPU))
    (task,) = line.recv()
    _leave(task.folder.path / "number", str(os.getpid()))
    while True:
        time.sleep(1)


def early_gone(line: Connection, job: Job, is_first: bool) -> None:
    """Ends before it is ready."""
    os._exit(3)


def _leave(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(text)
    beside.rename(path)

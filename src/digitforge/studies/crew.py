"""A crew: worker processes side by side, who are handed tasks, heard, and stopped together."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Protocol, cast

from digitforge.errors import DigitforgeError
from digitforge.sections import Compute
from digitforge.studies.worker import Diverged, Done, Failed, Job, Message, Ready, Stopped, Task
from digitforge.training.interruption import Interruption

_PATIENCE = 0.25  # seconds between two looks at whether a signal has come

Work = Callable[[Connection, Job, bool], None]
Hear = Callable[[Message], None]
AtOnce = Callable[[Compute], int]


class Watcher(Protocol):
    """Something that watches many runs being trained."""

    def started(self, title: str, names: Sequence[str], finished: Sequence[str]) -> None:
        """Training begins, or goes on; `finished` are those of `names` that had ended before. title: what it is."""

    def heard(self, message: Message) -> None:
        """A worker has told something."""

    def ended(self) -> None:
        """Training has ended, or was interrupted; what is measured comes after that."""


@dataclass
class Worker:
    """A process and the line to it.

    names: of the labels that it was last handed. left: how many of those it has not told to be done. at_once: how many
    it is handed. may_go: whether it has nothing more to do, so that it is no matter how it ends.
    """

    process: SpawnProcess
    line: Connection
    names: tuple[str, ...] = ()
    left: int = 0
    at_once: int = 1
    may_go: bool = False

    def hand(self, tasks: Sequence[Task]) -> None:
        """Give it something to do; nothing: it may go."""
        self.names, self.may_go = (tuple(task.name for task in tasks), False) if tasks else (self.names, True)
        self.left = len(tasks)
        with suppress(OSError):  # one that has gone is found out by listening
            self.line.send(tasks)


class Crew:
    """So many workers, started when it is entered; those that are left when it is left are killed."""

    def __init__(self, work: Work, job: Job, count: int) -> None:
        self.job = job
        self._work, self._count = work, count
        self._workers: dict[Connection, Worker] = {}

    def __enter__(self) -> Crew:
        try:
            with _started_calmly(self.job.recipe.compute.threads or 1):
                for number in range(self._count):
                    self._start(is_first=number == 0)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    @property
    def is_there(self) -> bool:
        """Whether any worker has not ended yet."""
        return bool(self._workers)

    def heard(self) -> Iterator[tuple[Worker, Message]]:
        """What the workers have told by now, after a short wait; of one that died silently, that it did."""
        for line in cast(list[Connection], wait(list(self._workers), _PATIENCE)):
            worker = self._workers[line]
            try:
                message = line.recv()
            except (EOFError, OSError):
                code = self._bury(line)
                if worker.may_go or not (code or worker.names):  # one whom an accelerator doesn't need goes by itself
                    continue
                message = _death(worker, code, self.job.way_on)
            yield worker, message

    def stop(self, is_heard: bool) -> None:
        """Ask every worker to save its state and end.

        On Windows that kills it, which costs what came after its last checkpoint; not where Ctrl-C `is_heard` by all.
        """
        for worker in self._workers.values():
            if os.name != "nt" or not is_heard:
                worker.process.terminate()
            worker.hand([])

    def _start(self, is_first: bool) -> None:
        context = get_context("spawn")  # a fork would share locks that threads of ONNX Runtime may hold
        ours, theirs = context.Pipe()
        process = context.Process(target=self._work, args=(theirs, self.job, is_first), daemon=True)
        process.start()
        theirs.close()  # so that the line ends with the process
        self._workers[ours] = Worker(process, ours)

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.process.kill()
        for line in list(self._workers):
            self._bury(line)

    def _bury(self, line: Connection) -> int:
        """Wait for the end of a process whose line has ended; its exit code."""
        worker = self._workers.pop(line)
        worker.process.join()
        line.close()
        return worker.process.exitcode or 0


def train_all(
    crew: Crew, tasks: Sequence[Task], hear: Hear, interruption: Interruption, at_once: AtOnce = lambda compute: 1
) -> None:
    """Hand out the tasks in order, to the next worker that is free, until all are done.

    hear: is told everything but failures. at_once: how many tasks a worker that computes so is handed.
    interruption: where a signal to stop turns up; it is passed on to the workers, and the caller raises its error.
    Raises the error of the first worker that failed, its label named, when the others have saved their state.
    """
    waiting, failure, is_stopping = deque(tasks), None, False
    while crew.is_there:
        if not is_stopping and (failure or interruption.asked):
            is_stopping = True
            crew.stop(is_heard=interruption.asked is not None)
        for worker, message in crew.heard():
            if isinstance(message, Failed):
                worker.may_go, failure = True, failure or message
                continue
            hear(message)
            if isinstance(message, Stopped):
                worker.may_go, interruption.asked = True, interruption.asked or signal.SIGTERM
            elif isinstance(message, Ready):
                worker.at_once = at_once(message.compute)
            elif isinstance(message, Done | Diverged):
                worker.left -= 1
            if isinstance(message, Ready | Done | Diverged) and not worker.left:
                count = 0 if is_stopping else min(worker.at_once, len(waiting))
                worker.hand([waiting.popleft() for _ in range(count)])
    if failure is not None:
        raise _error(failure, crew.job.noun)


def _error(failure: Failed, noun: str) -> DigitforgeError:
    where = "" if failure.name is None else f"{noun} {failure.name}: "
    error = failure.kind(f"{where}{failure.message}")
    error.add_note(failure.trace)
    return error


def _death(worker: Worker, code: int, way_on: str) -> Failed:
    """What to say of a worker that told nothing before it ended."""
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    name = ", ".join(worker.names) or None
    return Failed(name, DigitforgeError, f"its worker {how}; {way_on}, and fewer --workers if memory was short")


@contextmanager
def _started_calmly(threads: int) -> Iterator[None]:
    """Processes that are started meanwhile begin with so many threads, and no signal meets one before it can hear it:
    what is blocked here stays blocked there."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    blocked = {signal.SIGINT, signal.SIGTERM}
    resource_tracker.ensure_running()  # it comes with the first process, and would unblock both
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if before is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = before

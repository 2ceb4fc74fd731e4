"""A process that works on a run: started on its own feet, recorded in a file, and found again by whoever reads it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil

from digitforge.files import read_table, write_whole

Job = Literal["train", "export"]
_SAME_BIRTH = 2.0  # seconds: what a clock that is set meanwhile may move the birth of a process
_TAIL = 4096  # bytes of a log that its last line is looked for in


@dataclass(frozen=True)
class Worker:
    """A process, told from a later one of its number by its birth (seconds since 1970)."""

    pid: int
    born: float
    job: Job

    def is_alive(self) -> bool:
        """Whether it is still at work."""
        return self._process() is not None

    def interrupt(self) -> None:
        """Ask it to save its state and end, as Ctrl-C does; that signal itself may be ignored in the background."""
        process = self._process()
        if process is not None:
            process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))  # Windows' SIGTERM just kills

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        process = self._process()
        if process is None:
            return True
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            return False
        return True

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            is_it = abs(process.create_time() - self.born) < _SAME_BIRTH
            return process if is_it and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def start(
    job: Job, words: Sequence[str], environment: Mapping[str, str], log: Path, record: Path
) -> subprocess.Popen[bytes]:
    """Run `digitforge WORDS` here, in a session of its own, so that it outlives whoever started it.

    What it says goes to `log`, which begins anew; who it is, to `record`.
    """
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "digitforge", *words],  # -P: no file that lies here is taken for a module
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # what Windows has in its place
        )
    worker = Worker(process.pid, psutil.Process(process.pid).create_time(), job)
    write_whole(record, json.dumps(asdict(worker)).encode())
    return process


def read_worker(record: Path) -> Worker | None:
    """Who a record tells of; None where there is none that can be read."""
    try:
        return Worker(**(read_table(record) or {}))
    except TypeError:
        return None


def last_words(log: Path) -> str:
    """The last line that a process wrote, "" where there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            lines = stream.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else ""

"""Trainings on a Ray cluster: a task a training, which its machine sends back as a whole run folder."""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digitforge.data import DataSet
from digitforge.errors import DigitforgeError, DivergenceError, InterruptionError, UserError, need
from digitforge.files import PART, make_folder
from digitforge.recipe import Recipe
from digitforge.runs import RunFolder
from digitforge.studies.trials import Trial
from digitforge.studies.worker import Begun, Diverged, Done, Message, Task
from digitforge.training.interruption import Interruption

_PATIENCE = 0.25  # seconds between two looks at whether a signal has come
_RETRIES = 3  # times that a training begins anew, as its machine was lost; more, and something is wrong with it
_CONNECTING = 3.0  # seconds in which a cluster must answer
_CORES = 1  # that a training computes with, as its recipe says


def train_on_cluster(
    address: str, tasks: Sequence[Task], data: DataSet, hear: Callable[[Message], None], interruption: Interruption
) -> None:
    """Train tasks, which carry their recipes, on the machines of a cluster, and put their run folders in place here.

    address: as ray.init takes it. The data set goes to the machines once, which need digitforge and PyTorch but no
    folder in common. A training whose machine is lost begins anew on another one.
    Raises UserError without Ray or a cluster, and the error of the first training that fails.
    """
    with _connected(address) as ray:
        images = ray.put(data)
        remote = ray.remote(num_cpus=_CORES, max_retries=_RETRIES)(train_away)
        pending = {remote.options(name=task.name).remote(task.recipe, images): task for task in tasks}
        for task in tasks:
            assert task.recipe is not None
            hear(Begun(task.name, 0, Trial(task.name, task.recipe).images(data)))
        while pending and not interruption.asked:
            for reference in ray.wait(list(pending), timeout=_PATIENCE)[0]:
                _settle(ray, reference, pending.pop(reference), hear)
        for reference in pending:
            ray.cancel(reference, force=True)


def train_away(recipe: Recipe, data: DataSet) -> bytes:
    """Train a recipe in a passing folder; its run folder as an archive."""
    from digitforge.training.train import train

    with tempfile.TemporaryDirectory() as place:
        try:
            folder = train(recipe, data, out=Path(place) / recipe.name)
        except InterruptionError:  # the machine is being taken away: to Ray a lost one, so that another begins anew
            os._exit(1)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for path in sorted(folder.path.rglob("*")):
                archive.write(path, path.relative_to(folder.path))
        return stream.getvalue()


def unpack(content: bytes, folder: RunFolder) -> None:
    """Put an archived run in its place, whole or not at all; what a broken-off training left there goes."""
    make_folder(folder.path.parent)
    beside = folder.path.with_name(f".{folder.path.name}{PART}")
    shutil.rmtree(beside, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(beside)  # which strips what would climb out of the folder
    shutil.rmtree(folder.path, ignore_errors=True)
    beside.rename(folder.path)


def _settle(ray: Any, reference: Any, task: Task, hear: Callable[[Message], None]) -> None:
    """Take in what became of a training."""
    try:
        unpack(ray.get(reference), task.folder)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DivergenceError):
            hear(Diverged(task.name, str(error.cause)))
            return
        kind = type(error.cause) if isinstance(error.cause, DigitforgeError) else DigitforgeError
        raise kind(f"training {task.name}: {error.cause}") from error
    except ray.exceptions.RayError as error:
        raise DigitforgeError(
            f"training {task.name}: its machine was lost {_RETRIES + 1} times ({type(error).__name__}); see whether it "
            "has memory enough, and run the same command again"
        ) from None
    last = task.folder.read_stats()[-1]
    hear(Done(task.name, last["images"], last["clock"]["seconds"]))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    need(["ray"], "--cluster needs", "cluster")
    import ray

    try:
        _knock(address)
        with _handler_kept(signal.SIGTERM):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"there is no Ray cluster at {address} ({reason}); start one with `ray start --head`") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at a host and port; Ray itself would try for a minute."""
    place = re.fullmatch(r"(?:ray://)?(?P<host>[^:/]+):(?P<port>\d+)", address)
    if place:
        socket.create_connection((place["host"], int(place["port"])), _CONNECTING).close()


@contextmanager
def _handler_kept(number: signal.Signals) -> Iterator[None]:
    """Keep what hears a signal: Ray puts a handler of its own there, which would end us before anything is said."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, before)

"""A folder that one process at a time works in: held by a lock that dies with its holder, who leaves its name."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from digitforge.errors import RunError
from digitforge.files import make_folder, read_table, unwritable, write_whole

LOCK = ".lock"  # the system lets go of it when its holder dies, however that comes
HOLDER = ".holder.json"  # beside it, as on some systems nobody else can read a locked file
TRACES = (LOCK, HOLDER)  # what a holder that was killed leaves behind
_PATIENCE = 0.5  # seconds: who only looks whether somebody holds a folder lets go of it at once


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder while the block lasts; it is made where it is missing.

    Raises RunError, which names the process and the machine, where another one holds it.
    """
    from filelock import FileLock, Timeout  # comes with what trains; looking at runs needs none

    make_folder(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise RunError(
            f"{folder} is being worked on by {_holder(folder)}; wait for its end or stop it, or choose another --out"
        ) from None
    except OSError as error:
        raise unwritable(folder / LOCK, error) from None
    try:
        write_whole(folder / HOLDER, json.dumps({"process": os.getpid(), "machine": platform.node()}).encode())
        yield
    finally:
        for name in (HOLDER, LOCK):  # the lock last and still held: who waits for it looks whether it is still there
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process of this machine works in a folder; False where nobody can tell, as without what trains."""
    if not (folder / LOCK).is_file():
        return False
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _holder(folder: Path) -> str:
    """Who holds a folder, in words."""
    try:
        told = read_table(folder / HOLDER) or {}
        return f"process {int(told['process'])} on {told['machine']}"
    except (ValueError, KeyError, TypeError):  # it has taken the lock and not yet said who it is
        return "another process"

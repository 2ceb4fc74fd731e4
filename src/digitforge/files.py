"""Files that appear whole or not at all: written beside, synced and renamed; caches, tables in files, where ~ is."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from digitforge.errors import WriteError

PART = ".part"  # how the name of a file ends that is not yet whole; it begins with a dot


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose content becomes `path` when the block ends well, and vanishes when it raises.

    The name beside it is unique, so that two processes that write one file don't meet: the last one to finish wins.
    """
    with all_written_whole([path]) as (stream,):
        yield stream


@contextmanager
def all_written_whole(paths: Sequence[Path]) -> Iterator[Sequence[BinaryIO]]:
    """A stream for each of several files that belong together: none takes its place before all are on the disk."""
    besides = [path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}") for path in paths]
    try:
        with ExitStack() as opened:
            streams = [opened.enter_context(beside.open("xb")) for beside in besides]
            yield streams
            for stream in streams:
                stream.flush()
                os.fsync(stream.fileno())
        for beside, path in zip(besides, paths, strict=True):
            beside.replace(path)
    except BaseException:
        for beside in besides:
            beside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`, replacing what is there only when all of it is on the disk."""
    try:
        with written_whole(path) as stream:
            stream.write(content)
    except OSError as error:
        raise unwritable(path, error) from None


def keep(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put what `write` writes into a cache; one that can't be written to only costs the time to make it again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as stream:
            write(stream)


def read_table(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is none that can be read."""
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return table if isinstance(table, dict) else None


def drop_parts(folder: Path) -> None:
    """Remove what was being written in a folder, or below it, by who was killed: files, and folders of files."""
    for path in list(folder.rglob(f".*{PART}")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have been in one of those folders


def make_folder(path: Path) -> None:
    """Make a folder to write to, with those above it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error, "make the folder") from None


def unwritable(path: Path | str, error: OSError, verb: str = "write") -> WriteError:
    """The error to raise for a file that cannot be written, or for what else cannot be done with it."""
    fault = f"cannot {verb} {path}: {error.strerror or error}"
    return WriteError(f"{fault}; choose another place", fault)


def sha256_of(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def at_home(path: str | Path) -> Path:
    """A path whose ~ is the user's home, which a shell leaves to the program after `=`; a ~ of no user's stays."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)

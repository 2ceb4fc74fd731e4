"""Places that users name for what they want written: looked at first, and written to whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from digitforge.data.digits import MAX_NAME
from digitforge.errors import OutputError
from digitforge.files import PART, make_folder, write_whole

MAX_FOLDER_NAME = 200  # bytes; systems take 255, and an ending may follow
_PLAIN_MARKS = frozenset(" .-_+&,()'")  # that every system takes in a folder's name
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # what Windows makes no folder of


def check_place(path: Path) -> None:
    """Raise OutputError if no file can be made there, or one would take the place of a run's own."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file")
    with failures_named(path):
        check_is_no_runs(path)
        try_place(path)


def check_is_no_runs(path: Path) -> None:
    """Raise OutputError for a file that belongs to a finished run, or job."""
    if path.exists():
        from digitforge.runs import hashes_that_tell_of  # brings pydantic, which a new file does not need

        if hashes := hashes_that_tell_of(path):
            raise OutputError(f"{path} is one of the files that {hashes} tells of; choose another place")


def write_file(path: Path, content: bytes) -> None:
    """Write one file whole or not at all, with the folders above it. Raises OutputError where it can't be."""
    with failures_named(path), parents_made(path):
        write_whole(path, content)


def free_path(path: Path) -> Path:
    """`path`, or its first numbered neighbour ("digits-2.png") that does not exist."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return candidate


def as_file_name(name: str) -> str:
    """A label's name without what a file name can't hold: "T-shirt/top" becomes "T-shirt_top"."""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"


def as_folder_names(names: Sequence[str]) -> tuple[str, ...]:
    """A folder's name for each label, all different on every system: "T-shirt/top" becomes "T-shirt_top".

    A name that can be one stays as it is, so that who reads the folders finds the labels' own names.
    """
    made: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: _one_folder(name) != name):  # those first that stay as they are
        folder, number = _one_folder(name), 2
        while _as_systems_compare(folder) in taken:
            ending = f"-{number}"
            folder, number = _one_folder(name)[: MAX_NAME - len(ending)] + ending, number + 1
        taken.add(_as_systems_compare(folder))
        made[name] = folder
    return tuple(made[name] for name in names)


def _one_folder(name: str) -> str:
    """A label's name as one folder's, in characters that every system takes; not hidden, and no way to elsewhere."""
    is_kept = (sign in _PLAIN_MARKS or unicodedata.category(sign)[0] in "LMN" for sign in name)
    plain = "".join(sign if kept else "_" for sign, kept in zip(name, is_kept, strict=True))
    short = plain.encode()[:MAX_FOLDER_NAME].decode(errors="ignore").strip(" .")
    folder = re.sub(r"^__+", "_", short) or "_"  # two at its beginning hide a folder from those who read it
    return f"_{folder}"[:MAX_NAME] if _DEVICES.fullmatch(folder) else folder


def _as_systems_compare(name: str) -> str:
    """What two names share that some system takes for one: in capitals or not, composed or not."""
    return unicodedata.normalize("NFKC", name.casefold()).casefold()


def try_place(path: Path) -> None:
    """Try to make a file in the nearest folder that exists; access rights alone don't tell on every system."""
    with tempfile.TemporaryFile(dir=nearest_folder(path)):
        pass


def nearest_folder(path: Path) -> Path:
    """Where something is written: the path itself if it is a folder, else the nearest thing above it that exists."""
    return path if path.is_dir() else next(above for above in (*path.parents, Path()) if above.exists())


@contextmanager
def failures_named(path: Path) -> Iterator[None]:
    """What the system refuses, in one sentence with the way on."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place") from None


@contextmanager
def parents_made(path: Path) -> Iterator[None]:
    """The folders above a path, which vanish again when the block raises."""
    missing = [above for above in path.parents if not above.exists()]
    make_folder(path.parent)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # somebody else may have put something there by now
            for above in missing:
                above.rmdir()
        raise


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A folder that becomes `path` when the block ends well, and vanishes when it raises.

    Where `path` is there already, it lies in it, since that may be a link or another disk, and moves up what it holds.
    """
    was_there = path.is_dir()
    part = f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}"
    beside = path / part if was_there else path.with_name(part)
    beside.mkdir()
    moved: list[Path] = []
    try:
        yield beside
        if was_there:
            if set(path.iterdir()) != {beside}:
                raise FileExistsError(None, "something has been put there in the meantime")
            for child in sorted(beside.iterdir()):
                moved.append(child.rename(path / child.name))
            beside.rmdir()
        else:
            beside.rename(path)  # fails if something has been put there in the meantime
    except BaseException:
        for child in moved:
            if child.is_dir():
                shutil.rmtree(child, ignore_errors=True)
            else:
                child.unlink(missing_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        raise

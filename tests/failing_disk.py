"""A disk that fails: it counts what is done to files below a folder, and at the n-th deed it is full, faulty or frozen.

What Python does is caught where it leaves Python: opening, writing, syncing, renaming, making and removing. Frozen is
what a process leaves that is killed: what it had under way is half done, and nothing that it does later is done. To
have that of every deed of one run, `keep` a copy of the folder as a kill there would leave it.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from unittest import mock

Fault = Literal["full", "faulty", "frozen"]
_NEEDS_ROOM = ("open", "write", "fsync", "replace", "mkdir")  # what a full disk refuses; removing makes room


class Killed(BaseException):
    """The process ends here."""


class Disk:
    """A disk that goes wrong at its n-th deed (1, 2, ...), or never: where n is 0.

    full: from then on nothing can be written, ENOSPC. faulty: that one deed fails, EIO. frozen: Killed is raised there,
    and nothing reaches the disk any more. deeds: what was done by now, as in "write stats.jsonl". made: the names of
    the files written. keep: a folder for copies of the root, each named by how many deeds there were.
    """

    def __init__(self, root: Path, fault: Fault = "full", at: int = 0, keep: Path | None = None) -> None:
        self.root, self.fault, self.at = root.absolute(), fault, at
        self.deeds: list[str] = []
        self.made: set[str] = set()
        self.is_frozen = False
        self._keep = keep

    @contextmanager
    def mounted(self) -> Iterator[Disk]:
        """While it is entered, what is done below its root is done to it."""
        replaced = {name: self._guard(getattr(os, name), name) for name in ("replace", "mkdir", "unlink", "fsync")}
        with mock.patch.multiple(os, open=self._os_open(os.open), **replaced):
            opening = self._open(io.open)
            with mock.patch.object(io, "open", opening), mock.patch.object(builtins, "open", opening):
                yield self

    @property
    def failing(self) -> str:
        """The deed at which it went wrong."""
        return self.deeds[self.at - 1]

    def does(self, kind: str, path: Path) -> bool:
        """Count a deed, and fail if it is time; whether it reaches the disk."""
        if self.is_frozen:
            return False
        self.deeds.append(f"{kind} {path.relative_to(self.root)}")
        count = len(self.deeds)
        if kind not in ("write", "fsync"):  # of the one half is kept, the other changes nothing
            self.keep()
        is_time = count == self.at or (self.fault == "full" and 0 < self.at < count)
        if not is_time or (self.fault == "full" and kind not in _NEEDS_ROOM):
            return True
        if self.fault == "frozen":
            self.is_frozen = True
            raise Killed
        code = errno.ENOSPC if self.fault == "full" else errno.EIO
        raise OSError(code, os.strerror(code), str(path))

    def keep(self) -> None:
        """Copy what a kill would leave now."""
        if self._keep is not None and self.root.is_dir():
            shutil.copytree(self.root, self._keep / str(len(self.deeds)))

    def has(self, path: Any) -> Path | None:
        """A path below the root, absolute; None for any other."""
        if not isinstance(path, str | Path):
            return None
        absolute = Path(path).absolute()
        return absolute if absolute.is_relative_to(self.root) else None

    def _guard(self, real: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def guarded(what: Any, *others: Any, **options: Any) -> Any:
            if kind == "fsync":
                link = Path(f"/proc/self/fd/{what}")
                path = self.has(str(link.readlink())) if link.exists() else None
            else:
                path = self.has(what)
            if path is not None and not self.does(kind, path):
                return None
            if path is not None and kind == "replace":
                self.made.add(Path(others[0]).name)
            return real(what, *others, **options)

        return guarded

    def _os_open(self, real: Callable[..., int]) -> Callable[..., int]:
        def guarded(path: Any, flags: int, *others: Any, **options: Any) -> int:
            inside = self.has(path)
            if inside is not None and flags & (os.O_WRONLY | os.O_RDWR) and not self.does("open", inside):
                return real(os.devnull, flags & ~(os.O_CREAT | os.O_EXCL))
            return real(path, flags, *others, **options)

        return guarded

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(file: Any, mode: str = "r", buffering: int = -1, *others: Any, **options: Any) -> Any:
            path = self.has(file)
            if path is None or not set(mode) & set("wxa+"):
                return real(file, mode, buffering, *others, **options)
            if not self.does("open", path):
                return real(os.devnull, mode.replace("x", "w"), buffering, *others, **options)
            self.made.add(path.name)
            raw = _File(self, path, mode.replace("b", "").replace("t", ""))
            if buffering == 0:
                return raw
            buffered = io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, *others, **options)

        return guarded


class _File(io.FileIO):
    """A file on the disk: of what is written when it goes wrong, a half is."""

    def __init__(self, disk: Disk, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self._disk, self._path = disk, path

    def write(self, content: Any) -> int:
        whole, middle = bytes(content), len(content) // 2
        if self._disk.is_frozen:
            return len(whole)
        try:
            self._disk.does("write", self._path)
        finally:
            super().write(whole[:middle])
            self._disk.keep()
        super().write(whole[middle:])
        return len(whole)

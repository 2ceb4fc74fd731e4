"""Where published files come from: mirrors on the web and folders that other packages install."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

# What is under way, bytes done, bytes in all (None while unknown). Called often, from the thread that fetches.
Progress = Callable[[str, int, int | None], None]

CONNECT_SECONDS = 3.0  # a machine that is there answers in well under one; two mirrors and npm must give up within 15
SILENCE_SECONDS = 10.0  # between two packets of a transfer that has begun; slow lines pause, dead ones stay silent
CHUNK = 1 << 16  # bytes between two calls of the progress
WRAPPER_BYTES = 1 << 16  # what a gzip wrapper may add to a file that does not shrink


class SourceError(Exception):
    """A source cannot be reached or does not have the file: give it up and go to the next one."""


class WrongFileError(Exception):
    """A source delivered a file that is not the one asked for: ask the next source for this file."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file, known by its content.

    name: its file name, unpacked.
    size: its length, unpacked, in bytes.
    checksum: of the unpacked file, such as "sha256:ba89..." or "md5:e26d...".
    """

    name: str
    size: int
    checksum: str


class Source(Protocol):
    """A place that files come from. str() of it names it in messages."""

    def deliver(self, file: RemoteFile, scratch: Path, progress: Progress) -> Path:
        """Bring the file, plain or gzipped, unchecked; `scratch` is an empty folder that lasts as long as the source.

        Raises SourceError if the source is to be given up, WrongFileError if only this file is bad.
        """


def silent(_what: str, _done: int, _total: int | None) -> None:
    """The progress of nobody who looks."""


@dataclass(frozen=True)
class Folder:
    """A folder on this machine, whose files may carry the ending `suffix`."""

    path: Path
    suffix: str = ""

    def __str__(self) -> str:
        return str(self.path)

    def deliver(self, file: RemoteFile, scratch: Path, progress: Progress) -> Path:
        """The file where it lies."""
        found = self.path / (file.name + self.suffix)
        if not found.is_file() or not os.access(found, os.R_OK):
            raise SourceError(f"no {found.name} to read there")
        return found


@dataclass(frozen=True)
class Mirror:
    """A web folder over HTTP or HTTPS, whose files carry the ending `suffix`."""

    url: str
    suffix: str = ".gz"
    connect_seconds: float = CONNECT_SECONDS
    silence_seconds: float = SILENCE_SECONDS

    def __str__(self) -> str:
        return self.url

    def deliver(self, file: RemoteFile, scratch: Path, progress: Progress) -> Path:
        """Download the file; the transfer is cut once it is longer than the file can be."""
        url = f"{self.url.rstrip('/')}/{file.name}{self.suffix}"
        if reason := why_unreachable(url, self.connect_seconds):
            raise SourceError(reason)
        target = scratch / (file.name + self.suffix)
        with target.open("wb") as stream:
            what = f"{file.name} from {urlsplit(url).hostname}"
            meter = _Meter(what, file.size + WRAPPER_BYTES, stream, progress)
            try:
                self._download(url, meter)
            finally:
                if meter.done:  # nothing more will come, however much was promised
                    progress(what, meter.done, meter.done)
        return target

    def _download(self, url: str, meter: _Meter) -> None:
        """Let pooch write the answer to the meter, and tell a bad transfer from a source that is not there."""
        from pooch import HTTPDownloader
        from requests import exceptions

        limits = (self.connect_seconds, self.silence_seconds)
        try:
            HTTPDownloader(progressbar=meter, chunk_size=CHUNK, timeout=limits)(url, meter, None)
        except (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError) as error:
            raise WrongFileError(f"the transfer broke off after {meter.done:,} bytes") from error
        except exceptions.HTTPError as error:
            raise SourceError(str(error)) from error
        except exceptions.Timeout as error:
            raise SourceError(f"no answer within {self.silence_seconds:g} s") from error
        except exceptions.RequestException as error:
            raise SourceError(f"the connection failed ({type(error).__name__})") from error


class _Meter:
    """The stream that a download writes to and the progress bar that it moves, in one: it counts what arrives."""

    def __init__(self, what: str, limit: int, stream: BinaryIO, progress: Progress) -> None:
        self.what, self.limit, self.stream, self.progress = what, limit, stream, progress
        self.total = 0  # set by pooch from the answer's length; stays 0 where the server does not say
        self.done = 0

    def write(self, chunk: bytes) -> None:
        self.done += len(chunk)
        if self.done > self.limit:
            raise WrongFileError(f"expected at most {self.limit:,} bytes, found more")
        self.stream.write(chunk)
        self.progress(self.what, self.done, self.total or None)

    def flush(self) -> None:
        """pooch flushes after each chunk; closing the file does that once."""

    def update(self, _count: int) -> None:
        """pooch counts whole chunks even where shorter ones arrive, so `write` counts instead."""

    def reset(self) -> None:
        """Part of pooch's progress bar; nothing to do."""

    def close(self) -> None:
        """Part of pooch's progress bar; nothing to do."""


def why_unreachable(url: str, seconds: float) -> str | None:
    """Why the server of `url`, or the proxy that is set for it, takes no connection within `seconds`; None if it does.

    requests' own limit holds for each of a name's addresses and not for looking up the name, which can hang for
    longer without a network; so this asks from a thread that is left behind when the time is up.
    """
    address = _first_hop(url)
    answers: SimpleQueue[str | None] = SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=seconds).close()
            answers.put(None)
        except (OSError, UnicodeError) as error:
            answers.put(f"no connection ({getattr(error, 'strerror', None) or error})")

    threading.Thread(target=connect, daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        return f"no connection within {seconds:g} s"


def _first_hop(url: str) -> tuple[str, int]:
    """Host and port that a request for `url` connects to first."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy: Any = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if proxy:
        url = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 1080)

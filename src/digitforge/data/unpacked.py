"""The content of a file that may be gzipped or plain, by its first bytes and not by its name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

GZIP_MAGIC = b"\x1f\x8b"
# DEFLATE cannot shrink further than this (zlib's technical notes: 1032 to 1), so a header that asks for more lies.
MAX_DEFLATE_RATIO = 1032
# What packs better than this and is large is no picture but a bomb: MNIST packs 5 to 1, blank paper more.
LIKELY_RATIO, SMALL = 100, 64 * 1024**2
# What reading a cut-off or garbled gzip file raises.
GZIP_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)


def most_unpacked(packed: int) -> int:
    """The most bytes that so many packed ones are let fill."""
    return min(packed * MAX_DEFLATE_RATIO, max(SMALL, packed * LIKELY_RATIO))


@contextmanager
def opened_unpacked(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The unpacked stream of a file, and the most bytes that it can hold."""
    with path.open("rb") as packed:
        length = path.stat().st_size
        is_gzip = packed.read(2) == GZIP_MAGIC
        packed.seek(0)
        if is_gzip:
            with gzip.open(packed, "rb") as stream:
                yield cast(BinaryIO, stream), most_unpacked(length)
        else:
            yield packed, length

"""MATLAB's own files, versions 5 to 7: which arrays are in one, and their numbers as a stream. No byte is trusted.

After "MAT-File Format" (The MathWorks). SciPy reads these files too, but takes what a header says for granted: some
files with a few wrong bytes end the whole process (1.17.1, segmentation fault).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from digitforge.data.raw import MAX_BYTES
from digitforge.data.unpacked import most_unpacked
from digitforge.errors import DataError

HEADER_BYTES = 128  # text, then two bytes of version and two that tell the order of bytes
ORDERS = {b"IM": "<", b"MI": ">"}
VERSION_5, VERSION_7_3 = 0x0100, 0x0200
CHUNK = 1 << 20  # bytes unpacked at once
MATRIX, COMPRESSED = 14, 15  # the types of element that a file is made of
# The types of element that numbers are stored in, which may be narrower than the array's kind.
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
KINDS = ("cell", "struct", "object", "char", "sparse", *NUMERIC, "function", "opaque")  # counted from 1
FILLED_TO = 8  # bytes, of which elements take whole multiples
COMPLEX = 0x08  # among an array's flags
MAX_AXES, MAX_NAME = 32, 63  # more than images have, and what MATLAB allows


@dataclass(frozen=True)
class Place:
    """Where in a file an element has its content: from which byte on, how many, and how they are to be read.

    order: of bytes, in `struct`'s letters.
    """

    path: Path
    start: int
    length: int
    is_compressed: bool
    order: str

    @property
    def most(self) -> int:
        """The most bytes that can come out of it."""
        return most_unpacked(self.length) if self.is_compressed else self.length


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, by its header.

    kind: its class in MATLAB's words, "complex" before it where its numbers are. shape: its sizes.
    dtype, byte_count: of the numbers as they are stored; an empty dtype where there are none to be read.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    byte_count: int
    place: Place

    def numbers(self, stream: BinaryIO, size: int) -> Iterator[bytes]:
        """Its numbers in column-major order, `size` bytes at a time. Raises DataError where they end elsewhere."""
        source = _Source(stream, self.place)
        left = _read_header(source).byte_count
        while left:
            part = source.take(min(size, left))
            left -= len(part)
            yield part
        source.check_end()


def find_arrays(stream: BinaryIO, path: Path) -> dict[str, StoredArray]:
    """The arrays of a file by name, of which only the headers are read.

    Raises DataError for what is no such file, is cut off, or has a header that cannot be true.
    """
    order, end = _read_order(stream, path), stream.seek(0, 2)
    found, start = {}, HEADER_BYTES
    while start < end:
        place = _find_content(stream, start, end, order, path)
        array = _read_header(_Source(stream, place))
        found[array.name] = array
        start = place.start + place.length
    return found


def damaged(path: Path, why: str) -> DataError:
    """The error for a file that can't be what it says."""
    return DataError(f"{path} is a cut-off or damaged .mat file ({why}); fetch or copy it again")


class _Source:
    """The content of one element, unpacked as it is taken."""

    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self.place = place
        self._stream, self._left = stream, place.length
        self._inflater = zlib.decompressobj() if place.is_compressed else None
        stream.seek(place.start)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        parts, missing = [], count
        while missing and (part := self._next(missing)):
            parts.append(part)
            missing -= len(part)
        if missing:
            raise self.damaged(f"{missing:,} bytes are missing in an array")
        return b"".join(parts)

    def unpack(self, letters: str) -> tuple[int, ...]:
        """The next whole numbers, by `struct`'s letters for them."""
        layout = self.place.order + letters
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def take_element(self, most: int) -> bytes:
        """The content of the next element within this one, at most so many bytes, and past what fills it up."""
        _, size, unit = self.tag()
        if size > most:
            raise self.damaged(f"{size:,} bytes in a header, where {most} is the most")
        content = self.take(size)
        self.take(-size % unit)
        return content

    def tag(self) -> tuple[int, int, int]:
        """Type and size in bytes of the next element within this one, and the unit that its bytes are filled up to.

        Up to four bytes are stored within the tag, which then has the size in the upper half of its first word.
        """
        (word,) = self.unpack("I")
        if word >> 16:
            return word & 0xFFFF, word >> 16, 4
        return word, self.unpack("I")[0], FILLED_TO

    def check_end(self) -> None:
        """Raise DataError if more follows than what fills it up, or, where it is compressed, its sum is wrong."""
        rest = 0
        while rest < FILLED_TO and (part := self._next(CHUNK)):
            rest += len(part)
        if rest >= FILLED_TO or (self._inflater is not None and not self._inflater.eof):
            raise self.damaged("an array does not end where its header says")

    def damaged(self, why: str) -> DataError:
        return damaged(self.place.path, why)

    def _next(self, most: int) -> bytes:
        """Some of the next bytes, at most so many; none at the end."""
        if self._inflater is None:
            return self._read(most)
        while not self._inflater.eof and (packed := self._inflater.unconsumed_tail or self._read(CHUNK)):
            try:
                if part := self._inflater.decompress(packed, min(most, CHUNK)):
                    return part
            except zlib.error as error:
                raise self.damaged(str(error)) from error
        return b""

    def _read(self, most: int) -> bytes:
        part = self._stream.read(min(most, self._left))
        self._left -= len(part)
        return part


def _read_order(stream: BinaryIO, path: Path) -> str:
    """The order of bytes that a file tells at its beginning."""
    stream.seek(0)
    header = stream.read(HEADER_BYTES)
    order = ORDERS.get(header[-2:], "<")
    version = struct.unpack(f"{order}H", header[-4:-2])[0] if len(header) == HEADER_BYTES else None
    if version == VERSION_7_3:
        raise DataError(f"{path} is a MATLAB 7.3 file (HDF5), which is not among what can be read; save it with '-v7'")
    if version != VERSION_5 or header[-2:] not in ORDERS:
        raise DataError(f"{path} is no .mat file of MATLAB 5 to 7; give the file as it was published")
    return order


def _find_content(stream: BinaryIO, start: int, end: int, order: str, path: Path) -> Place:
    """Where the element that begins at byte `start` has its content."""
    stream.seek(start)
    tag = stream.read(8)
    if len(tag) < 8:
        raise damaged(path, f"it ends at byte {end:,}, within an array's beginning")
    kind, length = struct.unpack(f"{order}II", tag)
    if kind not in (MATRIX, COMPRESSED):
        raise damaged(path, f"something else than an array at byte {start:,}")
    if start + 8 + length > end:
        raise damaged(path, f"expected {start + 8 + length:,} bytes, found {end:,}")
    return Place(path, start + 8, length, kind == COMPRESSED, order)


def _read_header(source: _Source) -> StoredArray:
    """What stands before an array's numbers; the source is left at the first of them."""
    if source.place.is_compressed and source.unpack("II")[0] != MATRIX:
        raise source.damaged("something else than an array is compressed")
    flags = source.take_element(most=8)
    number = int.from_bytes(flags[:4], "little" if source.place.order == "<" else "big")
    if len(flags) != 8 or not 1 <= number & 0xFF <= len(KINDS):
        raise source.damaged(f"an array of the unknown class {number & 0xFF}")
    kind = KINDS[(number & 0xFF) - 1]
    if kind == "opaque":  # an object of the user's own class, whose header goes on in another way
        return StoredArray("", kind, (), "", 0, source.place)
    sizes = source.take_element(most=4 * MAX_AXES)
    shape = tuple(int(size) for size in np.frombuffer(sizes[: len(sizes) // 4 * 4], f"{source.place.order}i4"))
    name = source.take_element(most=MAX_NAME).decode("ascii", "replace")
    if len(shape) < 2 or min(shape) < 0:
        raise source.damaged(f"the sizes {list(shape)} of {name}")
    if kind not in NUMERIC:
        return StoredArray(name, kind, shape, "", 0, source.place)
    if (number >> 8) & COMPLEX:
        kind = f"complex {kind}"
    return StoredArray(name, kind, shape, *_read_numbers_tag(source, name, shape), source.place)


def _read_numbers_tag(source: _Source, name: str, shape: tuple[int, ...]) -> tuple[str, int]:
    """The type that an array's numbers are stored in and their bytes, which its sizes and its place must bear out."""
    code, size, _ = source.tag()
    if code not in NUMBERS:
        raise source.damaged(f"the numbers of {name} have the unknown type {code}")
    dtype = np.dtype(source.place.order + NUMBERS[code])
    needed = math.prod(shape) * dtype.itemsize
    claim = f"the header of {name} names {' x '.join(f'{each:,}' for each in shape)} = {needed:,} bytes"
    if size != needed:
        raise source.damaged(f"{claim}, and {size:,} are stored")
    if needed > source.place.most:
        raise source.damaged(f"{claim}, and the file holds at most {source.place.most:,}")
    if needed > MAX_BYTES:
        raise DataError(f"{source.place.path}: {claim}, more than the {MAX_BYTES:,} that are read; give a smaller file")
    return dtype.str, needed

"""idx files: what is written is read again, and a lying, cut-off or garbled file is named."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitforge.data import read_idx, write_idx
from digitforge.errors import DataError, OutputError

from .conftest import idx_bytes

GREY = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
COLOUR = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)


@pytest.mark.parametrize("array", [GREY, COLOUR, np.array([7, 0, 9], np.uint8)], ids=["idx3", "idx4", "idx1"])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_what_is_written_is_read_again(tmp_path: Path, array: np.ndarray, end: str) -> None:
    write_idx(tmp_path / f"file{end}", array)
    assert np.array_equal(read_idx(tmp_path / f"file{end}"), array)
    assert [path.name for path in tmp_path.glob("*file*")] == [f"file{end}"]


def test_written_bytes_are_the_published_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "file", GREY)
    assert (tmp_path / "file").read_bytes() == idx_bytes(GREY)


def test_gzipped_writing_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, GREY)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_writing_where_nothing_can_be_written_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="absent/file cannot be written"):
        write_idx(tmp_path / "absent" / "file", GREY)


def test_gzip_is_known_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "plain-name").write_bytes(gzip.compress(idx_bytes(GREY)))
    assert np.array_equal(read_idx(tmp_path / "plain-name"), GREY)


HUGE = bytes([0, 0, 8, 3]) + b"\xff\xff\xff\xff" * 3
ZIPPED = gzip.compress(idx_bytes(GREY))
BAD = {
    "empty": (b"", "no idx file"),
    "text": (b"<html>not found</html>", "no idx file: expected it to begin with 00 00 08"),
    "floats": (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "idx type 0x0d; expected unsigned bytes"),
    "header cut off": (idx_bytes(GREY)[:9], "expected 16 bytes, found 9"),
    "one byte short": (idx_bytes(GREY)[:-1], "2 x 3 x 4 = 24 bytes, but"),
    "one byte long": (idx_bytes(GREY) + b"x", "24 bytes, but more follow"),
    "huge header": (HUGE, "the file holds at most 16"),
    "huge header, zipped": (gzip.compress(HUGE), "the file holds at most"),
    "zipped, one byte short": (gzip.compress(idx_bytes(GREY)[:-1]), "only 23 follow"),
    "zip cut off": (ZIPPED[:-12], "cut-off or garbled gzip"),
    "zip garbled": (ZIPPED[:-6] + b"\0\0\0\0\0\0", "cut-off or garbled gzip"),
    "zip header only": (ZIPPED[:4], "cut-off or garbled gzip"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_bad_file_is_named_with_what_was_expected(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad-file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent cannot be read"):
        read_idx(tmp_path / "absent")


def test_memory_is_not_taken_for_a_header_that_lies(tmp_path: Path) -> None:
    claim = bytes([0, 0, 8, 1]) + (50_000_000).to_bytes(4, "big")
    (tmp_path / "lie.gz").write_bytes(gzip.compress(claim + bytes(1000)) + bytes(60_000))
    tracemalloc.start()
    with pytest.raises(DataError):
        read_idx(tmp_path / "lie.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000


@given(data=st.data(), zipped=st.booleans())
def test_mutated_bytes_are_read_or_refused(tmp_path: Path, data: st.DataObject, zipped: bool) -> None:
    content = bytearray(ZIPPED if zipped else idx_bytes(GREY))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        array = read_idx(path)
    except DataError:
        return
    assert array.dtype == np.uint8

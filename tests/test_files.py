"""Files: whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from digitforge import files
from digitforge.errors import OutputError
from digitforge.files import at_home, keep, make_folder, read_table, sha256_of, write_whole, written_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_there_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert names(tmp_path) == ["a"]


def test_until_the_last_byte_is_there_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with written_whole(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_what_a_cache_cannot_take_is_done_without(tmp_path: Path) -> None:
    keep(tmp_path / "new" / "a", lambda stream: stream.write(b"one"))
    assert (tmp_path / "new" / "a").read_bytes() == b"one"
    keep(tmp_path / "new" / "a" / "b", lambda stream: stream.write(b"two"))
    assert (tmp_path / "new" / "a").read_bytes() == b"one"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'{"a": [1]}', {"a": [1]}),
        (b"[1]", None),
        (b'{"a": ', None),
        (b"\xff\x00", None),
        (b"[" * 100_000, None),
    ],
    ids=["a table", "a list", "cut off", "no text", "bottomless"],
)
def test_a_table_that_cannot_be_read_is_none(tmp_path: Path, content: bytes, found: object) -> None:
    assert read_table(tmp_path / "a") is None
    (tmp_path / "a").write_bytes(content)
    assert read_table(tmp_path / "a") == found


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(error), written_whole(tmp_path / "a") as stream:
        stream.write(b"half")
        raise error
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a") as first, written_whole(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")
    assert (tmp_path / "a").read_bytes() == b"first"  # the outer block ends last
    assert names(tmp_path) == ["a"]


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OutputError, match=r"cannot write .*/a: No space left on device"):
        write_whole(tmp_path / "a", b"content")
    assert names(tmp_path) == []


def test_a_place_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*nowhere/a: No such file"):
        write_whole(tmp_path / "nowhere" / "a", b"")
    with pytest.raises(OutputError, match=r"cannot make the folder .*file/folder: Not a directory"):
        make_folder(tmp_path / "file" / "folder")


def test_a_folder_is_made_with_those_above_it_and_may_be_there(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_files_hash_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_home_is_meant_where_a_shell_left_it_and_a_name_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert at_home("~/runs") == Path("/home/ada/runs")
    assert at_home("~no-such-user.onnx") == Path("~no-such-user.onnx")
    assert at_home("runs/~") == Path("runs/~")

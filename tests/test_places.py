"""Places that users name: numbered if taken, refused if they hold no file, and written to whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from digitforge.errors import OutputError
from digitforge.places import check_place, free_path, write_file


def test_a_free_path_is_numbered(tmp_path: Path) -> None:
    path = tmp_path / "digit-7.png"
    assert free_path(path) == path
    path.touch()
    (tmp_path / "digit-7-2.png").touch()
    assert free_path(path).name == "digit-7-3.png"


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    write_file(tmp_path / "a" / "b" / "x.gif", b"content")
    assert (tmp_path / "a" / "b" / "x.gif").read_bytes() == b"content"


def test_a_place_that_holds_no_file_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "text").touch()
    for place in (tmp_path / "folder.gif", tmp_path / "text" / "x.gif", Path("/proc/x.gif")):
        with pytest.raises(OutputError):
            check_place(place)
        with pytest.raises(OutputError):
            write_file(place, b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.gif", "text"]

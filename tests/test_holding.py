"""A held folder: one holder at a time, told by name, and none once its process is gone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from digitforge.errors import RunError, WriteError
from digitforge.holding import HOLDER, LOCK, held, is_held

HOLD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from digitforge.holding import held

with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    name = f"process {os.getpid()} on {platform.node()}"
    with (
        held(folder),
        pytest.raises(RunError, match=f"run is being worked on by {name}; wait for its end"),
        held(folder),
    ):
        pass


def test_a_folder_is_left_as_it_was_found(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), held(tmp_path):
            raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_is_killed_holds_no_longer(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_AND_DIE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"process {child.pid} on"), held(tmp_path):
            pass
        child.communicate(b"")
    assert (tmp_path / HOLDER).exists()
    with held(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [b"", b"[]", b"{}", b'{"process": "x", "machine": 1}', b"\xff"])
def test_a_holder_without_a_name_is_another_process(tmp_path: Path, left: bytes) -> None:
    with held(tmp_path):
        (tmp_path / HOLDER).write_bytes(left)
        with pytest.raises(RunError, match="is being worked on by another process"), held(tmp_path):
            pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"cannot make the folder .*file/run"), held(tmp_path / "file" / "run"):
        pass


def test_whoever_looks_on_is_told_whether_a_folder_is_held_and_holds_it_not(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with held(tmp_path):
        assert is_held(tmp_path)
    (tmp_path / LOCK).touch()  # as one that was killed leaves it
    assert not is_held(tmp_path)
    with held(tmp_path):
        pass

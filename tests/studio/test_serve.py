"""Serving: ports, addresses, and whether there is a browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from digitforge.errors import UserError
from digitforge.studio import serve as serve_module
from digitforge.studio.serve import address_of, has_browser, listen
from drawn_runs import write_run


def taken() -> socket.socket:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    return holder


def test_another_port_is_chosen_where_the_usual_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with taken() as holder:
        monkeypatch.setattr(serve_module, "FIRST_PORT", holder.getsockname()[1])
        with listen("127.0.0.1", None) as listening:
            assert listening.getsockname()[1] != holder.getsockname()[1]


def test_a_port_that_was_asked_for_is_not_exchanged() -> None:
    with taken() as holder, pytest.raises(UserError, match="choose another --port"):
        listen("127.0.0.1", holder.getsockname()[1])


def test_a_host_that_is_none_is_said() -> None:
    with pytest.raises(UserError, match="no host"):
        listen("no such host", None)


def test_an_address_can_be_typed_in() -> None:
    with listen("127.0.0.1", None) as listening:
        port = listening.getsockname()[1]
        assert address_of(listening, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert address_of(listening, "0.0.0.0") == f"http://127.0.0.1:{port}/"
        assert address_of(listening, "::1") == f"http://[::1]:{port}/"


def test_no_browser_is_opened_without_a_screen_or_from_afar() -> None:
    if sys.platform.startswith("linux"):
        assert not has_browser({})
    assert not has_browser({"DISPLAY": ":0", "SSH_CONNECTION": "192.0.2.7 1 192.0.2.8 22"})


def test_the_command_serves_until_ctrl_c_and_ends_well_though_a_page_listens(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "on-its-way", sheets={0: 10})
    child = subprocess.Popen(
        [sys.executable, "-m", "digitforge", "studio", "--no-browser", "--runs", str(tmp_path / "runs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert child.stdout is not None
        address = child.stdout.readline().removeprefix("digitforge studio: ").strip()
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert b"digitforge studio" in answer.read()
        with urllib.request.urlopen(f"{address}api/runs/on-its-way/events", timeout=60) as stream:
            assert b"elsewhere" in stream.readline()
            child.send_signal(signal.SIGINT)
            assert stream.read().strip() == b""  # the stream came to its end, and was not cut off
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, errors) == (0, "")


def test_the_server_needs_neither_torch_nor_matplotlib() -> None:
    code = "import sys, digitforge.studio.serve; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "matplotlib", "scipy", "onnx", "lightning_fabric"} & set(loaded)

"""`digitforge studio`: what it refuses before it serves."""

from __future__ import annotations

import importlib
import importlib.util
import socket
from pathlib import Path

import pytest

from digitforge.cli import main


def test_the_extra_is_asked_for_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert main(["studio"]) == 2
    assert "the studio needs uvicorn" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        assert main(["studio", "--port", port, "--no-browser", "--runs", str(tmp_path)]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_a_port_is_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studio", "--port", "70000"]) == 2
    assert "65535" in capsys.readouterr().err

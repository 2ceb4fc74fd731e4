"""Serving: a free port, its address on the terminal, a browser where there is one, and a clean end at Ctrl-C."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

import uvicorn

from digitforge.errors import UserError
from digitforge.studio.app import create_app
from digitforge.studio.guard import LOOPBACK, own_names

FIRST_PORT = 8028  # 28 as the sides of a digit; where it is taken, any that is free
_BACKLOG = 512  # connections that may wait: a flood of 200 is answered, not refused
_PATIENCE = 2  # seconds for open streams to end at Ctrl-C, which look up at least every second
_ONE_THREAD = "1"  # of ONNX Runtime in the studio itself, so that trainings keep the cores


class _Server(uvicorn.Server):
    """A server that tells its open streams to end when a signal ends it."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear a signal."""
        self._closing.set()
        super().handle_exit(sig, frame)


def serve(runs: Path, host: str, port: int | None, opens_browser: bool, say: Callable[[str], None]) -> None:
    """Serve the studio of a folder of runs until Ctrl-C, which leaves its trainings at work.

    port: None for any that is free. say: hears the address. Raises UserError for a host or port that can't be had.
    """
    environment = dict(os.environ)  # of the trainings, which may use every core
    listening = listen(host, port)
    os.environ["OMP_NUM_THREADS"] = _ONE_THREAD
    app = create_app(runs, environment, own_names(host), is_open=_is_everywhere(host))
    address = address_of(listening, host)
    say(address)
    if opens_browser and has_browser(environment):
        threading.Timer(0.5, webbrowser.open, [address]).start()  # by then it answers
    config = uvicorn.Config(
        app,
        log_level="critical",  # an error is shown on the page, where it was met
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_PATIENCE,
    )
    with suppress(KeyboardInterrupt):
        _Server(config, app.state.rooms.closing).run([listening])


def listen(host: str, port: int | None) -> socket.socket:
    """A socket on a host's port; None: on FIRST_PORT, or on any port where that is taken."""
    wanted = [FIRST_PORT, 0] if port is None else [port]
    problem: OSError | None = None
    for number in wanted:
        try:
            kind, _, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            listening = socket.socket(kind, socket.SOCK_STREAM)
        except OSError as error:
            raise UserError(f"there is no host {host!r} to listen on: {error.strerror or error}") from None
        try:
            if os.name == "posix":  # elsewhere it lets two programs share a port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            problem = error
            continue
        return listening
    assert problem is not None
    place = f"port {port} of {host}" if port is not None else host
    raise UserError(f"the studio can't listen on {place} ({problem.strerror or problem}); choose another --port")


def address_of(listening: socket.socket, host: str) -> str:
    """What to type into a browser."""
    name = "127.0.0.1" if _is_everywhere(host) else host
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}/"


def has_browser(environment: Mapping[str, str]) -> bool:
    """Whether a page can be opened in front of whoever sits here; a text browser would take over the terminal."""
    is_remote = bool(environment.get("SSH_CONNECTION"))
    has_screen = os.name == "nt" or _is_mac() or any(environment.get(key) for key in ("DISPLAY", "WAYLAND_DISPLAY"))
    if is_remote or not has_screen:
        return False
    with suppress(webbrowser.Error):
        return webbrowser.get() is not None
    return False


def _is_everywhere(host: str) -> bool:
    """Whether a host means every address of this machine."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_unspecified
    return False


def _is_mac() -> bool:
    return os.uname().sysname == "Darwin" if hasattr(os, "uname") else False


def is_local(host: str) -> bool:
    """Whether nobody but this machine can reach a host."""
    return host in LOOPBACK

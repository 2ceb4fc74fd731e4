"""What the data tests share: an own cache, a tiny published data set, and a mirror that they play themselves."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from digitforge.data.digits import DIGIT_NAMES
from digitforge.data.mnist import IdxSet
from digitforge.data.sources import RemoteFile

Reply = Callable[[BaseHTTPRequestHandler], None]


def idx_bytes(array: np.ndarray) -> bytes:
    """An idx file, made without the code under test."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own, and no proxy between it and its mirror."""
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setenv("DIGITFORGE_CACHE", str(folder))
    return folder


@dataclass(frozen=True)
class Published:
    """A tiny data set as a mirror has it: its description, and its unpacked files by name."""

    idx_set: IdxSet
    contents: dict[str, bytes]


@pytest.fixture
def published() -> Published:
    rng = np.random.default_rng(3)
    contents = {}
    for part, count in (("train", 40), ("t10k", 20)):
        contents[f"{part}-images-idx3-ubyte"] = idx_bytes(rng.integers(0, 256, (count, 28, 28)))
        contents[f"{part}-labels-idx1-ubyte"] = idx_bytes(np.arange(count) % 10)
    files = tuple(
        RemoteFile(name, len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
        for name, content in contents.items()
    )
    return Published(IdxSet("tiny", DIGIT_NAMES, files, (), "use --data mnist-5k"), contents)


@dataclass
class MirrorServer:
    """A web server on this machine that answers each file name as it was told to, and remembers what was asked."""

    url: str = ""
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def serve(self, name: str, body: bytes) -> None:
        self.replies[name] = lambda handler: send(handler, body)

    def serve_all(self, contents: dict[str, bytes]) -> None:
        for name, content in contents.items():
            self.serve(f"{name}.gz", gzip.compress(content))


class QuickServer(ThreadingHTTPServer):
    """Takes many connections at once, and does not wait for stalled ones when it stops."""

    request_queue_size = 64
    daemon_threads = True
    block_on_close = False


def send(handler: BaseHTTPRequestHandler, body: bytes, promised: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def new_mirror() -> Iterator[Callable[[], MirrorServer]]:
    """Starts mirrors; all stop at the end of the test."""
    servers: list[ThreadingHTTPServer] = []

    def start() -> MirrorServer:
        mirror = MirrorServer()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                mirror.asked.append(name)
                reply = mirror.replies.get(name)
                reply(self) if reply else self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = QuickServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        mirror.url = f"http://127.0.0.1:{server.server_port}/files/"
        return mirror

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def mirror(new_mirror: Callable[[], MirrorServer]) -> MirrorServer:
    return new_mirror()

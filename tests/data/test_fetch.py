"""Fetching: what decides is the content, one source takes over from another, and nothing half-done is left behind."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from digitforge.data.fetch import cache_folder, fetch_files
from digitforge.data.mnist import MNIST, load_idx_set
from digitforge.data.npm import NpmPackage
from digitforge.data.sources import Folder, Mirror, Progress, Source
from digitforge.errors import DataError

from .conftest import MirrorServer, Published, send

IMAGES = "train-images-idx3-ubyte"


def fetch(published: Published, *sources: Source, progress: Progress | None = None) -> Path:
    return fetch_files("tiny", published.idx_set.files, sources, "use --data mnist-5k", progress)


def files_in(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def assert_complete(cache: Path, published: Published) -> None:
    """Every file is there, right, and nothing else is."""
    assert files_in(cache) == sorted(f"tiny/{name}" for name in published.contents)
    for name, content in published.contents.items():
        assert (cache / "tiny" / name).read_bytes() == content


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_cache_is_where_the_variable_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv("DIGITFORGE_CACHE")
    assert "digitforge" in str(cache_folder())
    monkeypatch.setenv("DIGITFORGE_CACHE", "~nobody-of-this-name/cache")
    assert cache_folder() == Path("~nobody-of-this-name/cache")


def test_good_mirror_fills_the_cache(cache: Path, published: Published, mirror: MirrorServer) -> None:
    mirror.serve_all(published.contents)
    data = load_idx_set(replace(published.idx_set, sources=(Mirror(mirror.url),)))
    assert_complete(cache, published)
    assert data.test is not None
    assert (data.train.shape, len(data.train), len(data.test)) == ((1, 28, 28), 40, 20)


def test_cached_files_are_not_asked_for_again(published: Published, mirror: MirrorServer) -> None:
    mirror.serve_all(published.contents)
    fetch(published, Mirror(mirror.url))
    mirror.asked.clear()
    fetch(published, Mirror(mirror.url))
    assert mirror.asked == []


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:-1] + b"?", lambda _: b""])
def test_damaged_cached_file_is_fetched_again_alone(
    cache: Path, published: Published, mirror: MirrorServer, damage: Callable[[bytes], bytes]
) -> None:
    mirror.serve_all(published.contents)
    fetch(published, Mirror(mirror.url))
    mirror.asked.clear()
    (cache / "tiny" / IMAGES).write_bytes(damage(published.contents[IMAGES][:-1] + b"\x01"))
    fetch(published, Mirror(mirror.url))
    assert mirror.asked == [f"{IMAGES}.gz"]
    assert_complete(cache, published)


def test_damaged_cached_file_is_named_when_it_cannot_be_replaced(cache: Path, published: Published) -> None:
    (cache / "tiny").mkdir(parents=True)
    (cache / "tiny" / IMAGES).write_bytes(b"damaged")
    with pytest.raises(DataError, match=f"{IMAGES} is damaged"):
        fetch(published)


def test_wrappers_may_differ(cache: Path, published: Published, mirror: MirrorServer) -> None:
    mirror.serve_all(published.contents)
    mirror.serve(f"{IMAGES}.gz", gzip.compress(published.contents[IMAGES], 1, mtime=7))
    mirror.serve("t10k-images-idx3-ubyte.gz", published.contents["t10k-images-idx3-ubyte"])  # not wrapped at all
    fetch(published, Mirror(mirror.url))
    assert_complete(cache, published)


def promise_more(content: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: send(handler, gzip.compress(content)[:-20], promised=len(gzip.compress(content)))


BAD_BODIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another file": (lambda content: gzip.compress(content[:-1] + b"?"), "expected sha256:[0-9a-f]{64}, found sha256"),
    "one byte short": (lambda content: gzip.compress(content[:-1]), r"expected 31,376 bytes unpacked, found 31,375"),
    "one byte long": (lambda content: gzip.compress(content + b"?"), r"expected 31,376 bytes unpacked, found more"),
    "a bomb": (lambda _: gzip.compress(bytes(50_000_000)), "expected 31,376 bytes unpacked, found more"),
    "garbled": (lambda content: gzip.compress(content)[:-9] + bytes(9), "found a broken one"),
    "cut off": (lambda content: gzip.compress(content)[:-100], "found a broken one"),
    "a page": (lambda _: b"<html>please log in</html>", "expected 31,376 bytes unpacked, found 26"),
    "endless": (lambda _: bytes(1_000_000), "expected at most [0-9,]+ bytes, found more"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_wrong_file_is_named_and_never_used(
    cache: Path, published: Published, mirror: MirrorServer, spoil: Callable[[bytes], bytes], message: str
) -> None:
    mirror.serve_all(published.contents)
    mirror.serve(f"{IMAGES}.gz", spoil(published.contents[IMAGES]))
    with pytest.raises(DataError, match=message) as caught:
        fetch(published, Mirror(mirror.url))
    assert f"{mirror.url} sent a wrong {IMAGES}" in str(caught.value)
    assert str(caught.value).endswith("; use --data mnist-5k")
    assert "\n" not in str(caught.value)
    assert files_in(cache) == sorted(f"tiny/{name}" for name in published.contents if name != IMAGES)


def test_broken_transfer_is_a_wrong_file(cache: Path, published: Published, mirror: MirrorServer) -> None:
    mirror.serve_all(published.contents)
    mirror.replies[f"{IMAGES}.gz"] = promise_more(published.contents[IMAGES])
    with pytest.raises(DataError, match=rf"wrong {IMAGES}: the transfer broke off after [0-9,]+ bytes"):
        fetch(published, Mirror(mirror.url))
    assert f"tiny/{IMAGES}" not in files_in(cache)


def redirect(place: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", place)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return reply


def test_redirection_to_another_web_address_is_followed(
    cache: Path, published: Published, new_mirror: Callable[[], MirrorServer]
) -> None:
    first, second = new_mirror(), new_mirror()
    second.serve_all(published.contents)
    for name in published.contents:
        first.replies[f"{name}.gz"] = redirect(f"{second.url}{name}.gz")
    fetch(published, Mirror(first.url))
    assert_complete(cache, published)


@pytest.mark.parametrize(
    "place", ["file://{}", "ftp://127.0.0.1/file", "{url}train-images-idx3-ubyte.gz", "http://", "\\"]
)
def test_redirection_to_a_file_or_without_end_is_given_up(
    cache: Path, published: Published, mirror: MirrorServer, tmp_path: Path, place: str
) -> None:
    (tmp_path / "right.gz").write_bytes(gzip.compress(published.contents[IMAGES]))
    mirror.replies[f"{IMAGES}.gz"] = redirect(place.format(tmp_path / "right.gz", url=mirror.url))
    with pytest.raises(DataError, match=r"could not be fetched: .*(connection failed|404)"):
        fetch(published, Mirror(mirror.url))
    assert files_in(cache) == []


def send_for_ever(handler: BaseHTTPRequestHandler) -> None:
    """An answer that promises a little, or nothing, and does not end until nobody reads."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(bytes(1 << 16))


def send_a_packed_bomb(handler: BaseHTTPRequestHandler) -> None:
    """A short answer that the protocol itself unpacks to 100 MB."""
    body = gzip.compress(bytes(100_000_000), 1)
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body)


@pytest.mark.parametrize("reply", [send_for_ever, send_a_packed_bomb])
def test_more_than_the_file_can_be_is_cut_off_in_bounded_memory(
    cache: Path, published: Published, mirror: MirrorServer, reply: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    mirror.serve_all(published.contents)
    mirror.replies[f"{IMAGES}.gz"] = reply
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"sent a wrong {IMAGES}: expected at most [0-9,]+ bytes, found more"):
            fetch(published, Mirror(mirror.url))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 120_000_000  # of which the server, a thread of this process, has 100 to pack
    assert f"tiny/{IMAGES}" not in files_in(cache)


def test_more_than_was_promised_is_not_read(cache: Path, published: Published, mirror: MirrorServer) -> None:
    whole = gzip.compress(published.contents[IMAGES])
    mirror.serve_all(published.contents)
    mirror.replies[f"{IMAGES}.gz"] = lambda handler: send(handler, whole + b"more", promised=len(whole))
    fetch(published, Mirror(mirror.url))
    assert_complete(cache, published)


def test_next_source_brings_only_what_is_wrong(
    cache: Path, published: Published, new_mirror: Callable[[], MirrorServer]
) -> None:
    first, second = new_mirror(), new_mirror()
    first.serve_all(published.contents)
    first.serve(f"{IMAGES}.gz", b"garbage")
    second.serve_all(published.contents)
    fetch(published, Mirror(first.url), Mirror(second.url))
    assert_complete(cache, published)
    assert second.asked == [f"{IMAGES}.gz"]


def test_source_is_given_up_after_its_first_unreachable_file(
    cache: Path, published: Published, new_mirror: Callable[[], MirrorServer]
) -> None:
    first, second = new_mirror(), new_mirror()
    second.serve_all(published.contents)
    fetch(published, Mirror(first.url), Mirror(second.url))
    assert_complete(cache, published)
    assert first.asked == [f"{IMAGES}.gz"]


def test_missing_file_on_a_mirror_is_told(published: Published, mirror: MirrorServer) -> None:
    with pytest.raises(DataError, match=f"404.*{IMAGES}.gz"):
        fetch(published, Mirror(mirror.url))


@pytest.mark.parametrize("sent_first", [0, 100])
def test_stalled_connection_is_given_up(published: Published, mirror: MirrorServer, sent_first: int) -> None:
    def stall(handler: BaseHTTPRequestHandler) -> None:
        if sent_first:
            send(handler, bytes(sent_first), promised=5000)
            handler.wfile.flush()
        time.sleep(4)

    mirror.replies[f"{IMAGES}.gz"] = stall
    started = time.monotonic()
    with pytest.raises(DataError, match=r"no answer within|connection failed"):
        fetch(published, Mirror(mirror.url, silence_seconds=0.2))
    assert time.monotonic() - started < 3


def test_refused_connection_is_told_at_once(published: Published) -> None:
    started = time.monotonic()
    with pytest.raises(DataError, match="no connection"):
        fetch(published, Mirror(f"http://127.0.0.1:{closed_port()}/"))
    assert time.monotonic() - started < 2


def test_name_look_up_that_hangs_is_given_up(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_args: object, **_options: object) -> None:
        time.sleep(4)
        raise socket.gaierror("the name server did not answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with pytest.raises(DataError, match=r"no connection within 0\.2 s"):
        fetch(published, Mirror("http://mirror.invalid/", connect_seconds=0.2))
    assert time.monotonic() - started < 3


def test_proxy_is_what_must_answer(
    cache: Path, published: Published, mirror: MirrorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.serve_all(published.contents)
    monkeypatch.setenv("http_proxy", mirror.url)
    fetch(published, Mirror("http://mirror.invalid/mnist/"))
    assert_complete(cache, published)


def test_limits_without_a_network_stay_below_15_seconds() -> None:
    mirrors = [source.connect_seconds for source in MNIST.sources if isinstance(source, Mirror)]
    npm = [source.answer_seconds for source in MNIST.sources if isinstance(source, NpmPackage)]
    assert max(mirrors) == 3
    assert sum(mirrors) + sum(npm) <= 14


def test_progress_hears_bytes_done_and_in_all(published: Published, mirror: MirrorServer) -> None:
    mirror.serve_all(published.contents)
    heard: list[tuple[str, int, int | None]] = []
    fetch(published, Mirror(mirror.url), progress=lambda what, done, total: heard.append((what, done, total)))
    what, done, total = heard[0]
    assert what == f"{IMAGES} from 127.0.0.1"
    assert 0 < done <= (total or 0)
    last = [(done, total) for what, done, total in heard if what.startswith(IMAGES)][-1]
    assert last[0] == last[1]


def test_interrupted_fetch_leaves_nothing_and_starts_cleanly(
    cache: Path, published: Published, mirror: MirrorServer
) -> None:
    def interrupt(*_heard: object) -> None:
        raise KeyboardInterrupt

    mirror.serve_all(published.contents)
    with pytest.raises(KeyboardInterrupt):
        fetch(published, Mirror(mirror.url), progress=interrupt)
    assert files_in(cache) == []
    fetch(published, Mirror(mirror.url))
    assert_complete(cache, published)


def test_what_a_killed_process_left_is_swept_after_a_day(
    cache: Path, published: Published, mirror: MirrorServer
) -> None:
    old, new = cache / "tiny" / ".fetch-old", cache / "tiny" / ".fetch-new"
    for left in (old, new):
        left.mkdir(parents=True)
    os.utime(old, (0, 0))
    mirror.serve_all(published.contents)
    fetch(published, Mirror(mirror.url))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_scratch_folder_that_vanishes_meanwhile_harms_nobody(
    cache: Path, published: Published, mirror: MirrorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = cache / "tiny" / ".fetch-of-another"
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter([gone]))
    mirror.serve_all(published.contents)
    fetch(published, Mirror(mirror.url))
    assert_complete(cache, published)


def test_cache_that_cannot_be_written_is_named(cache: Path, published: Published, mirror: MirrorServer) -> None:
    mirror.serve_all(published.contents)
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written .*DIGITFORGE_CACHE"):
        fetch(published, Mirror(mirror.url))


def test_threads_may_fetch_at_once(cache: Path, published: Published, mirror: MirrorServer) -> None:
    mirror.serve_all(published.contents)
    together = threading.Barrier(4)

    def run(_number: int) -> Path:
        together.wait(5)
        return fetch(published, Mirror(mirror.url))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(run, range(4))) == {cache / "tiny"}
    assert_complete(cache, published)


FETCH_ONE = """
import sys
from digitforge.data.fetch import fetch_files
from digitforge.data.sources import Mirror, RemoteFile
url, name, size, checksum = sys.argv[1:]
fetch_files("tiny", [RemoteFile(name, int(size), checksum)], [Mirror(url)], "")
"""


def test_processes_may_fetch_at_once(cache: Path, published: Published, mirror: MirrorServer) -> None:
    both_there = threading.Barrier(2)

    def reply(handler: BaseHTTPRequestHandler) -> None:
        both_there.wait(10)  # each process is in the middle of its transfer while the other one is
        send(handler, gzip.compress(published.contents[IMAGES]))

    mirror.replies[f"{IMAGES}.gz"] = reply
    file = published.idx_set.files[0]
    command = [sys.executable, "-c", FETCH_ONE, mirror.url, file.name, str(file.size), file.checksum]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [process.wait(20) for process in processes] == [0, 0]
    assert files_in(cache) == [f"tiny/{IMAGES}"]
    assert (cache / "tiny" / IMAGES).read_bytes() == published.contents[IMAGES]


def test_folder_of_another_package_serves(cache: Path, published: Published, tmp_path: Path) -> None:
    for name, content in published.contents.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    fetch(published, Folder(tmp_path, ".gz"))
    assert_complete(cache, published)


def test_folder_that_is_not_there_is_told(published: Published, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"absent: no {IMAGES} to read there"):
        fetch(published, Folder(tmp_path / "absent"))

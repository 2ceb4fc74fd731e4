"""What the tests of several commands share: a working folder, and a cache."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of these tests' own, so that mnist-5k is parsed once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, with that cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITFORGE_CACHE", str(cache))
    return tmp_path

"""What the tests of the studio share: a folder of runs, one of them trained, and the server in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from digitforge.studio.app import create_app
from digitforge.training.train import train
from drawn_runs import write_shelf
from tiny_runs import tiny_data, tiny_recipe

ADDRESS = "http://127.0.0.1:8028"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished tiny run on digits of 28x28 pixels."""
    path = tmp_path_factory.mktemp("trained") / "tiny-5"
    train(tiny_recipe(), tiny_data(side=28), out=path)
    return path


@pytest.fixture
def runs(tmp_path: Path, trained: Path) -> Path:
    """A folder with a finished run and one on its way."""
    return write_shelf(tmp_path / "runs", trained)


@pytest.fixture
def client(runs: Path) -> Iterator[TestClient]:
    """The studio of that folder, asked as its own page asks it."""
    with TestClient(create_app(runs), base_url=ADDRESS) as client:
        yield client

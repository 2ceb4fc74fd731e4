"""Trainings on a Ray cluster of two machines, one of which is lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digitforge.data import DataSet, Digits
from digitforge.errors import UserError
from digitforge.recipe import Recipe
from digitforge.runs import RunFolder
from digitforge.studies.cluster import train_on_cluster, unpack
from digitforge.studies.worker import Done, Message, Task
from digitforge.training.interruption import Interruption
from tiny_runs import tiny_digits, tiny_recipe, what_must_repeat

MEMORY = 80 * 2**20  # of each machine's store: the least that Ray takes
NAMES = ("cat", "dog", "owl")  # no digits, so that nobody draws 10,000 of them for figures


def recipe(seed: int, images: int) -> Recipe:
    often = {"record.tick": "1/4 run", "record.accuracy": "1/1 run", "record.sheet": "1/1 run"}
    return tiny_recipe({**often, "record.snapshot": "1/1 run", "training.seed": seed, "training.images": images})


def data() -> DataSet:
    digits = tiny_digits(200)
    return DataSet("tiny", Digits(digits.images, digits.labels % 3, NAMES), None)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head that computes nothing and two machines of one core, all on this one."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False},
    )
    yield made
    made.shutdown()


def test_a_machine_that_is_lost_takes_no_training_with_it(cluster: Any, tmp_path: Path) -> None:
    machines = [cluster.add_node(num_cpus=1, object_store_memory=MEMORY) for _ in range(2)]
    cluster.wait_for_nodes()
    # Long enough that the machine goes while its training is under way.
    tasks = [Task(f"seed-{seed}", RunFolder(tmp_path / str(seed)), recipe(seed, 16 * 600)) for seed in (0, 1)]
    killer = threading.Timer(4, lambda: cluster.remove_node(machines[0], allow_graceful=False))
    heard: list[Message] = []
    killer.start()
    with Interruption() as interruption:
        train_on_cluster(cluster.address, tasks, data(), heard.append, interruption)
    killer.join()
    assert {message.name for message in heard if isinstance(message, Done)} == {"seed-0", "seed-1"}
    for seed, task in enumerate(tasks):
        assert task.folder.is_finished
        assert task.folder.read_recipe().training.seed == seed
        assert task.folder.read_stats()[-1]["images"] == 16 * 600
    assert not list(tmp_path.glob(".*.part"))


def test_a_run_that_is_sent_back_is_the_one_that_was_trained(tmp_path: Path) -> None:
    from digitforge.studies.cluster import train_away
    from digitforge.training.train import train

    asked = recipe(0, 16 * 20)
    folder = RunFolder(tmp_path / "back")
    (folder.path / "left-over").mkdir(parents=True)
    unpack(train_away(asked, data()), folder)
    here = train(asked, data(), out=tmp_path / "here")
    assert what_must_repeat(folder) == what_must_repeat(here)
    assert not (folder.path / "left-over").exists()


def test_without_a_cluster_the_way_on_is_told(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with Interruption() as interruption, pytest.raises(UserError, match="ray start --head"):
        train_on_cluster("127.0.0.1:1", [], data(), lambda message: None, interruption)

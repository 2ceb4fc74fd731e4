"""What the tests of several rooms share: the same computation in two processes, and one thread a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Tiny tensors gain nothing from threads, and two processes at once would fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# So that tests in every folder can import what stands beside this file, such as tiny_models.
sys.path.insert(0, str(Path(__file__).parent))

# How often tests try what they make up; `pytest --hypothesis-profile nightly` takes hours instead of seconds. No
# limit on the time of a single try, as busy machines are slow.
_MADE_UP = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=100, **_MADE_UP)
settings.register_profile("nightly", max_examples=10_000, **_MADE_UP)
settings.load_profile("quick")

Results = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def in_two_processes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Results, Results]]:
    """Calls `global_batch_results()` of a test file in two processes; returns what each found."""

    def run(test_file: str) -> tuple[Results, Results]:
        folder = tmp_path_factory.mktemp("two_processes")
        child = str(Path(__file__).with_name("in_two_processes.py"))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        children = [
            subprocess.Popen(
                [sys.executable, child, test_file, str(folder / "meeting"), str(rank), str(folder / f"{rank}.npz")],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        for process in children:
            try:
                _, errors = process.communicate(timeout=120)
            finally:
                if process.poll() is None:
                    for each in children:
                        each.kill()
            assert process.returncode == 0, errors
        first, second = (dict(np.load(folder / f"{rank}.npz")) for rank in range(2))
        return first, second

    return run

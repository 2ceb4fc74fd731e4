"""An ONNX file computes with the threads that it is meant to have, and takes neither memory nor time without end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from digitforge import onnx_file
from hostile_models import HOSTILE, write_hostile


@pytest.mark.parametrize(
    ("asked", "threads"),
    [(None, 4), ("", 4), ("1", 1), ("3", 3), ("2,1", 2), ("8", 4), ("0", 4), ("-1", 4), ("many", 4)],
)
def test_threads_fill_the_cores_unless_the_environment_asks_for_fewer(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, threads: int
) -> None:
    monkeypatch.setattr(onnx_file, "available_cores", lambda: 4)
    if asked is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert onnx_file.threads() == threads


REFUSE_ALL = """
import re, sys, time
from pathlib import Path
from digitforge import onnx_file
from digitforge.errors import ModelError
from digitforge.forge import Forge
onnx_file.MAX_MEMORY, onnx_file.MAX_SECONDS = 512 * 1024**2, 2.0
for path in sys.argv[1:]:
    start = time.monotonic()
    try:
        Forge.load(path)
        said = "loaded"
    except ModelError as error:
        said = f"refused\\t{error}"
    # Not getrusage(), which begins with what the process that started this one had held.
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
    print(f"{path}\\t{time.monotonic() - start:.1f}\\t{peak}\\t{said}", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no peak of memory")
def test_files_that_mean_harm_are_refused_in_one_line_within_bounded_memory_and_time(tmp_path: Path) -> None:
    paths = write_hostile(tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", REFUSE_ALL, *map(str, paths.values())]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
    answers = {line.split("\t")[0]: line.split("\t")[1:] for line in told.splitlines()}
    assert len(answers) == len(HOSTILE)
    for name, path in paths.items():
        seconds, megabytes, verdict, *reason = answers[str(path)]
        assert verdict == "refused", name
        assert path.name in reason[0], name
        assert float(seconds) < 10, name
        assert int(megabytes) < 1200, name  # of which 512 are the limit set there, and Python and NumPy take 100


def test_a_network_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MAX_SECONDS", 0.2)
    path = tmp_path / "endless.onnx"
    path.write_bytes(HOSTILE["loops for ever"]())
    start = time.monotonic()
    with pytest.raises(onnx_file.ModelError, match=r"endless\.onnx fails when it is run \(took longer than 0\.2 s\)"):
        onnx_file.open_onnx(path).run({"latent": [[0.0] * 4]})
    assert time.monotonic() - start < 5

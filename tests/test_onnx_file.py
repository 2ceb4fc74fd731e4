"""An ONNX file computes with the threads that it is meant to have."""

from __future__ import annotations

import pytest

from digitforge import onnx_file


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

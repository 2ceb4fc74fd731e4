"""What the tests of training share."""

from __future__ import annotations

import pytest


@pytest.fixture
def light_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs end with their hashes and no ONNX files, which take seconds to make."""
    monkeypatch.setattr("digitforge.training.train.finish", lambda *given: given[-1].write_hashes())

"""`digitforge evaluate`: a table for people, JSON for programs, one and the same figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from digitforge import classifier as classifier_module
from digitforge.cli import main
from digitforge.metrics import reference as reference_module
from tiny_models import LEVEL, card_table, write_classifier, write_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models, and the digits that they were trained on in a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(classifier_module, "PINNED", write_classifier(tmp_path / "classifier.onnx"))
    monkeypatch.setattr(reference_module, "SHIPPED", tmp_path / "shipped.npz")
    labels = np.arange(200) % 10
    noise = np.random.default_rng(0).integers(0, 5, (200, 28, 28))
    np.savez(tmp_path / "own.npz", images=(labels[:, None, None] * LEVEL + noise).astype(np.uint8), labels=labels)
    data = {"name": "own.npz", "sha256": "ab" * 32, "count": 180}
    write_model(tmp_path / "told.onnx", card=card_table(data=data))
    write_model(tmp_path / "free.onnx", card=card_table(data=data, conditional=False), conditional=False)
    return tmp_path


def test_the_table_shows_each_model_with_its_numbers_of_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "told.onnx", "free.onnx", "--count", "300"]) == 0
    out = capsys.readouterr().out
    assert "told.onnx" in out
    assert "free.onnx" in out
    assert "100.00% (n=300)" in out
    assert "other images" in out


def test_json_is_one_entry_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "told.onnx", "free.onnx", "--count", "300", "--seed", "2", "--json"]) == 0
    told, free = json.loads(capsys.readouterr().out)
    assert told["accuracy"] == {"value": 1.0, "n": 300}
    assert free["accuracy"] is None
    assert told["seed"] == free["seed"] == 2
    assert told["frechet"]["n"] == 300
    assert told["floor"]["n"] > 0


def test_other_data_can_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "copy.npz").write_bytes((folder / "own.npz").read_bytes())
    assert main(["evaluate", "told.onnx", "--data", "copy.npz", "--count", "50", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert "copy" in found["data"]

"""Kept evaluations: one that lacks a figure which is measured today is made anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitforge import classifier as classifier_module
from digitforge.data import DataSet, Digits
from digitforge.forge import Forge
from digitforge.metrics import evaluate as evaluate_module
from digitforge.metrics import kept as kept_module
from digitforge.metrics.kept import kept_evaluation
from tiny_models import LEVEL, card_table, write_classifier, write_model

COUNT = 40  # images to measure


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    labels = np.arange(60) % 10
    images = np.broadcast_to((labels * LEVEL).astype(np.uint8)[:, None, None, None], (60, 1, 28, 28)).copy()
    digits = Digits(images, labels)
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier_module, "PINNED", write_classifier(tmp_path / "classifier.onnx"))
    monkeypatch.setattr(evaluate_module, "load_data", lambda name, progress: DataSet(name, digits, digits))
    monkeypatch.setattr(kept_module, "load_data", lambda name: DataSet(name, digits, digits))
    monkeypatch.setattr(kept_module, "COUNT", COUNT)
    plain = kept_module.evaluate
    monkeypatch.setattr(kept_module, "evaluate", lambda *given, **named: plain(*given, **named, count=COUNT))
    data = {"name": "tiny-data", "sha256": digits.sha256, "count": 60}
    return Forge.load(write_model(tmp_path / "model.onnx", card=card_table(data=data)))


@pytest.mark.parametrize(
    ("change", "is_measured_again"),
    [
        (lambda table: table, False),
        (lambda table: {**table, "details": {key: table["details"][key] for key in ("kernel", "copies")}}, True),
        (lambda table: {**table, "details": None}, True),
        (lambda table: {**table, "count": COUNT + 1}, True),
        (lambda table: {**table, "data_sha256": "ef" * 32}, True),
    ],
    ids=["whole", "of an older release", "key figures alone", "of other images", "of other data under the name"],
)
def test_only_a_whole_evaluation_is_used_again(
    forge: Forge, tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], is_measured_again: bool
) -> None:
    told: list[str] = []
    first = kept_evaluation(forge, told.append)
    (file,) = (tmp_path / "cache" / "evaluations").iterdir()
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    told.clear()
    assert kept_evaluation(forge, told.append) == first
    assert bool(told) == is_measured_again

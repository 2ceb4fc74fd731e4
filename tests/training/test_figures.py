"""What a run on its way is measured with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from digitforge import classifier as classifier_module
from digitforge.classifier import Classifier
from digitforge.metrics import reference as reference_module
from digitforge.training.figures import ruler_for
from digitforge.training.plan import make_plan
from tiny_models import write_classifier
from tiny_runs import tiny_data, tiny_recipe


def test_what_real_images_are_read_as_is_what_drawings_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_classifier(tmp_path / "classifier.onnx")
    monkeypatch.setattr(classifier_module, "PINNED", path)
    monkeypatch.setattr(reference_module, "SHIPPED", tmp_path / "none.npz")
    data = tiny_data(side=28)
    dark = replace(data, train=replace(data.train, images=255 - data.train.images))
    ruler = ruler_for(make_plan(tiny_recipe(), dark))
    assert ruler is not None
    read = Classifier.load(path).read(dark.train.images).labels
    assert ruler.read == {str(label): int((read == label).sum()) for label in sorted(set(read.tolist()))}
    assert ruler.read != dict(zip(dark.train.names, dark.train.counts.tolist(), strict=True))

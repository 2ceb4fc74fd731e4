"""Train on synthetic, test on real: it rewards right and varied images, and is fair to both kinds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from patterns import NAMES, patterned, patterned_set

from digitforge.data import DataSet, Digits
from digitforge.errors import DataError, ModelError, UserError
from digitforge.forge import Forge
from digitforge.judges import synthetic as module
from digitforge.judges.synthetic import train_on_synthetic
from tiny_models import card_table, write_model

SHAPE = (1, 12, 12)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 40)


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """A model that draws ten grey levels."""
    return Forge.load(write_model(tmp_path / "levels.onnx", shape=SHAPE))


def levels(count: int, seed: int) -> Digits:
    """Real images such as that model's: 25 times the digit, and noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 10
    images = labels[:, None, None, None] * 25 + rng.integers(0, 4, (count, *SHAPE))
    return Digits(images.astype(np.uint8), labels)


class Drawing(Forge):
    """A model that draws what it is given to draw."""

    def __init__(self, forge: Forge, digits: Digits) -> None:
        self._file, self._digits = forge._file, digits
        frequencies = tuple(digits.counts.tolist())
        self.card = replace(forge.card, names=digits.names, frequencies=frequencies, shape=digits.shape)

    def generate(self, digit: object = None, count: int = 64, seed: int = 0, variety: float = 1.0) -> Digits:
        return self._digits.take(np.arange(count) % len(self._digits))


def test_images_as_good_as_real_ones_teach_as_much(forge: Forge) -> None:
    found = train_on_synthetic(Drawing(forge, patterned(200, seed=9)), patterned_set(200), count=200)
    assert found.synthetic.value > 0.9
    assert found.real.value > 0.9
    assert (found.synthetic.n, found.real.n, found.count) == (80, 80, 200)
    assert found.as_dict()["real"] == {"value": found.real.value, "n": 80}


def test_images_are_drawn_with_the_variety_that_is_asked_for(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    draw = Forge.generate

    def generate(self: Forge, digit: object, count: int, seed: int, variety: float) -> Digits:
        asked.append(variety)
        return draw(self, None, count, seed, variety)

    monkeypatch.setattr(Forge, "generate", generate)
    data = DataSet("levels", levels(200, 0), levels(80, 1))
    assert train_on_synthetic(forge, data, count=200, variety=1.4).variety == 1.4
    assert asked == [1.4]


def test_images_with_wrong_labels_teach_nothing_right(forge: Forge) -> None:
    images = patterned(200, seed=9)
    turned = replace(images, labels=(images.labels + 1) % 4)
    assert train_on_synthetic(Drawing(forge, turned), patterned_set(200), count=200).synthetic.value < 0.1


def test_labels_are_matched_by_name(forge: Forge) -> None:
    images = patterned(200, seed=9)
    order = [2, 0, 3, 1]
    renamed = Digits(images.images, np.argsort(order)[images.labels], tuple(NAMES[label] for label in order))
    assert train_on_synthetic(Drawing(forge, renamed), patterned_set(200), count=200).synthetic.value > 0.9


def test_a_model_of_some_labels_is_held_against_these_alone(forge: Forge) -> None:
    some = patterned(400, seed=9).only([1, 3])
    found = train_on_synthetic(Drawing(forge, some), patterned_set(300), count=200)
    assert found.synthetic.n == 40
    assert found.count == 150  # of 300 real ones


def test_a_model_file_is_drawn_from(forge: Forge) -> None:
    data = DataSet("levels", levels(200, 0), levels(50, 1))
    found = train_on_synthetic(forge, data, count=200)
    assert found.synthetic.value > 0.3  # of ten levels, after few steps


def test_the_figure_of_real_images_is_taken_once_a_count_and_seed(
    forge: Forge, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEPS", 5)
    trained: list[tuple[int, int]] = []
    learn = module._learnt

    def counted(train: Digits, test: Digits, seed: int) -> float:
        trained.append((len(train), seed))
        return learn(train, test, seed)

    monkeypatch.setattr(module, "_learnt", counted)
    model, data = Drawing(forge, patterned(200, seed=9)), patterned_set(200)
    lines: list[str] = []
    found = [train_on_synthetic(model, data, 120, notify=lines.append) for _ in range(2)]
    assert trained == [(120, 0)] * 3
    assert found[0] == found[1]
    assert [line.partition(" of ")[0] for line in lines] == [
        "training a classifier",
        "training the same classifier",
        "training a classifier",
    ]
    train_on_synthetic(model, data, 121)
    train_on_synthetic(model, data, 120, seed=1)
    assert trained[3:] == [(121, 0), (121, 0), (120, 1), (120, 1)]
    for path in (cache / "tstr").iterdir():
        path.write_text(json.dumps({**json.loads(path.read_text()), "procedure": 0}))
    train_on_synthetic(model, data, 120)
    assert trained[7:] == [(120, 0), (120, 0)]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"accuracy": 0.5}'])
def test_a_damaged_figure_is_taken_anew(forge: Forge, cache: Path, content: str) -> None:
    train, test = patterned(100), patterned(20, seed=1)
    path = cache / "tstr" / f"{train.sha256[:16]}-{test.sha256[:16]}-0.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert module._read(path, {"seed": 0}) is None


def test_images_are_not_distorted(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitforge.training.classifier.distorted", None)
    train_on_synthetic(Drawing(forge, patterned(100, seed=9)), patterned_set(100), count=100)


def test_what_cannot_be_measured_is_refused_with_the_reason(forge: Forge, tmp_path: Path) -> None:
    data = DataSet("levels", levels(100, 0), levels(20, 1))
    untold = Forge.load(write_model(tmp_path / "untold.onnx", conditional=False, shape=SHAPE))
    one = card_table(shape=list(SHAPE), frequencies=[0, 9] + [0] * 8)
    with pytest.raises(ModelError, match="not told which digit to draw"):
        train_on_synthetic(untold, data)
    with pytest.raises(ModelError, match="draws '1' alone"):
        train_on_synthetic(Forge.load(write_model(tmp_path / "one.onnx", card=one, shape=SHAPE)), data)
    with pytest.raises(ModelError, match=r"images of 1x12x12, and those of bars are of 3x8x8"):
        train_on_synthetic(forge, patterned_set(100, shape=(3, 8, 8)))
    with pytest.raises(DataError, match="levels has no test part"):
        train_on_synthetic(forge, replace(data, test=None))
    with pytest.raises(DataError, match="no label"):
        train_on_synthetic(forge, patterned_set(100))
    with pytest.raises(UserError, match="at least 100 images, not 99"):
        train_on_synthetic(forge, data, 99)

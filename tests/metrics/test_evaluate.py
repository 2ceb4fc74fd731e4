"""Evaluating: figures that can be told beforehand, references that fit the classifier, and what can't be measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from digitforge.classifier import Classifier
from digitforge.data import DIGIT_NAMES, DataSet, Digits
from digitforge.errors import DataError, ModelError, UserError
from digitforge.forge import Forge
from digitforge.metrics import evaluate as evaluate_module
from digitforge.metrics import reference as reference_module
from digitforge.metrics.evaluate import Evaluation, evaluate
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.metrics.reference import find_reference, measure_reference, read_reference, write_reference
from tiny_models import LEVEL, card_table, write_classifier, write_model


def real_digits(count: int, seed: int, only: tuple[int, ...] = tuple(range(10))) -> Digits:
    """Pictures whose grey level is their digit, with noise: what the tiny classifier takes for real."""
    rng = np.random.default_rng(seed)
    labels = np.asarray(only)[np.arange(count) % len(only)].astype(np.int64)
    noise = rng.integers(-4, 5, (count, 1, 28, 28))
    return Digits(np.clip(labels[:, None, None, None] * LEVEL + noise, 0, 255).astype(np.uint8), labels)


TRAIN, TEST = real_digits(600, 0), real_digits(200, 1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache, and nothing shipped."""
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(reference_module, "SHIPPED", tmp_path / "shipped.npz")
    return tmp_path / "cache"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the data sets that were loaded; "tiny-data" has a test part, "tiny-5k" has none."""
    loaded: list[str] = []

    def load(name: str, progress: object = None) -> DataSet:
        loaded.append(name)
        if name not in ("tiny-data", "tiny-5k", "threes"):
            raise DataError(f"there is no data set {name!r}")
        train = TRAIN.only([3]) if name == "threes" else TRAIN
        return DataSet(name, train, TEST if name == "tiny-data" else None)

    monkeypatch.setattr(reference_module, "load_data", load)
    return loaded


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return Classifier.load(write_classifier(tmp_path / "classifier.onnx"))


def forge(tmp_path: Path, classifier: Classifier, *, conditional: bool = True, **changes: object) -> Forge:
    data = {"name": "tiny-data", "sha256": TRAIN.sha256, "count": 600}
    card = card_table(**{"data": data, "conditional": conditional, **changes})
    return Forge.load(write_model(tmp_path / "model.onnx", card=card, conditional=conditional), classifier=classifier)


def test_a_conditional_model_is_measured_whole(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    model = forge(tmp_path, classifier)
    found = evaluate(model, count=500, seed=4, classifier=classifier)
    images = model.generate(count=500, seed=4).images
    drawn, train, test = (moments(classifier.read(each).features) for each in (images, TRAIN.images, TEST.images))
    assert found.frechet.value == pytest.approx(frechet_distance(drawn, train), rel=1e-6)
    assert (found.frechet.n, found.frechet.reference_n) == (500, 600)
    assert found.floor is not None
    assert found.floor.value == pytest.approx(frechet_distance(test, train), rel=1e-6)
    assert (found.floor.n, found.floor.reference_n) == (200, 600)
    assert found.ratio == pytest.approx(found.frechet.value / found.floor.value)
    assert found.accuracy is not None
    assert (found.accuracy.value, found.accuracy.n) == (1.0, 500)
    assert {figure.n for figure in found.accuracy_by_label.values()} == {50}
    assert found.histogram.drawn == dict.fromkeys(DIGIT_NAMES, 50)
    assert found.histogram.data == dict.fromkeys(DIGIT_NAMES, 60)
    assert found.classifier_sha256 == classifier.sha256
    assert found.weights_sha256 == model.card.weights_sha256
    assert found.model_sha256 == model.sha256
    assert found.data_sha256 == TRAIN.sha256
    assert any("500" in note and "200" in note for note in found.notes)


def test_labels_that_the_model_gets_wrong_lower_the_accuracy(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    """The card calls the model's first label "1" and its second "0", so both are always read as the other."""
    found = evaluate(forge(tmp_path, classifier, names=["1", "0", *DIGIT_NAMES[2:]]), count=100, classifier=classifier)
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(0.8)
    assert found.accuracy_by_label["1"].value == 0
    assert found.accuracy_by_label["7"].value == 1


def test_an_unconditional_model_has_a_histogram_and_no_accuracy(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    found = evaluate(forge(tmp_path, classifier, conditional=False), count=400, classifier=classifier)
    assert found.accuracy is None
    assert found.accuracy_by_label == {}
    assert sum(found.histogram.drawn.values()) == 400
    assert found.histogram.drawn["4"] > found.histogram.drawn["0"]


def test_a_model_of_some_digits_is_held_against_those(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    frequencies = [0, 0, 0, 60, 0, 60, 0, 0, 0, 0]
    found = evaluate(forge(tmp_path, classifier, frequencies=frequencies), count=60, classifier=classifier)
    assert found.frechet.reference_n == 120
    assert found.floor is not None
    assert (found.floor.n, found.floor.reference_n) == (40, 120)
    train = moments(classifier.read(TRAIN.only([3, 5]).images).features)
    test = moments(classifier.read(TEST.only([3, 5]).images).features)
    assert found.floor.value == pytest.approx(frechet_distance(test, train), rel=1e-6)
    assert found.histogram.data == {name: 60 if name in "35" else 0 for name in DIGIT_NAMES}


def test_without_a_test_part_the_floor_is_absent_and_said_so(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    found = evaluate(forge(tmp_path, classifier), data="tiny-5k", count=50, classifier=classifier)
    assert found.floor is None
    assert found.ratio is None
    assert found.as_dict()["floor"] is None
    assert any("no test part" in note for note in found.notes)


def test_other_images_under_the_same_name_are_said(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    data = {"name": "tiny-data", "sha256": "cd" * 32, "count": 600}
    found = evaluate(forge(tmp_path, classifier, data=data), count=50, classifier=classifier)
    assert any("other images" in note for note in found.notes)


def test_data_that_lack_a_digit_of_the_model_are_refused(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    with pytest.raises(DataError, match="holds no '0'"):
        evaluate(forge(tmp_path, classifier), data="threes", count=50, classifier=classifier)


def test_data_that_cannot_be_had_name_the_way_on(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    data = {"name": "elsewhere", "sha256": "cd" * 32, "count": 600}
    with pytest.raises(DataError, match=r"was trained on elsewhere.*--data"):
        evaluate(forge(tmp_path, classifier, data=data), count=50, classifier=classifier)


def test_a_model_of_another_size_is_refused(tmp_path: Path, classifier: Classifier) -> None:
    path = write_model(tmp_path / "colour.onnx", shape=(3, 32, 32))
    with pytest.raises(ModelError, match=r"3x32x32.*1x28x28"):
        evaluate(path, count=10, classifier=classifier)


@pytest.mark.parametrize("count", [1, 0, -5])
def test_too_few_images_are_the_users_mistake(tmp_path: Path, classifier: Classifier, count: int) -> None:
    with pytest.raises(UserError, match="at least 2"):
        evaluate(forge(tmp_path, classifier), count=count, classifier=classifier)


def test_one_seed_gives_one_result(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    model = forge(tmp_path, classifier)
    first, again, other = (evaluate(model, count=80, seed=seed, classifier=classifier) for seed in (0, 0, 1))
    assert first == again
    assert first.frechet != other.frechet


def test_it_is_plain_json(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    found: Evaluation = evaluate(forge(tmp_path, classifier), count=50, classifier=classifier)
    table = json.loads(found.to_json())
    assert table == found.as_dict()
    assert table["frechet"] == {"value": found.frechet.value, "n": 50, "reference_n": 600}
    assert table["accuracy"]["n"] == 50


def test_a_reference_survives_its_file(tmp_path: Path, classifier: Classifier) -> None:
    reference = measure_reference(DataSet("tiny-data", TRAIN, TEST), classifier)
    write_reference(tmp_path / "reference.npz", reference)
    again = read_reference(tmp_path / "reference.npz")
    assert again is not None
    assert (again.names, again.data_sha256, again.classifier_sha256) == (DIGIT_NAMES, TRAIN.sha256, classifier.sha256)
    for one, other in zip(reference.train + reference.test, again.train + again.test, strict=True):
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-12, atol=1e-12)
        assert one.count == other.count


def test_a_reference_is_measured_once_and_kept(classifier: Classifier, loads: list[str]) -> None:
    heard: list[str] = []
    for _ in range(2):
        find_reference("tiny-data", TRAIN.sha256, classifier, notify=heard.append)
    assert loads == ["tiny-data"]
    assert len(heard) == 1
    assert "800 images" in heard[0]


def test_a_damaged_reference_in_the_cache_is_measured_again(
    cache: Path, classifier: Classifier, loads: list[str]
) -> None:
    find_reference("tiny-data", TRAIN.sha256, classifier)
    (kept,) = (cache / "references").iterdir()
    for content in (b"", b"junk", kept.read_bytes()[:-200]):
        kept.write_bytes(content)
        assert find_reference("tiny-data", TRAIN.sha256, classifier).data == "tiny-data"
    assert len(loads) == 4


def test_the_shipped_reference_spares_the_data(classifier: Classifier, loads: list[str]) -> None:
    write_reference(reference_module.SHIPPED, measure_reference(DataSet("tiny-data", TRAIN, TEST), classifier))
    assert find_reference("tiny-data", TRAIN.sha256, classifier).train
    assert find_reference("tiny-data", None, classifier).train
    assert loads == []


def test_a_reference_of_another_classifier_is_never_used(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    other = Classifier.load(write_classifier(tmp_path / "other.onnx", accuracy=0.5))
    write_reference(reference_module.SHIPPED, measure_reference(DataSet("tiny-data", TRAIN, TEST), other))
    assert find_reference("tiny-data", TRAIN.sha256, classifier).classifier_sha256 == classifier.sha256
    assert loads == ["tiny-data"]


def test_a_cache_that_cannot_be_written_costs_only_time(cache: Path, classifier: Classifier, loads: list[str]) -> None:
    cache.write_text("no folder")
    assert find_reference("tiny-data", TRAIN.sha256, classifier).train


def test_the_default_count_is_that_of_mnists_test_images() -> None:
    assert evaluate_module.COUNT == 10_000

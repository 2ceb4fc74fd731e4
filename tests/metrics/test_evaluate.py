"""Evaluating: figures that can be told beforehand, references that fit the classifier, and what can't be measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge.classifier import Classifier
from digitforge.data import DIGIT_NAMES, DataSet, Digits
from digitforge.data.stacked import stack
from digitforge.errors import DataError, ModelError, UserError
from digitforge.forge import Forge
from digitforge.metrics import details as details_module
from digitforge.metrics import evaluate as evaluate_module
from digitforge.metrics import reference as reference_module
from digitforge.metrics.evaluate import evaluate, evaluate_images
from digitforge.metrics.evaluation import Evaluation, Histogram
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.metrics.real import find_real
from digitforge.metrics.reference import read_shipped, shipped_reference, write_shipped
from tiny_models import LEVEL, card_table, stacked_card, write_classifier, write_model, write_stacked_model


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

    monkeypatch.setattr(evaluate_module, "load_data", load)
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
    assert found.accuracy is not None
    assert (found.accuracy.value, found.accuracy.n) == (1.0, 500)
    assert {figure.n for figure in found.accuracy_by_label.values()} == {50}
    assert found.histogram.drawn == dict.fromkeys(DIGIT_NAMES, 50)
    assert found.histogram.data == dict.fromkeys(DIGIT_NAMES, 60)
    assert found.classifier_sha256 == classifier.sha256
    assert found.weights_sha256 == model.card.weights_sha256
    assert found.model_sha256 == model.sha256
    assert found.data_sha256 == TRAIN.sha256


def test_a_distance_in_floors_is_of_no_more_images_than_the_floor(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    """Few images raise a distance: with 200 real ones against 500 drawn ones the model would look too near."""
    model = forge(tmp_path, classifier)
    found = evaluate(model, count=500, seed=4, classifier=classifier, details=False)
    first = model.generate(count=500, seed=4).images[:200]
    drawn, train, test = (moments(classifier.read(each).features) for each in (first, TRAIN.images, TEST.images))
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(frechet_distance(drawn, train) / frechet_distance(test, train), rel=1e-6)
    assert (found.ratio.n, found.frechet.n) == (200, 500)
    assert any("first 200 images" in note for note in found.notes)


def test_fewer_images_than_the_floor_has_are_held_against_as_many(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    """Few images raise a distance: with 200 real ones the 100 drawn ones would look too far."""
    found = evaluate(forge(tmp_path, classifier), count=100, classifier=classifier)
    real = find_real(DataSet("tiny-data", TRAIN, TEST), classifier)
    assert real.test is not None and found.ratio is not None and found.floor is not None
    equal = frechet_distance(moments(real.test.some(100).features), moments(real.train.features))
    assert equal > 1.05 * found.floor.value
    assert found.ratio.value == pytest.approx(found.frechet.value / equal)
    assert (found.ratio.n, found.ratio.real_n, found.floor.n) == (100, 100, 200)
    assert any("over that of 100 held-out images" in note and "ask for 200" in note for note in found.notes)


def test_fewer_images_than_a_floor_that_is_all_there_is_are_told(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    ship(DataSet("tiny-data", TRAIN, TEST), classifier)
    found = evaluate(forge(tmp_path, classifier), count=100, classifier=classifier, details=False)
    assert found.ratio is not None and found.floor is not None
    assert found.ratio.value == pytest.approx(found.frechet.value / found.floor.value)
    assert (found.ratio.n, found.ratio.real_n) == (100, 200)
    assert any("from 100 images" in note and "ask for 200" in note for note in found.notes)


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


def test_other_images_at_the_same_path_are_said(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set at a path is called after the path's last part; the card has the path as it was given."""
    has(monkeypatch, TRAIN, TEST)
    data = {"name": "./own/tiny-data", "sha256": "cd" * 32, "count": 600}
    model = forge(tmp_path, classifier, data=data)
    for given, is_said in ((None, True), ("./own/tiny-data", True), ("./others/tiny-data", False)):
        notes = evaluate(model, given, count=50, classifier=classifier).notes
        assert any("other images" in note for note in notes) == is_said


def has(monkeypatch: pytest.MonkeyPatch, train: Digits, test: Digits | None) -> None:
    """Let "tiny-data" be these images."""
    data = DataSet("tiny-data", train, test)
    monkeypatch.setattr(evaluate_module, "load_data", lambda name, progress=None: data)


def test_a_label_that_the_test_part_lacks_costs_its_own_figures_alone(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(monkeypatch, TRAIN, real_digits(540, 1, only=(0, 1, 2, 3, 4, 5, 6, 8, 9)))
    found = evaluate(forge(tmp_path, classifier), count=600, classifier=classifier)
    assert found.details is not None
    assert set(found.details.by_label) == set("012345689")


def test_a_model_of_a_label_that_the_test_part_lacks_is_held_against_training_images(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(monkeypatch, TRAIN, real_digits(540, 1, only=(0, 1, 2, 3, 4, 5, 6, 8, 9)))
    sevens = forge(tmp_path, classifier, frequencies=[0] * 7 + [60, 0, 0])
    found = evaluate(sevens, count=60, classifier=classifier)
    assert (found.floor, found.ratio) == (None, None)
    assert found.details is not None
    assert (found.details.kernel.n, found.details.kernel.real, found.details.copies) == (60, None, None)
    assert found.details.by_label["7"].frechet.real is None


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_test_part_of_too_few_images_is_no_measure_for_drawn_ones(
    count: int, tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(monkeypatch, TRAIN, real_digits(count, 1))
    found = evaluate(forge(tmp_path, classifier), count=50, classifier=classifier)
    assert (found.floor is None) == (count == 1)
    assert found.details is not None
    for figure in (found.details.kernel, found.details.precision, found.details.coverage):
        assert (figure.n, figure.real) == (50, None)


def test_a_single_training_image_is_too_few_to_measure_against(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(monkeypatch, TRAIN.take(np.arange(1)), TEST)
    with pytest.raises(DataError, match="holds 1 image of what the model draws"):
        evaluate(forge(tmp_path, classifier, frequencies=[1] + [0] * 9), count=50, classifier=classifier)


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


def test_a_classifier_of_other_colour_images_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = (replace(part, images=np.repeat(part.images[:, :, :8, :8], 3, 1)) for part in (TRAIN, TEST))
    monkeypatch.setattr(evaluate_module, "load_data", lambda name, progress: DataSet(name, train, test))
    data = {"name": "tiny-data", "sha256": train.sha256, "count": 600}
    card = card_table(data=data, shape=[3, 8, 8])
    path = write_model(tmp_path / "colour.onnx", card=card, shape=(3, 8, 8))
    for name, sha256, is_named in (("painted", "cd" * 32, True), ("tiny-data", train.sha256, False)):
        file = write_classifier(tmp_path / f"{name}.onnx", reads=(3, 8, 8), data={"name": name, "sha256": sha256})
        notes = evaluate(path, count=50, classifier=Classifier.load(file)).notes
        assert any("learnt from painted and not from tiny-data" in note for note in notes) == is_named


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


def ship(data: DataSet, classifier: Classifier) -> None:
    write_shipped(reference_module.SHIPPED, find_real(data, classifier), classifier)


def test_shipped_moments_survive_their_file(classifier: Classifier) -> None:
    ship(DataSet("tiny-data", TRAIN, TEST), classifier)
    again = read_shipped(reference_module.SHIPPED)
    assert again is not None
    assert (again.names, again.data_sha256, again.classifier_sha256) == (DIGIT_NAMES, TRAIN.sha256, classifier.sha256)
    for part, digits in ((again.train, TRAIN), (again.test, TEST)):
        for label, found in enumerate(part):
            expected = moments(classifier.read(digits.only([label]).images).features)
            np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
            np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-12, atol=1e-12)
            assert found.count == expected.count


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_damaged_moments_are_none(damage: bytes | None, classifier: Classifier) -> None:
    ship(DataSet("tiny-data", TRAIN, TEST), classifier)
    content = reference_module.SHIPPED.read_bytes()
    reference_module.SHIPPED.write_bytes(content[:-200] if damage is None else damage)
    assert read_shipped(reference_module.SHIPPED) is None


def test_shipped_moments_spare_key_figures_the_data(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    model = forge(tmp_path, classifier)
    from_data = evaluate(model, count=60, details=False, classifier=classifier)
    ship(DataSet("tiny-data", TRAIN, TEST), classifier)
    loads.clear()
    shipped = evaluate(model, count=60, details=False, classifier=classifier)
    by_name = evaluate(model, "tiny-data", count=60, details=False, classifier=classifier)
    assert loads == []
    assert shipped.frechet.value == by_name.frechet.value == pytest.approx(from_data.frechet.value, rel=1e-6)
    assert shipped.histogram == from_data.histogram


def test_data_that_cannot_be_had_leave_the_key_figures(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(DataSet("tiny-data", TRAIN, TEST), classifier)

    def fail(name: str, progress: object = None) -> DataSet:
        raise DataError("no network")

    monkeypatch.setattr(evaluate_module, "load_data", fail)
    found = evaluate(forge(tmp_path, classifier), count=60, classifier=classifier)
    assert found.details is None
    assert found.frechet.n == 60
    assert any("key figures alone" in note and "no network" in note for note in found.notes)


def test_moments_of_another_classifier_are_never_used(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    other = Classifier.load(write_classifier(tmp_path / "other.onnx", accuracy=0.5))
    ship(DataSet("tiny-data", TRAIN, TEST), other)
    assert shipped_reference(DIGIT_NAMES, classifier, sha256=TRAIN.sha256) is None
    evaluate(forge(tmp_path, classifier), count=60, details=False, classifier=classifier)
    assert loads == ["tiny-data"]


def test_details_are_held_against_the_labels_that_the_model_has(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    frequencies = [0, 0, 0, 60, 0, 60, 0, 0, 0, 0]
    found = evaluate(forge(tmp_path, classifier, frequencies=frequencies), count=120, classifier=classifier)
    assert found.details is not None
    assert found.details.precision.reference_n == 120
    assert found.details.copies is not None
    assert found.details.copies.reference_n == 120
    assert {pair.original for pair in found.details.closest} <= set(range(120))


def test_labels_of_an_unconditional_model_are_those_that_are_read(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    found = evaluate(forge(tmp_path, classifier, conditional=False), count=600, classifier=classifier)
    assert found.details is not None
    assert sum(found.histogram.drawn.values()) == 600
    assert {pair.original % 10 for pair in found.details.closest} <= {
        int(name) for name, count in found.histogram.drawn.items() if count
    }


def test_images_read_as_a_label_that_the_data_lack_count_for_none_of_theirs(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(digits: Digits) -> Digits:
        kept = digits.only([3, 4])
        return Digits(kept.images, kept.labels - 3, ("3", "4"))

    has(monkeypatch, two(TRAIN), two(real_digits(600, 1)))
    monkeypatch.setattr(details_module, "FEWEST_OF_A_LABEL", 2)
    model = forge(tmp_path, classifier, conditional=False, names=["3", "4"], frequencies=[60, 60])
    found = evaluate(model, count=100, classifier=classifier)
    assert found.details is not None
    of_label = {name: one.frechet.n for name, one in found.details.by_label.items()}
    assert of_label == {name: found.histogram.drawn[name] for name in ("3", "4")}
    assert 10 < sum(of_label.values()) < 90  # the others are read as eight other digits


def test_few_images_have_the_key_figures_alone(tmp_path: Path, classifier: Classifier, loads: list[str]) -> None:
    found = evaluate(forge(tmp_path, classifier), count=5, classifier=classifier)
    assert found.details is None
    assert any("too few for more" in note for note in found.notes)


def test_the_default_count_is_that_of_mnists_test_images() -> None:
    assert evaluate_module.COUNT == 10_000


# Modes: how many of the data's labels are drawn, and how evenly

STACKED, TEST_STACKED = stack(TRAIN, 6000, np.random.default_rng(2)), stack(TEST, 1000, np.random.default_rng(3))


@pytest.fixture
def stacked_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classifier:
    """The classifier of stacked digits, which are there under the name "tiny-stacked"."""
    data = DataSet("tiny-stacked", STACKED, TEST_STACKED)
    monkeypatch.setattr(evaluate_module, "load_data", lambda name, progress=None: data)
    return Classifier.of_channels(write_classifier(tmp_path / "classifier.onnx"))


def stacked_forge(tmp_path: Path, last: int = 999, **changes: object) -> Forge:
    data = {"name": "tiny-stacked", "sha256": STACKED.sha256, "count": 6000}
    card = stacked_card(**{"data": data, "frequencies": STACKED.counts.tolist(), **changes})
    return Forge.load(write_stacked_model(tmp_path / "model.onnx", card=card, last=last))


def test_a_model_that_draws_every_label_covers_all_modes(tmp_path: Path, stacked_reader: Classifier) -> None:
    found = evaluate(stacked_forge(tmp_path), count=6000, classifier=stacked_reader)
    present = np.count_nonzero(STACKED.counts)
    assert found.histogram.modes == found.histogram.modes_in_data == present > 990
    assert found.histogram.kl == pytest.approx(0, abs=1e-3)
    assert found.histogram.total_variation == pytest.approx(0, abs=1e-3)
    assert found.accuracy is not None
    assert found.accuracy.value == 1
    assert found.frechet.reference_n == 6000
    assert found.floor is not None
    train, test = (moments(stacked_reader.read(each.images).features) for each in (STACKED, TEST_STACKED))
    assert found.floor.value == pytest.approx(frechet_distance(test, train), rel=1e-5)


def test_a_collapsed_model_covers_few_modes(tmp_path: Path, stacked_reader: Classifier) -> None:
    found = evaluate(stacked_forge(tmp_path, last=4), count=2000, classifier=stacked_reader)
    drawn = [found.histogram.drawn[f"00{digit}"] / 2000 for digit in range(5)]
    real = [found.histogram.data[f"00{digit}"] / 6000 for digit in range(5)]
    kept = [(p, q) for p, q in zip(drawn, real, strict=True) if q]
    assert found.histogram.modes == len(kept) <= 5
    total = sum(p for p, _ in kept)
    assert found.histogram.kl == pytest.approx(sum(p / total * np.log(p / total / q) for p, q in kept if p), rel=1e-6)
    assert found.histogram.kl > 3
    assert found.histogram.total_variation > 0.9
    table = found.as_dict()["histogram"]
    assert (table["modes"], table["modes_in_data"]) == (len(kept), found.histogram.modes_in_data)


def test_a_label_that_the_data_lack_is_no_mode_and_leaves_the_divergence_finite() -> None:
    histogram = Histogram({"0": 30, "1": 10, "7": 60}, {"0": 50, "1": 50, "7": 0})
    assert (histogram.modes, histogram.modes_in_data) == (2, 2)
    assert histogram.kl == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert histogram.total_variation == pytest.approx(0.6)
    assert Histogram({"0": 0, "7": 5}, {"0": 9, "7": 0}).kl is None


def test_a_stacked_model_of_some_labels_is_held_against_those(tmp_path: Path, stacked_reader: Classifier) -> None:
    frequencies = np.where(np.arange(1000) < 5, STACKED.counts, 0).tolist()
    found = evaluate(stacked_forge(tmp_path, last=4, frequencies=frequencies), count=60, classifier=stacked_reader)
    assert found.frechet.reference_n == sum(frequencies)
    assert sum(found.histogram.data.values()) == sum(frequencies)


def test_moments_of_mnist_are_not_taken_for_those_of_stacked_digits(tmp_path: Path, stacked_reader: Classifier) -> None:
    ship(DataSet("tiny-data", TRAIN, TEST), Classifier.load(tmp_path / "classifier.onnx"))
    assert shipped_reference(STACKED.names, stacked_reader, data="tiny-data") is None


def test_images_of_another_program_measure_what_the_model_that_drew_them_does(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    model = forge(tmp_path, classifier, names=["1", "0", *DIGIT_NAMES[2:]])
    drawn = model.generate(count=150, seed=4)
    order = np.argsort(drawn.labels, kind="stable")  # as a folder has them, digit by digit
    found = evaluate_images(drawn.take(order), "tiny-data", classifier=classifier)
    of_model = evaluate(model, count=150, seed=4, classifier=classifier)
    assert found.frechet.value == pytest.approx(of_model.frechet.value, rel=1e-6)
    assert found.ratio is not None and of_model.ratio is not None
    assert found.ratio.value == pytest.approx(of_model.ratio.value, rel=1e-6)
    assert found.accuracy == of_model.accuracy
    assert found.accuracy is not None and found.accuracy.value == pytest.approx(0.8)
    assert found.accuracy_by_label == of_model.accuracy_by_label
    assert found.histogram == of_model.histogram
    assert (found.count, found.model, found.data) == (150, "the array", "tiny-data")
    assert found.details is not None and of_model.details is not None
    assert found.details.coverage == of_model.details.coverage


def test_images_of_some_labels_are_held_against_those_alone(classifier: Classifier, loads: list[str]) -> None:
    found = evaluate_images(TEST.only([3]), "tiny-data", classifier=classifier)
    assert found.histogram.data == {name: 60 if name == "3" else 0 for name in DIGIT_NAMES}
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(1)


def test_images_without_labels_are_held_against_all(classifier: Classifier, loads: list[str]) -> None:
    found = evaluate_images(TEST.images, "tiny-data", classifier=classifier)
    assert found.accuracy is None
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(1)
    assert found.histogram.drawn == dict.fromkeys(DIGIT_NAMES, 20)


def test_of_many_images_some_are_chosen_by_chance(classifier: Classifier, loads: list[str]) -> None:
    """The first ones of a folder are all of one digit."""
    order = np.argsort(TEST.labels, kind="stable")
    images = TEST.images[order, 0]
    one, again, other = (
        evaluate_images(images, "tiny-data", 50, seed, classifier=classifier, details=False) for seed in (0, 0, 1)
    )
    assert one.count == 50
    assert one.histogram.modes == 10
    assert one.histogram == again.histogram != other.histogram


def test_what_lies_beside_images_is_told_with_their_figures(
    tmp_path: Path, classifier: Classifier, loads: list[str]
) -> None:
    np.savez(tmp_path / "six.npz", images=TEST.images[:6, 0])
    few = evaluate_images(tmp_path / "six.npz", "tiny-data", classifier=classifier)
    assert any("6 images are too few for more" in note for note in few.notes)
    assert any("give 200 to compare" in note for note in few.notes)
    (tmp_path / "drawn").mkdir()
    for place in range(20):
        Image.fromarray(TEST.images[place, 0]).save(tmp_path / "drawn" / f"{place}.png")
    (tmp_path / "drawn" / "more.heic").write_bytes(b"")
    found = evaluate_images(tmp_path / "drawn", "tiny-data", classifier=classifier)
    assert "left out: 1 image of kinds that cannot be read (.heic)" in found.notes


def test_a_single_image_has_no_distance(classifier: Classifier, loads: list[str]) -> None:
    with pytest.raises(DataError, match="the array holds 1 image"):
        evaluate_images(TEST.images[:1], "tiny-data", classifier=classifier)

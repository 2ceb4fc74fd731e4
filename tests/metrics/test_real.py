"""Real images, measured one by one: once, for the images that they are of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from digitforge.classifier import Classifier
from digitforge.data import DataSet, Digits
from digitforge.metrics import real as real_module
from digitforge.metrics.copies import nearest
from digitforge.metrics.real import COLOURS, find_real
from digitforge.metrics.strokes import slants, stray_ink, stroke_widths
from tiny_models import CROWDED, write_classifier
from tiny_runs import tiny_digits

DATA = DataSet("tiny", tiny_digits(200, 0, 28), tiny_digits(60, 1, 28))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "references"


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return Classifier.load(write_classifier(tmp_path / "classifier.onnx"))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were read, by reading."""
    counts: list[int] = []
    plain = real_module.measure

    def counting(digits: Digits, classifier: Classifier) -> object:
        counts.append(len(digits))
        return plain(digits, classifier)

    monkeypatch.setattr(real_module, "measure", counting)
    return counts


def test_each_image_has_its_own_measures(classifier: Classifier) -> None:
    real = find_real(DATA, classifier)
    assert real.test is not None
    assert real.nearest_to_test is not None
    for measured, digits in ((real.train, DATA.train), (real.test, DATA.test)):
        assert digits is not None
        np.testing.assert_array_equal(measured.features, classifier.read(digits.images).features)
        np.testing.assert_array_equal(measured.read, classifier.read(digits.images).labels)
        for key, values in (("width", stroke_widths), ("slant", slants), ("stray", stray_ink)):
            np.testing.assert_allclose(measured.properties[key], values(digits.images), rtol=1e-6)
    assert DATA.test is not None
    near = nearest(DATA.test.images, DATA.test.labels, DATA.train)
    np.testing.assert_array_equal(real.nearest_to_test.indices, near.indices)


def test_a_data_set_is_read_once_and_said_so(classifier: Classifier, readings: list[int]) -> None:
    told: list[str] = []
    first = find_real(DATA, classifier, told.append)
    again = find_real(DATA, classifier, told.append)
    assert readings == [200, 60]
    assert told == ["reading the 260 images of tiny, once"]
    np.testing.assert_array_equal(first.train.features, again.train.features)
    assert again.copy_threshold == first.copy_threshold


def test_other_images_or_another_classifier_are_read_anew(
    classifier: Classifier, readings: list[int], tmp_path: Path
) -> None:
    find_real(DATA, classifier)
    find_real(DataSet("tiny", DATA.train, tiny_digits(50, 2, 28)), classifier)
    find_real(DATA, Classifier.load(write_classifier(tmp_path / "other.onnx", seed=1)))
    assert readings == [200, 60, 200, 50, 200, 60]


def with_bit_flipped(offset: int) -> Callable[[bytes], bytes]:
    """Flips a bit of each entry of a zip's directory, so many bytes behind its beginning."""

    def flipped(content: bytes) -> bytes:
        first, *entries = content.split(b"PK\x01\x02")
        assert entries
        changed = [entry[: offset - 4] + bytes([entry[offset - 4] ^ 1]) + entry[offset - 3 :] for entry in entries]
        return b"PK\x01\x02".join([first, *changed])

    return flipped


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"no archive", lambda whole: whole[:2000], with_bit_flipped(8), with_bit_flipped(10)],
    ids=["empty", "no archive", "cut off", "encrypted, it says", "compressed in an unknown way, it says"],
)
def test_a_damaged_file_is_read_past(
    damage: Callable[[bytes], bytes], classifier: Classifier, readings: list[int], cache: Path
) -> None:
    whole = find_real(DATA, classifier)
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_array_equal(find_real(DATA, classifier).train.features, whole.train.features)
    assert readings == [200, 60] * 2


def test_colour_images_have_colours_and_are_told_crowded_or_not(tmp_path: Path, readings: list[int]) -> None:
    rng = np.random.default_rng(0)
    digits = Digits(rng.integers(0, 256, (40, 3, 8, 8), np.uint8), np.arange(40) % 10)
    data = DataSet("colour", digits, digits.take(np.arange(20)))
    classifier = Classifier.load(write_classifier(tmp_path / "colour.onnx", reads=(3, 8, 8), crowded=True))
    first = find_real(data, classifier).train.properties
    again = find_real(data, classifier).train.properties
    assert readings == [40, 20]
    assert first.keys() == again.keys() == {*COLOURS, "crowded"}
    for key, measure in COLOURS.items():
        np.testing.assert_allclose(again[key], measure(digits.images), rtol=1e-6)
    np.testing.assert_array_equal((again["crowded"] > 0), digits.images.mean((1, 2, 3)) > CROWDED)


def test_measures_of_an_older_release_that_lack_one_are_read_past(
    tmp_path: Path, readings: list[int], cache: Path
) -> None:
    digits = Digits(np.zeros((40, 3, 8, 8), np.uint8), np.arange(40) % 10)
    classifier = Classifier.load(write_classifier(tmp_path / "colour.onnx", reads=(3, 8, 8), crowded=True))
    for key in ("crowded", "saturation"):
        find_real(DataSet("colour", digits, None), classifier)
        (file,) = cache.iterdir()
        with np.load(file) as arrays:
            np.savez(file, **{name: values for name, values in arrays.items() if name != f"train.{key}"})
        assert key in find_real(DataSet("colour", digits, None), classifier).train.properties
    assert readings == [40, 40, 40]


def test_measures_of_the_wrong_size_are_read_past(classifier: Classifier, readings: list[int], cache: Path) -> None:
    find_real(DATA, classifier)
    (file,) = cache.iterdir()
    with np.load(file) as arrays:
        np.savez(file, **{**arrays, "test.features": arrays["test.features"][:10]})
    find_real(DATA, classifier)
    assert readings == [200, 60] * 2


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "file"))
    assert len(find_real(DATA, classifier).train) == 200


def test_some_labels_alone_are_held_against_those_alone(classifier: Classifier) -> None:
    real = find_real(DATA, classifier)
    some, labels = real.only([3, 5]), [3, 5]
    assert set(some.train.digits.labels) == {3, 5}
    assert some.test is not None
    assert some.nearest_to_test is not None
    assert set(some.test.digits.labels) == {3, 5}
    fresh = nearest(some.test.digits.images, some.test.digits.labels, some.train.digits)
    np.testing.assert_array_equal(some.nearest_to_test.indices, fresh.indices)
    np.testing.assert_allclose(some.nearest_to_test.relative, fresh.relative, rtol=1e-5)
    assert some.only(labels) is some


def test_held_out_images_of_other_labels_than_were_trained_on_are_left_out(classifier: Classifier) -> None:
    zeros_and_ones = DataSet("tiny", DATA.train.only([0, 1]), DATA.test)
    some = find_real(zeros_and_ones, classifier).only([0, 1])
    assert some.test is not None
    assert some.nearest_to_test is not None
    assert set(some.test.digits.labels) == {0, 1}
    assert len(some.test) == len(some.nearest_to_test.indices) == 12
    nines = DataSet("tiny", DATA.train, zeros_and_ones.train)
    assert find_real(nines, classifier).only([9]).test is None


def test_without_a_test_part_nothing_tells_a_copy(classifier: Classifier) -> None:
    real = find_real(DataSet("tiny", DATA.train, None), classifier)
    again = find_real(DataSet("tiny", DATA.train, None), classifier)
    assert (real.test, real.copy_threshold, again.test) == (None, None, None)

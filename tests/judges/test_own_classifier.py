"""A classifier of one's own data: it learns, is kept, and is made anew when what is kept is something else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from patterns import NAMES, patterned, patterned_set

from digitforge.classifier import cached_classifier, own_classifier_path
from digitforge.data import DataSet, Digits
from digitforge.errors import DataError
from digitforge.judges import own_classifier as module
from digitforge.judges.own_classifier import choose_course, own_classifier
from digitforge.networks.to_onnx import classifier_to_onnx, with_card
from digitforge.training.classifier import Reader


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps enough for a bar at an edge."""
    monkeypatch.setattr(module, "FEWEST_STEPS", 60)
    monkeypatch.setattr(module, "MOST_STEPS", 60)


@pytest.fixture(scope="module")
def exported() -> bytes:
    """A classifier file of four labels and 12x12 images, which learnt nothing."""
    return classifier_to_onnx(Reader(4, (1, 12, 12)), (1, 12, 12), "")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, exported: bytes) -> None:
    """Neither training nor export, which these tests are not about: only the card is as it would be."""
    monkeypatch.setattr(module, "fit", lambda *_: Reader(4, (1, 12, 12)).eval())
    monkeypatch.setattr(module, "classifier_to_onnx", lambda _reader, _shape, card: with_card(exported, card))


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 8, 20)])
def test_it_reads_held_out_images_of_any_size_and_colour(few_steps: None, shape: tuple[int, int, int]) -> None:
    data = patterned_set(160, shape=shape)
    classifier = own_classifier(data)
    unseen = patterned(100, seed=5, shape=shape)
    assert classifier.fits(shape, NAMES)
    assert (classifier.read(unseen.images).labels == unseen.labels).mean() > 0.9
    assert classifier.card["accuracy"] > 0.9
    assert classifier.card["accuracy_n"] == 80


def test_it_is_trained_once_and_tells_so_in_one_line(few_steps: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    data = patterned_set(160)
    first = own_classifier(data, lines.append)
    monkeypatch.setattr(module, "fit", None)
    second = own_classifier(data, lines.append)
    assert lines == ["training a classifier of 160 images of bars, once: 60 steps of 16 images"]
    assert first.sha256 == second.sha256
    found = cached_classifier(data.train.sha256)
    assert found is not None and found.sha256 == first.sha256


def test_a_damaged_file_is_made_anew(quick: None) -> None:
    data = patterned_set(80)
    first = own_classifier(data)
    path = own_classifier_path(data.train.sha256)
    path.write_bytes(path.read_bytes()[:-500])
    assert cached_classifier(data.train.sha256) is None
    assert own_classifier(data).card == first.card
    assert cached_classifier(data.train.sha256) is not None


def test_a_file_of_other_data_under_its_name_is_made_anew(quick: None) -> None:
    data, other = patterned_set(80), patterned_set(84)
    own_classifier(other)
    own_classifier_path(other.train.sha256).rename(own_classifier_path(data.train.sha256))
    assert cached_classifier(data.train.sha256) is None
    assert own_classifier(data).card["data"] == {"name": "bars", "sha256": data.train.sha256, "count": 80}


def test_a_file_of_an_older_procedure_is_made_anew(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    data = patterned_set(80)
    own_classifier(data)
    assert cached_classifier(data.train.sha256) is not None
    monkeypatch.setattr("digitforge.classifier.PROCEDURE", 2)
    assert cached_classifier(data.train.sha256) is None


def test_equal_images_under_other_names_get_a_classifier_of_these_names(quick: None) -> None:
    data = patterned_set(80)
    own_classifier(data)
    assert own_classifier(DataSet("abc", replace(data.train, names=tuple("abcd")), None)).names == tuple("abcd")


def test_without_a_test_part_a_tenth_of_each_label_is_held_out(quick: None) -> None:
    train = patterned(120)
    scarce = train.take(np.concatenate([np.flatnonzero(train.labels != 3), np.flatnonzero(train.labels == 3)[:5]]))
    kept, held_out = module._split(DataSet("bars", scarce, None), 0)
    assert held_out.counts.tolist() == [3, 3, 3, 0]
    assert kept.counts.tolist() == [27, 27, 27, 5]
    card = own_classifier(DataSet("bars", scarce, None)).card
    assert (card["data"]["count"], card["accuracy_n"]) == (86, 9)


def test_what_is_held_out_is_tested_with_and_never_trained_on(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Digits] = []
    monkeypatch.setattr(module, "fit", lambda digits, *_: seen.append(digits) or Reader(4, (1, 12, 12)).eval())
    monkeypatch.setattr(module, "accuracy", lambda _, digits: seen.append(digits) or 0.5)
    train = patterned(120)
    own_classifier(DataSet("bars", train, None))
    learned, held_out = ({image.tobytes() for image in digits.images} for digits in seen)
    assert (len(seen[0]), len(seen[1])) == (108, 12)
    assert not learned & held_out
    assert learned | held_out == {image.tobytes() for image in train.images}


def test_the_course_follows_the_number_of_images() -> None:
    found = {count: choose_course(count) for count in (4, 100, 500, 5_000, 60_000, 1_000_000)}
    assert {count: (course.batch, course.steps) for count, course in found.items()} == {
        4: (4, 600),
        100: (16, 600),
        500: (31, 600),
        5_000: (256, 600),
        60_000: (256, 1_872),
        1_000_000: (256, 1_900),
    }
    assert all(0 < course.distortion < 1 for course in found.values())


def test_training_leaves_the_random_numbers_and_threads_of_others_alone(
    few_steps: None, monkeypatch: pytest.MonkeyPatch, exported: bytes
) -> None:
    monkeypatch.setattr(module, "classifier_to_onnx", lambda _reader, _shape, card: with_card(exported, card))
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    own_classifier(patterned_set(80))
    assert torch.equal(torch.rand(2), wanted)
    assert torch.get_num_threads() == threads


def test_a_cache_that_cannot_be_written_costs_only_the_file(quick: None, cache: Path) -> None:
    cache.write_text("a file where the folder would be")
    assert own_classifier(patterned_set(80)).names == NAMES


@pytest.mark.parametrize("shape", [(1, 7, 20), (3, 20, 129)])
def test_sizes_out_of_range_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match=r"from 8x8 to 128x128; resize them"):
        own_classifier(patterned_set(8, None, shape=shape))


def test_one_label_alone_is_refused() -> None:
    data = patterned_set(80)
    with pytest.raises(DataError, match="one label alone"):
        own_classifier(replace(data, train=data.train.only([2])))


def test_looking_into_the_cache_needs_no_torch() -> None:
    command = "import sys, digitforge.classifier as c; assert c.cached_classifier('0' * 64) is None"
    subprocess.run([sys.executable, "-c", f"{command}; assert 'torch' not in sys.modules"], check=True)

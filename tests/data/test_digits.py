"""Digits: counting, choosing and hashing labelled images."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.data import Digits
from digitforge.data.digits import few_of, listed
from digitforge.errors import DataError


def digits(labels: list[int]) -> Digits:
    """Images whose every pixel is their place, so that an image tells where it came from."""
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 1, 2, 3), np.uint8)
    return Digits(images, np.array(labels, np.int64))


def test_shape_is_channels_height_width() -> None:
    assert digits([1, 2]).shape == (1, 2, 3)


def test_counts_have_a_place_for_every_name() -> None:
    assert digits([1, 1, 9]).counts.tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("images", [np.zeros((2, 3, 3), np.uint8), np.zeros((2, 1, 3, 3), np.float32)])
def test_images_of_another_shape_or_type_are_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="images must be uint8"):
        Digits(images, np.zeros(2, np.int64))


@pytest.mark.parametrize("labels", [np.zeros(3, np.int64), np.zeros(2, np.int32)])
def test_labels_of_another_count_or_type_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="labels must be int64"):
        Digits(np.zeros((2, 1, 3, 3), np.uint8), labels)


def test_take_keeps_images_and_labels_together() -> None:
    taken = digits([5, 6, 7]).take(np.array([2, 0]))
    assert taken.images[:, 0, 0, 0].tolist() == [2, 0]
    assert taken.labels.tolist() == [7, 5]


def test_a_label_is_found_by_its_name_and_a_near_one_is_hinted_at() -> None:
    animals = Digits(np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, np.int64), ("cat", "horse"))
    assert animals.label_of("horse") == 1
    with pytest.raises(DataError, match=r'no label "hors" in this data set \(did you mean "horse"\?\); it has cat'):
        animals.label_of("hors")


def test_only_keeps_the_label_numbers() -> None:
    assert digits([3, 8, 3]).only([3]).labels.tolist() == [3, 3]


def test_only_names_an_absent_digit() -> None:
    with pytest.raises(DataError, match="no image of 4; choose among 0, 1"):
        digits([3]).only([4])


def test_subset_takes_equal_shares_without_repeats() -> None:
    subset = digits([0, 1, 2] * 10).subset(8, np.random.default_rng(0))
    assert subset.counts[:3].tolist() == [3, 3, 2]
    assert len(set(subset.images[:, 0, 0, 0].tolist())) == 8


def test_subset_is_the_same_for_one_seed_and_another_for_another() -> None:
    data = digits([0, 1] * 30)
    first, again, other = (data.subset(20, np.random.default_rng(seed)).sha256 for seed in (1, 1, 2))
    assert first == again != other


def test_subset_says_how_many_can_be_had() -> None:
    with pytest.raises(DataError, match="ask for at most 2"):
        digits([0, 1, 1, 1]).subset(4, np.random.default_rng(0))


def test_hash_sees_pixels_labels_and_order_but_not_the_layout_in_memory() -> None:
    data = digits([1, 2, 3])
    strided = Digits(np.asfortranarray(data.images), data.labels)
    assert strided.sha256 == data.sha256
    assert digits([1, 2, 4]).sha256 != data.sha256
    assert data.take(np.array([1, 0, 2])).sha256 != data.sha256


def test_many_labels_are_named_by_their_ends() -> None:
    assert listed(("cat", "horse")) == "cat, horse"
    assert listed([f"{number:03}" for number in range(1000)]) == "1,000 labels from 000 to 999"


def test_of_many_labels_some_at_equal_distances_are_shown() -> None:
    np.testing.assert_array_equal(few_of(np.arange(3, 13)), np.arange(3, 13))
    shown = few_of(np.arange(1000))
    assert (len(shown), shown[0], shown[-1]) == (26, 0, 999)
    assert set(np.diff(shown).tolist()) == {39, 40}
    assert len(few_of(np.empty(0, np.int64))) == 0

"""Copies among fresh images: exact, noisy and dimmed ones are found; typical and held-out images are none."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.data.digits import Digits
from digitforge.metrics import copies
from digitforge.metrics.copies import NEIGHBOURS, REAL_SHARE, Nearest, copy_threshold, is_copy, nearest

SIDE = 12
FACTORS = 12  # ways in which images of a label differ
LABELS = 2


def images_of(labels: np.ndarray, seed: int) -> Digits:
    """Images from one distribution a label: smooth ones, and a little noise."""
    ways = np.random.default_rng(0).standard_normal((LABELS, FACTORS, SIDE * SIDE))
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((len(labels), 1, FACTORS))
    levels = 128 + 12 * (weights @ ways[labels])[:, 0] + 2 * rng.standard_normal((len(labels), SIDE * SIDE))
    return Digits(np.clip(levels, 0, 255).astype(np.uint8).reshape(-1, 1, SIDE, SIDE), labels, ("a", "b"))


def drawn(count: int, seed: int) -> Digits:
    return images_of(np.arange(count) % LABELS, seed)


@pytest.fixture(scope="module")
def training() -> Digits:
    return drawn(2000, 1)


@pytest.fixture(scope="module")
def threshold(training: Digits) -> float:
    held_out = drawn(2000, 2)
    return copy_threshold(nearest(held_out.images, held_out.labels, training))


def noisy(images: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, deviation, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def test_the_nearest_is_that_of_all_pairs_in_float64(training: Digits) -> None:
    fresh = drawn(30, 3)
    found = nearest(fresh.images, fresh.labels, training)
    for place in range(30):
        same = np.flatnonzero(training.labels == fresh.labels[place])
        differences = training.images[same].astype(float) - fresh.images[place]
        distances = np.sqrt((differences**2).sum((1, 2, 3)))
        assert found.indices[place] == same[distances.argmin()]
        assert found.distances[place] == pytest.approx(distances.min(), rel=1e-6)
        assert found.relative[place] == pytest.approx(
            distances.min() / np.sort(distances)[:NEIGHBOURS].mean(), rel=1e-5
        )


def test_exact_copies_are_at_no_distance_at_all(training: Digits, threshold: float) -> None:
    places = np.arange(0, 2000, 37)
    found = nearest(training.images[places], training.labels[places], training)
    np.testing.assert_array_equal(found.indices, places)
    assert not found.distances.any() and not found.relative.any()
    assert is_copy(found, threshold).all()


def test_bright_exact_copies_are_at_no_distance_where_float32_products_are_rounded() -> None:
    rng = np.random.default_rng(4)
    bright = rng.integers(200, 256, (100, 3, 64, 64)).astype(np.uint8)  # squares sum to more than 2^24
    training = Digits(bright, np.zeros(100, np.int64), ("a",))
    assert not nearest(bright[:20], np.zeros(20, np.int64), training).distances.any()


@pytest.mark.parametrize("changed", [lambda images: noisy(images, 5), lambda images: images - np.minimum(images, 8)])
def test_copies_with_faint_noise_or_another_brightness_are_found_among_fresh_images(
    changed, training: Digits, threshold: float
) -> None:
    fresh, places = drawn(200, 5), np.arange(0, 2000, 50)
    images = np.concatenate([fresh.images, changed(training.images[places])])
    found = nearest(images, np.concatenate([fresh.labels, training.labels[places]]), training)
    np.testing.assert_array_equal(np.flatnonzero(is_copy(found, threshold)), 200 + np.arange(len(places)))
    np.testing.assert_array_equal(found.indices[200:], places)


def test_fresh_images_are_seldom_copies(training: Digits, threshold: float) -> None:
    fresh = drawn(3000, 6)
    found = nearest(fresh.images, fresh.labels, training)
    assert is_copy(found, threshold).mean() <= 5 * REAL_SHARE
    assert found.relative.max() < 1


def test_a_member_of_a_dense_cluster_is_no_copy(training: Digits, threshold: float) -> None:
    centre = drawn(2, 7).images[:1]
    cluster = noisy(np.repeat(centre, 2 * NEIGHBOURS, 0), 3)
    dense = Digits(
        np.concatenate([training.images, cluster[:-1]]),
        np.concatenate([training.labels, np.zeros(len(cluster) - 1, np.int64)]),
        training.names,
    )
    found = nearest(cluster[-1:], np.zeros(1, np.int64), dense)
    ordinary = nearest(centre, np.zeros(1, np.int64), training)
    assert found.distances[0] < ordinary.distances[0] / 3
    assert not is_copy(found, threshold)[0]
    assert found.relative[0] > 0.8


def test_an_image_is_no_copy_of_one_with_another_label(training: Digits, threshold: float) -> None:
    found = nearest(training.images[:20], 1 - training.labels[:20], training)
    assert not is_copy(found, threshold).any()
    np.testing.assert_array_equal(training.labels[found.indices], 1 - training.labels[:20])


def test_a_label_without_training_images_has_no_nearest(training: Digits, threshold: float) -> None:
    found = nearest(training.images[:4], np.arange(4) % 2, training.only([0]))
    assert (found.indices >= 0).tolist() == [True, False, True, False]
    assert np.isinf(found.distances[1::2]).all() and (found.relative[1::2] == 1).all()
    assert is_copy(found, threshold).tolist() == [True, False, True, False]


def test_few_training_images_are_all_held_against(training: Digits) -> None:
    few = training.take(np.arange(6))
    fresh = drawn(2, 8)
    found = nearest(fresh.images, fresh.labels, few)
    differences = few.images[few.labels == 0].astype(float) - fresh.images[0]
    distances = np.sqrt((differences**2).sum((1, 2, 3)))
    assert found.relative[0] == pytest.approx(distances.min() / distances.mean(), rel=1e-5)


def test_equal_training_images_only_count_as_a_copy_when_hit_exactly() -> None:
    equal = Digits(np.full((60, 1, 4, 4), 100, np.uint8), np.zeros(60, np.int64), ("a",))
    images = np.stack([np.full((1, 4, 4), level, np.uint8) for level in (100, 101)])
    found = nearest(images, np.zeros(2, np.int64), equal)
    assert found.relative.tolist() == [0, 1]
    assert is_copy(found, 0.0).tolist() == [True, False]


def test_chunks_change_nothing(training: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = drawn(50, 10)
    whole = nearest(fresh.images, fresh.labels, training)
    monkeypatch.setattr(copies, "_CHUNK_PAIRS", 7 * 1000)
    parts = nearest(fresh.images, fresh.labels, training)
    np.testing.assert_array_equal(parts.indices, whole.indices)
    np.testing.assert_allclose(parts.relative, whole.relative, rtol=1e-6)


def found_at(relative: np.ndarray, indices: np.ndarray | None = None) -> Nearest:
    where = np.zeros(len(relative), np.int64) if indices is None else indices
    return Nearest(where, np.ones(len(relative), np.float32), relative.astype(np.float32))


def test_a_thousandth_of_held_out_images_fall_below_the_threshold() -> None:
    held_out = found_at(np.random.default_rng(0).random(5000))
    assert is_copy(held_out, copy_threshold(held_out)).sum() == 5


def test_the_threshold_of_a_few_images_is_the_least() -> None:
    assert copy_threshold(found_at(np.asarray([0.5, 0.25, 0.75]))) == 0.25


def test_images_without_a_nearest_do_not_move_the_threshold() -> None:
    relative = np.arange(2000) / 2000
    with_strangers = np.concatenate([relative, np.ones(8000)])
    indices = np.concatenate([np.zeros(2000, np.int64), np.full(8000, -1)])
    assert copy_threshold(found_at(with_strangers, indices)) == copy_threshold(found_at(relative))
    with pytest.raises(ValueError, match="held-out"):
        copy_threshold(found_at(np.ones(3), np.full(3, -1)))


def test_images_of_another_shape_are_refused(training: Digits) -> None:
    with pytest.raises(ValueError, match="held against"):
        nearest(np.zeros((1, 1, SIDE, SIDE + 1), np.uint8), np.zeros(1, np.int64), training)

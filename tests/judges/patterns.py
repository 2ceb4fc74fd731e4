"""Images with a pattern that a classifier learns in seconds: a bright column or row a label, among noise."""

from __future__ import annotations

import numpy as np

from digitforge.data import DataSet, Digits

NAMES = ("left", "right", "top", "bottom")


def patterned(count: int, seed: int = 0, shape: tuple[int, int, int] = (1, 12, 12), ink: int = 150) -> Digits:
    """uint8 [count, C, H, W]: noise, and a bar near the edge that the label names."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, *shape), np.uint8)
    labels = np.arange(count, dtype=np.int64) % len(NAMES)
    bars = (np.s_[:, :, 1:3], np.s_[:, :, -3:-1], np.s_[:, 1:3], np.s_[:, -3:-1])
    for image, label in zip(images, labels, strict=True):
        image[bars[label]] += np.uint8(ink)
    return Digits(images, labels, NAMES)


def patterned_set(count: int, test_count: int | None = 80, **options: object) -> DataSet:
    """A data set of such images; no test part for None."""
    test = None if test_count is None else patterned(test_count, seed=1, **options)  # type: ignore[arg-type]
    return DataSet("bars", patterned(count, **options), test)  # type: ignore[arg-type]

"""Train on synthetic, test on real (Esteban et al. 2017): how much a classifier learns from a model's images alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digitforge.data.digits import DataSet, Digits
from digitforge.data.fetch import cache_folder
from digitforge.errors import DataError, ModelError, UserError
from digitforge.files import keep, read_table
from digitforge.forge import Forge
from digitforge.judges import check_shape
from digitforge.metrics.evaluation import Tstr
from digitforge.metrics.figure import Figure
from digitforge.metrics.real import Notify
from digitforge.randomness import stream
from digitforge.training.classifier import BATCH, Course, accuracy, fit

COUNT = 60_000  # training images, as many as MNIST has
MIN_COUNT = 100
STEPS = 936  # 4 passes through 60,000 images in batches of 256, whatever the count
WARMUP = 1 / 4
PROCEDURE = 1  # counts up when the classifier is trained otherwise, so that kept figures of before are passed over


def train_on_synthetic(
    forge: Forge,
    data: DataSet,
    count: int = COUNT,
    seed: int = 0,
    *,
    variety: float = 1.0,
    notify: Notify | None = None,
) -> Tstr:
    """Train one classifier on `count` images that the model draws and another on real ones; test both on real ones.

    count: at most as many as there are real training images of the model's labels; both get as many, and the same
    number of steps. The images are not distorted: that would give back variety that a model lacks. The figure of real
    images is kept in the cache. variety: of the model's images, as Forge.generate takes it. notify: hears what takes
    its time.
    Raises ModelError for a model that is told no labels, draws only one, or draws images of another shape; DataError
    for data without a test part or without a label that the model draws; UserError for a count below 100.
    """
    if count < MIN_COUNT:
        raise UserError(f"a classifier is trained on at least {MIN_COUNT} images, not {count}; 60,000 make it steady")
    test = _check(forge, data)
    real = _labelled(data.train, forge.names)
    count = min(count, len(real))
    chosen = real.take(stream(seed, "train on real").permutation(len(real))[:count])
    if notify:
        notify(f"training a classifier of {count:,} images of {forge.path.name}: {STEPS:,} steps")
    drawn = _labelled(forge.generate(None, count, seed, variety), forge.names)
    synthetic = Figure(_learnt(drawn, test, seed), len(test))
    real_ones = Figure(_real_accuracy(chosen, test, seed, data.name, notify), len(test))
    return Tstr(synthetic, real_ones, count, variety)


def check_model(forge: Forge) -> None:
    """Raise ModelError for a model whose images no classifier can be trained on: untold, or of one label."""
    name = forge.path.name
    if not forge.is_told:
        raise ModelError(
            f"{name} is not told which digit to draw, so that its images' labels would be another classifier's own "
            "words; training on them needs a conditional model"
        )
    if len(forge.names) < 2:
        raise ModelError(f"{name} draws {forge.names[0]!r} alone, which leaves a classifier nothing to tell apart")


def _check(forge: Forge, data: DataSet) -> Digits:
    """The test images of the model's labels, if all needed is there."""
    check_model(forge)
    check_shape(forge, data)
    if data.test is None:
        raise DataError(
            f"{data.name} has no test part, on which a classifier of the model's images could be tested; "
            "name data that have one"
        )
    return _labelled(data.test, forge.names)


def _labelled(digits: Digits, names: Sequence[str]) -> Digits:
    """The images of some labels, numbered in the order of their names."""
    labels = [digits.label_of(name) for name in names]
    numbers = np.zeros(len(digits.names), np.int64)
    numbers[labels] = np.arange(len(labels))
    chosen = digits.only(labels)
    return Digits(chosen.images, numbers[chosen.labels], tuple(names))


def _learnt(train: Digits, test: Digits, seed: int) -> float:
    """The share of test images that a classifier of these training images reads right."""
    course = Course(STEPS, min(BATCH, len(train)), WARMUP, distortion=0)
    return accuracy(fit(train, course, seed), test)


def _real_accuracy(train: Digits, test: Digits, seed: int, name: str, notify: Notify | None) -> float:
    """As _learnt(), from the cache if it was taken before."""
    path = cache_folder() / "tstr" / f"{train.sha256[:16]}-{test.sha256[:16]}-{seed}.json"
    asked = {"procedure": PROCEDURE, "train_sha256": train.sha256, "test_sha256": test.sha256, "seed": seed}
    if (kept := _read(path, asked)) is not None:
        return kept
    if notify:
        notify(f"training the same classifier of {len(train):,} real images of {name}, once: {STEPS:,} steps")
    found = _learnt(train, test, seed)
    keep(path, lambda stream: stream.write(json.dumps(asked | {"accuracy": found}).encode()))
    return found


def _read(path: Path, asked: dict[str, Any]) -> float | None:
    """The accuracy in a file that was kept for just what is asked; None if there is none that can be read."""
    table = read_table(path) or {}
    found = table.pop("accuracy", None)
    return found if table == asked and isinstance(found, float) and 0 <= found <= 1 else None

"""A classifier of data that no pinned one can read, or in colour learnt from: trained at first use, then kept."""

from __future__ import annotations

import json

import numpy as np

from digitforge.classifier import PROCEDURE, Classifier, cached_classifier, own_classifier_path
from digitforge.data.digits import DataSet, Digits
from digitforge.errors import DataError
from digitforge.files import keep
from digitforge.metrics.real import Notify
from digitforge.networks.to_onnx import classifier_to_onnx
from digitforge.onnx_file import read_onnx
from digitforge.randomness import stream
from digitforge.training.classifier import BATCH, SHORTEST, Course, accuracy, fit

LONGEST = 128  # pixels of a side; digits need no more, and it bounds the time
PASSES = 8  # through the training images, as far as the steps below allow
FEWEST_STEPS = 600  # seconds of work, which 500 images need to be learnt
MOST_STEPS = 1_900  # 8 passes through 60,000 images: 3 to 4 minutes on two cores at 28x28
SMALLEST_BATCH = 16  # images; a smaller one tells little, and batch normalisation learns from it
BATCHES_A_PASS = 16  # at least, so that few images still give steps that differ
WARMUP = 1 / PASSES
# Half as far as the pinned classifier's, with no black edges coming in: nobody knows here how wide images may turn
# and still be what their label says. None is mirrored: many a digit or letter would become another one, or none.
DISTORTION = 0.5
HELD_OUT = 10  # without a test part, one in so many images of each label is kept to test with


def own_classifier(data: DataSet, notify: Notify | None = None, seed: int = 0) -> Classifier:
    """The classifier of a data set's training images: from the cache, or trained now and put there.

    notify: hears that training begins, and how much work it is. Its card holds `data` (name, sha256 and count),
    `names`, `shape`, `accuracy` on held-out images (None for none) and `accuracy_n`, how many they were. Held out is
    the test part, or else a tenth of each label's images. Raises DataError for images from which none can be trained.
    """
    kept = cached_classifier(data.train.sha256)
    if kept is not None and (kept.names, kept.shape) == (data.train.names, data.train.shape):
        return kept
    _check(data)
    train, held_out = _split(data, seed)
    course = choose_course(len(train))
    if notify:
        notify(
            f"training a classifier of {len(train):,} images of {data.name}, once: "
            f"{course.steps:,} steps of {course.batch} images"
        )
    reader = fit(train, course, seed)
    card = {
        "kind": "classifier",
        "procedure": PROCEDURE,
        "names": data.train.names,
        "shape": data.train.shape,
        "data": {"name": data.name, "sha256": data.train.sha256, "count": len(train)},
        "seed": seed,
        "steps": course.steps,
        "accuracy": accuracy(reader, held_out) if len(held_out) else None,
        "accuracy_n": len(held_out),
    }
    return _kept(classifier_to_onnx(reader, data.train.shape, json.dumps(card)), data.train.sha256)


def choose_course(count: int) -> Course:
    """How a classifier of `count` images learns: 8 passes, but at least 600 steps and at most 1,900.

    A batch is a sixteenth of the images, from 16 to 256. So 500 images give 600 steps of 31, and 60,000 give 1,872
    steps of 256; more images take no longer.
    """
    batch = min(count, BATCH, max(SMALLEST_BATCH, count // BATCHES_A_PASS))
    steps = min(MOST_STEPS, max(FEWEST_STEPS, PASSES * (count // batch)))
    return Course(steps, batch, WARMUP, DISTORTION, edges="border")


def _check(data: DataSet) -> None:
    sides = data.train.shape[1:]
    if not SHORTEST <= min(sides) <= max(sides) <= LONGEST:
        raise DataError(
            f"the images of {data.name} are {sides[0]}x{sides[1]} pixels, and a classifier can be trained from "
            f"{SHORTEST}x{SHORTEST} to {LONGEST}x{LONGEST}; resize them"
        )
    if np.count_nonzero(data.train.counts) < 2:
        raise DataError(
            f"{data.name} holds images of one label alone, and a classifier learns from the differences between "
            "labels; add images of another label"
        )


def _split(data: DataSet, seed: int) -> tuple[Digits, Digits]:
    """What to train on, and what to test with; labels of fewer than ten images are all trained on."""
    if data.test is not None:
        return data.train, data.test
    rng = stream(seed, "held-out images")
    order = rng.permutation(len(data.train))
    is_held_out = np.zeros(len(order), np.bool_)
    for label, count in enumerate(data.train.counts):
        members = order[data.train.labels[order] == label]
        is_held_out[members[: count // HELD_OUT]] = True
    return data.train.take(np.flatnonzero(~is_held_out)), data.train.take(np.flatnonzero(is_held_out))


def _kept(content: bytes, data_sha256: str) -> Classifier:
    """The classifier in a file's content, put into the cache."""
    path = own_classifier_path(data_sha256)
    keep(path, lambda stream: stream.write(content))
    return Classifier(read_onnx(content, path))

"""stacked-mnist: three MNIST digits as the channels of one image, for telling how many of 1,000 modes a model draws."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from digitforge.data.digits import DataSet, Digits
from digitforge.data.mnist import MNIST, load_idx_set
from digitforge.data.sources import Progress
from digitforge.errors import DataError
from digitforge.randomness import stream

NAME = "stacked-mnist"
CHANNELS = 3
TRAIN_COUNT, TEST_COUNT = 60_000, 10_000
SEED = 0  # part of the data set, not of a run
# Digits.sha256 of both parts, taken with NumPy 2.4.6; figures from other images can't be held against each other.
TRAIN_SHA256 = "d702ee9ff3fb15b47869525fb9f9feb75c371a163c27e2ae3008c15cb40840fa"
TEST_SHA256 = "9c2d40f5afb2414cd0397cfec2cb180b1b49fea412e33a28af3a2e410c71ed33"


def load_stacked_mnist(progress: Progress | None = None) -> DataSet:
    """Both parts, made in memory of MNIST's in 0.5 s: uint8 [60000, 3, 28, 28] and [10000, 3, 28, 28].

    After Metz et al. 2017 ("Unrolled generative adversarial networks") and Srivastava et al. 2017 ("VEEGAN"), who draw
    anew for each batch; here the images are fixed, as other data sets' are. Raises DataError as loading MNIST does.
    """
    mnist = load_idx_set(MNIST, progress)
    assert mnist.test is not None, "MNIST has a test part"
    train = stack(mnist.train, TRAIN_COUNT, stream(SEED, "stacked-mnist train"))
    test = stack(mnist.test, TEST_COUNT, stream(SEED, "stacked-mnist test"))
    if (train.sha256, test.sha256) != (TRAIN_SHA256, TEST_SHA256):
        raise DataError(
            f"NumPy {np.__version__} draws other digits for {NAME} (expected {TRAIN_SHA256}, found {train.sha256}); "
            'pip install "numpy==2.4.6"'
        )
    return DataSet(NAME, train, test)


def stack(digits: Digits, count: int, rng: np.random.Generator) -> Digits:
    """`count` images uint8 [count, 3, H, W] of three digits each, drawn from [N, 1, H, W] one by one with replacement.

    The first digit is the first channel (red) and the first in the name: with L names label (a L + b) L + c.
    """
    chosen = rng.integers(0, len(digits), (count, CHANNELS))
    places = len(digits.names) ** np.arange(CHANNELS - 1, -1, -1)
    return Digits(digits.images[chosen, 0], digits.labels[chosen] @ places, stacked_names(digits.names))


def stacked_names(names: Sequence[str]) -> tuple[str, ...]:
    """What the labels of stacked digits are called, in their order, where one digit's are called `names`."""
    return tuple("".join(name) for name in product(names, repeat=CHANNELS))

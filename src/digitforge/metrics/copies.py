"""Copies: whether a generator repeats training images, by how much nearer one is than the others around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import Digits, Images, Labels

NEIGHBOURS = 50  # training images that an image's nearest one is held against: n of Carlini et al. 2023
REAL_SHARE = 0.001  # of held-out real images, which copy nothing, may be called copies
_CHUNK_PAIRS = 2**23  # pairs of images measured at once: 32 MB of float32
_CHUNK_PIXELS = 2**22  # of neighbours held against their images at once: 16 MB of float32


@dataclass(frozen=True)
class Nearest:
    """Of each image its nearest training image of the same label.

    indices: int64 [N] into the training images, -1 where they lack the label.
    distances: float32 [N], L2 over all pixels in grey levels: 0 for an exact copy, infinite where the label is lacking.
    relative: float32 [N], 0..1, the distance over the mean distance to the NEIGHBOURS nearest of the label, that one
    among them, or to all if there are fewer: 0 for an exact copy, near 1 where no training image stands out, 1 where
    the label is lacking.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float32]
    relative: NDArray[np.float32]

    def take(self, indices: NDArray[np.int64]) -> Nearest:
        """What was found for the images at `indices`, in that order."""
        return Nearest(self.indices[indices], self.distances[indices], self.relative[indices])


def nearest(images: Images, labels: Labels, training: Digits) -> Nearest:
    """The training images nearest to images [N, C, H, W], each among those of its label in labels [N].

    A label is an index into `training.names`. The relative distance is that of Carlini et al. 2023, "Extracting
    training data from diffusion models", in their attack on CIFAR-10, without its constant factor: a thin straight 1 is
    near to many training images and copies none of them. 10,000 images against 60,000 of 28x28 with ten labels take
    2 to 5 seconds on two cores. Raises ValueError for images of another shape than the training images.
    """
    if images.shape[1:] != training.shape:
        raise ValueError(f"images of {images.shape[1:]} can't be held against training images of {training.shape}")
    found = Nearest(
        np.full(len(images), -1, np.int64),
        np.full(len(images), np.inf, np.float32),
        np.ones(len(images), np.float32),
    )
    for label in np.unique(labels):
        members = np.flatnonzero(training.labels == label)
        if len(members):
            _search(images, np.flatnonzero(labels == label), training.images, members, found)
    return found


def copy_threshold(held_out: Nearest) -> float:
    """The relative distance that REAL_SHARE of held-out real images fall below: 0.49 for MNIST's 10,000 test images.

    Of N images it is the one that floor(REAL_SHARE * N) others lie below. With fewer than 1 / REAL_SHARE that is the
    least, and of M fresh images some M / N fall below it.
    Raises ValueError without an image whose label was in training.
    """
    known = held_out.relative[held_out.indices >= 0]
    if len(known) == 0:
        raise ValueError("a threshold needs held-out images of labels that the training images have")
    rank = int(REAL_SHARE * len(known))
    return float(np.partition(known, rank)[rank])


def is_copy(found: Nearest, threshold: float) -> NDArray[np.bool_]:
    """Which images copy a training image: bool [N], those below the threshold, and exact copies at any threshold."""
    copied: NDArray[np.bool_] = (found.relative < threshold) | (found.distances == 0)
    return copied


def _search(
    images: Images, wanted: NDArray[np.int64], originals: Images, members: NDArray[np.int64], found: Nearest
) -> None:
    """Put into `found` what is nearest to the images at `wanted` among the originals at `members`, all of one label."""
    pool = _flat(originals[members])
    pool_squares = _squares(pool)
    step = max(1, min(_CHUNK_PAIRS // len(pool), _CHUNK_PIXELS // (NEIGHBOURS * pool.shape[1])))
    for start in range(0, len(wanted), step):
        chunk = wanted[start : start + step]
        flat = _flat(images[chunk])
        around = _smallest(pool_squares - 2 * (flat @ pool.T), NEIGHBOURS)
        # The product's rounding can be seen where images are nearly equal; their pixels' differences are exact.
        distances = np.sqrt(_squares(pool[around] - flat[:, None]))
        first = distances.argmin(1)[:, None]
        least = np.take_along_axis(distances, first, 1)[:, 0]
        found.indices[chunk] = members[np.take_along_axis(around, first, 1)[:, 0]]
        found.distances[chunk] = least
        found.relative[chunk] = np.divide(least, distances.mean(1), out=np.zeros_like(least), where=least > 0)


def _smallest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The columns of the smallest values in each row, in no order: int64 [N, min(count, columns)]."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.argpartition(values, count - 1, 1)[:, :count]


def _squares(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The squared length of vectors [..., P], exact for whole numbers while it is below 2^24."""
    squares: NDArray[np.float32] = np.einsum("...i,...i->...", vectors, vectors)
    return squares


def _flat(images: Images) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32)

"""Digits: labelled uint8 images in one array, and a data set with its training and test part."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from digitforge.errors import DataError

Images = NDArray[np.uint8]  # [N, C, H, W], 0..255
Labels = NDArray[np.int64]  # [N], 0..classes - 1

DIGIT_NAMES = tuple("0123456789")
UNLABELLED = ("unlabelled",)  # the names of digits that nobody told or read a label of
MAX_NAME = 64  # characters of a label's name
FEW_LABELS = 26  # so many, as there are letters, are shown one by one, in words and in rows of pictures


def is_name(value: object) -> bool:
    """Whether something can name a label. Names go to terminals and into file names, so nothing that moves a cursor may
    be in them.
    """
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


def listed(names: Sequence[str]) -> str:
    """Names of labels as a sentence has them: each one where they are few, else how many, and from where to where."""
    if len(names) <= FEW_LABELS:
        return ", ".join(names)
    return f"{len(names):,} labels from {names[0]} to {names[-1]}"


def few_of(labels: Labels) -> Labels:
    """The labels to show where each takes room: all of [K], or 26 at equal distances where there are more."""
    places = np.linspace(0, len(labels) - 1, min(len(labels), FEW_LABELS)).round().astype(np.int64)
    return labels[places]


@dataclass(frozen=True)
class Digits:
    """Labelled images.

    images: uint8 [N, C, H, W], 0 is no ink (or black), 255 full ink (or white); C is 1 (grey) or 3 (RGB).
    labels: int64 [N], each an index into `names`.
    names: what each label is called, "0" to "9" for digits.
    """

    images: Images
    labels: Labels
    names: tuple[str, ...] = DIGIT_NAMES

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 [N, C, H, W], not {self.images.dtype} {self.images.shape}")
        if self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise ValueError(f"labels must be int64 [{len(self.images)}], not {self.labels.dtype} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image, in pixels."""
        return self.images.shape[1], self.images.shape[2], self.images.shape[3]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many images each label has: int64 [classes]."""
        return np.bincount(self.labels, minlength=len(self.names)).astype(np.int64)

    @cached_property
    def sha256(self) -> str:
        """A hash over shape, images and labels: equal data, equal hash, whatever file they came from."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def take(self, indices: NDArray[np.int64]) -> Digits:
        """The images at `indices` [M], in that order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def label_of(self, name: str) -> int:
        """The label that is called so. Raises DataError if there is none."""
        if name not in self.names:
            from digitforge.recipe import nearest  # brings pydantic, which drawing does not need

            near = nearest(name, self.names)
            raise DataError(f'there is no label "{name}" in this data set{near}; it has {listed(self.names)}')
        return self.names.index(name)

    def only(self, labels: Sequence[int]) -> Digits:
        """The images whose label is among `labels`; label numbers and names stay as they are."""
        chosen = self.take(np.flatnonzero(np.isin(self.labels, labels)))
        if len(chosen) == 0:
            wanted = listed([self.names[label] for label in labels])
            raise DataError(f"this data set holds no image of {wanted}; choose among {listed(self.names)}")
        return chosen

    def subset(self, count: int, rng: np.random.Generator) -> Digits:
        """`count` images, an equal number of each label that occurs (the remainder to the first ones), shuffled."""
        present = np.flatnonzero(self.counts)
        shares = np.full(len(present), count // len(present))
        shares[: count % len(present)] += 1
        parts = []
        for label, share in zip(present, shares, strict=True):
            members = np.flatnonzero(self.labels == label)
            if share > len(members):
                raise DataError(
                    f"{count} images need {share} of {self.names[label]}, but the data set holds {len(members)}; "
                    f"ask for at most {len(present) * int(self.counts[present].min())}"
                )
            parts.append(rng.choice(members, share, replace=False))
        return self.take(rng.permutation(np.concatenate(parts)))


@dataclass(frozen=True)
class DataSet:
    """A named data set: what is trained on, and what is held out (None where there is no test part).

    notes: sentences for the user on what was done to the files' content, such as resizing.
    """

    name: str
    train: Digits
    test: Digits | None
    notes: tuple[str, ...] = ()

"""Real images and what each of them measures, kept in the cache, so that a data set is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.classifier import Classifier
from digitforge.data.digits import DataSet, Digits, Images, Labels
from digitforge.data.fetch import cache_folder
from digitforge.data.npz import DAMAGE
from digitforge.files import keep
from digitforge.metrics.colours import BLUE, GREEN, RED, brightnesses, channel_means, contrasts, saturations
from digitforge.metrics.copies import Nearest, copy_threshold, nearest
from digitforge.metrics.per_image import PerImage
from digitforge.metrics.strokes import slants, stray_ink, stroke_widths
from digitforge.randomness import stream

Notify = Callable[[str], None]  # hears, in one line, what takes its time

STROKES: dict[str, Callable[[Images], PerImage]] = {"width": stroke_widths, "slant": slants, "stray": stray_ink}
CHANNELS = {"red": RED, "green": GREEN, "blue": BLUE}
COLOURS: dict[str, Callable[[Images], PerImage]] = {
    "brightness": brightnesses,
    "contrast": contrasts,
    "saturation": saturations,
    **{name: partial(channel_means, channel=channel) for name, channel in CHANNELS.items()},
}
_PART = 5_000  # images read at once, so that the logits of a thousand labels take little memory


@dataclass(frozen=True)
class Measured:
    """Images with what was measured on each.

    features: float32 [N, F], the classifier's; read: int64 [N], the label that it takes each image for, by its own
    numbers. properties: float32 [N] each, NaN where an image has no such thing: by the names of STROKES of grey images,
    of COLOURS where channels are colours, and "crowded", a logit, where the classifier tells it.
    """

    digits: Digits
    features: NDArray[np.float32]
    read: Labels
    properties: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.digits)

    def take(self, indices: NDArray[np.int64]) -> Measured:
        """The images at `indices`, in that order."""
        properties = {key: values[indices] for key, values in self.properties.items()}
        return Measured(self.digits.take(indices), self.features[indices], self.read[indices], properties)

    def some(self, count: int) -> Measured:
        """At most `count` images, chosen by chance, always the same: MNIST's first test images are its clearest."""
        if len(self) <= count:
            return self
        return self.take(stream(0, "images to compare").permutation(len(self))[:count])

    def only(self, labels: Sequence[int]) -> Measured:
        """The images of some labels."""
        return self.take(np.flatnonzero(np.isin(self.digits.labels, labels)))


@dataclass(frozen=True)
class Real:
    """A data set with what each of its images measures.

    test, nearest_to_test: the held-out images and what training image is nearest to each; None where there are none.
    """

    name: str
    sha256: str
    train: Measured
    test: Measured | None
    nearest_to_test: Nearest | None

    def only(self, labels: Sequence[int]) -> Real:
        """The images of some labels; a test part that has none of them counts as no test part."""
        parts = [self.train] if self.test is None else [self.train, self.test]
        if all(np.isin(part.digits.labels, labels).all() for part in parts):
            return self
        train = self.train.only(labels)
        if self.test is None or self.nearest_to_test is None or not np.isin(self.test.digits.labels, labels).any():
            return Real(self.name, self.sha256, train, None, None)
        kept = np.flatnonzero(np.isin(self.train.digits.labels, labels))
        near = self.nearest_to_test.take(np.flatnonzero(np.isin(self.test.digits.labels, labels)))
        near = replace(near, indices=np.where(near.indices < 0, -1, np.searchsorted(kept, near.indices)))
        return Real(self.name, self.sha256, train, self.test.only(labels), near)

    @cached_property
    def copy_threshold(self) -> float | None:
        """The relative distance below which an image counts as a copy; None without held-out images to tell it."""
        near = self.nearest_to_test
        return None if near is None or not (near.indices >= 0).any() else copy_threshold(near)


def measure(digits: Digits, classifier: Classifier, *, details: bool = True) -> Measured:
    """Measure images one by one: features and, with details, strokes or colours (a quarter of a minute for 70,000)."""
    parts = np.array_split(digits.images, max(1, len(digits) // _PART))
    features, read, crowded = [], [], []
    for part in parts:
        reading = classifier.read(part)
        features.append(reading.features)
        read.append(reading.labels)
        if reading.crowded is not None:
            crowded.append(reading.crowded)
    measures = _of_pixels(classifier) if details else {}
    properties = {key: each(digits.images).astype(np.float32) for key, each in measures.items()}
    if crowded:
        properties["crowded"] = np.concatenate(crowded)
    return Measured(digits, np.concatenate(features), np.concatenate(read), properties)


def find_real(data: DataSet, classifier: Classifier, notify: Notify | None = None) -> Real:
    """What a data set's images measure, from the cache or measured now and kept.

    Raises ModelError if the classifier doesn't fit the images.
    """
    path = cache_folder() / "references" / f"{data.train.sha256[:16]}-{classifier.sha256[:16]}-images.npz"
    if kept := _read(path, data, classifier):
        return kept
    if notify:
        notify(f"reading the {len(data.train) + len(data.test or ()):,} images of {data.name}, once")
    train = measure(data.train, classifier)
    if data.test is None:
        real = Real(data.name, data.train.sha256, train, None, None)
    else:
        near = nearest(data.test.images, data.test.labels, data.train)
        real = Real(data.name, data.train.sha256, train, measure(data.test, classifier), near)
    _keep(path, real, data, classifier)
    return real


def _of_pixels(classifier: Classifier) -> Mapping[str, Callable[[Images], PerImage]]:
    """What is measured on the pixels of the images that a classifier reads."""
    if classifier.sees_colours:
        return COLOURS
    return STROKES if classifier.shape[0] == 1 else {}


def _identity(data: DataSet, classifier: Classifier) -> list[str]:
    """What a file of measurements must be of."""
    return [data.train.sha256, data.test.sha256 if data.test else "none", classifier.sha256]


def _keep(path: Path, real: Real, data: DataSet, classifier: Classifier) -> None:
    """Put the measurements into the cache."""
    arrays: dict[str, NDArray[Any]] = {"identity": np.asarray(_identity(data, classifier))}
    for part, measured in (("train", real.train), ("test", real.test)):
        if measured is not None:
            arrays |= {f"{part}.features": measured.features, f"{part}.read": measured.read}
            arrays |= {f"{part}.{key}": values for key, values in measured.properties.items()}
    if real.nearest_to_test is not None:
        arrays |= {f"near.{key}": values for key, values in asdict(real.nearest_to_test).items()}
    keep(path, lambda stream: np.savez(stream, allow_pickle=False, **arrays))


def _read(path: Path, data: DataSet, classifier: Classifier) -> Real | None:
    """The measurements in a file; None if it doesn't hold them all, as they can be taken again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if arrays["identity"].tolist() != _identity(data, classifier):
                return None
            train = _unpack(arrays, "train", data.train, classifier)
            if data.test is None:
                return Real(data.name, data.train.sha256, train, None, None)
            test = _unpack(arrays, "test", data.test, classifier)
            near = {key: arrays[f"near.{key}"] for key in ("indices", "distances", "relative")}
    except (OSError, KeyError, *DAMAGE):
        return None
    fits = all(values.shape == (len(data.test),) for values in near.values())
    if not fits or not (near["indices"].dtype == np.int64 and (near["indices"] < len(data.train)).all()):
        return None
    return Real(data.name, data.train.sha256, train, test, Nearest(**near))


def _unpack(arrays: Mapping[str, NDArray[Any]], part: str, digits: Digits, classifier: Classifier) -> Measured:
    """One part's measurements. Raises ValueError or KeyError where they don't fit its images."""
    keys = [*_of_pixels(classifier), *(["crowded"] if classifier.tells_crowded else [])]
    features, read = arrays[f"{part}.features"], arrays[f"{part}.read"]
    properties = {key: arrays[f"{part}.{key}"] for key in keys}
    sizes = [features.shape == (len(digits), classifier.feature_count)]
    sizes += [values.shape == (len(digits),) for values in (read, *properties.values())]
    if not all(sizes):
        raise ValueError(f"the measurements of the {part} part do not fit its images")
    return Measured(digits, features, read, properties)

"""Evaluating a model: what its images measure against real ones, every figure with the number of images behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.classifier import Classifier, Reading
from digitforge.data.digits import Labels
from digitforge.data.sources import Progress
from digitforge.errors import DataError, ModelError, UserError
from digitforge.forge import Forge
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.metrics.reference import Notify, Reference, find_reference, merged

COUNT = 10_000  # images by default: MNIST's test part has as many, so that model and floor have equal bias
MIN_COUNT = 2  # a covariance needs two


@dataclass(frozen=True)
class Figure:
    """A number and the images behind it.

    n: images that it was taken from. reference_n: real images that they were held against, None for none.
    """

    value: float
    n: int
    reference_n: int | None = None

    def as_dict(self) -> dict[str, float | int]:
        """Value and counts, as plain types."""
        table: dict[str, float | int] = {"value": self.value, "n": self.n}
        return table if self.reference_n is None else table | {"reference_n": self.reference_n}


@dataclass(frozen=True)
class Histogram:
    """How often each label occurs, by its name: in images read by the classifier, and in the data's training part."""

    drawn: dict[str, int]
    data: dict[str, int]


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one model.

    model: the file. model_sha256: of the file; weights_sha256: of the weights, from its card.
    data: the name of the data set whose real images it was held against; data_sha256: of its training part.
    count: images drawn, from `seed`.
    frechet: Frechet distance to the training images in the classifier's features, 0 and up.
    floor: the same for the test images against the training images; None without a test part.
    accuracy: share of images read as the label asked for, 0..1; None where no label can be asked for without the
    classifier's help.
    accuracy_by_label: the same for each label asked for, by name.
    notes: sentences on what limits a figure.
    """

    model: str
    model_sha256: str
    weights_sha256: str
    classifier_sha256: str
    data: str
    data_sha256: str
    count: int
    seed: int
    frechet: Figure
    floor: Figure | None
    accuracy: Figure | None
    accuracy_by_label: dict[str, Figure]
    histogram: Histogram
    notes: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """The Frechet distance in floors: 1 is as near as other real images; None without a floor."""
        return self.frechet.value / self.floor.value if self.floor and self.floor.value else None

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain types."""
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "weights_sha256": self.weights_sha256,
            "classifier_sha256": self.classifier_sha256,
            "data": self.data,
            "data_sha256": self.data_sha256,
            "count": self.count,
            "seed": self.seed,
            "frechet": self.frechet.as_dict(),
            "floor": self.floor.as_dict() if self.floor else None,
            "ratio": self.ratio,
            "accuracy": self.accuracy.as_dict() if self.accuracy else None,
            "accuracy_by_label": {name: figure.as_dict() for name, figure in self.accuracy_by_label.items()},
            "histogram": {"drawn": self.histogram.drawn, "data": self.histogram.data},
            "notes": list(self.notes),
        }

    def for_card(self) -> dict[str, Any]:
        """What a model's own card keeps: all but the file's name and hash, which the card would change."""
        return {key: value for key, value in self.as_dict().items() if key not in ("model", "model_sha256")}

    def to_json(self) -> str:
        """Everything as JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def evaluate(
    model: Forge | str | Path | None = None,
    data: str | Path | None = None,
    count: int = COUNT,
    seed: int = 0,
    *,
    classifier: Classifier | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Draw `count` images, labels after the training frequencies, and measure them.

    model: as Forge.load takes it; None: the pretrained one.
    data: name or path of what to hold them against; None: what the model was trained on. Only those labels count that
    the model was trained on, and of those all training images, even if the model saw a part of them.
    classifier: None: the pinned one. notify: hears what takes its time; progress: hears a download.
    Raises ModelError if the classifier doesn't fit the model's images, DataError if the data are needed and can't be
    had, UserError for a count below 2.
    """
    if count < MIN_COUNT:
        raise UserError(f"evaluating takes at least {MIN_COUNT} images, not {count}; 10,000 make a steady figure")
    forge = model if isinstance(model, Forge) else Forge.load(model)
    classifier = classifier or Classifier.load()
    _check_fit(forge, classifier)
    find = partial(find_reference, classifier=classifier, notify=notify, progress=progress)
    reference = find(str(data), None) if data is not None else _own_reference(forge, find)
    asked, reading = _draw_and_read(forge, classifier, count, seed)
    return _measure(forge, classifier, reference, asked, reading, seed)


def _check_fit(forge: Forge, classifier: Classifier) -> None:
    if not classifier.fits(forge.card.shape, forge.names):
        sizes, own = ("x".join(map(str, shape)) for shape in (forge.card.shape, classifier.shape))
        raise ModelError(
            f"{forge.path.name} draws {', '.join(forge.names[:10])} as images of {sizes}, and the pinned classifier "
            f"reads {', '.join(classifier.names)} at {own} alone (channels x height x width)"
        )


def _own_reference(forge: Forge, find: Callable[[str, str], Reference]) -> Reference:
    """The reference for what the model was trained on."""
    trained_on = forge.card.data
    try:
        return find(trained_on.name, trained_on.sha256)
    except DataError as error:
        raise DataError(
            f"{forge.path.name} was trained on {trained_on.name}, which can't be had here: {error}; "
            "name other data to hold it against with --data"
        ) from None


def _draw_and_read(forge: Forge, classifier: Classifier, count: int, seed: int) -> tuple[Labels, Reading]:
    """The labels of the images, and how the classifier reads them; the images themselves are not kept."""
    labels, features, logits = [], [], []
    for part in forge.batches(None, count, seed):
        reading = classifier.read(part.digits.images)
        labels.append(part.digits.labels)
        features.append(reading.features)
        logits.append(reading.logits)
    return np.concatenate(labels), Reading(np.concatenate(features), np.concatenate(logits))


def _measure(
    forge: Forge, classifier: Classifier, reference: Reference, asked: Labels, reading: Reading, seed: int
) -> Evaluation:
    labels = reference.labels_of(forge.names)
    train = merged(reference.train, labels)
    frechet = Figure(frechet_distance(moments(reading.features), train), len(reading), train.count)
    floor = _floor(reference, labels)
    is_right = np.asarray(classifier.names)[reading.labels] == np.asarray(forge.card.names)[asked]
    told = forge.card.trained if forge.is_told else ()
    return Evaluation(
        model=str(forge.path),
        model_sha256=forge.sha256,
        weights_sha256=forge.card.weights_sha256,
        classifier_sha256=classifier.sha256,
        data=reference.data,
        data_sha256=reference.data_sha256,
        count=len(reading),
        seed=seed,
        frechet=frechet,
        floor=floor,
        accuracy=_share(is_right) if told else None,
        accuracy_by_label={
            forge.card.names[label]: _share(is_right[asked == label]) for label in told if (asked == label).any()
        },
        histogram=_histogram(classifier, reference, labels, reading),
        notes=tuple(_notes(forge, reference, frechet, floor)),
    )


def _floor(reference: Reference, labels: Sequence[int]) -> Figure | None:
    """The distance of real images to real images."""
    if not reference.test:
        return None
    train, test = merged(reference.train, labels), merged(reference.test, labels)
    return Figure(frechet_distance(test, train), test.count, train.count) if test.count > 1 else None


def _share(is_right: NDArray[np.bool_]) -> Figure:
    return Figure(float(is_right.mean()), len(is_right))


def _histogram(classifier: Classifier, reference: Reference, labels: Sequence[int], reading: Reading) -> Histogram:
    counts = np.bincount(reading.labels, minlength=len(classifier.names))
    drawn = dict(zip(classifier.names, counts.tolist(), strict=True))
    real = {reference.names[label]: reference.train[label].count for label in labels}
    return Histogram(drawn, {name: real.get(name, 0) for name in classifier.names})


def _notes(forge: Forge, reference: Reference, frechet: Figure, floor: Figure | None) -> list[str]:
    notes = []
    trained_on = forge.card.data
    if reference.data == trained_on.name and reference.data_sha256 != trained_on.sha256:
        notes.append(f"{reference.data} holds other images here than those that the model was trained on")
    if floor is None:
        notes.append(f"{reference.data} has no test part, so there is no floor to compare the distance with")
    elif floor.n != frechet.n:
        notes.append(
            f"the distance is taken from {frechet.n:,} images and its floor from {floor.n:,}; fewer images raise it"
        )
    return notes

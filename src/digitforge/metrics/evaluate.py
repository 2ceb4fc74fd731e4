"""Evaluating: what images, of a model or of another program, measure against real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitforge.classifier import PINNED_COLOUR, Classifier, is_stand_in
from digitforge.data import data_name, load_data
from digitforge.data.digits import Digits, listed
from digitforge.data.loose import find_images
from digitforge.data.sources import Progress
from digitforge.errors import DataError, ModelError, UserError
from digitforge.forge import Forge
from digitforge.metrics.details import measure_details
from digitforge.metrics.evaluation import Evaluation, Histogram
from digitforge.metrics.figure import Figure
from digitforge.metrics.findings import describe_details, describe_labels
from digitforge.metrics.frechet import LEAST, Moments, frechet_distance, moments
from digitforge.metrics.real import Measured, Notify, Real, find_real, measure
from digitforge.metrics.reference import Reference, reference_of, shipped_reference
from digitforge.metrics.subject import Subject

COUNT = 10_000  # images by default: MNIST's test part has as many, so that model and floor have equal bias
MIN_DETAILED = 10  # images, so that each has neighbours
_READABLE = 0.9  # of real images that a classifier must read as labelled for its figures to tell much


def evaluate(
    model: Forge | str | Path | None = None,
    data: str | Path | None = None,
    count: int = COUNT,
    seed: int = 0,
    *,
    details: bool = True,
    classifier: Classifier | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Draw `count` images, labels after the training frequencies, and measure them.

    model: as Forge.load takes it; None: the pretrained one.
    data: name or path of what to hold them against; None: what the model was trained on. Only those labels count that
    the model was trained on, and of those all training images, even if the model saw a part of them.
    details: whether to take the figures that need the real images themselves; where those can't be had, a note says so.
    classifier: None: what reads the model's images, mostly the pinned one. notify: hears what takes its time; progress:
    hears a download.
    Raises ModelError if the classifier doesn't fit the model's images, DataError if the data are needed and can't be
    had, UserError for a count below 2.
    """
    forge = model if isinstance(model, Forge) else Forge.load(model)
    subject = Subject.of_model(forge)
    return measure_subject(
        subject, data, count, seed, details=details, classifier=classifier, notify=notify, progress=progress
    )


def evaluate_images(
    images: Digits | NDArray[np.uint8] | str | Path,
    data: str | Path,
    count: int = COUNT,
    seed: int = 0,
    *,
    details: bool = True,
    classifier: Classifier | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure images that another program drew: all of them, or `count` chosen by chance from `seed` of more.

    images: with labels, or uint8 [N, H, W], [N, H, W, C] or [N, C, H, W], 0..255, without any, or a path that
    read_images() reads. Labels count as what was asked for, and only real images of those are held beside them. data:
    name or path of what to hold them against. The other arguments, and what it raises, are those of evaluate();
    images of another size than the data raise DataError.
    """
    subject = Subject.of_images(find_images(images), data_name(data), load_data(data_name(data), progress=progress))
    return measure_subject(
        subject, None, count, seed, details=details, classifier=classifier, notify=notify, progress=progress
    )


def measure_subject(
    subject: Subject,
    data: str | Path | None = None,
    count: int = COUNT,
    seed: int = 0,
    *,
    details: bool = True,
    classifier: Classifier | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """What evaluate() does, of a model and of images alike."""
    if count < LEAST:
        raise UserError(f"evaluating takes at least {LEAST} images, not {count}; 10,000 make a steady figure")
    classifier = fitting_classifier(subject, classifier)
    notes = list(subject.notes)
    wanted = subject.data if data is None else data_name(data)
    shipped = shipped_reference(
        subject.names,
        classifier,
        sha256=subject.data_sha256 if data is None else None,
        data=None if data is None else wanted,
    )
    real = None
    if details or shipped is None:
        try:
            data_set = load_data(wanted, progress=progress)
            if notify is not None:
                for note in data_set.notes:
                    notify(note)
            real = find_real(data_set, classifier, notify)
        except DataError as error:
            if shipped is None:
                raise error if data is not None else _lacking(subject, error) from None
            notes.append(f"the key figures alone, as {wanted} can't be had here: {error}")
    if real is not None and (shipped is None or shipped.data_sha256 != real.sha256):
        reference = reference_of(real, subject.names)
    else:
        assert shipped is not None
        reference = shipped
    digits = subject.draw(count, seed)
    if len(digits) < LEAST:
        raise DataError(f"{subject.path} holds {len(digits)} image, and a distance takes {LEAST}; give more")
    if details and real is not None and len(digits) < MIN_DETAILED:
        notes.append(f"the key figures alone, as {len(digits)} images are too few for more; {MIN_DETAILED} are enough")
        details = False
    drawn = measure(digits, classifier, details=details and real is not None)
    found = _measure(subject, classifier, reference, real, drawn, seed, details=details)
    is_own = data is None or wanted == subject.data
    if real is not None:
        notes += _unread(subject, classifier, real)
    return replace(found, notes=(*notes, *_notes(subject, classifier, found, is_own)))


def fitting_classifier(subject: Subject, given: Classifier | None = None) -> Classifier:
    """The classifier that reads the images: the given one, or what fits. Raises ModelError if none does."""
    classifier = subject.classifier(given)
    if classifier is None:
        readers = [given] if given else [Classifier.load(), Classifier.load(PINNED_COLOUR)]
        sizes = " or ".join(_size(reader.shape) for reader in readers)
        raise ModelError(
            f"{subject.path.name} draws {listed(subject.names)} as images of {_size(subject.shape)}, and what can be "
            f"read here is {listed(readers[0].names)} at {sizes} alone (channels x height x width)"
        )
    return classifier


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _lacking(subject: Subject, error: DataError) -> DataError:
    return DataError(
        f"{subject.path.name} was trained on {subject.data}, which can't be had here: {error}; "
        "hold it against other data by `evaluate --data`"
    )


def _measure(
    subject: Subject,
    classifier: Classifier,
    reference: Reference,
    real: Real | None,
    drawn: Measured,
    seed: int,
    *,
    details: bool,
) -> Evaluation:
    train, test = reference.train, reference.test
    held_out = None if real is None else _held_out(subject, real)
    accuracy = _accuracy(subject, classifier, drawn, held_out if details else None)
    histogram = _histogram(classifier, reference, drawn)
    further = measure_details(*_aligned(subject, classifier, drawn, real)) if details and real is not None else None
    frechet = _distance(drawn.features, train)
    floor = None if test is None else Figure(frechet_distance(test, train), test.count, train.count)
    return Evaluation(
        model=str(subject.path),
        model_sha256=subject.sha256,
        weights_sha256=subject.weights_sha256,
        classifier_sha256=classifier.sha256,
        data=reference.data,
        data_sha256=reference.data_sha256,
        count=len(drawn),
        seed=seed,
        frechet=frechet,
        floor=floor,
        ratio=_ratio(drawn.features, frechet, train, floor, held_out),
        accuracy=accuracy,
        accuracy_by_label=_accuracy_by_label(subject, classifier, drawn),
        histogram=histogram,
        details=further,
        findings=(
            *describe_labels(accuracy, histogram.drawn, histogram.data),
            *(describe_details(further) if further else ()),
        ),
        notes=(),
    )


def _distance(features: NDArray[np.float32], train: Moments) -> Figure:
    return Figure(frechet_distance(moments(features), train), len(features), train.count)


def _ratio(
    features: NDArray[np.float32], frechet: Figure, train: Moments, floor: Figure | None, held_out: Measured | None
) -> Figure | None:
    """The distance in floors, both of equally many images where the held-out ones are at hand."""
    if floor is None:
        return None
    if frechet.n > floor.n:
        frechet = _distance(features[: floor.n], train)
    elif frechet.n < floor.n and held_out is not None:
        floor = _distance(held_out.some(frechet.n).features, train)
    return replace(frechet, value=frechet.value / floor.value, real_n=floor.n) if floor.value else None


def _held_out(subject: Subject, real: Real) -> Measured | None:
    """The held-out images of the labels that a model draws."""
    names = real.train.digits.names
    return None if real.test is None else real.test.only([names.index(name) for name in subject.names])


def _is_right(classifier: Classifier, images: Measured) -> NDArray[np.bool_]:
    """Which images are read as their label, by name."""
    right: NDArray[np.bool_] = (
        np.asarray(classifier.names)[images.read] == np.asarray(images.digits.names)[images.digits.labels]
    )
    return right


def _accuracy(subject: Subject, classifier: Classifier, drawn: Measured, held_out: Measured | None) -> Figure | None:
    """The share read as asked for; None where nobody tells the model its label."""
    if not subject.is_told:
        return None
    other = (float(_is_right(classifier, held_out).mean()), len(held_out)) if held_out else ()
    return Figure(float(_is_right(classifier, drawn).mean()), len(drawn), None, *other)


def _accuracy_by_label(subject: Subject, classifier: Classifier, drawn: Measured) -> dict[str, Figure]:
    if not subject.is_told:
        return {}
    right, asked = _is_right(classifier, drawn), drawn.digits.labels
    counts = drawn.digits.counts
    shares = np.bincount(asked, right, len(counts)) / np.maximum(counts, 1)
    names = drawn.digits.names
    return {names[label]: Figure(float(shares[label]), int(counts[label])) for label in np.flatnonzero(counts)}


def _histogram(classifier: Classifier, reference: Reference, drawn: Measured) -> Histogram:
    read = np.bincount(drawn.read, minlength=len(classifier.names)).tolist()
    data = {name: reference.counts.get(name, 0) for name in classifier.names}
    return Histogram(dict(zip(classifier.names, read, strict=True)), data)


def _aligned(subject: Subject, classifier: Classifier, drawn: Measured, real: Real) -> tuple[Measured, Real]:
    """Drawn images, and the real ones of the model's labels, with labels that mean the same.

    A label that was asked for counts, not how the image is read; where none is asked for, it is the one that is read,
    and what is read as nothing that the data have gets a label beyond theirs.
    """
    names, digits = real.train.digits.names, drawn.digits
    meant = np.asarray(digits.names)[digits.labels] if subject.is_told else np.asarray(classifier.names)[drawn.read]
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.asarray([numbers.get(str(name), len(names)) for name in meant], np.int64)
    aligned = replace(drawn, digits=Digits(digits.images, labels, (*names, "none of them")))
    return aligned, real.only([numbers[name] for name in subject.names])


def _unread(subject: Subject, classifier: Classifier, real: Real) -> list[str]:
    """A note where the classifier reads few of the real images of the model's labels as what they are."""
    digits = real.train.digits
    wanted = [label for label, name in enumerate(digits.names) if name in subject.names]
    share = float(_is_right(classifier, real.train)[np.isin(digits.labels, wanted)].mean())
    if share >= _READABLE:
        return []
    return [
        f"the classifier reads {share:.0%} of {real.name}'s own training images as labelled, so that its figures tell "
        "little: it knows light ink on a dark ground; labels that are no digits want names, as of a folder a class"
    ]


def _notes(subject: Subject, classifier: Classifier, evaluation: Evaluation, is_own: bool) -> Iterator[str]:
    """What limits the figures; is_own: whether the data go by the name, or path, of those that the model learnt."""
    frechet, floor = evaluation.frechet, evaluation.floor
    more = "give" if subject.most is not None and evaluation.count == subject.most else "ask for"
    if is_own and evaluation.data_sha256 != subject.data_sha256:
        yield f"{evaluation.data} holds other images here than those that the model was trained on"
    if floor is None:
        yield (
            f"{evaluation.data} has no test part with {LEAST} images of these labels or more, so there is no "
            "floor to compare the distance with"
        )
    elif floor.n < frechet.n:
        yield (
            f"the distance in F is of the first {floor.n:,} images, as the floor is of so many; fewer images raise both"
        )
    elif floor.n > frechet.n and evaluation.ratio is not None and evaluation.ratio.real_n == frechet.n:
        yield (
            f"the distance in F is over that of {frechet.n:,} held-out images, as many as were drawn; fewer images "
            f"raise both; {more} {floor.n:,} to compare with figures of other counts"
        )
    elif floor.n > frechet.n:
        yield (
            f"the distance is taken from {frechet.n:,} images and its floor from {floor.n:,}; fewer images raise it; "
            f"{more} {floor.n:,}"
        )
    if is_stand_in(classifier, evaluation.data_sha256):
        yield (
            f"the classifier learnt from {classifier.data_name} and not from {evaluation.data}, so that its figures "
            f"compare models of {evaluation.data} alone; `digitforge evaluate` trains one on it where PyTorch is "
            "installed"
        )

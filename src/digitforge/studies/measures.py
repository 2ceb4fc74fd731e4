"""Measures: what the snapshots and models of runs come to, each taken once and kept beside the study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge import __version__
from digitforge.classifier import Classifier, classifier_for
from digitforge.data import DataSet
from digitforge.data.digits import listed
from digitforge.errors import DataError, RunError
from digitforge.files import make_folder, read_table, sha256_of, write_whole
from digitforge.forge import Forge
from digitforge.metrics.distributions import chance_above
from digitforge.metrics.evaluate import COUNT, evaluate
from digitforge.metrics.frechet import Moments, frechet_distance, moments
from digitforge.metrics.kernel import kernel_distance
from digitforge.metrics.real import Measured, Notify, Real, find_real
from digitforge.metrics.strokes import stray_ink
from digitforge.onnx_file import open_onnx
from digitforge.randomness import stream
from digitforge.runs import RunFolder, count_of

DIGIT_COUNT = 500  # images of a digit that are held against as many held-out ones; MNIST's rarest has 892 of these
FREE_DRAWS = 20  # images that a model which is told no digit draws for each that is wanted of one: twice its share
_MOST_TRAIN = 5_000  # real images of a digit that the kernel distance is taken to: all that MNIST has of most
_PARTS = 20  # in which D is shown the images
_SURE = 0.9  # probability from which on the classifier counts as sure of a label

Take = Callable[[Forge], Mapping[str, Any]]


class Measures:
    """Takes figures of a run after so many images, from the model file that users would get, and keeps them.

    count: images drawn for an evaluation; digit_count: of one digit. data: what is real. notify: hears what takes its
    time. free_draws: images that a model which is told no digit draws for each that is wanted of one.
    """

    def __init__(
        self,
        folder: Path,
        data: DataSet,
        count: int = COUNT,
        digit_count: int = DIGIT_COUNT,
        notify: Notify | None = None,
        free_draws: int = FREE_DRAWS,
    ) -> None:
        self._folder, self._notify, self._free_draws = folder, notify, free_draws
        self.data, self.count, self.digit_count = data, count, digit_count

    def check(self) -> None:
        """Raise DataError where nothing here reads the data's images, before anything is trained to be measured."""
        _ = self._classifier

    def figures(self, run: RunFolder, images: int, details: bool = False) -> Mapping[str, Any]:
        """An evaluation as Evaluation.as_dict() has it; details: with what needs the real images themselves."""
        if not details and (kept := read_table(self.path(run, images, "details"))) is not None:
            return kept
        kind = "details" if details else "figures"
        return self._kept(
            run, images, kind, lambda forge: evaluate(forge, count=self.count, details=details).for_card()
        )

    def of_digits(self, run: RunFolder, images: int, digits: Sequence[str]) -> Mapping[str, Any]:
        """What each of some digits measures by itself (`digit_figures`); one that is hardly drawn is left out."""
        rarity = "" if self._free_draws == FREE_DRAWS else f"-of-{self._free_draws}"
        kind = f"digits-{'-'.join(digits)}{rarity}"
        return self._kept(run, images, kind, lambda forge: self._digit_figures(forge, digits))

    def readings(self, run: RunFolder, images: int) -> Mapping[str, Any]:
        """How surely the classifier reads what is drawn, beside held-out images: see `sureness`."""
        return self._kept(run, images, "readings", self._readings)

    def verdicts_on_marks(self, run: RunFolder) -> Mapping[str, Any]:
        """How often the finished run's D finds a drawn image without stray marks more real than one with them."""
        return self._kept(run, count_of(run.snapshots()[-1]), "marks", lambda forge: self._marks(run, forge))

    def path(self, run: RunFolder, images: int, kind: str) -> Path:
        """Where a measure is kept: by what was measured, with what, against what, and from how many images."""
        parts = [sha256_of(_source(run, images)), self._classifier.sha256, self.data.train.sha256]
        parts += [str(self.count), str(self.digit_count), kind, __version__]
        return self._folder / f"{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:32]}.json"

    def _kept(self, run: RunFolder, images: int, kind: str, take: Take) -> Mapping[str, Any]:
        path = self.path(run, images, kind)
        if (kept := read_table(path)) is not None:
            return kept
        if self._notify:
            self._notify(f"measuring {run.path.name} after {images:,} images")
        found = take(self.model(run, images))
        make_folder(path.parent)
        write_whole(path, json.dumps(found, allow_nan=False).encode())
        return found

    def model(self, run: RunFolder, images: int) -> Forge:
        """The model of a run after so many images."""
        source = _source(run, images)
        if source == run.model:
            return Forge.load(source)
        path = self._folder / f"{sha256_of(source)[:32]}.onnx"
        if not path.is_file():
            from digitforge.training.export import export  # brings torch

            make_folder(path.parent)
            write_whole(path, export(run, images))
        return Forge.load(path)

    @cached_property
    def _classifier(self) -> Classifier:
        train = self.data.train
        found = classifier_for(train.shape, train.names, data_sha256=train.sha256)
        if found is None:
            size = "x".join(map(str, train.shape))
            raise DataError(
                f"no classifier here reads {listed(train.names)} in images of {size} (channels x height x width), so "
                f"that nothing of {self.data.name} can be measured; study other data with --data"
            )
        return found

    @cached_property
    def _real(self) -> Real:
        return find_real(self.data, self._classifier, self._notify)

    @property
    def _held_out(self) -> Measured:
        if self._real.test is None:
            raise DataError(f"{self.data.name} has no test part to hold models against; study other data with --data")
        return self._real.test

    def _digit_figures(self, forge: Forge, digits: Sequence[str]) -> dict[str, Any]:
        free = None if forge.is_told else forge.generate(count=self._free_draws * self.digit_count)
        found: dict[str, Any] = {}
        for digit in digits:
            label = forge.card.names.index(digit)
            if free is None:
                images = forge.generate(digit, self.digit_count).images
            else:
                images = free.images[free.labels == label][: self.digit_count]
            if len(images) == self.digit_count:
                found[digit] = self._against_real(images, digit)
        return found

    def _against_real(self, images: NDArray[np.uint8], digit: str) -> dict[str, float | int]:
        label = self.data.train.label_of(digit)
        train, test = self._features(self._real.train, label), self._features(self._held_out, label)
        if len(test) < len(images):
            raise DataError(f"{self.data.name} holds out {len(test)} images of {digit}, and {len(images)} are needed")
        reading = self._classifier.read(images)
        read = float((reading.labels == self._classifier.names.index(digit)).mean())
        return {"read": read, **digit_figures(reading.features, test[: len(images)], train)}

    @staticmethod
    def _features(part: Measured, label: int) -> NDArray[np.float32]:
        """The features of a label's images in an order of chance, always the same."""
        some = part.only([label])
        return some.features[stream(0, "images of a digit").permutation(len(some))]

    def _readings(self, forge: Forge) -> dict[str, Any]:
        drawn = self._classifier.read(forge.generate(count=self.count).images).logits
        real = self._classifier.read(self._held_out.digits.images).logits
        names = self._classifier.names
        return {"drawn": sureness(drawn, names), "real": sureness(real, names)}

    def _marks(self, run: RunFolder, forge: Forge) -> dict[str, Any]:
        if forge.card.conditional:
            raise RunError(f"{run.path} is told its labels, and its D was not asked about marks")
        if forge.card.shape[0] != 1:
            raise RunError(f"{run.path} draws in colour, where stray marks are not told from the rest")
        images = forge.generate(count=self.count).images
        judge = open_onnx(run.discriminator)
        logits = np.concatenate(
            [judge.run({"images": part})["logit"] for part in np.array_split(images, _PARTS)]
        ).ravel()
        marked = stray_ink(images) > 0
        return {"above": chance_above(logits[~marked], logits[marked]), "n": len(images), "marked": int(marked.sum())}


def digit_figures(
    drawn: NDArray[np.float32], held_out: NDArray[np.float32], train: NDArray[np.float32]
) -> dict[str, float | int]:
    """Drawn images of one digit against real ones, by features [N, F], with as many held-out ones in their place.

    floors: the Frechet distance of the drawn over that of the held-out ones; equally many, since few images raise it.
    kernel: the kernel distance of the drawn less that of the held-out ones, which has no such bias.
    """
    real: Moments = moments(train)
    frechet, floor = (frechet_distance(moments(features), real) for features in (drawn, held_out))
    kernel, kernel_floor = (kernel_distance(features, train[:_MOST_TRAIN]) for features in (drawn, held_out))
    return {
        "frechet": frechet,
        "floor": floor,
        "floors": frechet / floor,
        "kernel": kernel - kernel_floor,
        "n": len(drawn),
    }


def sureness(logits: NDArray[np.float32], names: Sequence[str]) -> dict[str, Any]:
    """Of each label that images with these logits [N, L] are read as: how many, of how many the classifier is unsure,
    and what these are taken for next."""
    wide = logits.astype(np.float64)
    shares = np.exp(wide - wide.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    order = shares.argsort(1)[:, ::-1]
    found = {}
    for label, name in enumerate(names):
        own = order[:, 0] == label
        unsure = own & (shares.max(1) < _SURE)
        following = np.bincount(order[unsure, 1], minlength=len(names))
        second = {other: int(times) for other, times in zip(names, following, strict=True) if times}
        found[name] = {"n": int(own.sum()), "unsure": int(unsure.sum()), "second": second}
    return found


def _source(run: RunFolder, images: int) -> Path:
    """The file that holds a run's generator after so many images: its model at the end, else a snapshot."""
    last = run.snapshots()[-1:]
    if run.is_finished and run.model.is_file() and (not last or count_of(last[0]) == images):
        return run.model
    path = run.snapshot(images)
    if not path.is_file():
        raise RunError(f"{run.path} has no snapshot after {images:,} images; name another run")
    return path

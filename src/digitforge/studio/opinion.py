"""The discriminator's opinion of images, on the scale of what it says of real digits and of its generator's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.data.catalogue import catalogue
from digitforge.data.digits import Digits, Images, Labels
from digitforge.errors import DataError, ModelError
from digitforge.forge import Forge
from digitforge.onnx_file import OnnxFile, open_onnx
from digitforge.randomness import stream
from digitforge.recipe import Recipe

Scores = NDArray[np.float32]  # [N], D's logits
# The loss whose D learns log(p(real) / p(fake)), which a sigmoid turns into a probability (Goodfellow et al. 2014).
# Other logits say only which of two images looks more real.
_LOGISTIC = "non-saturating"
_EACH = 200  # images of a kind that the scale is laid down by
_USUAL = (10, 90)  # percentiles between which a score is usual


class Judge:
    """A run's discriminator, ready to say what it takes images for.

    forge: the generator that it learned against. is_logistic: whether its scores are probabilities in disguise.
    """

    def __init__(self, file: OnnxFile, recipe: Recipe, forge: Forge) -> None:
        self._file, self._recipe, self._forge = file, recipe, forge
        self.is_logistic = recipe.objective.loss == _LOGISTIC
        self.is_told = any(port.name == "label" for port in file.inputs)
        wanted: dict[str, tuple[str, list[int | None]]] = {"images": ("uint8", [None, *forge.card.shape])}
        if self.is_told:
            wanted["label"] = ("int64", [None])
        file.expect(wanted, {"logit": "float"})

    def scores(self, images: Images, labels: Labels) -> Scores:
        """Its logits [N] for uint8 images [N, C, H, W] and the labels [N] that they are said to have."""
        feeds: dict[str, NDArray[Any]] = {"images": np.ascontiguousarray(images)}
        if self.is_told:
            feeds["label"] = labels
        return np.asarray(self._file.run(feeds)["logit"], np.float32).reshape(len(images))

    @cached_property
    def scale(self) -> Mapping[str, list[float] | None]:
        """The usual scores, lowest and highest, of real digits (None where the data aren't here) and of drawn ones."""
        drawn, real = self._forge.generate(count=_EACH), self._real()
        return {
            "fake": _usual(self.scores(drawn.images, drawn.labels)),
            "real": _usual(self.scores(real.images, real.labels)) if real is not None and len(real) else None,
        }

    def probabilities(self, scores: Scores) -> list[float] | None:
        """How probable it holds each image to be real, 0..1; None for a D whose scores are on no such scale."""
        if not self.is_logistic:
            return None
        return [float(value) for value in 1 / (1 + np.exp(-scores.astype(np.float64)))]

    def _real(self) -> Digits | None:
        """Real digits with the model's labels, from the part that was not learned from where there is one."""
        entry = next((entry for entry in catalogue() if entry.name == self._recipe.data.name), None)
        if entry is None or not entry.is_cached:
            return None  # nothing is fetched for an opinion
        try:
            data = entry.load(None)
        except DataError:
            return None
        digits, names = data.test or data.train, self._forge.card.names
        known = np.flatnonzero([digits.names[label] in self._forge.names for label in digits.labels])
        chosen = digits.take(stream(0, "opinion").permutation(known)[:_EACH])
        labels = np.asarray([names.index(chosen.names[label]) for label in chosen.labels], np.int64)
        return Digits(chosen.images, labels, names)


def load_judge(path: Path, recipe: Recipe, forge: Forge) -> Judge:
    """The discriminator in a run's file. Raises ModelError if it is none."""
    file = open_onnx(path)
    try:
        kind = json.loads(file.card)["kind"]
    except (ValueError, KeyError, TypeError, RecursionError):
        kind = None
    if kind != "discriminator":
        raise ModelError(f"{path.name} is no discriminator; train the run again")
    return Judge(file, recipe, forge)


def _usual(scores: Scores) -> list[float]:
    low, high = np.percentile(scores, _USUAL)
    return [float(low), float(high)]

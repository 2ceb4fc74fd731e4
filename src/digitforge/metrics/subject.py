"""What is measured: a model, or images that another program drew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digitforge.classifier import Classifier, classifier_for
from digitforge.data.digits import DataSet, Digits
from digitforge.data.loose import LooseImages
from digitforge.forge import Forge
from digitforge.randomness import stream


@dataclass(frozen=True)
class Subject:
    """Something with images that can be held against real ones.

    path, sha256: of the model's file, or of images and the hash of them all. weights_sha256: from a model's card; "" of
    images. shape: channels, height and width of an image, in pixels. names: of the labels that it draws; all_names: of
    all that its data have. is_told: whether a label is what was asked for. data, data_sha256: the data set that a model
    learned from, or that images are held against, and the hash of its training part.
    draw: `count` images from a seed, at most as many as there are: `most`, None where a model draws any number.
    notes: what the reader of images has to say of them.
    """

    path: Path
    sha256: str
    weights_sha256: str
    shape: tuple[int, int, int]
    names: tuple[str, ...]
    all_names: tuple[str, ...]
    is_told: bool
    data: str
    data_sha256: str
    draw: Callable[[int, int], Digits]
    most: int | None = None
    notes: tuple[str, ...] = ()

    def classifier(self, given: Classifier | None = None) -> Classifier | None:
        """The given classifier, or one that is here, if it reads the images; None if none does."""
        return classifier_for(self.shape, self.names, given, all_names=self.all_names, data_sha256=self.data_sha256)

    @classmethod
    def of_model(cls, forge: Forge) -> Subject:
        """A model, which draws what is asked for."""
        card = forge.card
        return cls(
            path=forge.path,
            sha256=forge.sha256,
            weights_sha256=card.weights_sha256,
            shape=card.shape,
            names=forge.names,
            all_names=card.names,
            is_told=forge.is_told,
            data=card.data.name,
            data_sha256=card.data.sha256,
            draw=lambda count, seed: forge.generate(count=count, seed=seed),
        )

    @classmethod
    def of_images(cls, images: LooseImages, data: str, loaded: DataSet) -> Subject:
        """Images that another program drew; `loaded`: the data set that `data` names or leads to.

        Labels count as what was asked for; without any, the images stand for all labels of the data. Drawing takes
        some of them by chance. Raises DataError for images or labels that are none of the data's.
        """
        digits, names = images.as_digits(loaded), loaded.train.names
        there = loaded.train.counts if images.labels is None else digits.counts

        def draw(count: int, seed: int) -> Digits:
            return digits.take(stream(seed, "images to measure").permutation(len(digits))[:count])

        return cls(
            path=Path(images.where),
            sha256=digits.sha256,
            weights_sha256="",
            shape=digits.shape,
            names=tuple(names[label] for label in np.flatnonzero(there)),
            all_names=names,
            is_told=images.labels is not None,
            data=data,
            data_sha256=loaded.train.sha256,
            draw=draw,
            most=len(digits),
            notes=images.notes,
        )

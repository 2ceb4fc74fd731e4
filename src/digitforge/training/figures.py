"""Key figures of a run on its way: what the images that G would draw now measure, from the weights in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from digitforge.classifier import Classifier, Reading, classifier_for
from digitforge.metrics.frechet import LEAST, Moments, frechet_distance, moments
from digitforge.metrics.reference import shipped_reference
from digitforge.networks.players import Generator
from digitforge.randomness import draw_latents, spread_labels, stream
from digitforge.training.drawing import draw
from digitforge.training.plan import Plan

_READ = 10_000  # real images that are read where no reference is at hand: 4 s on two cores


@dataclass(frozen=True)
class Ruler:
    """What a run's images are measured with.

    real: the moments of real images in the classifier's features. read: how many of these it reads as each label, by
    name, which is what a generator without fault comes to, even where the classifier reads them badly.
    """

    classifier: Classifier
    real: Moments
    read: Mapping[str, int]


def ruler_for(plan: Plan) -> Ruler | None:
    """The ruler for what a run learns from; None where no classifier reads it, or it is a single image.

    It never depends on what the cache happens to hold, since a run is to repeat bit for bit.
    """
    digits, classifier = plan.train, reader_of(plan)
    if classifier is None:
        return None
    reference = shipped_reference(plan.trained_names, classifier, sha256=plan.data_sha256)
    if reference is not None:
        labels = dict(zip(digits.names, digits.counts.tolist(), strict=True))  # of which it reads more than 99 % right
        return Ruler(classifier, reference.train, labels)
    some = digits.take(stream(0, "ruler").permutation(len(digits))[:_READ])
    reading = classifier.read(some.images)
    return Ruler(classifier, moments(reading.features), _times_read(classifier, reading))


def reader_of(plan: Plan) -> Classifier | None:
    """The classifier that reads what a run draws, such as grey digits of 28x28 pixels, where there is one.

    None also where a single image is learned from, which nothing can be measured against.
    """
    if len(plan.train) < LEAST:
        return None
    return classifier_for(plan.train.shape, plan.trained_names, all_names=plan.train.names)


def key_figures(ruler: Ruler, plan: Plan, generator: Generator) -> dict[str, Any]:
    """What `record.figure_images` images measure, of the same latents each time.

    generator: as it would be used now, in evaluation mode. frechet: their Frechet distance to real training images,
    which few images raise. spread: the trace of their features' covariance over that of real images': 1 is as
    varied (the trace itself where real images are all alike).
    read: how many are read as each label that is read at all. accuracy: the share that is read as asked for, where
    labels are told.
    """
    networks, count = plan.recipe.networks, plan.recipe.record.figure_images
    latents = draw_latents(stream(0, "figures"), count, networks.drawing_size, networks.latent)
    asked = spread_labels(stream(0, "figures' labels"), plan.train.counts.tolist(), count)
    reading = ruler.classifier.read(draw(generator, latents, asked, networks.pixels))
    found = moments(reading.features)
    figures: dict[str, Any] = {
        "frechet": frechet_distance(found, ruler.real),
        "spread": float(np.trace(found.covariance) / (np.trace(ruler.real.covariance) or 1)),
        "n": count,
        "read": _times_read(ruler.classifier, reading),
    }
    if networks.conditional or len(np.flatnonzero(plan.train.counts)) == 1:
        read = np.asarray(ruler.classifier.names)[reading.labels]
        figures["accuracy"] = float((read == np.asarray(plan.train.names)[asked]).mean())
    return figures


def _times_read(classifier: Classifier, reading: Reading) -> dict[str, int]:
    """How many images are read as each label that is read at all, by name."""
    read = np.asarray(classifier.names)[reading.labels]
    return {str(name): int(times) for name, times in zip(*np.unique(read, return_counts=True), strict=True)}

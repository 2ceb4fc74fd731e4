"""Key figures of a run on its way: what the images that G would draw now measure, from the weights in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from digitforge.classifier import Classifier, classifier_for
from digitforge.metrics.frechet import LEAST, Moments, frechet_distance, moments
from digitforge.metrics.reference import shipped_reference
from digitforge.networks.players import Generator
from digitforge.randomness import draw_latents, spread_labels, stream
from digitforge.training.drawing import draw
from digitforge.training.plan import Plan

_READ = 10_000  # real images that are read where no reference is at hand: 4 s on two cores


@dataclass(frozen=True)
class Ruler:
    """What a run's images are measured with: a classifier, and the moments of real images in its features."""

    classifier: Classifier
    real: Moments


def ruler_for(plan: Plan) -> Ruler | None:
    """The ruler for what a run learns from; None where no classifier reads it, or it is a single image.

    It never depends on what the cache happens to hold, since a run is to repeat bit for bit.
    """
    digits, classifier = plan.train, reader_of(plan)
    if classifier is None:
        return None
    reference = shipped_reference(plan.trained_names, classifier, sha256=plan.data_sha256)
    if reference is not None:
        return Ruler(classifier, reference.train)
    some = digits.take(stream(0, "ruler").permutation(len(digits))[:_READ])
    return Ruler(classifier, moments(classifier.read(some.images).features))


def reader_of(plan: Plan) -> Classifier | None:
    """The classifier that reads what a run draws, such as grey digits of 28x28 pixels, where there is one.

    None also where a single image is learned from, which nothing can be measured against.
    """
    return classifier_for(plan.train.shape, plan.trained_names) if len(plan.train) >= LEAST else None


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
    found, names = moments(reading.features), np.asarray(ruler.classifier.names)
    read = names[reading.labels]
    figures: dict[str, Any] = {
        "frechet": frechet_distance(found, ruler.real),
        "spread": float(np.trace(found.covariance) / (np.trace(ruler.real.covariance) or 1)),
        "n": count,
        "read": {str(name): int(times) for name, times in zip(*np.unique(read, return_counts=True), strict=True)},
    }
    if networks.conditional or len(np.flatnonzero(plan.train.counts)) == 1:
        figures["accuracy"] = float((read == np.asarray(plan.train.names)[asked]).mean())
    return figures

"""How much do the figures move by chance? F over random parts of real digits, and one model's figures over seeds.

    python benchmarks/figure_noise.py [--parts 20] [--seeds 5]

F is the Frechet distance of 10,000 real digits to the others: once for MNIST's own test part, once for that with its
labels weighted to the shares that they have in training, as a model that is told its labels draws them, and for random
parts of all 70,000, with labels as chance has them and with each at its share. The model is the pretrained one, 10,000
images a seed. Of stacked digits: F, and how far the labels of as many real test images lie from those of training.
Keeps all in benchmarks/results/figure_noise.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from digitforge.classifier import Classifier
from digitforge.data import load_data
from digitforge.metrics.distributions import kl_divergence
from digitforge.metrics.evaluate import evaluate
from digitforge.metrics.frechet import Moments, frechet_distance, moments
from digitforge.metrics.real import Measured, find_real
from digitforge.randomness import stream
from digitforge.report.quantities import FURTHER_FIGURES, KEY_FIGURES, PROPERTIES, measured

RESULTS = Path(__file__).parent / "results" / "figure_noise.json"
PART = 10_000  # real digits that stand for a model, a seventh of all


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    floor = floors(options.parts)
    evaluations, seconds = [], []
    for seed in range(options.seeds):
        start = time.perf_counter()
        evaluations.append(evaluate(seed=seed).as_dict())
        seconds.append(time.perf_counter() - start)
    figures = {}
    for quantity in (*KEY_FIGURES, *FURTHER_FIGURES, *PROPERTIES):
        found = [each.value for one in evaluations if (each := measured(one, quantity)) is not None]
        if found:
            figures[quantity.title] = spread(found)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "floor": floor,
        "stacked": stacked(),
        "pretrained_over_seeds": figures,
        "seconds_an_evaluation": spread(seconds),
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def floors(parts: int) -> dict[str, Any]:
    """F of the test part, as it is and with the labels' shares of training, and of random parts of all digits."""
    classifier = Classifier.load()
    real = find_real(load_data("mnist"), classifier)
    assert real.test is not None
    features = np.concatenate([real.train.features, real.test.features])
    labels = np.concatenate([real.train.digits.labels, real.test.digits.labels])
    found, at_their_shares = [], []
    for part in range(parts):
        order = stream(0, "parts of real digits", part).permutation(len(features))
        by_label = order[np.argsort(labels[order], kind="stable")]
        held_out = np.arange(len(order)) % (len(order) // PART) == 0  # of every label a seventh
        found.append(frechet_distance(moments(features[order[:PART]]), moments(features[order[PART:]])))
        at_their_shares.append(
            frechet_distance(moments(features[by_label[held_out]]), moments(features[by_label[~held_out]]))
        )
    train = moments(real.train.features)
    own = [frechet_distance(each, train) for each in (moments(real.test.features), at_shares(real.test, real.train))]
    return {
        "test_part": own[0],
        "test_part_at_training_shares": own[1],
        "random_parts": spread(found),
        "random_parts_at_their_shares": spread(at_their_shares),
    }


def stacked() -> dict[str, float | int]:
    """Of stacked-mnist's test part: F, the labels that the classifier reads in it, and their KL divergence in nats."""
    real = find_real(load_data("stacked-mnist"), Classifier.of_channels())
    assert real.test is not None
    read = np.bincount(real.test.read, minlength=len(real.test.digits.names))
    return {
        "test_part": frechet_distance(moments(real.test.features), moments(real.train.features)),
        "labels_read": int(np.count_nonzero(read)),
        "divergence": kl_divergence(read, real.train.digits.counts),
        "n": len(real.test),
    }


def at_shares(part: Measured, other: Measured) -> Moments:
    """The moments of a part in which each label has the share that it has in another."""
    shares, counts = (each.digits.counts / len(each) for each in (other, part))
    weights, wide = (shares / counts)[part.digits.labels], part.features.astype(np.float64)
    return Moments(np.average(wide, axis=0, weights=weights), np.cov(wide.T, aweights=weights), len(part))


def spread(values: list[float]) -> dict[str, float | int]:
    """Mean, standard deviation, extremes and n."""
    return {
        "mean": statistics.mean(values),
        "deviation": statistics.stdev(values),
        "least": min(values),
        "most": max(values),
        "n": len(values),
    }


if __name__ == "__main__":
    main()

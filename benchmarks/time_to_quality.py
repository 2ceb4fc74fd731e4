"""How many seconds until the digits are so good? `express` beside Keras' DCGAN in mixed_bfloat16.

    python benchmarks/time_to_quality.py [--epochs 10] [--budgets 4 6 ...] [--go-on]

Keras trains an epoch at a time, and between its epochs `digitforge train express --budget ...` has its turn, told the
digit and told nothing, so that a slow hour hits both. A budget stands for its own run from nothing: the seconds are its
training steps. Every model draws 10,000 images for the Frechet distance to MNIST's training images in the pinned
classifier's features. For three distances that Keras reached, the ratio of its seconds to those of the smallest budget
whose model is as near. --go-on trains no Keras, and adds what `express` reaches with further budgets to what is kept.
Keeps all in results/time_to_quality.json, draws docs/images/time_to_quality.png and writes the table of docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from digitforge.classifier import Classifier
from digitforge.data import load_data
from digitforge.forge import Forge
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.metrics.reference import shipped_reference
from digitforge.report.axes import BLUE, GREEN, ORANGE, style
from digitforge.report.figures import figure_bytes
from digitforge.training.train import train
from passages import table, write_passage
from peers.contest import Contestant
from recipe_speed import machine
from same_layers import HERE, keras_python

RESULTS = HERE / "results" / "time_to_quality.json"
PICTURE = HERE.parent / "docs" / "images" / "time_to_quality.png"
BUDGETS = (1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 45, 60)  # seconds
SHARES = (1 / 4, 1 / 2, 1)  # of Keras' epochs, whose best distances are the three that are compared
CURVES = {"Keras DCGAN": ORANGE, "express, told the digit": BLUE, "express, not told": GREEN}
Point = tuple[float, float]  # seconds, Frechet distance


def main() -> None:
    """Let them take turns, then print and keep what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--budgets", type=float, nargs="+", default=BUDGETS, help="seconds")
    parser.add_argument("--go-on", action="store_true")
    options = parser.parse_args()
    kept = json.loads(RESULTS.read_text())["curves"] if options.go_on else {name: [] for name in CURVES}
    curves: dict[str, list[Point]] = {name: [tuple(point) for point in points] for name, points in kept.items()}
    with tempfile.TemporaryDirectory() as place:
        runs = express_runs(Path(place), options.budgets)
        turns = -(-len(options.budgets) * 2 // options.epochs)
        for point in () if options.go_on else keras_epochs(Path(place), options.epochs):
            curves["Keras DCGAN"].append(point)
            print(f"Keras, epoch {len(curves['Keras DCGAN'])}: {point}", flush=True)
            add(curves, islice(runs, turns))
        add(curves, runs)
    told = [verdict(curves, name) for name in list(CURVES)[1:]]
    result = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "curves": curves, "verdicts": told}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    PICTURE.write_bytes(figure_bytes(picture(curves)))
    write_passage("docs/speed.md", "time to quality", comparison(told))


def keras_epochs(folder: Path, epochs: int) -> Iterator[Point]:
    """Keras' seconds and distance after each epoch; between two it does nothing."""
    np.save(folder / "mnist.npy", load_data("mnist").train.images[:, 0])
    peer = HERE / "peers" / "keras_dcgan.py"
    keras = Contestant([keras_python(), peer, "mixed_bfloat16", folder / "mnist.npy", folder])
    for epoch in range(1, epochs + 1):
        seconds = keras.ask("epoch")["seconds"]
        yield seconds, distance(np.load(folder / f"{epoch}.npy")[:, np.newaxis])
    keras.close()


def add(curves: dict[str, list[Point]], runs: Iterable[tuple[str, Point]]) -> None:
    """Train so many runs, each a point of its curve."""
    for name, point in runs:
        curves[name].append(point)
        print(name, point, flush=True)


def express_runs(folder: Path, budgets: Sequence[float]) -> Iterator[tuple[str, Point]]:
    """One run after another: whose curve it belongs to, and its seconds and distance."""
    for budget, is_told in product(budgets, (True, False)):
        settings = {"training.seconds": budget, "training.seed": 0, "networks.conditional": is_told}
        run = train("express", settings=settings, out=folder / f"{budget}-{is_told}")
        seconds = run.read_stats()[-1]["clock"]["seconds"]
        images = Forge.load(run.model).generate(count=10_000).images
        yield list(CURVES)[1 if is_told else 2], (seconds, distance(images))


def distance(images: np.ndarray) -> float:
    """The Frechet distance to MNIST's training images."""
    classifier = Classifier.load()
    reference = shipped_reference(classifier.names, classifier, data="mnist")
    assert reference is not None
    return frechet_distance(moments(classifier.read(images).features), reference.train)


def verdict(curves: dict[str, list[Point]], name: str) -> dict[str, Any]:
    """For three distances: seconds of Keras, of the smallest budget that comes as near, and their ratio."""
    keras = curves["Keras DCGAN"]
    rows = []
    for share in SHARES:
        wanted = min(found for _, found in keras[: max(1, round(share * len(keras)))])
        slow = next(seconds for seconds, found in keras if found <= wanted)
        fast = next((seconds for seconds, found in sorted(curves[name]) if found <= wanted), None)
        ratio = None if fast is None else slow / fast
        rows.append({"distance": wanted, "keras_seconds": slow, "express_seconds": fast, "ratio": ratio})
    return {"curve": name, "rows": rows}


def comparison(told: list[dict[str, Any]]) -> str:
    """For each distance: the seconds of Keras, and of express told the digit and not, with how much sooner they are."""
    lines = [["Frechet distance", *CURVES]]
    for same in zip(*(one["rows"] for one in told), strict=True):
        slow = same[0]["keras_seconds"]
        cells = [
            f"{one['express_seconds']:,.1f} s, {one['ratio']:,.0f} times as soon" if one["ratio"] else "not reached"
            for one in same
        ]
        lines.append([f"{same[0]['distance']:.2f}", f"{slow:,.0f} s", *cells])
    return table(lines)


def picture(curves: dict[str, list[Point]]) -> Figure:
    """Distance over seconds, both on logarithmic axes."""
    with style():
        figure = Figure(figsize=(6, 3.6), dpi=150, layout="constrained")
        axes = figure.add_subplot(xscale="log", yscale="log")
        axes.set_xlabel("seconds of training on two cores")
        axes.set_ylabel("Frechet distance to real digits")
        for name, points in curves.items():
            axes.plot(*zip(*sorted(points), strict=True), marker="o", color=CURVES[name], label=name)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    sys.exit(main())

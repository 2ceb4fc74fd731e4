"""All figures of trained recipes in one table: runs that differ in the seed alone are put together.

    python benchmarks/recipe_figures.py runs/recipes/* [--tstr]

Measures each finished run's model file with 10,000 images (`digitforge evaluate`), writes the table into
docs/results.md and the figures into benchmarks/results/recipe_figures.json. `--tstr` also trains a classifier on each
conditional model's images (three minutes a model on two cores).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from digitforge.data import load_data
from digitforge.forge import Forge
from digitforge.metrics.kept import kept_evaluation
from digitforge.report.quantities import FURTHER_FIGURES, KEY_FIGURES, PROPERTIES, Quantity, measured, written
from digitforge.report.shown import ShownRun, shown_run
from digitforge.runs import RunFolder

RESULTS = Path(__file__).parent / "results" / "recipe_figures.json"
PAGE = Path(__file__).parents[1] / "docs" / "results.md"
HEAD = """# What have the recipes reached?

Made by `python benchmarks/recipe_figures.py runs/express/60s-* runs/recipes/*` from runs that [recipes](recipes.md)
shows, on two cores ({machine}). Each model drew 10,000 images; values of several seeds are mean ± standard deviation.
What each figure is, and what it cannot tell: [figures](figures.md). Seconds are those of training steps. The last
column is what real held-out images measure in a model's place.

"""


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--tstr", action="store_true")
    parser.add_argument("--machine", default="AMD EPYC with AVX512-BF16")
    options = parser.parse_args()
    folders = [RunFolder(path) for path in options.runs if RunFolder(path).is_finished]
    runs = [shown_run(folder, evaluation=figures(folder, options.tstr)) for folder in folders]
    groups: dict[str, list[ShownRun]] = {}
    for run in runs:
        groups.setdefault(run.recipe.name, []).append(run)
    text = HEAD.format(machine=options.machine) + table(groups)
    PAGE.write_text(text)
    kept = {run.name: {"images": run.history.images, "seconds": run.history.seconds, **run.evaluation} for run in runs}
    told = {"date": datetime.now(UTC).date().isoformat(), "machine": options.machine, "runs": kept}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")
    print(text)


def figures(folder: RunFolder, with_tstr: bool) -> dict[str, Any]:
    """A run's evaluation, kept from before or made now."""
    forge = Forge.load(folder.model)
    found = kept_evaluation(forge, print)
    if with_tstr and forge.is_told and len(forge.names) > 1:
        from digitforge.judges.synthetic import train_on_synthetic

        found = {**found, "tstr": train_on_synthetic(forge, load_data(found["data"]), notify=print).as_dict()}
    return found


def table(groups: dict[str, list[ShownRun]]) -> str:
    """A row a figure and a column a recipe."""
    rows = [["", *groups, "real"], ["---", *["---:"] * (len(groups) + 1)]]
    rows.append(["seeds", *(str(len(runs)) for runs in groups.values()), ""])
    for title, key in (("images", "images"), ("seconds", "seconds")):
        cells = [spread([float(getattr(run.history, key)) for run in runs], "{:,.0f}") for runs in groups.values()]
        rows.append([title, *cells, ""])
    for quantity in (*KEY_FIGURES, *FURTHER_FIGURES, *PROPERTIES):
        found = [[measured(run.evaluation, quantity) for run in runs] for runs in groups.values()]
        known = [[one for one in column if one is not None] for column in found]
        if any(known):
            real = next((one.real for column in known for one in column if one.real is not None), None)
            cells = [cell([one.value for one in column], quantity) for column in known]
            rows.append([quantity.title, *cells, "" if real is None else written(real, quantity)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def cell(values: Sequence[float], quantity: Quantity) -> str:
    """A figure over seeds."""
    if not values:
        return "-"
    return written(statistics.mean(values), quantity, statistics.stdev(values) if len(values) > 1 else None)


def spread(values: Sequence[float], shape: str) -> str:
    """Mean and deviation of plain numbers."""
    text = shape.format(statistics.mean(values))
    return text if len(values) == 1 else f"{text} ± {shape.format(statistics.stdev(values))}"


if __name__ == "__main__":
    main()

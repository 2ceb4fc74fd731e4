"""How fast does each recipe train? Blocks of steps of all recipes, taken in turns, so that noise hits them alike.

    python benchmarks/recipe_speed.py [--seconds 2] [--rounds 6] [RECIPE...]

Prints images a second (real images shown to D, steps alone) and the ratio to dcgan: medians over the rounds with the
lowest and highest. Keeps them in benchmarks/results/recipe_speed.json. The images are noise, as many and as large as
those of the recipe's data set: what they show doesn't matter for speed, and nothing need be fetched.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from digitforge.data import DataSet, Digits, Entry, catalogue
from digitforge.recipe import load_recipe, recipe_names
from digitforge.studies.bench import speed, stepper
from digitforge.training.forecast import in_words
from passages import table, write_passage

RESULTS = Path(__file__).parent / "results" / "recipe_speed.json"
YARDSTICK = "dcgan"


def main() -> None:
    """Time the recipes and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=recipe_names(), help="which ones [default: all]")
    parser.add_argument("--seconds", type=float, default=2.0, help="of steps a block")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    names = list(dict.fromkeys([YARDSTICK, *options.recipes]))
    recipes = {name: load_recipe(name) for name in names}
    steps = {name: stepper(recipe, noise(recipe.data.name)) for name, recipe in recipes.items()}
    for take_step in steps.values():
        speed(take_step, options.seconds)
    rounds = [
        {name: recipes[name].training.batch_size * speed(steps[name], options.seconds) for name in names}
        for _ in range(options.rounds)
    ]
    found = {name: summary([each[name] for each in rounds], [each[YARDSTICK] for each in rounds]) for name in names}
    for name, figures in found.items():
        low, high = figures["images_per_second_range"]
        print(f"{name:16} {figures['images_per_second']:7,.0f} images/s ({low:,.0f} to {high:,.0f})  ", end="")
        print(f"{figures['ratio']:.2f} x {YARDSTICK}")
    told = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "rounds": options.rounds}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told | {"seconds_a_block": options.seconds, "recipes": found}, indent=2) + "\n")
    if set(recipe_names()) <= found.keys():
        write_passage("docs/recipes.md", "recipes and their speeds", speeds_table(found))


def speeds_table(found: dict[str, Any]) -> str:
    """Every recipe, its speed beside the yardstick's, and the time that its full length takes by this run's speed."""
    head = ["recipe", "document", "in short", "full length", f"images/s, `{YARDSTICK}` = 1", "that takes"]
    return table([head, *(speed_row(name, found[name]) for name in recipe_names())])


def speed_row(name: str, figures: dict[str, Any]) -> list[str]:
    """One recipe's row."""
    recipe = load_recipe(name)
    training = recipe.training
    images = training.length(recipe.data.count or entry_of(recipe.data.name).train_count)
    if images is None:
        assert training.seconds is not None
        length, seconds = f"{training.seconds:g} s", training.seconds
    else:
        length, seconds = f"{training.epochs:g} epochs", images / figures["images_per_second"]
    low, high = figures["ratio_range"]
    ratio = f"{figures['ratio']:.2f} ({low:.2f} to {high:.2f})"
    return [f"`{name}`", recipe.document, recipe.summary, length, ratio, in_words(seconds)]


def noise(name: str) -> DataSet:
    """Images like a named data set's in number and size."""
    entry = entry_of(name)
    images = np.random.default_rng(0).integers(0, 256, (entry.train_count, *entry.shape), np.uint8)
    return DataSet(name, Digits(images, np.arange(entry.train_count) % 10), None)


def entry_of(name: str) -> Entry:
    """A named data set as the catalogue has it."""
    return next(entry for entry in catalogue() if entry.name == name)


def summary(speeds: list[float], yardstick: list[float]) -> dict[str, object]:
    """Medians and ranges over the rounds; a ratio is that of one round."""
    ratios = [mine / its for mine, its in zip(speeds, yardstick, strict=True)]
    return {
        "images_per_second": round(statistics.median(speeds), 1),
        "images_per_second_range": [round(min(speeds), 1), round(max(speeds), 1)],
        "ratio": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def machine() -> str:
    """Processor, cores and PyTorch, in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"


if __name__ == "__main__":
    main()

"""Where does a training step's time go?

    python benchmarks/step_profile.py [--seconds 3] [RECIPE...]

A recipe takes steps of its first batch size under PyTorch's profiler, whose own cost is part of what it tells; the
same steps are timed without it as well. Each operation's own time goes to what it is for; the step's time that no
operation claims is Python's and the profiler's. Keeps the shares in results/step_profile.json and writes them into
docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile

from digitforge.data import load_data
from digitforge.recipe import load_recipe
from digitforge.studies.bench import speed, stepper
from passages import table, write_passage
from recipe_speed import machine

RESULTS = Path(__file__).parent / "results" / "step_profile.json"
RECIPES = ("dcgan", "wgan-gp", "baseline", "raschka", "express")
# What operations are for, by parts of their names; the first that fits counts.
PURPOSES = {
    "products": ("conv", "mm", "linear"),
    "normalisation": ("batch_norm", "group_norm"),
    "optimisers": ("adam", "rmsprop", "_foreach"),
    "copies": ("copy_", "cat", "stack", "fill_", "zero_", "clone"),
}
ELEMENTWISE = "other arithmetic"  # activations, dropout, losses, sums
PYTHON = "Python and waiting"


def main() -> None:
    """Take the steps apart, print, keep and write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES), help="which ones")
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps")
    options = parser.parse_args()
    found = {name: taken_apart(name, options.seconds) for name in options.recipes}
    rows = profile_table(found)
    print(rows)
    told = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "seconds": options.seconds}
    RESULTS.write_text(json.dumps(told | {"recipes": found}, indent=2) + "\n")
    if set(RECIPES) <= found.keys():
        write_passage("docs/speed.md", "a step's time", rows)


def taken_apart(name: str, seconds: float) -> dict[str, Any]:
    """Milliseconds a step with and without the profiler, operations a step, and the share of each purpose."""
    recipe = load_recipe(name)
    take_step = stepper(recipe, load_data(recipe.data.name))
    speed(take_step, seconds / 2)  # to warm up
    steps = max(1, round(seconds * speed(take_step, seconds)))
    plain = 1 / speed(take_step, seconds)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        for _ in range(steps):
            take_step()
        whole = time.perf_counter() - start
    own, count = Counter[str](), 0
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            own[purpose(event.key)] += event.self_cpu_time_total / 1e6
            count += event.count
    own[PYTHON] = max(0.0, whole - own.total())
    return {
        "batch": recipe.training.batch_size,
        "milliseconds": round(1000 * plain, 1),
        "milliseconds_profiled": round(1000 * whole / steps, 1),
        "operations": round(count / steps),
        "shares": {key: round(own[key] / whole, 3) for key in (*PURPOSES, ELEMENTWISE, PYTHON)},
    }


def purpose(operation: str) -> str:
    """What an operation is for."""
    name = operation.removeprefix("aten::")
    return next((key for key, parts in PURPOSES.items() if any(part in name for part in parts)), ELEMENTWISE)


def profile_table(found: dict[str, dict[str, Any]]) -> str:
    """A row a recipe."""
    head = ["recipe", "batch", "ms a step", "operations a step", *PURPOSES, ELEMENTWISE, PYTHON]
    rows = [
        [f"`{name}`", str(each["batch"]), f"{each['milliseconds']:.0f}", f"{each['operations']:,}"]
        + [f"{share:.0%}" for share in each["shares"].values()]
        for name, each in found.items()
    ]
    return table([head, *rows])


if __name__ == "__main__":
    main()

"""How much faster do specialists learn as one program than each by itself, on a GPU?

    python benchmarks/together.py [RECIPE ...] [--device cuda] [--digits 10] [--rounds 5]

For each recipe, blocks of steps in turns: all specialists stepping as one game, and the same ones stepping one after
the other. On noise of MNIST's size, since only time is measured. Prints the ratio of the two, median and range over the
rounds, and keeps it in results/together.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

from digitforge.recipe import load_recipe
from digitforge.training.compute import start_fabric
from digitforge.training.plan import make_plan
from digitforge.training.together import Team
from digitforge.training.train import throw_away
from digitforge.training.trainer import Trainer
from recipe_speed import machine, noise, summary

RESULTS = Path(__file__).parent / "results" / "together.json"
RECIPES = ("express", "dcgan", "wgan-gp", "raschka", "baseline")
WARM_UP = 5  # steps, until kernels are chosen and memory is allocated


def main() -> None:
    """Time, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--digits", type=int, default=10, help="specialists")
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps a block")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = {}
    for name in options.recipes:
        steps = steppers(name, options.device, options.digits)
        rounds = [{way: speed(step, options) for way, step in steps.items()} for _ in range(options.rounds)]
        together, alone = ([each[way] for each in rounds] for way in ("together", "alone"))
        found[name] = summary(together, alone)
        low, high = found[name]["ratio_range"]
        in_all = f"{statistics.median(together):,.0f} images/s in all"
        print(f"{name:16} {found[name]['ratio']:.2f} ({low:.2f} to {high:.2f}) times as fast; {in_all}")
    where = torch.cuda.get_device_name() if options.device == "cuda" else machine()
    told = {"date": datetime.now(UTC).date().isoformat(), "device": where, "torch": torch.__version__}
    RESULTS.write_text(json.dumps(told | {"specialists": options.digits, "recipes": found}, indent=2) + "\n")


def steppers(name: str, device: str, digits: int) -> dict[str, Callable[[], int]]:
    """What takes a step with every specialist, both ways; each says how many images it showed."""
    base = load_recipe(name)
    base = base.with_settings({"data.name": "mnist", "data.count": 0, "compute.device": device})
    data = noise("mnist")
    plans = [make_plan(base.with_settings({"data.digits": [data.train.names[digit]]}), data) for digit in range(digits)]
    fabric = start_fabric(plans[0].recipe)
    size = base.training.batch_size
    team, single = ([Trainer(throw_away(plan, size), fabric) for plan in plans] for _ in range(2))
    as_one = Team(team)

    def together() -> int:
        as_one.step()
        return size * digits

    def alone() -> int:
        for trainer in single:
            trainer.step()
        return size * digits

    steps = {"together": together, "alone": alone}
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    return steps


def speed(step: Callable[[], int], options: argparse.Namespace) -> float:
    """Images a second over a block of steps, with all that was handed to the device done."""
    finish = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    finish()
    start, shown = time.perf_counter(), 0
    while time.perf_counter() - start < options.seconds:
        shown += step()
    finish()
    return shown / (time.perf_counter() - start)


if __name__ == "__main__":
    main()

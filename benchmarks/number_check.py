"""What does it cost a run to look for numbers that are none?

    python benchmarks/number_check.py [--rounds 15]

Takes steps of `express` on MNIST's 5,000 digits with one thread, and looks at all that a run goes on from, in turn; the
medians of both, and the look's share of a tick's steps in a run of 120,000 images. Keeps all in
results/number_check.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from digitforge.data import load_data
from digitforge.recipe import load_recipe
from digitforge.training.checkpoint import named_tensors
from digitforge.training.compute import start_fabric
from digitforge.training.numbers import all_finite
from digitforge.training.plan import make_plan, with_images
from digitforge.training.trainer import Trainer
from recipe_speed import machine

RESULTS = Path(__file__).parent / "results" / "number_check.json"
IMAGES = 120_000
_WARM_UP = 5  # steps


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    recipe = load_recipe("express").with_settings({"training.images": IMAGES, "compute.threads": 1})
    plan = with_images(make_plan(recipe, load_data("mnist-5k")), IMAGES)
    trainer = Trainer(plan, start_fabric(plan.recipe))
    for _ in range(_WARM_UP):
        trainer.step()
    looks, steps = [], []
    for _ in range(options.rounds):
        looks.append(seconds_of(lambda: all_finite(dict(named_tensors(trainer.state)).values())))
        steps.append(seconds_of(trainer.step))
    steps_a_tick = plan.times.steps * plan.intervals["tick"] / plan.times.images
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "rounds": options.rounds,
        "numbers": sum(tensor.numel() for _, tensor in named_tensors(trainer.state)),
        "milliseconds_a_look": round(1000 * median(looks), 3),
        "milliseconds_a_step": round(1000 * median(steps), 3),
        "steps_a_tick": round(steps_a_tick, 1),
        "share_of_the_steps": round(median(looks) / (median(steps) * steps_a_tick), 6),
    }
    print(json.dumps(result, indent=1))
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


def seconds_of(act: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

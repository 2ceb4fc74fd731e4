"""A recipe as a contestant in one process or several: `[torchrun ...] spread.py RECIPE [SETTING=VALUE...]`.

The first process hears the referee and tells the others how many steps to take, so that no message is needed while
they take them.
"""

from __future__ import annotations

import json
import sys
import time

from contest import WARM_UP

from digitforge.data import load_data
from digitforge.recipe import load_recipe, parse_setting
from digitforge.training.compute import start_fabric
from digitforge.training.plan import make_plan
from digitforge.training.train import throw_away
from digitforge.training.trainer import Trainer


def main() -> None:
    """Serve until the referee ends."""
    recipe = load_recipe(sys.argv[1]).with_settings(dict(map(parse_setting, sys.argv[2:])))
    plan = throw_away(make_plan(recipe, load_data(recipe.data.name)), recipe.training.batch_size)
    fabric = start_fabric(plan.recipe)
    trainer = Trainer(plan, fabric)

    def take(steps: int) -> float:
        """Take so many steps; the seconds that they took."""
        start = time.perf_counter()
        for _ in range(steps):
            trainer.step()
        fabric.barrier()
        return time.perf_counter() - start

    take(WARM_UP)
    pace = take(WARM_UP) / WARM_UP  # seconds a step
    if fabric.is_global_zero:
        print(json.dumps({"ready": True}), flush=True)
    while steps := fabric.broadcast(_asked(pace) if fabric.is_global_zero else 0):
        seconds = take(steps)
        pace = seconds / steps
        if fabric.is_global_zero:
            print(json.dumps({"images": steps * recipe.training.batch_size, "seconds": seconds}), flush=True)


def _asked(pace: float) -> int:
    """How many steps the referee's next line asks for, at this pace; 0 at its end."""
    line = sys.stdin.readline()
    return max(1, round(float(line) / pace)) if line else 0


if __name__ == "__main__":
    main()

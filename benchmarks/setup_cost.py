"""What does a run cost besides its steps? The start until the first step, and what is recorded on the way.

    python benchmarks/setup_cost.py [--starts 5] [--budget 60s]

The start is that of a fresh `digitforge train express`, from the process's birth until its first step is done: once
with a length in images, once with a budget, whose steps are probed first. The way is one `express` run of that budget:
its loop's wall time that is not in steps, as a share of the time in steps, and what takes it. Keeps all in
results/setup_cost.json and writes it into docs/speed.md.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from digitforge.cli import main as digitforge
from digitforge.cli.train import parse_budget

RESULTS = Path(__file__).parent / "results" / "setup_cost.json"
TARGET = 0.05  # of the time in steps, which all that is recorded may take
BUDGET = "60s"
RUNS = {"in images": ["--images", "130000"], "as a budget": ["--budget", BUDGET]}
START = "start"  # the first word of a process whose start is timed; then its birth and the command's words
WORTH_TELLING = 0.0005  # of the time in steps
# Functions of the trainer's module, and methods of Trainer, none of which calls another; with what they are for.
FUNCTIONS = {"discriminator_accuracy": "D's accuracy", "ruler_for": "key figures", "key_figures": "key figures"}
METHODS = {
    "sheet": "sheets, drawn",
    "_weights": "snapshots, measured",
    "_diagnose": "diagnosis",
    "_tell": "files and TensorBoard",
    "save": "checkpoints",
}


def main() -> None:
    """Measure, print and keep."""
    if sys.argv[1:2] == [START]:
        start_and_end(float(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--budget", default=BUDGET, help="of the run that is taken apart")
    options = parser.parse_args()
    rounds = [{name: seconds_to_first_step(words) for name, words in RUNS.items()} for _ in range(options.starts)]
    starts = {name: spread([each[name] for each in rounds]) for name in RUNS}
    seconds = parse_budget(options.budget)
    assert seconds is not None
    from passages import write_passage
    from recipe_speed import machine

    told = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    result = told | {"seconds_until_first_step": starts, "run": run_parts(seconds)}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    write_passage("docs/speed.md", "set-up cost", in_words(result))


def in_words(result: dict[str, Any]) -> str:
    """The whole result for the docs."""
    starts, run = result["seconds_until_first_step"], result["run"]
    told = {
        name: f"{one['median']:.1f} s ({one['least']:.1f} to {one['most']:.1f}, n = {one['n']})"
        for name, one in starts.items()
    }
    parts = ", ".join(
        f"{kind} {part['share']:.1%}" for kind, part in run["parts"].items() if part["share"] >= WORTH_TELLING
    )
    seconds, share, rest = run["seconds_in_steps"], run["share_besides_steps"], run["seconds_before_and_after"]
    return (
        f"By `python benchmarks/setup_cost.py` ({result['machine']}), `express`, the `train` extra alone installed: a "
        f"fresh process has done its first step after {told['in images']}; with `--budget`, which times throw-away "
        f"steps first, after {told['as a budget']}. What a run of {run['budget']:.0f} s records on its way took "
        f"{share:.1%} of the {seconds:.0f} s in steps (n = 1): {parts}. Before and after the loop, for probing, the "
        f"model's files, its figures and the report, {rest:.0f} s."
    )


def seconds_to_first_step(words: Sequence[str]) -> float:
    """How long a fresh process takes until its first step is done."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, str(Path(__file__).resolve()), START, str(time.time()), *words]
        found = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True, check=True)
    return float(found.stdout.splitlines()[-1])


def start_and_end(birth: float, words: Sequence[str]) -> NoReturn:
    """Train as told, in this process, and end it after the first step, telling the seconds since its birth."""
    from digitforge.training.trainer import Trainer

    run = Trainer.run

    def run_one_step(self: Trainer, *arguments: Any) -> None:
        step = self.step

        def step_and_end() -> NoReturn:
            step()
            print(time.time() - birth, flush=True)
            os._exit(0)

        self.step = step_and_end  # type: ignore[method-assign]
        run(self, *arguments)

    Trainer.run = run_one_step  # type: ignore[method-assign]
    sys.exit(digitforge(["train", "express", *words]))


def run_parts(budget: float) -> dict[str, Any]:
    """Where the wall time of one run goes: seconds in all, in its loop, in steps, and in each kind of record."""
    from digitforge.training import trainer
    from digitforge.training.train import train

    spent: dict[str, float] = defaultdict(float)
    for name, kind in FUNCTIONS.items():
        setattr(trainer, name, timed(getattr(trainer, name), kind, spent))
    for name, kind in METHODS.items():
        setattr(trainer.Trainer, name, timed(getattr(trainer.Trainer, name), kind, spent))
    trainer.Trainer.run = timed(trainer.Trainer.run, "loop", spent)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        folder = train("express", settings={"training.seconds": budget, "training.seed": 0}, out=Path(place) / "run")
        wall = time.perf_counter() - start
        last = folder.read_stats()[-1]
    loop, steps = spent.pop("loop"), last["clock"]["seconds"]
    spent["rest"] = loop - steps - sum(spent.values())
    return {
        "budget": budget,
        "images": last["images"],
        "seconds": round(wall, 2),
        "seconds_in_loop": round(loop, 2),
        "seconds_in_steps": round(steps, 2),
        "seconds_before_and_after": round(wall - loop, 2),  # data, probing, the model's files and figures
        "share_besides_steps": round((loop - steps) / steps, 4),
        "target": TARGET,
        "parts": {
            kind: {"seconds": round(seconds, 3), "share": round(seconds / steps, 4)}
            for kind, seconds in sorted(spent.items(), key=lambda part: -part[1])
        },
    }


def timed(function: Callable[..., Any], kind: str, spent: dict[str, float]) -> Callable[..., Any]:
    """A function whose time is added to that of its kind."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            spent[kind] += time.perf_counter() - start

    return call


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "n": len(values)}


if __name__ == "__main__":
    main()

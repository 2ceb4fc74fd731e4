"""Does a run that is killed at any moment, and resumed, end with the same bits as one that nobody disturbed?

    python benchmarks/killed_anywhere.py [--kills 50] [--seed 0]

Trains a small `express` on MNIST's 5,000 digits at half their size, with a checkpoint at every tick: once undisturbed,
and then in processes that get SIGKILL at moments drawn from a seed, from their start to the last export. What is killed
is resumed, until it ends before its moment has come; then the next run begins. Each run that ends is held against the
undisturbed one: model, discriminator, the newest checkpoint, sheets and snapshots bit for bit, and the lines of
statistics but for their clock, none twice, none missing. Says in what each kill found the run: in its start, in a step
or a record, in a checkpoint (for which every fifth kill waits), in the files of the end. Processes are forked from one
that has imported what trains, so that a kill costs no second import. Keeps all in results/killed_anywhere.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

import numpy as np

from digitforge.data import DataSet, Digits, load_data
from digitforge.runs import RunFolder
from digitforge.training import train as train_module
from digitforge.training import trainer as trainer_module

RESULTS = Path(__file__).parent / "results" / "killed_anywhere.json"
PHASES = ("start-up", "steps and records", "a checkpoint", "the files of the end")
SETTINGS = {
    "training.images": 12800,
    "training.batch_size": 64,
    "networks.generator_width": 16,
    "networks.discriminator_width": 16,
    "record.checkpoint_seconds": 1e-9,
    "compute.device": "cpu",
    "compute.precision": "32",
    "compute.threads": 1,
}
EACH = 5  # of so many kills one waits for the next checkpoint that is being written: they take little of the time
_LOOK = 0.001  # seconds between two looks at whether a process has ended by itself
_START, _STEPS, _CHECKPOINT, _END = range(len(PHASES))


def main() -> None:
    """Kill, resume, compare, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = kill_and_compare(Path(place), options.kills, np.random.default_rng(options.seed))
    from recipe_speed import machine

    told = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "seed": options.seed, **found}
    print(json.dumps(told, indent=1))
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")


def halved(digits: Digits) -> Digits:
    """Every other pixel within the margins, 12x12: what no classifier here reads, so that runs end soon."""
    return replace(digits, images=np.ascontiguousarray(digits.images[:, :, 2:-2:2, 2:-2:2]))


def kill_and_compare(place: Path, kills: int, rng: np.random.Generator) -> dict[str, Any]:
    """Kill so often; what each kill found, and how the runs ended."""
    read = load_data("mnist-5k")
    data = DataSet("mnist-5k-halved", halved(read.train), None)
    life, ended = live(place / "undisturbed", data, None)
    assert ended is None
    wanted = lasting(RunFolder(place / "undisturbed"))
    found: Counter[str] = Counter()
    moments, differing, lines, runs = [], [], Counter[str](), 0
    while len(moments) < kills:
        folder = RunFolder(place / f"run-{runs}")
        while True:
            # Rather early than late: the oftener a run was resumed, the less it has left to do.
            moment = life * float(rng.random()) ** 2 if len(moments) < kills else None
            _, phase = live(folder.path, data, moment, in_checkpoint=len(moments) % EACH == 0)
            if phase is None:
                break
            moments.append(round(moment or 0.0, 3))
            found[phase] += 1
        runs += 1
        differing += [f"run {runs}: {name}" for name in difference(lasting(folder), wanted)]
        lines.update(lines_of(folder, wanted))
    return {
        "seconds_of_the_undisturbed_run": round(life, 2),
        "kills": sum(found.values()),
        "found_in": {phase: found[phase] for phase in PHASES},
        "runs_that_ended": runs,
        "runs_that_differ": len({each.partition(":")[0] for each in differing}),
        "what_differs": differing,
        "lines_twice": lines["twice"],
        "lines_missing": lines["missing"],
        "moments": moments,
    }


def live(folder: Path, data: DataSet, moment: float | None, in_checkpoint: bool = False) -> tuple[float, str | None]:
    """Train or resume in a process of its own, and kill it so many seconds later; its life, and what the kill found.

    None stands for a process that nobody killed, or that had ended before. in_checkpoint: wait for one to be written.
    """
    phase = RawValue("i", _START)
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        train_and_exit(folder, data, phase)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0, f"the run in {folder} has failed"
            return time.monotonic() - start, None
        is_time = moment is not None and time.monotonic() - start >= moment
        if is_time and (not in_checkpoint or phase.value == _CHECKPOINT):
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            was_killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
            return time.monotonic() - start, PHASES[phase.value] if was_killed else None
        time.sleep(_LOOK)


def train_and_exit(folder: Path, data: DataSet, phase: Any) -> None:
    """Train or resume in this process, telling what is under way, and end it."""
    code = 1
    try:
        begin = under(_STEPS, phase, trainer_module.Trainer.begin, and_after=True)
        trainer_module.Trainer.begin = begin  # type: ignore[method-assign]
        trainer_module.save_checkpoint = under(_CHECKPOINT, phase, trainer_module.save_checkpoint)
        train_module.finish = under(_END, phase, train_module.finish)
        train_module.train("express", data, settings=SETTINGS, out=folder, resume=True)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)  # past whatever the parent would do at its own end


def under(now: int, phase: Any, function: Callable[..., Any], and_after: bool = False) -> Callable[..., Any]:
    """A function that tells while it runs what is under way, and with and_after from then on as well."""

    def call(*arguments: Any) -> Any:
        before, phase.value = phase.value, now
        try:
            return function(*arguments)
        finally:
            phase.value = now if and_after else before

    return call


def lasting(folder: RunFolder) -> dict[str, object]:
    """Everything of a run that no kill may change, as bytes, and its statistics without their clock."""
    paths = [folder.model, folder.discriminator, folder.final_sheet, folder.real_sheet, folder.recipe]
    paths += [*folder.samples(), *folder.snapshots(), folder.checkpoints()[0]]
    stats = [{key: value for key, value in line.items() if key != "clock"} for line in folder.read_stats()]
    return {"stats.jsonl": stats} | {str(path.relative_to(folder.path)): path.read_bytes() for path in paths}


def difference(found: dict[str, object], wanted: dict[str, object]) -> list[str]:
    """The names of what differs, is missing or was never wanted."""
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def lines_of(folder: RunFolder, wanted: dict[str, Any]) -> dict[str, int]:
    """How many lines of statistics there are twice, and how many are missing."""
    images = [line["images"] for line in folder.read_stats()]
    missing = {line["images"] for line in wanted["stats.jsonl"]} - set(images)
    return {"twice": len(images) - len(set(images)), "missing": len(missing)}


if __name__ == "__main__":
    main()

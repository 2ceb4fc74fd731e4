"""Is any damaged file trusted? Files of every kind are damaged at random and put through the commands that read them.

    python benchmarks/damaged_files.py [--mutations 2000] [--seed 0] [--kind KIND]...

Makes a finished run, one that was stopped, model files, data sets in every format and recipes, all tiny, and what each
command says of them whole. Then damages one file at a time (cut off, bits flipped, emptied, random bytes, another valid
file in its place) and gives it to the command again, in a process that may take a gigabyte more than it has and half a
minute a command. What became of each is counted by the kind of file:

    refused     one line and exit code 2
    harmless    the same result as with the whole file
    older       resumed from the checkpoint before, with the same result
    told        another result, and a sentence or a hash that says so; a run that knows the data refuses them
    silent      another result without a word
    failed      an error that nobody expected, too much memory, too much time, or the end of the process

The last two are failures: the script ends with 1 if there are any. It leaves out the ends of resumed runs (figures and
files, seconds each), and compares the weights instead. Keeps the counts in results/damaged_files.json, each seed's
beside those of others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # where tiny models and runs are made

from damaged_world import KINDS, Case, make_world, tried
from recipe_speed import machine

RESULTS = Path(__file__).parent / "results" / "damaged_files.json"
OUTCOMES = ("refused", "harmless", "older", "told", "silent", "failed")
FAILURES = ("silent", "failed")


def main() -> int:
    """Damage, count, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only files of this kind [default: all]")
    parser.add_argument("--worker", nargs=2, metavar=("WORLD", "FIRST"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    kinds = options.kind or list(KINDS)
    if options.worker:
        world, first = options.worker
        for case in tried(Path(world), kinds, options.mutations, options.seed, int(first)):
            print(json.dumps(asdict(case)), flush=True)
        return 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIGITFORGE_CACHE"] = str(Path(folder) / "cache")  # empty, so that data by name are nowhere at hand
        make_world(Path(folder))
        cases = all_cases(Path(folder), sys.argv[1:], options.mutations)
    counts = {kind: Counter(case.outcome for case in cases if case.kind == kind) for kind in kinds}
    show(counts)
    failures = [asdict(case) for case in cases if case.outcome in FAILURES]
    for failure in failures:
        print(json.dumps(failure))
    if not options.kind:
        keep(counts, cases, failures, options.seed, time.perf_counter() - start)
    return 1 if failures else 0


def all_cases(world: Path, arguments: list[str], mutations: int) -> list[Case]:
    """Every case, tried by one process after another: one that dies has failed, and the next goes on behind it."""
    cases: list[Case] = []
    while len(cases) < mutations:
        command = [sys.executable, __file__, *arguments, "--worker", str(world), str(len(cases))]
        worker = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        found = [Case(**json.loads(line)) for line in worker.stdout.splitlines()]
        cases += found
        if worker.returncode and not found:
            raise RuntimeError(f"nothing could be tried from case {len(cases)} on: {worker.stderr}")
        if worker.returncode:
            said = worker.stderr.strip().splitlines()[-1:] or [""]
            cases.append(Case("", "", "", "failed", f"the process ended with {worker.returncode}: {said[0]}", 0.0))
    return cases


def show(counts: dict[str, Counter[str]]) -> None:
    """A row a kind of file, and one of all."""
    print(f"{'kind of file':24}" + "".join(f"{outcome:>10}" for outcome in ("tries", *OUTCOMES)))
    for kind, found in {**counts, "all": sum(counts.values(), Counter())}.items():
        print(f"{kind:24}{found.total():10}" + "".join(f"{found[outcome]:10}" for outcome in OUTCOMES))


def keep(
    counts: dict[str, Counter[str]], cases: list[Case], failures: list[dict[str, Any]], seed: int, seconds: float
) -> None:
    """Write the counts, by kind of file and by kind of damage."""
    damages = sorted({case.damage for case in cases})
    found = {
        "machine": machine(),
        "mutations": len(cases),
        "seconds": round(seconds),
        "slowest_seconds": max(case.seconds for case in cases),
        "kinds": {kind: {"tries": each.total(), **each} for kind, each in counts.items()},
        "damages": {damage: Counter(case.outcome for case in cases if case.damage == damage) for damage in damages},
        "all": Counter(case.outcome for case in cases),
        "failures": failures,
    }
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**kept, f"seed {seed}": found}, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())

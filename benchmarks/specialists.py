"""How much sooner ten specialists are there as one job than as ten trainings one after another.

    python benchmarks/specialists.py --images 60000 --repeats 3

runs, in turn, ten `digitforge train RECIPE --digits D` and one `digitforge specialists RECIPE`, of the same length a
digit, and compares wall times and times in training steps.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from digitforge.data import load_data
from digitforge.onnx_file import available_cores
from digitforge.runs import RunFolder, SpecialistsFolder
from digitforge.studies.specialists import crew_size

RESULTS = Path(__file__).parent / "results" / "specialists.json"
MOST_WALL = 0.75  # of the ten trainings' wall time that the job may take, ...
MOST_TRAINING = 0.85  # ... and of their time in training steps


def main() -> int:
    """Measure, print and keep the result; 0 if the job is as much faster as it is meant to be, else 1."""
    arguments = parse()
    load_data(arguments.data)  # so that no download is timed
    rounds = [measure(arguments) for _ in range(arguments.repeats)]
    ratios = {
        kind: statistics.mean(one["specialists"][kind] / one["train"][kind] for one in rounds)
        for kind in ("wall_seconds", "training_seconds")
    }
    asked = {key: value for key, value in vars(arguments).items() if key != "out"}
    result = asked | surroundings() | {"ratios": ratios, "rounds": rounds}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    for one in rounds:
        for name, times in one.items():
            print(f"{name:12} {times['wall_seconds']:8.1f} s wall {times['training_seconds']:8.1f} s in training steps")
    wall, training = ratios["wall_seconds"], ratios["training_seconds"]
    print(f"one job takes {wall:.2f} of the wall time and {training:.2f} of the training time (n = {len(rounds)})")
    return 0 if wall <= MOST_WALL and training <= MOST_TRAINING else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="express")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--digits", default="0,1,2,3,4,5,6,7,8,9")
    parser.add_argument("--images", type=int, default=60_000, help="real images shown to each digit's discriminator")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Wall time and time in training steps of both ways, in seconds.

    Of a job the time in steps is the mean of its workers', who train at the same time.
    """
    common = [arguments.recipe, "--data", arguments.data, "--images", str(arguments.images)]
    names = arguments.digits.split(",")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wall = sum(run(["train", *common, "--digits", name, "--out", str(folder / name)]) for name in names)
        alone = {"wall_seconds": wall, "training_seconds": sum(steps(RunFolder(folder / name)) for name in names)}
        job = SpecialistsFolder(folder / "job")
        wall = run(["specialists", *common, "--digits", arguments.digits, "--out", str(job.path)])
        runs = [RunFolder(path) for path in job.path.iterdir() if path.is_dir()]
        workers = crew_size(job.read_recipe(), len(names), None)
        together = {"wall_seconds": wall, "training_seconds": sum(map(steps, runs)) / workers}
    return {"train": alone, "specialists": together}


def run(words: list[str]) -> float:
    """The wall time in seconds of a command, imports and figures included."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "digitforge", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def steps(folder: RunFolder) -> float:
    """The seconds that a run spent in training steps."""
    return float(folder.read_stats()[-1]["clock"]["seconds"])


def surroundings() -> dict[str, Any]:
    """The machine, the versions and the day."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": processor(),
        "cores": available_cores(),
        "versions": {name: version(name) for name in ("digitforge", "torch", "onnxruntime")},
    }


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    told = Path("/proc/cpuinfo")
    if not told.is_file():
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in told.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    raise SystemExit(main())

"""What will training on the real SVHN take? A dry run on files of its full size: memory at its highest, and time.

    python benchmarks/svhn_memory.py [--recipe dcgan-svhn] [--images 768]

Writes noise as train_32x32.mat and test_32x32.mat, 73,257 and 26,032 images that shrink as SVHN's do, into a temporary
folder (0.25 GB). Then it runs `digitforge data FOLDER`, and `digitforge train RECIPE --data FOLDER` for so many images,
each in a process of its own: bytes are the most that were resident (GNU/Linux). For the time, steps of the recipe and
of dcgan take turns, so that a busy machine slows both alike; hours are the recipe's full length at that ratio to the
speed that dcgan has in results/recipe_speed.json. Keeps it all in results/svhn_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

import recipe_speed
from digitforge.data import svhn
from digitforge.recipe import load_recipe

RESULTS = Path(__file__).parent / "results" / "svhn_memory.json"
LEVELS = 90  # that the noise has: it shrinks to 0.82 of its size, SVHN's files have 0.81
BLOCK = 2.0  # seconds of steps a turn
ROUNDS = 4
# Runs a command and prints its memory. A process of its own, since a child's highest mark starts at its parent's.
WATCH = """
import os, sys
child = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(status != 0)
"""


def main() -> None:
    """Make the files, run, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dcgan-svhn")
    parser.add_argument("--images", type=int, default=768, help="to train on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "svhn"
        folder.mkdir()
        files = {
            file.name: write_noise(folder / file.name, count)
            for file, count in ((svhn.TRAIN, svhn.TRAIN_COUNT), (svhn.TEST, svhn.TEST_COUNT))
        }
        reading = measured("data", str(folder))
        run = ("--data", str(folder), "--images", str(options.images), "--out", str(Path(place) / "run"))
        training = measured("train", options.recipe, *run)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": recipe_speed.machine(),
        "load": round(os.getloadavg()[0], 1),
        "files": files,
        "image_bytes": (svhn.TRAIN_COUNT + svhn.TEST_COUNT) * int(np.prod(svhn.SHAPE)),
        "reading": reading,
        "training": training | {"recipe": options.recipe, "images": options.images},
        "full_length": expected_time(options.recipe),
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def write_noise(path: Path, count: int) -> int:
    """Noise in SVHN's layout, compressed as its files are; the bytes of the file."""
    rng = np.random.default_rng(count)
    images = rng.integers(0, LEVELS, (count, *svhn.SHAPE), np.uint8)
    tens = (np.arange(count) % 10 + 1).astype(np.uint8)
    savemat(path, {"X": images.transpose(2, 3, 1, 0), "y": tens[:, np.newaxis]}, do_compression=True)
    return path.stat().st_size


def measured(*words: str) -> dict[str, float]:
    """The most memory that a command of digitforge takes, in bytes, and the seconds until it ends."""
    start = time.perf_counter()
    command = [sys.executable, "-c", WATCH, "-m", "digitforge", *words]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {"most_bytes": int(told.split()[-1]) * 1024, "seconds": round(time.perf_counter() - start, 1)}


def expected_time(name: str) -> dict[str, Any]:
    """The ratio of a recipe's speed to dcgan's, with its range, and the hours that its full length takes by it."""
    recipe, yardstick = load_recipe(name), recipe_speed.YARDSTICK
    assert recipe.training.epochs is not None
    steps = {each: recipe_speed.stepper(each) for each in (yardstick, name)}
    for take, size in steps.values():
        recipe_speed.speed(take, size, BLOCK)
    rounds = [
        {each: recipe_speed.speed(take, size, BLOCK) for each, (take, size) in steps.items()} for _ in range(ROUNDS)
    ]
    found = recipe_speed.summary([each[name] for each in rounds], [each[yardstick] for each in rounds])
    kept = json.loads(recipe_speed.RESULTS.read_text())["recipes"][yardstick]["images_per_second"]
    images = round(recipe.training.epochs * svhn.TRAIN_COUNT)
    pace = kept * float(str(found["ratio"]))
    return {
        "images": images,
        "ratio_to_dcgan": found["ratio"],
        "ratio_range": found["ratio_range"],
        "hours": round(images / pace / 3600, 1),
    }


if __name__ == "__main__":
    main()

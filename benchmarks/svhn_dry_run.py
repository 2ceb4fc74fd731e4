"""What will training on the real SVHN take? A dry run on rendered files of its full size: its length, time and memory.

    python benchmarks/svhn_dry_run.py [RECIPE...]

Draws as many images as SVHN has, as the data set `street` does, and writes them as train_32x32.mat and test_32x32.mat
into a temporary folder (two minutes, 0.3 GB). Then it runs `digitforge train RECIPE --data FOLDER --dry-run`, each in a
process of its own, whose memory at its highest is also taken from the system (GNU/Linux). Keeps what both tell in
results/svhn_dry_run.json and docs/data.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from digitforge.data import svhn
from digitforge.data.mat import TEST_NAME, TRAIN_NAME, write_mat
from digitforge.data.street import draw_part
from digitforge.data.street_digits import render_glyphs
from passages import table, write_passage
from recipe_speed import machine

RESULTS = Path(__file__).parent / "results" / "svhn_dry_run.json"
RECIPES = ("dcgan-svhn", "wgan-gp-svhn", "express-svhn")
# Runs a command and prints its memory. A process of its own, since a child's highest mark starts at its parent's.
WATCH = """
import os, sys
child = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(status != 0)
"""


def main() -> None:
    """Draw the files, run, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        write_full_size(Path(place))
        recipes = {name: dry_run(name, place) for name in options.recipes}
        result = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "images": {"train": svhn.TRAIN_COUNT, "test": svhn.TEST_COUNT},
            "file_bytes": {path.name: path.stat().st_size for path in sorted(Path(place).iterdir())},
            "recipes": recipes,
        }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    rows = [[f"`{name}`", *found["told"][2:], f"{found['most_bytes'] / 1e9:.1f} GB"] for name, found in recipes.items()]
    head = ["recipe", "a dry run tells", "and", "memory as the system counts it"]
    write_passage("docs/data.md", "what SVHN takes", table([head, *rows]))


def write_full_size(folder: Path) -> None:
    """Rendered house numbers, as many as SVHN has, in its files."""
    glyphs = render_glyphs()
    for part, name, count in (("train", TRAIN_NAME, svhn.TRAIN_COUNT), ("test", TEST_NAME, svhn.TEST_COUNT)):
        digits = draw_part(glyphs, part, count, lambda images: None).digits
        write_mat(folder / name, digits.images, digits.labels)


def dry_run(recipe: str, folder: str) -> dict[str, Any]:
    """What a dry run tells, and what it took."""
    start = time.perf_counter()
    words = ["-m", "digitforge", "train", recipe, "--data", folder, "--dry-run"]
    told = subprocess.run([sys.executable, "-c", WATCH, *words], stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = told.splitlines()
    return {
        "told": [line.removeprefix("# ") for line in lines if line.startswith("# ")],
        "most_bytes": int(lines[-1]) * 1024,
        "seconds": round(time.perf_counter() - start, 1),
    }


if __name__ == "__main__":
    main()

"""What does a run lose on a disk that is full, faulty or gone, at whatever it does there?

    python benchmarks/failing_disk.py [--every 1] [--end-every 1]

Trains the tests' tiny run, and again for every single thing that it does to its folder: opening, writing, syncing,
renaming, making and removing a file. There the disk is full from then on (ENOSPC), or fails once (EIO), or the process
is killed, half of what it was writing on the disk. Then the disk is well again and the run is resumed: it must end with
the bits of the undisturbed one, and what it said must be one line that tells what is kept and how to go on. So for all
that is done until training ends, and for all that is done behind that, in three minutes. Last the real thing, where
Linux lets us: file systems of so little room that the run does not fit in, which then get more. Keeps all in
results/failing_disk.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the disk that fails, and the run, are the tests'

from digitforge.errors import DigitforgeError
from digitforge.runs import RunFolder
from digitforge.training import train as train_module
from failing_disk import Disk
from tiny_runs import BATCH, tiny_data, tiny_recipe, what_must_repeat

RESULTS = Path(__file__).parent / "results" / "failing_disk.json"
DATA = tiny_data()
SETTINGS = {
    "training.images": 6 * BATCH,
    "record.tick": f"{2 * BATCH} images",
    "record.accuracy": f"{4 * BATCH} images",
    "record.sheet": f"{3 * BATCH} images",
    "record.snapshot": f"{3 * BATCH} images",
    "record.checkpoint_seconds": 1e-9,
}
SMALL = "--on-small-disks"  # said to a process that may mount some
SHARES = [share / 12 for share in range(1, 12)]  # of the room that the run needs
WHOLE_FINISH = train_module.finish


def main() -> None:
    """Try, print and keep."""
    if sys.argv[1:2] == [SMALL]:
        print(json.dumps(on_small_disks(Path(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="of what is done until training ends, how much is tried")
    parser.add_argument("--end-every", type=int, default=1, help="of what is done behind that, how much is tried")
    options = parser.parse_args()
    logging.getLogger("digitforge").setLevel(logging.ERROR)  # TensorBoard's files fail some hundred times
    from recipe_speed import machine

    told: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    with tempfile.TemporaryDirectory() as place:
        parts = {
            "on_the_way": lambda: on_the_way(Path(place) / "way", options.every),
            "at_the_end": lambda: at_the_end(Path(place) / "end", options.end_every),
            "on_small_disks": lambda: on_own_file_systems(place),
        }
        for name, try_all in parts.items():
            told[name] = try_all()
            print(json.dumps({name: told[name]}, indent=1), flush=True)
            RESULTS.write_text(json.dumps(told, indent=1) + "\n")


def on_own_file_systems(place: str) -> dict[str, Any] | str:
    """What a process finds that may mount file systems for itself; in words where none may."""
    words = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, __file__, SMALL, place]
    if shutil.which(words[0]) is None:
        return "not possible here"
    found = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(found.stdout)) if found.returncode == 0 else "not allowed here"


def on_the_way(place: Path, every: int) -> dict[str, Any]:
    """Every deed of a run that leaves no model files."""
    train_module.finish = without_files
    wanted, begin = what_must_repeat(go_on(place / "undisturbed")), lambda folder: None
    return tried(place, begin, wanted, every)


def at_the_end(place: Path, every: int) -> dict[str, Any]:
    """Deeds of a run that has its last checkpoint and makes the files of its end."""
    train_module.finish = without_files
    trained = go_on(place / "trained")
    trained.hashes.unlink()

    def begin(folder: Path) -> None:
        shutil.copytree(trained.path, folder)

    train_module.finish = WHOLE_FINISH
    begin(place / "undisturbed")
    return tried(place, begin, what_must_repeat(go_on(place / "undisturbed")), every)


def tried(place: Path, begin: Callable[[Path], None], wanted: dict[str, object], every: int) -> dict[str, Any]:
    """A run whose folder begins so, under each fault at each deed, and resumed: how often all went as promised."""
    begin(place / "counted")
    with Disk(place / "counted", keep=place / "killed").mounted() as disk:
        go_on(place / "counted")
    count = len(disk.deeds)
    found: dict[str, Any] = {"deeds": count, "kinds": dict(Counter(deed.split()[0] for deed in disk.deeds))}
    killed = sorted((place / "killed").iterdir(), key=lambda path: int(path.name))[::every]
    found["killed"] = {"tries": len(killed), "differing": sum(resumed(folder) != wanted for folder in killed)}
    for offset, fault in enumerate(("full", "faulty")):
        outcomes: Counter[str] = Counter()
        for at in range(1 + offset, count + 1, every):
            folder = place / f"{fault}-{at}"
            begin(folder)
            with Disk(folder, fault, at).mounted():  # type: ignore[arg-type]
                outcomes[said_of(folder)] += 1
            outcomes["differing"] += resumed(folder) != wanted
            shutil.rmtree(folder)
        found[fault] = {"tries": len(range(1 + offset, count + 1, every)), **outcomes}
    return found


def on_small_disks(place: Path) -> dict[str, Any]:
    """A run on real file systems that are too small for it, resumed on ones that have got room."""
    train_module.finish = without_files
    undisturbed = go_on(place / "undisturbed")
    wanted = what_must_repeat(undisturbed)
    needed = sum(path.stat().st_blocks * 512 for path in undisturbed.path.rglob("*"))
    outcomes: Counter[str] = Counter()
    for index, share in enumerate(SHARES):
        disk = place / f"disk-{index}"
        disk.mkdir()
        mount(disk, f"size={int(needed * share)}")
        outcomes[said_of(disk / "run")] += 1
        mount(disk, f"remount,size={4 * needed}")
        outcomes["differing"] += resumed(disk / "run") != wanted
    return {"tries": len(SHARES), "bytes_needed": needed, **outcomes}


def mount(place: Path, options: str) -> None:
    """Put a file system in memory at a place, or change the one there."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=True)


def said_of(folder: Path) -> str:
    """Train, and say in which way it ended."""
    try:
        go_on(folder)
    except DigitforgeError as error:
        line = str(error)
        if "\n" in line or not re.search(r"cannot \w+ .*(No space left on device|Input/output error)", line):
            return "ended with other words"
        if "its state after" in line and "--resume`" in line:
            return "said what is kept and how to go on"
        if "nothing is saved yet" in line and "--resume`" in line:
            return "said that nothing was saved yet"
        return "had not begun, said so" if not RunFolder(folder).recipe.is_file() else "ended with other words"
    except Exception:
        return "ended with a trace"
    return "went on to its end"  # without what it can do without: TensorBoard's files, the removal of passing ones


def resumed(folder: Path) -> dict[str, object]:
    """What a run comes to on a disk that is well."""
    try:
        return what_must_repeat(go_on(folder))
    except DigitforgeError as error:
        return {"error": str(error)}


def go_on(folder: Path) -> RunFolder:
    """Train the tiny run, or go on with it."""
    return train_module.train(tiny_recipe(SETTINGS), DATA, out=folder, resume=True)


def without_files(*arguments: Any) -> Any:
    """Stands for finish(): leaves the hashes alone."""
    arguments[-1].write_hashes()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

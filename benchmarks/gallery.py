"""Train what the gallery shows: every recipe at its full length, resumable.

    python benchmarks/gallery.py [NAME ...] [--hours 3] [--at-once 2]

Each run is an ordinary `digitforge train` below runs/gallery, whose command the page names. Recipes whose
length is a time come first and have the machine to themselves; the others share it, a thread each, or with
`--at-once 1` have all of it in turn. Broken off at any moment, or after `--hours`, the same command goes on where it
was. About 14 hours of two cores in all.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from digitforge.onnx_file import available_cores
from shows import Show, read_shows, runs_of

_PATIENCE = 0.5  # seconds between two looks at what has ended
_INTERRUPTED = {128 + signal.SIGINT, 128 + signal.SIGTERM}


def main() -> None:
    """Train, side by side, until all is done, the time is up or somebody stops it."""
    known = read_shows()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--hours", type=float, default=float("inf"), help="after which it stops, to go on later")
    parser.add_argument("--at-once", type=int, default=available_cores())
    options = parser.parse_args()
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"the gallery has no {', '.join(sorted(unknown))}; choose among {', '.join(known)}")
    chosen = [known[name] for name in options.names] or list(known.values())
    end = time.monotonic() + 3600 * options.hours
    failed: list[str] = []
    try:
        for timed, at_once in ((True, 1), (False, options.at_once)):
            shows = [show for show in chosen if show.is_timed == timed]
            failed += train(commands(shows, alone=at_once == 1), at_once, end)
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")
    if failed:
        sys.exit(f"did not end well: {', '.join(failed)}; their words are above")


def commands(shows: Sequence[Show], alone: bool) -> Iterator[list[str]]:
    """The words of every training that is not finished yet; one that has begun keeps its number of threads."""
    for show in shows:
        for seed, folder in runs_of(show).items():
            if not folder.is_finished:
                words = show.words(seed, alone or folder.recipe.is_file())
                yield [sys.executable, "-m", "digitforge", *words, "--out", str(folder.path), "--resume"]


def train(waiting: Iterator[list[str]], at_once: int, end: float) -> list[str]:
    """Run commands, so many side by side; returns the folders of those that failed. Ctrl-C lets each save and stop."""
    running: list[subprocess.Popen[bytes]] = []
    failed: list[str] = []
    try:
        while True:
            for process in [process for process in running if process.poll() is not None]:
                running.remove(process)
                if process.returncode not in {0, *_INTERRUPTED}:
                    failed.append(str(process.args[-2]))  # type: ignore[index]
            if time.monotonic() > end:
                return failed
            while len(running) < at_once and (command := next(waiting, None)):
                print("$", *command[1:], flush=True)
                running.append(subprocess.Popen(command, start_new_session=True))
            if not running:
                return failed
            time.sleep(_PATIENCE)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()

"""One contestant of a contest: a process that takes training steps when it is told to, and is silent in between.

A line "SECONDS" on its input makes it step for so long; it answers with a line of JSON: images and seconds. So a
referee lets contestants take turns, and a slow minute of the machine hits all alike. Nothing but Python is needed here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

WARM_UP = 5  # steps before the first block: compilation, allocation, weight layouts


def serve(step: Callable[[], object], images: int) -> None:
    """Take steps of so many images each as the referee says, until its line ends."""
    for _ in range(WARM_UP):
        step()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        end = float(line)
        start = time.perf_counter()
        steps = 0
        while time.perf_counter() - start < end:
            step()
            steps += 1
        print(json.dumps({"images": steps * images, "seconds": time.perf_counter() - start}), flush=True)


class Contestant:
    """A process that serves, as the referee sees it."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=None if environment is None else dict(environment),
        )
        self._answer()

    def images_per_second(self, seconds: float) -> float:
        """The speed over a block of steps."""
        found = self.ask(str(seconds))
        return found["images"] / found["seconds"]

    def ask(self, line: str) -> dict[str, float]:
        """Give it a line, and wait for what it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        raise RuntimeError(f"{self._process.args} ended without an answer")

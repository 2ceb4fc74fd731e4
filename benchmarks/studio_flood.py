"""What does a flood of requests cost a training that the studio watches?

    python benchmarks/studio_flood.py [--requests 200] [--seconds 30]

Starts a studio on a folder of its own and, through it, one `express` run on MNIST's 5,000 digits. The run's speed is
read from its own statistics, in images a second of wall time: over a quiet stretch before, under the flood, and over a
quiet stretch behind it. The flood is `--requests` requests at once for 64 digits each, all with seeds of their own, and
again as many as soon as all are answered, for as long as the stretch lasts. Says how many were answered, how long the
first wave took, and which share of its speed the training lost. Keeps all in results/studio_flood.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

RESULTS = Path(__file__).parent / "results" / "studio_flood.json"
TARGET = 0.20  # of its speed, which the training may lose at most
RUN = "flooded"
LENGTH = 400  # seconds that the run is asked for, so that it outlasts the measurement
START = 300.0  # seconds in which it must begin
PATIENCE = 300  # seconds for an answer


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each quiet stretch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio, address = open_studio(Path(folder))
        try:
            found = measure(Path(folder) / RUN, address, options.requests, options.seconds)
        finally:
            post(f"{address}api/runs/{RUN}/pause", {})
            wait_until(lambda: state(address) == "paused", PATIENCE)
            studio.send_signal(signal.SIGINT)
            studio.wait(PATIENCE)
    from recipe_speed import machine

    print(json.dumps(found, indent=1))
    RESULTS.write_text(json.dumps({"machine": machine(), **found}, indent=1) + "\n")


def measure(run: Path, address: str, requests: int, seconds: float) -> dict[str, Any]:
    """Train, wait, flood, wait."""
    wish = {"recipe": "express", "data": "mnist-5k", "seconds": LENGTH, "name": RUN}
    post(f"{address}api/runs", wish)
    wait_until(lambda: images_seen(run) > 0, START)
    before = speed_over(run, seconds)
    with Flood(address, requests) as waves:
        during = speed_over(run, seconds)
    behind = speed_over(run, seconds)
    quiet = mean((before["images_per_second"], behind["images_per_second"]))
    lost = 1 - during["images_per_second"] / quiet
    statuses = [status for wave in waves.answers for status, _ in wave]
    waits = sorted(wait for _, wait in waves.answers[0])
    return {
        "requests": requests,
        "waves": len(waves.answers),
        "answered": statuses.count(200),
        "not_answered": len(statuses) - statuses.count(200),
        "seconds_until_the_first_wave_was_answered": round(waits[-1], 2),
        "median_wait_seconds": round(waits[len(waits) // 2], 2),
        "before": before,
        "during": during,
        "behind": behind,
        "share_of_speed_lost": round(lost, 3),
        "target": TARGET,
        "is_met": lost <= TARGET and set(statuses) == {200},
    }


class Flood:
    """Waves of requests, one after another from entering to leaving; the last one is waited for.

    answers: of each wave, the status of each answer and how many seconds it took.
    """

    def __init__(self, address: str, requests: int) -> None:
        self.answers: list[list[tuple[int, float]]] = []
        self._address, self._requests = address, requests
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._pour)

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _pour(self) -> None:
        while not self._is_over.is_set():
            self.answers.append(flood(self._address, self._requests))


def flood(address: str, requests: int) -> list[tuple[int, float]]:
    """Ask for 64 digits so many times at once; the status of each answer, and how long it took."""

    def ask(seed: int) -> tuple[int, float]:
        start = time.perf_counter()
        try:
            with urllib.request.urlopen(f"{address}api/digits?count=64&seed={seed}", timeout=PATIENCE) as answer:
                answer.read()
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        return status, time.perf_counter() - start

    with ThreadPoolExecutor(requests) as crowd:
        return list(crowd.map(ask, range(requests)))


def speed_over(run: Path, seconds: float) -> dict[str, float]:
    """How fast a run trains over whole ticks: from the next one to the first after so many seconds."""
    first, start = next_tick(run)
    time.sleep(seconds)
    last, end = next_tick(run)
    return {"seconds": round(end - start, 2), "images_per_second": round((last - first) / (end - start), 1)}


def next_tick(run: Path) -> tuple[int, float]:
    """The images seen at the next line of statistics, and when it came."""
    before = images_seen(run)
    wait_until(lambda: images_seen(run) > before, PATIENCE, pause=0.005)
    return images_seen(run), time.perf_counter()


def images_seen(run: Path) -> int:
    """The images of the newest whole line of statistics; 0 before the first."""
    try:
        lines = (run / "stats.jsonl").read_text("utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return 0
    return int(json.loads(lines[-1])["images"]) if lines else 0


def open_studio(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A studio that serves a folder of runs, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "digitforge", "studio", "--no-browser", "--runs", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().removeprefix("digitforge studio: ").strip()


def post(address: str, body: dict[str, Any]) -> None:
    """Tell the studio something."""
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(address, json.dumps(body).encode(), headers), timeout=PATIENCE
    ).close()


def state(address: str) -> str:
    """Where the run stands."""
    with urllib.request.urlopen(f"{address}api/runs/{RUN}", timeout=PATIENCE) as answer:
        return str(json.load(answer)["state"])


def wait_until(is_so: Callable[[], bool], seconds: float, pause: float = 0.1) -> None:
    """Wait for something. Raises TimeoutError where it does not come."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not come within {seconds:g} s")
        time.sleep(pause)


if __name__ == "__main__":
    main()

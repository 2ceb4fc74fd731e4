"""How fast do the documents' layers train here, beside Keras and textbook PyTorch?

    python benchmarks/same_layers.py [--rounds 6] [--seconds 3]

Every contestant is a process that takes steps only when it is its turn, so that a slow minute hits all alike. Keras
gets a virtual environment of its own (TensorFlow's CPU build, made at the first run). Prints images a second (medians
over the rounds, with the lowest and highest) and digitforge's ratio to each peer, keeps them in
results/same_layers.json and writes the ratios into docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import venv
from datetime import UTC, datetime
from pathlib import Path

from passages import table, write_passage
from peers.contest import Contestant

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "same_layers.json"
KERAS = HERE / ".keras"  # its virtual environment
TENSORFLOW = "tensorflow-cpu==2.21.0"
TEXTBOOK = ("dcgan", "wgan-gp", "raschka", "baseline")
PAUSE = 0.3  # seconds between blocks, in which the last one's threads go to sleep


def main() -> None:
    """Let them take turns, print and keep what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0, help="of steps a block")
    options = parser.parse_args()
    contestants = {"dcgan: Keras bf16": Contestant([keras_python(), HERE / "peers/keras_dcgan.py", "mixed_bfloat16"])}
    contestants["dcgan: Keras fp32"] = Contestant([keras_python(), HERE / "peers/keras_dcgan.py", "float32"])
    for name in TEXTBOOK:
        contestants[f"{name}: digitforge"] = Contestant([sys.executable, HERE / "peers/ours.py", name])
        contestants[f"{name}: textbook PyTorch"] = Contestant([sys.executable, HERE / "peers/textbook.py", name])
    rounds = []
    for _ in range(options.rounds):
        speeds = {}
        for name, contestant in contestants.items():
            speeds[name] = contestant.images_per_second(options.seconds)
            time.sleep(PAUSE)
        rounds.append(speeds)
    for contestant in contestants.values():
        contestant.close()
    found = {name: summary([each[name] for each in rounds]) for name in contestants}
    ratios = {name: ratio(rounds, name) for name in contestants if not name.endswith("digitforge")}
    for name, figures in found.items():
        print(f"{name:28} {figures['median']:7,.0f} images/s ({figures['least']:,.0f} to {figures['most']:,.0f})")
    for name, figures in ratios.items():
        print(f"digitforge over {name:28} {figures['median']:5.2f} ({figures['least']:.2f} to {figures['most']:.2f})")
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": options.rounds,
        "seconds_a_block": options.seconds,
        "images_per_second": found,
        "digitforge_over": ratios,
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    write_passage("docs/speed.md", "the same layers", peers_table(found, ratios))


def peers_table(found: dict[str, dict[str, float]], ratios: dict[str, dict[str, float]]) -> str:
    """Each peer's speed, and digitforge's over it: medians, and the range over the rounds."""
    rows = [["layers", "beside", "its images/s", "digitforge is faster by"]]
    for name, figures in ratios.items():
        layers, peer = name.split(": ")
        factor = f"{figures['median']:.2f} ({figures['least']:.2f} to {figures['most']:.2f})"
        rows.append([f"`{layers}`", peer, f"{found[name]['median']:,.0f}", factor])
    return table(rows)


def keras_python() -> Path:
    """The interpreter of an environment with TensorFlow."""
    python = KERAS / "bin" / "python"
    if not python.is_file():
        venv.create(KERAS, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TENSORFLOW], check=True)
    return python


def ratio(rounds: list[dict[str, float]], peer: str) -> dict[str, float]:
    """digitforge's speed over a peer's, round by round."""
    ours = f"{peer.split(':')[0]}: digitforge"
    return summary([each[ours] / each[peer] for each in rounds])


def summary(values: list[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


if __name__ == "__main__":
    main()

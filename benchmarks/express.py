"""What does `express` reach, and the model that ships? Trains it all anew and rewrites what the docs say of it.

    python benchmarks/express.py [--runs runs/express] [--only 60s ...] [--seeds 0 ...] [--ship]

Three seeds a length, one run after another, each by `digitforge train express`; 10,000 digits of each model file by
`digitforge evaluate`, and of the longest ones train on synthetic, test on real. About 50 minutes on two cores that do
nothing else; finished runs are kept, so that it goes on where it was broken off. Results stand in results/express.json
and in the README's table.

--ship makes the pretrained model of the package from seed 0 of the longest runs, and then all that shows it: pictures,
the noise of its figures, what the docs say of it. The model is the file, whatever else was trained.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from passages import ROOT, table, write_passage
from recipe_speed import machine

RESULTS = Path(__file__).parent / "results" / "express.json"
PRETRAINED = ROOT / "src" / "digitforge" / "assets" / "express-mnist.onnx"
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}  # what most laptops have
SEEDS = (0, 1, 2)
WIDER = 1.5  # a variety: classifiers learn more of such images than of those at 1


@dataclass(frozen=True)
class Length:
    """One line of the table: how `express` is trained, three times.

    name: of the run folders, before their seed. with_tstr: whether classifiers are trained on what the model draws.
    """

    name: str
    title: str
    options: tuple[str, ...]
    recipe: str = "express"
    environment: dict[str, str] = field(default_factory=dict)
    with_tstr: bool = False

    def command(self, seed: int) -> list[str]:
        """The words after `digitforge`, but for the folder."""
        return ["train", self.recipe, *self.options, "--seed", str(seed)]


LENGTHS = (
    Length("10s", "10 s", ("--budget", "10s")),
    Length("60s", "**60 s**", ("--budget", "60s")),
    Length(
        "60s-avx2",
        "60 s in fp32 with AVX2, as on most laptops",
        ("--budget", "60s", "--precision", "32"),
        environment=AVX2,
    ),
    Length("60s-untold", "60 s of `express-untold`, without labels", ("--budget", "60s"), "express-untold"),
    Length(
        "60s-nothing",
        "60 s, told neither labels nor clusters",
        ("--budget", "60s", "--set", "networks.conditional=false"),
    ),
    Length("300s", "300 s", ("--budget", "300s"), with_tstr=True),
)


def main() -> None:
    """Train what is lacking, measure, and write it all down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "express")
    parser.add_argument("--only", nargs="+", choices=[length.name for length in LENGTHS])
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, default=SEEDS)
    parser.add_argument("--ship", action="store_true")
    options = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for seed in options.seeds:  # seed by seed, so that a slow hour hits every length
        for length in LENGTHS:
            name = f"{length.name}-{seed}"
            if options.only and length.name not in options.only:
                continue
            if name not in kept or not (options.runs / name / "model.onnx").is_file():
                kept[name] = measured(length, seed, options.runs / name)
                RESULTS.write_text(json.dumps(kept, indent=2) + "\n")
                print(name, kept[name], flush=True)
            if length.with_tstr and "tstr_wider" not in kept[name]:
                kept[name]["tstr_wider"] = trained_on(options.runs / name, WIDER)
                RESULTS.write_text(json.dumps(kept, indent=2) + "\n")
    write_passage("README.md", "what express reaches", reached(kept))
    write_passage("docs/figures.md", "train on synthetic", taught(kept))
    if options.ship:
        ship(options.runs / f"{LENGTHS[-1].name}-{SEEDS[0]}" / "model.onnx", kept[f"{LENGTHS[-1].name}-{SEEDS[0]}"])


def measured(length: Length, seed: int, folder: Path) -> dict[str, Any]:
    """One run: its command's wall time, what its statistics and its evaluation say."""
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    digitforge([*length.command(seed), "--out", str(folder)], length.environment)
    wall = time.perf_counter() - start
    last = json.loads((folder / "stats.jsonl").read_text().splitlines()[-1])
    (found,) = json.loads(digitforge(["evaluate", str(folder), "--json"]))
    accuracy, details = found["accuracy"], found["details"]
    return {
        "command": "digitforge " + " ".join(length.command(seed)),
        "environment": length.environment,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "images": last["images"],
        "seconds_in_steps": last["clock"]["seconds"],
        "seconds": round(wall, 1),
        "frechet": found["frechet"]["value"],
        "ratio": found["ratio"]["value"],
        "accuracy": None if accuracy is None else accuracy["value"],
        "real_accuracy": None if accuracy is None else accuracy["real"],
        "recall": details["recall"]["value"],
        "n": found["count"],
        "tstr": trained_on(folder, 1) if length.with_tstr else None,
    }


def trained_on(folder: Path, variety: float) -> dict[str, Any]:
    """What a classifier reads that was trained on a run's images of some variety alone."""
    few = ["--count", "100"]  # for the figures beside it, which nobody reads here
    told = digitforge(["evaluate", str(folder), "--json", *few, "--tstr", "--tstr-variety", str(variety)])
    (found,) = json.loads(told)
    taught: dict[str, Any] = found["tstr"]
    return taught


def taught(kept: dict[str, Any]) -> str:
    """What classifiers learned of the longest runs' images, beside what they learn of real ones."""
    runs = [run for name, run in kept.items() if name.startswith(LENGTHS[-1].name) and "tstr_wider" in run]
    rows = [["trained on 60,000 images of", "variety 1", f"variety {WIDER}", "real ones"]]
    for run in runs:
        read = [run["tstr"]["synthetic"], run["tstr_wider"]["synthetic"], run["tstr"]["real"]]
        command = f"`{run['command']}`"
        rows.append([command, *(f"{one['value']:.2%}" for one in read)])
    return table(rows, are_numbers=True)


def reached(kept: dict[str, Any]) -> str:
    """The README's table: medians over the seeds, and from where to where."""
    rows = [["training", "images seen", "time in steps", "Frechet distance in F", "read as asked", "whole command"]]
    for length in LENGTHS:
        runs = [kept[f"{length.name}-{seed}"] for seed in SEEDS if f"{length.name}-{seed}" in kept]
        if not runs:
            continue
        told = all(run["accuracy"] is not None for run in runs)
        rows.append(
            [
                length.title + (", one seed" if len(runs) == 1 else ""),
                over(runs, "images", "{:,.0f}"),
                over(runs, "seconds_in_steps", "{:.0f} s"),
                over(runs, "ratio", "{:.1f}"),
                over(runs, "accuracy", "{:.2%}") if told else "-",
                over(runs, "seconds", "{:.0f} s"),
            ]
        )
    any_told = next(run for run in kept.values() if run["real_accuracy"] is not None)
    rows.append(["real test images", "", "", "1", f"{any_told['real_accuracy']:.2%} (as labelled)", ""])
    return table(rows)


def over(runs: Sequence[dict[str, Any]], key: str, shape: str) -> str:
    """The median of a figure over the seeds, and the least and the most."""
    values = [float(run[key]) for run in runs]
    text = shape.format(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({shape.format(min(values))} to {shape.format(max(values))})"


def ship(model: Path, run: dict[str, Any]) -> None:
    """Put a model into the package, and make anew what the docs show and say of it."""
    shutil.copyfile(model, PRETRAINED)
    images = ROOT / "docs" / "images"
    digitforge(["generate", "--count", "100", "--out", str(images / "pretrained.png")])
    digitforge(["interpolate", "--from", "3", "--to", "8", "--count", "6", "--out", str(images / "3-to-8.png")])
    subprocess.run([sys.executable, Path(__file__).parent / "figure_noise.py"], check=True, stdout=subprocess.DEVNULL)
    noise = json.loads((RESULTS.parent / "figure_noise.json").read_text())["pretrained_over_seeds"]
    far, right = noise["Frechet distance in F"], noise["Read as asked"]
    spread = (
        f"{far['mean']:.2f} ± {far['deviation']:.2f} F, {right['mean']:.2%} ± {right['deviation']:.2%} read as asked"
    )
    write_passage(
        "README.md",
        "the pretrained model",
        f"The pretrained model ({PRETRAINED.stat().st_size / 1e6:.1f} MB) is `{run['command']}` on the same machine: "
        f"{run['images']:,} images, {spread} (n = 10,000, five seeds of images).",
    )
    write_passage(
        "docs/figures.md", "noise of the pretrained model", f"The pretrained model over five seeds of images: {spread}."
    )
    tstr = run["tstr"]
    write_passage(
        "docs/figures.md",
        "train on the pretrained model",
        f"The pretrained model reached {tstr['synthetic']['value']:.2%} and real images {tstr['real']['value']:.2%} "
        f"(seed 0, n = {tstr['synthetic']['n']:,} test images; about 90 s each on two cores).",
    )


def digitforge(words: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """What a command prints, run as a user runs it."""
    command = [sys.executable, "-m", "digitforge", *words]
    found = subprocess.run(command, env=os.environ | (environment or {}), stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout


if __name__ == "__main__":
    main()

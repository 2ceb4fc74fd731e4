"""How does the speed of training grow with the batch, the width, threads and processes?

    python benchmarks/growth.py [--seconds 2] [--rounds 5]

Images a second (real images shown to D, steps alone) of dcgan and express at batches of 16 to 512; of express with its
generator or its discriminator 16 to 96 channels wide; and of both recipes with one thread, with all cores, and in two
processes of one thread each by torchrun, the batch being their own throughout. Blocks of steps are taken in turns, so
that a slow moment of the machine hits all alike. Prints the medians over the rounds, keeps them with the lowest and
highest in benchmarks/results/growth.json, draws docs/images/growth.png and writes what two processes reach into
docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from digitforge.data import load_data
from digitforge.recipe import load_recipe
from digitforge.report.axes import BLUE, GREEN, ORANGE, style
from digitforge.report.figures import figure_bytes
from digitforge.studies.bench import speed, stepper
from passages import table, write_passage
from peers.contest import Contestant
from recipe_speed import machine

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "growth.json"
PICTURE = HERE.parent / "docs" / "images" / "growth.png"
RECIPES = ("dcgan", "express")
BATCHES = (16, 32, 64, 128, 256, 512)
WIDTHS = (16, 24, 32, 48, 64, 96)
PLAYERS = ("generator", "discriminator")
COLOURS = {"dcgan": ORANGE, "express": BLUE, "generator": ORANGE, "discriminator": BLUE}
SHARED = "2 processes"  # of one thread each
THREADS_COLOURS = (BLUE, ORANGE, GREEN)

Measure = Callable[[float], float]  # from seconds of steps to images a second
Summary = dict[str, float]
Key = tuple[str, str, int | str]  # what grows ("batch", "width" or "threads"), of what, and how large it is


def main() -> None:
    """Let everything take turns, then print, keep and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of steps a block")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    speeds: dict[Key, list[float]] = {}
    with ExitStack() as open_contestants:
        measures = dict(in_this_process()) | dict(in_others(open_contestants))
        for speed_over in measures.values():
            speed_over(options.seconds / 2)  # to warm up
        for _ in range(options.rounds):
            for key, speed_over in measures.items():
                speeds.setdefault(key, []).append(speed_over(options.seconds))
    found: dict[str, dict[str, dict[str, Summary]]] = {}
    for (kind, name, size), values in speeds.items():
        found.setdefault(kind, {}).setdefault(name, {})[str(size)] = summary(values)
        print(f"{kind:8} {name:14} {size!s:12} {statistics.median(values):8,.0f} images/s")
    told = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    told |= {"rounds": options.rounds, "seconds_a_block": options.seconds}
    RESULTS.write_text(json.dumps(told | found, indent=2) + "\n")
    PICTURE.write_bytes(figure_bytes(picture(found)))
    write_passage("docs/speed.md", "threads and processes", ways_table(found["threads"]))


def in_this_process() -> Iterator[tuple[Key, Measure]]:
    """Batches and widths: trainers side by side, which share the images."""
    for name in RECIPES:
        for size in BATCHES:
            yield ("batch", name, size), measure(name, {"training.batch_size": size})
    for player in PLAYERS:
        for width in WIDTHS:
            yield ("width", player, width), measure("express", {f"networks.{player}_width": width})


def measure(name: str, settings: Mapping[str, object]) -> Measure:
    """What tells the speed of a recipe with other settings, at its first batch size."""
    recipe = load_recipe(name).with_settings(settings)
    take_step, size = stepper(recipe, load_data(recipe.data.name)), recipe.training.batch_size
    return lambda seconds: size * speed(take_step, seconds)


def in_others(open_contestants: ExitStack) -> Iterator[tuple[Key, Measure]]:
    """Threads and processes: contestants, since both are settled when a process starts. All serve the same loop."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    ways: dict[str, tuple[list[str], int]] = {"1 thread": ([], 1), f"{cores} threads": ([], cores)}
    ways[SHARED] = (torchrun, 1)
    for name in RECIPES:
        for way, (launcher, threads) in ways.items():
            command = [sys.executable, *launcher, HERE / "peers" / "spread.py", name, f"compute.threads={threads}"]
            contestant = Contestant(command)
            open_contestants.callback(contestant.close)
            yield ("threads", name, way), contestant.images_per_second


def ways_table(groups: Mapping[str, Mapping[str, Summary]]) -> str:
    """Each recipe's images a second by threads and processes: medians and extremes."""
    lines = [["recipe", *next(iter(groups.values())), "2 processes over threads"]]
    for name, ways in groups.items():
        cells = [f"{one['median']:,.0f} ({one['least']:,.0f} to {one['most']:,.0f})" for one in ways.values()]
        *_, threaded, shared = medians(ways)
        lines.append([in_words(name), *cells, f"{shared / threaded:.2f}"])
    return table(lines)


def summary(values: list[float]) -> Summary:
    """Median and extremes over the rounds."""
    return {
        "median": round(statistics.median(values), 1),
        "least": round(min(values), 1),
        "most": round(max(values), 1),
    }


def picture(found: Mapping[str, Mapping[str, Mapping[str, Summary]]]) -> Figure:
    """Three panels: over the batch, over the width, and by threads."""
    with style():
        figure = Figure(figsize=(9, 2.9), dpi=150, layout="constrained")
        over_batch, over_width, by_threads = figure.subplots(1, 3)
        draw_growth(over_batch, found["batch"], "images a batch")
        draw_growth(over_width, found["width"], "channels of one player of express; the other has 32")
        draw_threads(by_threads, found["threads"])
        over_batch.set_ylabel("images/s")
    return figure


def draw_growth(axes: Axes, curves: Mapping[str, Mapping[str, Summary]], title: str) -> None:
    """Medians over what grows, on a logarithmic axis; the extremes as a band."""
    for name, points in curves.items():
        sizes = [int(size) for size in points]
        axes.fill_between(sizes, *extremes(points), color=COLOURS[name], alpha=0.15, linewidth=0)
        axes.plot(sizes, medians(points), color=COLOURS[name], marker="o", label=name)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    finish(axes, title)


def draw_threads(axes: Axes, groups: Mapping[str, Mapping[str, Summary]]) -> None:
    """A group of bars a recipe, one for each way to use the cores."""
    for place, (name, ways) in enumerate(groups.items()):
        room = 1 / (len(ways) + 1)
        for number, (way, colour) in enumerate(zip(ways, THREADS_COLOURS, strict=True)):
            height, (low, high) = medians(ways)[number], (each[number] for each in extremes(ways))
            label = way if name == RECIPES[0] else None
            ends = [[height - low], [high - height]]
            axes.bar(place + number * room, height, room * 0.9, yerr=ends, color=colour, label=label)
    axes.set_xticks([place + 1 / 4 for place in range(len(groups))], [in_words(name) for name in groups])
    axes.grid(axis="x", visible=False)
    finish(axes, "")


def in_words(name: str) -> str:
    """A recipe with its own batch."""
    return f"{name}, batch {load_recipe(name).training.batch_size}"


def finish(axes: Axes, title: str) -> None:
    """What all panels share."""
    axes.set_xlabel(title)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.legend(frameon=False)


def medians(points: Mapping[str, Summary]) -> list[float]:
    """The medians of a curve."""
    return [one["median"] for one in points.values()]


def extremes(points: Mapping[str, Summary]) -> tuple[list[float], list[float]]:
    """The lowest and highest values of a curve."""
    return [one["least"] for one in points.values()], [one["most"] for one in points.values()]


if __name__ == "__main__":
    main()

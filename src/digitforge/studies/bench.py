"""`bench`: how fast digitforge is on this machine, and what so many seconds of training reach there."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitforge import __version__
from digitforge.data import DataSet, Progress, load_data
from digitforge.errors import DataError, DigitforgeError, InterruptionError
from digitforge.forge import Forge
from digitforge.metrics.evaluate import evaluate
from digitforge.metrics.real import Notify
from digitforge.recipe import Recipe, load_recipe
from digitforge.studies.machine import Machine, find_machine

if TYPE_CHECKING:
    from digitforge.training.observers import Observer

REFERENCE = Path(__file__).parents[1] / "assets" / "bench-reference.json"  # what `digitforge bench --json` printed
DATA, AT_HAND = "mnist", "mnist-5k"  # to train on, and what serves where the first can't be fetched
SECONDS = 60.0  # of training in the run at the end
RUN = "run"  # how the keys of that run's measures begin

STARTS = 3  # processes that each start-up is the median of
DRAWN = 20_000  # labelled digits for the speed of drawing
JUDGED = 10_000  # digits that the run's figures are taken from: as many as MNIST's test part has
BLOCK = 1.5  # seconds of steps at a time
ROUNDS = 4  # in which the recipes take turns, so that a slow moment of the machine hits them all alike
_WARM_UP = 3  # steps at least, until memory is allocated and oneDNN's kernels are made


@dataclass(frozen=True)
class Measure:
    """One line of a benchmark.

    title: in words. value: in `unit` ("s", "images/s", "images", "share", "F", or "" for a distance); None where it
    could not be taken. n, of: how much it was taken from, such as 3 "processes".
    """

    title: str
    value: float | None
    unit: str
    n: float
    of: str


Measures = Mapping[str, Measure]


@dataclass(frozen=True)
class Bench:
    """What was measured on a machine on a day.

    data: what was trained on; the run's figures are held against MNIST in any case. seconds, seed: of the run.
    measures: by key; those of the run begin with `run`.
    """

    version: str
    date: str
    machine: Machine
    data: str
    seconds: float
    seed: int
    measures: Measures

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Bench:
        """What as_dict() told."""
        measures = {key: Measure(**measure) for key, measure in table["measures"].items()}
        return cls(**{**table, "machine": Machine(**table["machine"]), "measures": measures})

    def comparable(self, other: Bench, key: str) -> bool:
        """Whether `key` means the same in both: a run's measures do where its seconds and data were the same."""
        return not key.startswith(RUN) or (self.seconds, self.data) == (other.seconds, other.data)


def bench(
    seconds: float = SECONDS,
    seed: int = 0,
    *,
    device: str = "auto",
    precision: str = "auto",
    observers: Sequence[Observer] = (),
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Measure this machine: start-up, drawing, steps, and one run of `express` of so many seconds in training steps.

    observers: hear that run. notify: hears what comes next; progress: hears a download.
    Raises RecipeError for a seed or device that cannot be, InterruptionError after SIGINT or SIGTERM in the run.
    """
    say = notify or (lambda _: None)
    settings = {"compute.device": device, "compute.precision": precision}
    express, dcgan = (load_recipe(name).with_settings(settings) for name in ("express", "dcgan"))
    run = express.with_settings({"training.seconds": seconds, "training.seed": seed})
    last_batch = express.training.batch_size * 2**express.training.batch_doublings
    at_last = express.with_settings({"training.batch_size": last_batch})
    say("looking at the machine")
    machine = find_machine(express.compute)
    data = data_at_hand(say, progress)
    say("timing fresh processes")
    measures = dict(start_up())
    say(f"drawing {DRAWN:,} digits")
    measures |= drawing(Forge.load())
    say("timing training steps")
    measures |= stepping([express, at_last, dcgan], data)
    say(f"training express for {seconds:g} s")
    measures |= training(run, data, observers)
    today = datetime.now(UTC).date().isoformat()
    return Bench(__version__, today, machine, data.name, seconds, seed, measures)


def read_reference() -> Bench:
    """What the same command told on the project's reference machine."""
    return Bench.from_dict(json.loads(REFERENCE.read_text("utf-8")))


def data_at_hand(say: Notify, progress: Progress | None = None) -> DataSet:
    """MNIST, or else those 5,000 of its digits that need no network."""
    try:
        return load_data(DATA, progress=progress)
    except DataError:
        say(f"{DATA} can't be fetched here, so {AT_HAND} is trained on: less varied, and its digits run out sooner")
        return load_data(AT_HAND)


def start_up() -> Iterator[tuple[str, Measure]]:
    """How long fresh processes take, Python's own start included: to import, to import what trains, to draw a digit."""
    digit = ["--digit", "7", "--count", "1", "--out", "7.png"]
    commands = {
        "import": ("start: import digitforge", ["-c", "import digitforge"]),
        "trainer": ("start: import what trains", ["-c", "import digitforge.training.train"]),
        "one_digit": ("start: draw one digit", ["-m", "digitforge", "generate", *digit]),
    }
    for key, (title, words) in commands.items():
        seconds = [process_seconds(words) for _ in range(STARTS)]
        yield key, Measure(title, statistics.median(seconds), "s", STARTS, "processes")


def process_seconds(words: Sequence[str]) -> float:
    """The wall time of a fresh Python process with such arguments, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        found = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)
        spent = time.perf_counter() - start
    if found.returncode:
        said = (found.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DigitforgeError(f"`python {' '.join(words)}` ended with code {found.returncode}: {said}")
    return spent


def drawing(forge: Forge) -> dict[str, Measure]:
    """How fast a model that is loaded draws labelled digits into memory."""
    start = time.perf_counter()
    forge.generate(count=DRAWN)
    speed = DRAWN / (time.perf_counter() - start)
    return {"drawing": Measure("draw labelled digits", speed, "images/s", DRAWN, "images")}


def stepping(recipes: Sequence[Recipe], data: DataSet) -> dict[str, Measure]:
    """How many real images a second the steps of each recipe show D, at its first batch size; records not counted."""
    steppers = [stepper(recipe, data) for recipe in recipes]
    for take_step in steppers:
        speed(take_step, BLOCK, at_least=_WARM_UP)
    rounds = [[speed(take_step, BLOCK) for take_step in steppers] for _ in range(ROUNDS)]
    found = {}
    for recipe, speeds in zip(recipes, zip(*rounds, strict=True), strict=True):
        size = recipe.training.batch_size
        title = f"train {recipe.name}, batch {size}"
        median = size * statistics.median(speeds)
        found[f"{recipe.name}_{size}"] = Measure(title, median, "images/s", ROUNDS, f"blocks of {BLOCK:g} s")
    return found


def stepper(recipe: Recipe, data: DataSet) -> Callable[[], None]:
    """What takes a step of a recipe at its first batch size, on a state of its own; on an accelerator it may lag."""
    from digitforge.training.compute import start_fabric
    from digitforge.training.plan import make_plan
    from digitforge.training.train import throw_away
    from digitforge.training.trainer import Trainer

    plan = throw_away(make_plan(recipe, data), recipe.training.batch_size)
    return Trainer(plan, start_fabric(plan.recipe)).step


def speed(take_step: Callable[[], None], seconds: float, at_least: int = 1) -> float:
    """Steps a second over a block of so many seconds."""
    start, taken = time.perf_counter(), 0
    while taken < at_least or time.perf_counter() - start < seconds:
        take_step()
        taken += 1
    _wait_for_device()
    return taken / (time.perf_counter() - start)


def _wait_for_device() -> None:
    """Until an accelerator has done what it was told; a processor always has."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def training(recipe: Recipe, data: DataSet, observers: Sequence[Observer] = ()) -> dict[str, Measure]:
    """What one run comes to, in a folder that is gone afterwards."""
    from digitforge.training.train import train

    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        try:
            folder = train(recipe, data, out=Path(place) / recipe.name, observers=observers)
        except InterruptionError as error:  # its own way on would name a folder that is gone
            raise InterruptionError("stopped; a benchmark keeps nothing of its run", error.exit_code) from None
        wall = time.perf_counter() - start
        last = folder.read_stats()[-1]
        figures = evaluate(folder.model, DATA, JUDGED, details=False)
    title = f"{recipe.name}, {recipe.training.seconds:g} s" if recipe.training.seconds else recipe.name
    steps = round(last["clock"]["seconds"], 1), "s of steps"
    drawn = JUDGED, "images drawn"
    accuracy, ratio = (figure.value if figure else None for figure in (figures.accuracy, figures.ratio))
    measures = {
        "images": Measure(f"{title}: images seen", last["images"], "images", *steps),
        "frechet": Measure(f"{title}: Frechet distance", figures.frechet.value, "", *drawn),
        "ratio": Measure(f"{title}: the same in F", ratio, "F", *drawn),
        "accuracy": Measure(f"{title}: read as asked", accuracy, "share", *drawn),
        "seconds": Measure(f"{title}: the whole run", wall, "s", 1, "run"),
    }
    return {f"{RUN}.{key}": measure for key, measure in measures.items()}

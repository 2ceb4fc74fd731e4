"""`study one-digit`: does a GAN for one digit alone learn faster, or better, than one for all of them?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digitforge.data import DataSet
from digitforge.errors import DataError, UserError
from digitforge.onnx_file import available_cores
from digitforge.recipe import Recipe, load_recipe
from digitforge.runs import RunFolder, count_of
from digitforge.studies.evidence import SEEDS
from digitforge.studies.finding import Finding
from digitforge.studies.growth import Growth, growths
from digitforge.studies.intervals import Word
from digitforge.studies.measures import DIGIT_COUNT, Measures
from digitforge.studies.one_digit_findings import TOLD, UNTOLD, Group, findings_of
from digitforge.studies.one_digit_pages import growth_part
from digitforge.studies.study import How, Outcome, StudyFolder, publish
from digitforge.studies.trials import Trial, train_trials

DATA = "mnist"
DIGITS = ("1", "3", "8")  # the document's 3, the simplest digit and the most wound one
RECIPES = ("raschka", "express")  # a plain DCGAN small enough for this, and our default
# Fifteen trainings of raschka, at some 1,600 images/s a core, and fifteen of express, at some 1,700, with 0.45 as much
# again in short runs: 24 and 33 minutes on two cores. Files and measures take ten more, and a core of half the speed
# still ends within two and a half hours.
IMAGES = 300_000
QUICK_IMAGES, QUICK_DIGITS, QUICK_RECIPES, QUICK_SEEDS, QUICK_COUNT = 6_000, ("3",), ("express",), 2, 100
# Shares of a run at which it is measured. Ten specialists have a tenth each of one model's time, and less where they
# are slower; what is reached before the first moment gives but a bound.
MOMENTS, QUICK_MOMENTS = (0.02, 0.04, 0.1, 0.2, 0.4, 0.7, 1.0), (0.04, 0.1, 0.4, 1.0)
# The same for a recipe with a schedule, where the beginning of a run is no short run: its rates are still high, and its
# batches small. Each of these shares is a run of its own, measured at its end.
LENGTHS, QUICK_LENGTHS = (0.05, 0.1, 0.3, 1.0), (0.05, 1.0)
_ANSWERS: Mapping[Word, str] = {"holds": "yes", "does not hold": "no", "cannot be told": "cannot be told"}
_RECORD: Mapping[str, object] = {  # what is measured afterwards need not be measured on the way
    "record.tick": "1/50 run",
    "record.accuracy": "1/5 run",
    "record.accuracy_images": 500,
    "record.figures": "1/5 run",
    "record.figure_images": 500,
    "record.sheet": "1/5 run",
}
_SNAPSHOTS, _END_ALONE = "1/50 run", "1/1 run"  # as often as the first moment asks for, and where only the end counts

Trials = Mapping[str, Mapping[int, Sequence[Trial]]]  # by kind and seed, the whole training last


@dataclass(frozen=True)
class Design:
    """What the study compares.

    images: that each D sees. quality: the distance in floors that is to be reached; None: what the unconditional model
    reaches by its end with every seed. count: images of a digit that are measured. moments: shares of a run after which
    they are. lengths: shares of it that are runs of their own where the recipe has a schedule.
    """

    digits: tuple[str, ...] = DIGITS
    recipes: tuple[str, ...] = RECIPES
    seeds: int = SEEDS
    images: int = IMAGES
    quality: float | None = None
    count: int = DIGIT_COUNT
    moments: tuple[float, ...] = MOMENTS
    lengths: tuple[float, ...] = LENGTHS

    def __post_init__(self) -> None:
        """Raise UserError for a quality that no model can reach."""
        if self.quality is not None and not 0 < self.quality < math.inf:
            raise UserError(f"a quality is a distance in floors, a number above zero, not {self.quality:g}")


FULL = Design()
QUICK = Design(
    QUICK_DIGITS,
    QUICK_RECIPES,
    QUICK_SEEDS,
    QUICK_IMAGES,
    count=QUICK_COUNT,
    moments=QUICK_MOMENTS,
    lengths=QUICK_LENGTHS,
)


def study_one_digit(out: str | Path, data: str = DATA, *, design: Design = FULL, how: How | None = None) -> Outcome:
    """Train specialists, an unconditional and a conditional model, and compare them digit by digit, in a folder.

    Raises UserError for a design that compares nothing, DataError for data that cannot be measured, and what training
    and measuring raise.
    """
    how, folder = how or How(), StudyFolder(Path(out))
    data_set = how.load(data)
    measures = Measures(folder.measured, data_set, digit_count=design.count, notify=how.notify)
    _check(design, data_set)
    measures.check()
    groups = {name: trials_of(name, data, design) for name in design.recipes}
    folder.create("one-digit")
    trials = [  # seed by seed, so that a slow hour of the machine hits all that are compared
        trial
        for kinds in groups.values()
        for seed in range(design.seeds)
        for by_seed in kinds.values()
        for trial in by_seed[seed]
    ]
    diverged = train_trials(
        trials, folder.runs, data_set, workers=how.workers, cluster=how.cluster, watcher=how.watcher
    )
    compared = {name: _group(name, trials, folder, measures, design) for name, trials in groups.items()}
    parts = tuple((name, tuple(findings_of(group, design.quality))) for name, group in compared.items())
    runs = {one.name: one.folder(folder.runs) for one in trials if one.folder(folder.runs).is_finished}
    outcome = Outcome(
        study="one-digit",
        title="One digit or all?",
        lead=_lead(parts),
        about=_about(design),
        parts=parts,
        runs=runs,
        diverged=diverged,
        settings={
            "data": data,
            "digits": list(design.digits),
            "recipes": list(design.recipes),
            "seeds": design.seeds,
            "images": design.images,
            "quality": design.quality,
            "count": design.count,
            "cores": available_cores(),
        },
        curves={name: group.as_dict() for name, group in compared.items()},
    )
    publish(outcome, folder, [growth_part(group) for group in compared.values()])
    return outcome


def trials_of(name: str, data: str, design: Design) -> Trials:
    """The trainings of a recipe: of each digit alone, of all without labels and of all with them."""
    recipe = load_recipe(name)
    base = recipe.with_settings(
        {
            **_RECORD,
            "record.snapshot": _END_ALONE if recipe.has_schedule else _SNAPSHOTS,
            "data.name": data,
            "compute.threads": 1,
        }
    )
    lengths = [max(1, round(share * design.images)) for share in design.lengths] if recipe.has_schedule else []

    def trial(kind: str, settings: Mapping[str, object], seed: int, images: int) -> Trial:
        length = "" if images == design.images else f"-{images}"
        asked = {**settings, "training.seed": seed, "training.images": images}
        return Trial(f"{base.name}-{kind}-{seed}{length}", base.with_settings(asked))

    # A label that is always the same tells nothing, so that specialists need none.
    kinds: dict[str, tuple[str, dict[str, object]]] = {
        digit: (f"digit-{digit}", {"data.digits": [digit], "networks.conditional": False}) for digit in design.digits
    }
    kinds[UNTOLD] = (UNTOLD, {"networks.conditional": False})
    kinds[TOLD] = (TOLD, {"networks.conditional": True, "networks.clusters": 0})
    return {
        kind: {
            seed: [trial(what, settings, seed, images) for images in sorted({*lengths, design.images})]
            for seed in range(design.seeds)
        }
        for kind, (what, settings) in kinds.items()
    }


def _group(name: str, trials: Trials, folder: StudyFolder, measures: Measures, design: Design) -> Group:
    """How the trainings of a recipe grew; a seed whose training came to no end is left out."""

    def grown(kind: str, digits: Sequence[str]) -> dict[str, dict[int, Growth]]:
        by_seed: dict[int, dict[str, Growth]] = {}
        for seed, some in trials[kind].items():
            runs = [trial.folder(folder.runs) for trial in some]
            if all(run.is_finished for run in runs):
                by_seed[seed] = growths(stages_of(runs, design.moments), digits, measures)
        return {digit: {seed: found[digit] for seed, found in by_seed.items()} for digit in digits}

    alone = {digit: grown(digit, [digit])[digit] for digit in design.digits}
    sheets = {
        kind: run.final_sheet.read_bytes()
        for kind in (*design.digits, UNTOLD, TOLD)
        if (run := trials[kind][0][-1].folder(folder.runs)).is_finished and run.final_sheet.is_file()
    }
    untold, told = (grown(kind, design.digits) for kind in (UNTOLD, TOLD))
    labels = int(np.count_nonzero(measures.data.train.counts))
    return Group(name, alone, untold, told, design.count, labels, load_recipe(name).has_schedule, sheets)


def stages_of(runs: Sequence[RunFolder], shares: Sequence[float]) -> dict[int, RunFolder]:
    """What tells how a training grew, by the images after which it does.

    Runs of several lengths do at their ends; one alone does at the snapshots nearest to some shares of it, but not
    before the first step, where nothing has grown yet.
    """
    if len(runs) > 1:
        return {count_of(run.snapshots()[-1]): run for run in runs}
    (run,) = runs
    counts = [count for path in run.snapshots() if (count := count_of(path)) > 0]
    return {min(counts, key=lambda count: abs(count - share * counts[-1])): run for share in shares}


def _check(design: Design, data_set: DataSet) -> None:
    if data_set.test is None:
        raise DataError(f"{data_set.name} has no test part to hold single digits against; study other data with --data")
    if not design.digits or not design.recipes or design.seeds < 1:
        raise UserError("a study compares at least one digit, of one recipe, with one seed")
    for digit in design.digits:
        label = data_set.train.label_of(digit)
        held_out = int(data_set.test.counts[label])
        if held_out < design.count:
            raise DataError(
                f"{data_set.name} holds out {held_out:,} images of {digit}, and {design.count:,} are measured; study "
                "other data with --data, or other --digits"
            )
    for name in design.recipes:
        _check_recipe(load_recipe(name))


def _check_recipe(recipe: Recipe) -> None:
    if recipe.data.digits:
        raise UserError(f"{recipe.name} is for some labels alone; name a recipe for all of them")


def _lead(parts: Sequence[tuple[str, Sequence[Finding]]]) -> str:
    """The answer to the document's open question, recipe by recipe."""
    faster = [
        (name, finding) for name, findings in parts for finding in findings if finding.claim.key.endswith("faster")
    ]
    said = "; ".join(f"{name}: {_ANSWERS[finding.word]}" for name, finding in faster)
    return f"Does a GAN for one digit alone reach a given quality in less time than one for all digits? {said}."


def _about(design: Design) -> tuple[str, ...]:
    target = (
        "what the unconditional model reaches by its end with every seed"
        if design.quality is None
        else f"{design.quality:g} floors"
    )
    return (
        f"Quality is a digit's Frechet distance from {design.count:,} drawn images to all real training images of it, "
        "over that of as many held-out images: its floor is 1. Images of the unconditional model are those that the "
        "pinned classifier reads as the digit, which flatters it; where too few are, it has not reached the digit yet.",
        f"The quality to be reached is {target}, digit by digit. Between measurements it is taken to fall evenly on "
        "logarithms. A training that ends before, or is there when first measured, gives but a bound, and the verdict "
        "counts only where every seed by itself says the same, wherever the truth lies beyond its bound.",
        "The beginning of a run with a schedule is no short run. For a recipe that has one, shorter runs are trained "
        "whole, and what is read in between lies between the ends of two runs.",
        "Each value is of one seed: the geometric mean over digits of a specialist's number over that of the one model "
        "with the same seed, where both came to their ends; in the total cost seconds add up. A claim holds if "
        "Student's 95 % interval over seeds lies wholly within what it claims, it does not if the interval lies wholly "
        "outside, and else it cannot be told.",
        "Every training computes with one thread, side by side with others, so that seconds can be compared.",
    )

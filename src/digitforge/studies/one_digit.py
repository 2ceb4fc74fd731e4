"""`study one-digit`: does a GAN for one digit alone learn faster, or better, than one for all of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from digitforge.data import DataSet, load_data
from digitforge.errors import DataError, UserError
from digitforge.onnx_file import available_cores
from digitforge.recipe import Recipe, load_recipe
from digitforge.runs import RunFolder, image_count
from digitforge.studies.evidence import SEEDS
from digitforge.studies.finding import Finding
from digitforge.studies.growth import Growth, grown
from digitforge.studies.intervals import Word
from digitforge.studies.measures import DIGIT_COUNT, Measures
from digitforge.studies.one_digit_findings import Group, findings_of
from digitforge.studies.one_digit_pages import growth_part
from digitforge.studies.study import How, Outcome, StudyFolder, publish
from digitforge.studies.trials import Trial, train_trials

DATA = "mnist"
DIGITS = ("1", "3", "8")  # the document's 3, the simplest digit and the most wound one
RECIPES = ("raschka", "express")  # a plain DCGAN small enough for this, and our default
# Fifteen trainings of each, at some 600 and 1,200 images/s a core: 95 minutes on two cores. Files and measures take 20
# more, which leaves a machine that is busy otherwise an hour until three.
IMAGES = {"raschka": 300_000, "express": 300_000}
QUICK_IMAGES, QUICK_DIGITS, QUICK_RECIPES, QUICK_SEEDS, QUICK_COUNT = 6_000, ("3",), ("express",), 2, 100
# Shares of a run at which it is measured; the first is a tenth: what each of ten specialists has of one model's time.
MOMENTS, QUICK_MOMENTS = (0.1, 0.2, 0.4, 0.7, 1.0), (0.1, 0.4, 1.0)
UNTOLD, TOLD = "unconditional", "conditional"
_ANSWERS: Mapping[Word, str] = {"holds": "yes", "does not hold": "no", "cannot be told": "cannot be told"}
_RECORD: Mapping[str, object] = {  # what is measured afterwards need not be measured on the way
    "record.tick": "1/50 run",
    "record.accuracy": "1/5 run",
    "record.accuracy_images": 500,
    "record.figures": "1/5 run",
    "record.figure_images": 500,
    "record.sheet": "1/5 run",
    "record.snapshot": "1/10 run",
}


@dataclass(frozen=True)
class Design:
    """What the study compares.

    images: that each D sees, by recipe. quality: the distance in floors that is to be reached; None: what the
    unconditional model reaches by its end with every seed. count: images of a digit that are measured. moments: shares
    of a run after which they are.
    """

    digits: tuple[str, ...] = DIGITS
    recipes: tuple[str, ...] = RECIPES
    seeds: int = SEEDS
    images: Mapping[str, int] | None = None
    quality: float | None = None
    count: int = DIGIT_COUNT
    moments: tuple[float, ...] = MOMENTS

    def images_of(self, recipe: str) -> int:
        """How long its trainings are."""
        return (self.images or IMAGES).get(recipe, min(IMAGES.values()))


FULL = Design()
QUICK = Design(
    QUICK_DIGITS,
    QUICK_RECIPES,
    QUICK_SEEDS,
    dict.fromkeys(QUICK_RECIPES, QUICK_IMAGES),
    count=QUICK_COUNT,
    moments=QUICK_MOMENTS,
)


def study_one_digit(out: str | Path, data: str = DATA, *, design: Design = FULL, how: How | None = None) -> Outcome:
    """Train specialists, an unconditional and a conditional model, and compare them digit by digit, in a folder.

    Raises UserError for a design that compares nothing, DataError for data without a test part, and what training and
    measuring raise.
    """
    how, folder = how or How(), StudyFolder(Path(out))
    data_set = replace(load_data(data, progress=how.progress), name=data)  # as its runs' recipes name it
    _check(design, data_set)
    groups = {name: trials_of(name, data, design) for name in design.recipes}
    folder.create("one-digit")
    trials = [trial for group in groups.values() for some in group.values() for trial in some]
    diverged = train_trials(
        trials, folder.runs, data_set, workers=how.workers, cluster=how.cluster, watcher=how.watcher
    )
    measures = Measures(folder.measured, data_set, digit_count=design.count, notify=how.notify)
    compared = {name: _group(name, trials, folder, measures, design) for name, trials in groups.items()}
    parts = tuple((name, tuple(findings_of(group, design.quality, design.seeds))) for name, group in compared.items())
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
            "images": {name: design.images_of(name) for name in design.recipes},
            "quality": design.quality,
            "count": design.count,
            "cores": available_cores(),
        },
    )
    publish(outcome, folder, [growth_part(group) for group in compared.values()])
    return outcome


def trials_of(name: str, data: str, design: Design) -> dict[str, list[Trial]]:
    """The trainings of a recipe: of each digit alone, of all without labels and of all with them."""
    base = load_recipe(name).with_settings(
        {**_RECORD, "data.name": data, "compute.threads": 1, "training.images": design.images_of(name)}
    )

    def trials(kind: str, settings: Mapping[str, object]) -> list[Trial]:
        return [
            Trial(f"{base.name}-{kind}-{seed}", base.with_settings({**settings, "training.seed": seed}))
            for seed in range(design.seeds)
        ]

    # A label that is always the same tells nothing, so that specialists need none.
    alone = {
        digit: trials(f"digit-{digit}", {"data.digits": [digit], "networks.conditional": False})
        for digit in design.digits
    }
    both = {UNTOLD: {"networks.conditional": False}, TOLD: {"networks.conditional": True}}
    return alone | {kind: trials(kind, settings) for kind, settings in both.items()}


def _group(
    name: str, trials: Mapping[str, Sequence[Trial]], folder: StudyFolder, measures: Measures, design: Design
) -> Group:
    """How the trainings of a recipe grew."""

    def growths(kind: str, digits: Sequence[str]) -> list[list[Growth]]:
        """By seed, the growth of each digit; a training that came to no end is left out."""
        found = []
        for trial in trials[kind]:
            run = trial.folder(folder.runs)
            if run.is_finished:
                moments = _moments(run, design.moments)
                found.append([grown(run, digit, moments, digits, measures) for digit in digits])
        return found

    alone = {digit: [growth for (growth,) in growths(digit, [digit])] for digit in design.digits}
    joint = {}
    for kind in (UNTOLD, TOLD):
        by_seed = growths(kind, design.digits)
        joint[kind] = {digit: [seed[place] for seed in by_seed] for place, digit in enumerate(design.digits)}
    sheets = {
        kind: run.final_sheet.read_bytes()
        for kind in (*design.digits, UNTOLD, TOLD)
        if (run := trials[kind][0].folder(folder.runs)).is_finished and run.final_sheet.is_file()
    }
    return Group(name, alone, joint[UNTOLD], joint[TOLD], sheets)


def _moments(run: RunFolder, shares: Sequence[float]) -> list[int]:
    """The snapshots nearest to the moments at which a run is measured."""
    counts = [image_count(path) for path in run.snapshots()]
    return list(dict.fromkeys(min(counts, key=lambda count: abs(count - share * counts[-1])) for share in shares))


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
        "logarithms. A training that ends before gives but a bound, and the verdict counts only where that is enough.",
        "Each value is of one seed: the geometric mean over digits of a specialist's number over that of the one model "
        "with the same seed. A claim holds if Student's 95 % interval over seeds lies wholly within what it claims, it "
        "does not if the interval lies wholly outside, and else it cannot be told.",
        "Every training computes with one thread, side by side with others, so that seconds can be compared.",
    )

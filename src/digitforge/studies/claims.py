"""`study claims`: what the documents claim about GANs, each held against runs, found or trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from digitforge.data import DataSet
from digitforge.errors import UserError
from digitforge.files import read_table
from digitforge.recipe import nearest
from digitforge.runs import RunFolder
from digitforge.studies import (
    document_001,
    document_002,
    document_002_svhn,
    document_002_wgan,
    document_003,
    document_004,
)
from digitforge.studies.claim_runs import Extent, Planned, gather, plan_runs, runaways
from digitforge.studies.evidence import Evidence, Need
from digitforge.studies.finding import NOTICED, Claim, Finding, settle
from digitforge.studies.intervals import Word
from digitforge.studies.measures import Measures
from digitforge.studies.study import How, Outcome, StudyFolder, publish
from digitforge.studies.trials import Trial, divergences, train_trials

DATA = "mnist"  # what the documents' claims are about, but those of SVHN
GALLERY = Path("runs/gallery")
QUICK_IMAGES = 5120  # that D sees in a quick study's longest stand-ins: twenty batches of the largest recipe
QUICK_COUNT = 1000  # images drawn for each measure of it
QUICK_DIGIT_COUNT = 50  # of which are of one digit
RARE_DRAWS = 100  # images drawn for each of a digit that is wanted: one that is rarer than that cannot be measured
FULL, QUICK = Extent(), Extent(1, QUICK_IMAGES, QUICK_COUNT, QUICK_DIGIT_COUNT)

_MODULES = (document_001, document_002, document_002_wgan, document_002_svhn, document_003, document_004)
CLAIMS: tuple[Claim, ...] = tuple(claim for module in _MODULES for claim in module.CLAIMS)
NEEDS: dict[str, Need] = {role: need for module in _MODULES for role, need in module.NEEDS.items()}


def study_claims(
    out: str | Path,
    data: str = DATA,
    *,
    extent: Extent = FULL,
    only: Sequence[str] = (),
    runs: str | Path = GALLERY,
    how: How | None = None,
) -> Outcome:
    """Hold the documents' claims against runs, and leave the findings in a folder.

    only: the keys of the claims to look at, all by default; those that the folder tells of already, from a study of the
    same settings, stay among the findings and train nothing (of quick ones a stand-in may serve no more). runs: a
    folder of finished runs that are read where they are what a claim asks for, besides the study's own and those that
    an earlier study of the folder read; the others are trained in the study's folder, but for a claim on runs that no
    study trains, where these are lacking: it cannot be told.
    Raises UserError for an unknown claim, for data that are too few for one, and where the runs of a claim that is to
    stay are gone, and what training and measuring raise.
    """
    how, folder, chosen = how or How(), StudyFolder(Path(out)), _chosen(only)
    settings: dict[str, Any] = {
        "data": data,
        "seeds": extent.seeds,
        "quick_images": extent.quick_images,
        "count": extent.count,
    }
    data_set = how.load(data)
    measures = Measures(
        folder.measured, data_set, extent.count, extent.digit_count, notify=how.notify, free_draws=RARE_DRAWS
    )
    measures.check()
    folder.create("claims")
    before, named = _results_before(folder, settings), Path(runs).resolve()
    known = [Path(place) for place in before.get("places", []) if Path(place) != named]
    places = [named, *known, folder.runs]
    settings["places"] = sorted(str(place) for place in places[:-1] if place.is_dir())
    read = {role: need for role, need in _needs(chosen).items() if not need.is_trained}
    there = Counter(one.role for one in plan_runs(read, data, data_set, extent, places))
    lacking = {role for role in read if there[role] < extent.seeds}
    needs = _needs([claim for claim in chosen if not lacking & set(claim.roles)])
    told = [claim for claim in CLAIMS if claim.key in before.get("keys", [])]
    further = {role: need for role, need in _needs([*chosen, *told]).items() if role not in needs}
    if extent.quick_images is None:  # a stand-in is another one wherever others are asked for beside it
        stay = [claim for claim in told if claim not in chosen]
        kept = {role: need for role, need in _needs(stay).items() if role not in needs or not need.is_trained}
        _check_there(plan_runs(kept, data, data_set, extent, places), kept, before.get("runs", []), stay, folder)
    plan = plan_runs(needs, data, data_set, extent, places)
    trials = _trials(plan)
    _check_counts(trials, data_set)
    diverged = train_trials(
        trials, folder.runs, data_set, workers=how.workers, cluster=how.cluster, watcher=how.watcher
    )
    plan += plan_runs(further, data, data_set, extent, places)  # what was trained now may serve them too
    diverged = divergences(_trials(plan), folder.runs) | diverged
    evidence = Evidence(needs | further, gather(plan, folder, measures), runaways(plan, diverged))
    findings = [settle(claim, evidence) for claim in CLAIMS if claim in chosen or claim in told]
    outcome = _outcome(findings, evidence, extent, settings)
    outcome = replace(outcome, diverged=diverged)
    publish(outcome, folder)
    return outcome


def _needs(some: Sequence[Claim]) -> dict[str, Need]:
    """The needs of some claims, by role."""
    return {role: NEEDS[role] for claim in some for role in claim.roles}


def _trials(plan: Sequence[Planned]) -> list[Trial]:
    """What is to be trained, each once."""
    return list({one.trial.name: one.trial for one in plan if one.trial}.values())


def _check_counts(trials: Sequence[Trial], data: DataSet) -> None:
    """Raise UserError where a trial is to learn from more images than there are, before anything is trained."""
    for trial in trials:
        if trial.recipe.data.count > len(data.train):
            raise UserError(
                f"{trial.name} is to learn from {trial.recipe.data.count:,} images, and {data.name} has "
                f"{len(data.train):,}; name the claims that need no more with --only"
            )


def _results_before(folder: StudyFolder, settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the folder's results tell of, if they come from a study with the same settings, else nothing.

    keys: of its claims. runs: each as ROLE-SEED. places: the folders that runs were looked for in.
    """
    try:
        table = read_table(folder.results) or {}
        places = list(map(str, table["settings"].pop("places", [])))
        if table["settings"] != settings:
            return {}
        runs = [name for one in table["runs"] for name in str(one["name"]).split(", ")]
        return {"keys": [str(one["key"]) for one in table["findings"]], "runs": runs, "places": places}
    except (TypeError, KeyError, AttributeError):
        return {}


def _check_there(
    plan: Sequence[Planned], roles: Collection[str], runs: Collection[str], told: Sequence[Claim], folder: StudyFolder
) -> None:
    """Raise UserError where runs behind claims that were told before are gone, so that these would lose their figures.

    plan: what `roles` ask for, those that nothing is trained for now. runs: those that there were, as ROLE-SEED. told:
    the claims that are to stay.
    """
    there = {
        f"{one.role}-{one.seed}"
        for one in plan
        if one.found or (one.trial is not None and one.trial.folder(folder.runs).is_finished)
    }
    gone = {run for run in runs if run.rpartition("-")[0] in roles} - there
    lost = {run.rpartition("-")[0] for run in gone}
    keys = [claim.key for claim in told if lost & set(claim.roles)]
    if keys:
        raise UserError(
            f"{folder.results} tells of {', '.join(keys)} from runs that are gone ({', '.join(sorted(gone))}): name "
            "their folder by --runs, add the claims to --only so that they are told anew, or choose another --out"
        )


def _chosen(only: Sequence[str]) -> list[Claim]:
    keys = [claim.key for claim in CLAIMS]
    for key in only:
        if key not in keys:
            raise UserError(f'there is no claim "{key}"{nearest(key, keys)}; the claims are {", ".join(keys)}')
    return [claim for claim in CLAIMS if not only or claim.key in only]


def _outcome(settled: Sequence[Finding], evidence: Evidence, extent: Extent, settings: Mapping[str, Any]) -> Outcome:
    counts = {word: sum(one.word == word for one in settled) for word in get_args(Word)}
    documents = dict.fromkeys(finding.claim.document for finding in settled)
    by_folder: dict[RunFolder, list[str]] = {}
    for role, some in evidence.runs.items():
        for run in some:
            by_folder.setdefault(run.folder, []).append(f"{role}-{run.seed}")
    return Outcome(
        study="claims",
        title="What the documents claim",
        lead=f"{len(settled)} claims held against {len(by_folder)} trainings; "
        + ", ".join(f"{word}: {count}" for word, count in counts.items())
        + ".",
        about=_about(extent),
        parts=tuple(
            (f"Document {document}", tuple(one for one in settled if one.claim.document == document))
            for document in documents
        ),
        runs={", ".join(names): folder for folder, names in by_folder.items()},
        settings=dict(settings),
    )


def _about(extent: Extent) -> tuple[str, ...]:
    """What a reader must know of how the verdicts came about."""
    sentences = [
        "A claim is turned into figures and into where they must lie if it holds. It holds if the 95 % interval over "
        "seeds lies wholly there, it does not if the interval lies wholly elsewhere, and else it cannot be told: "
        "Student's t interval of a figure or a pair of figures of each run, Welch's of two groups of runs, on "
        "logarithms for ratios. A claim of several parts falls with one of them.",
        f"A distance is notably lower or higher from a factor of {NOTICED} on, since seeds alone make that of a short "
        "training. Of twenty claims that are true or false by a hair, chance decides about one.",
        "Where runs are fewer than a claim asks for, or others than its document describes, it cannot be told for that "
        "document; what the figures would say by themselves stands beside.",
    ]
    if extent.quick_images is not None:
        sentences.append(
            f"This study was quick: what was not found was trained narrowed and for {extent.quick_images:,} images at "
            "most, which shows the way that a study takes, and nothing of the documents."
        )
    return tuple(sentences)

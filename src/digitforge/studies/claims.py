"""`study claims`: what the documents claim about GANs, each held against runs, found or trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from digitforge.data import load_data
from digitforge.errors import UserError
from digitforge.recipe import nearest
from digitforge.studies import (
    document_001,
    document_002,
    document_002_svhn,
    document_002_wgan,
    document_003,
    document_004,
)
from digitforge.studies.claim_runs import Extent, gather, plan_runs, runaways
from digitforge.studies.evidence import Evidence, Need
from digitforge.studies.finding import NOTICED, Claim, Finding, settle
from digitforge.studies.intervals import Word
from digitforge.studies.measures import Measures
from digitforge.studies.study import How, Outcome, StudyFolder, publish
from digitforge.studies.trials import train_trials

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

    only: the keys of the claims to look at, all by default. runs: a folder of finished runs that are read where they
    are what a claim asks for; the others are trained in the study's own folder.
    Raises UserError for an unknown claim, and what training and measuring raise.
    """
    how, folder, chosen = how or How(), StudyFolder(Path(out)), _chosen(only)
    data_set = replace(load_data(data, progress=how.progress), name=data)  # as its runs' recipes name it
    measures = Measures(
        folder.measured, data_set, extent.count, extent.digit_count, notify=how.notify, free_draws=RARE_DRAWS
    )
    measures.check()
    folder.create("claims")
    needs = {role: NEEDS[role] for claim in chosen for role in claim.roles}
    plan = plan_runs(needs, data, data_set, extent, Path(runs))
    trials = list({one.trial.name: one.trial for one in plan if one.trial}.values())
    diverged = train_trials(
        trials, folder.runs, data_set, workers=how.workers, cluster=how.cluster, watcher=how.watcher
    )
    evidence = Evidence(needs, gather(plan, folder, measures), runaways(plan, diverged))
    outcome = _outcome([settle(claim, evidence) for claim in chosen], evidence, data, extent)
    outcome = replace(outcome, diverged=diverged)
    publish(outcome, folder)
    return outcome


def _chosen(only: Sequence[str]) -> list[Claim]:
    keys = [claim.key for claim in CLAIMS]
    for key in only:
        if key not in keys:
            raise UserError(f'there is no claim "{key}"{nearest(key, keys)}; the claims are {", ".join(keys)}')
    return [claim for claim in CLAIMS if not only or claim.key in only]


def _outcome(settled: Sequence[Finding], evidence: Evidence, data: str, extent: Extent) -> Outcome:
    counts = {word: sum(one.word == word for one in settled) for word in get_args(Word)}
    documents = dict.fromkeys(finding.claim.document for finding in settled)
    runs = {f"{role}-{run.seed}": run.folder for role, some in evidence.runs.items() for run in some}
    return Outcome(
        study="claims",
        title="What the documents claim",
        lead=f"{len(settled)} claims held against {len(set(runs.values()))} trainings; "
        + ", ".join(f"{word}: {count}" for word, count in counts.items())
        + ".",
        about=_about(extent),
        parts=tuple(
            (f"Document {document}", tuple(one for one in settled if one.claim.document == document))
            for document in documents
        ),
        runs=runs,
        settings={"data": data, "seeds": extent.seeds, "quick_images": extent.quick_images, "count": extent.count},
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

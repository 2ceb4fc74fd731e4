"""A study: its folder, and what it leaves there: the findings as a page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digitforge import __version__
from digitforge.data import Progress
from digitforge.errors import OutputError
from digitforge.files import make_folder, write_whole
from digitforge.metrics.real import Notify
from digitforge.report.study_page import Bar, ShownFinding, StudiedTraining, StudyPart, study_page
from digitforge.runs import RunFolder
from digitforge.studies.finding import Condition, Finding, number
from digitforge.studies.trials import Watcher


@dataclass(frozen=True)
class StudyFolder:
    """One study on disk."""

    path: Path

    @property
    def runs(self) -> Path:
        """The folder of the trainings that it made itself."""
        return self.path / "runs"

    @property
    def measured(self) -> Path:
        """The folder of what was measured, so that nothing is measured twice."""
        return self.path / "measured"

    @property
    def results(self) -> Path:
        """Every finding as JSON."""
        return self.path / "results.json"

    @property
    def report(self) -> Path:
        """Every finding on one page."""
        return self.path / "report.html"

    def create(self) -> None:
        """Make the folder; one that holds a study goes on. Raises OutputError where it holds anything else."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file; choose another --out")
        strange = self.path.is_dir() and any(self.path.iterdir()) and not self.runs.is_dir()
        if strange:
            raise OutputError(f"{self.path} holds something else than a study; choose another --out")
        make_folder(self.runs)


@dataclass(frozen=True)
class How:
    """How a study is carried out, whatever it asks.

    workers: trainings side by side, None for one a core. cluster: address of a Ray cluster that trains instead.
    watcher: hears the trainings; notify: what is measured; progress: a download.
    """

    workers: int | None = None
    cluster: str | None = None
    watcher: Watcher | None = None
    notify: Notify | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class Outcome:
    """What a study came to.

    about: sentences on how it was carried out. parts: findings under headings. runs: by the name that they have in it.
    """

    study: str
    title: str
    lead: str
    about: tuple[str, ...]
    parts: tuple[tuple[str, tuple[Finding, ...]], ...]
    runs: dict[str, RunFolder]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def findings(self) -> list[Finding]:
        """All of them, in their order."""
        return [finding for _, findings in self.parts for finding in findings]


def publish(outcome: Outcome, folder: StudyFolder, more: Sequence[StudyPart] = ()) -> None:
    """Write the results and the page; more: what the page shows before the findings."""
    trainings = [_training(name, run) for name, run in outcome.runs.items()]
    table = {
        "study": outcome.study,
        "version": __version__,
        "settings": outcome.settings,
        "about": list(outcome.about),
        "findings": [finding.as_dict() for finding in outcome.findings],
        "runs": [
            {"name": one.name, "recipe": one.recipe, "seed": one.seed, "images": one.images, "seconds": one.seconds}
            for one in trainings
        ],
    }
    write_whole(folder.results, json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False).encode())
    parts = [StudyPart(title, tuple(map(shown_finding, findings))) for title, findings in outcome.parts]
    page = study_page(outcome.title, outcome.lead, outcome.about, [*more, *parts], trainings)
    write_whole(folder.report, page.encode())


def shown_finding(finding: Finding) -> ShownFinding:
    """A finding as a page shows it."""
    claim = finding.claim
    return ShownFinding(
        key=claim.key,
        document=claim.document,
        says=claim.says,
        how=claim.how,
        word=finding.word,
        sentence=finding.sentence,
        bars=tuple(_bar(condition) for condition in finding.conditions),
        plates=finding.plates,
    )


def _bar(condition: Condition) -> Bar:
    found = condition.interval
    groups = [condition.values] + ([] if condition.against is None else [condition.against])
    return Bar(
        says=condition.says,
        mean=found.mean,
        low=found.low,
        high=found.high,
        claimed=(condition.claimed.low, condition.claimed.high),
        points=condition.values if condition.against is None else (),
        values=" against ".join(" · ".join(map(number, group)) for group in groups),
        word=condition.word,
        is_ratio=condition.is_ratio,
        n=condition.n,
        bound=condition.bound,
    )


def _training(name: str, run: RunFolder) -> StudiedTraining:
    recipe, last = run.read_recipe(), run.read_stats()[-1]
    return StudiedTraining(
        name, recipe.name, recipe.training.seed, int(last["images"]), float(last["clock"]["seconds"]), recipe.data.name
    )

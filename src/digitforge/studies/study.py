"""A study: its folder, and what it leaves there: the findings as a page and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from digitforge import __version__
from digitforge.data import DataSet, Progress, load_data
from digitforge.errors import OutputError, RecipeError, RunError
from digitforge.files import make_folder, read_table, write_whole
from digitforge.metrics.real import Notify
from digitforge.report.quantities import number
from digitforge.report.study_page import Bar, ShownFinding, StudiedTraining, StudyPart, study_page
from digitforge.runs import RunFolder
from digitforge.studies.crew import Watcher
from digitforge.studies.finding import Condition, Finding


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
    def marker(self) -> Path:
        """Which study this is, before it has any results."""
        return self.path / "study.json"

    @property
    def results(self) -> Path:
        """Every finding as JSON."""
        return self.path / "results.json"

    @property
    def pictures(self) -> Path:
        """The folder of the findings' pictures."""
        return self.path / "pictures"

    @property
    def report(self) -> Path:
        """Every finding on one page."""
        return self.path / "report.html"

    def create(self, study: str) -> None:
        """Make the folder; one that holds this study goes on. Raises OutputError where it holds anything else."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file; choose another --out")
        if self.path.is_dir() and any(self.path.iterdir()):
            held = self._held()
            if held != study:
                what = "something else than a study" if held is None else f"the study {held}"
                raise OutputError(f"{self.path} holds {what}; choose another --out")
        make_folder(self.runs)
        write_whole(self.marker, json.dumps({"study": study}).encode())

    def _held(self) -> str | None:
        """The study that is in the folder, if there is one."""
        marker = read_table(self.marker) or {}
        return str(marker["study"]) if "study" in marker else None


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

    def load(self, name: str) -> DataSet:
        """A data set, named as the recipes of a study's runs name it; what was done to its images is told."""
        data = load_data(name, progress=self.progress)
        for note in data.notes:
            if self.notify is not None:
                self.notify(note)
        return replace(data, name=name)


@dataclass(frozen=True)
class Outcome:
    """What a study came to.

    about: sentences on how it was carried out. parts: findings under headings. runs: by the name that they have in it.
    diverged: trainings whose numbers ran away, by their names, and how. curves: what was measured on the way, as plain
    types.
    """

    study: str
    title: str
    lead: str
    about: tuple[str, ...]
    parts: tuple[tuple[str, tuple[Finding, ...]], ...]
    runs: dict[str, RunFolder]
    diverged: Mapping[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)

    @property
    def findings(self) -> list[Finding]:
        """All of them, in their order."""
        return [finding for _, findings in self.parts for finding in findings]


def publish(outcome: Outcome, folder: StudyFolder, more: Sequence[StudyPart] = ()) -> None:
    """Write the results and the page; more: what the page shows before the findings."""
    trainings = [one for name, run in outcome.runs.items() if (one := _training(name, run))]
    make_folder(folder.pictures)
    about = [*outcome.about, *(f"Training {name} did not end: {how}" for name, how in outcome.diverged.items())]
    table = {
        "study": outcome.study,
        "version": __version__,
        "settings": outcome.settings,
        "about": about,
        "findings": [
            finding.as_dict() | {"pictures": _write_pictures(finding, folder)} for finding in outcome.findings
        ],
        **({"curves": outcome.curves} if outcome.curves else {}),
        "runs": [
            {**{key: getattr(one, key) for key in ("name", "recipe", "seed", "images", "seconds")}, "run": one.run}
            for one in trainings
        ],
    }
    write_whole(folder.results, json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False).encode())
    parts = [StudyPart(title, tuple(map(shown_finding, findings))) for title, findings in outcome.parts]
    page = study_page(outcome.title, outcome.lead, about, [*more, *parts], trainings)
    write_whole(folder.report, page.encode())


def _write_pictures(finding: Finding, folder: StudyFolder) -> list[dict[str, str]]:
    """Write a finding's pictures; returns what the results tell of them."""
    told = []
    for count, plate in enumerate(finding.plates, 1):
        path = folder.pictures / f"{finding.claim.key}-{count}{plate.suffix}"
        write_whole(path, plate.content)
        told.append({"file": path.relative_to(folder.path).as_posix(), "caption": plate.caption, "alt": plate.alt})
    return told


def shown_finding(finding: Finding) -> ShownFinding:
    """A finding as a page shows it."""
    claim = finding.claim
    return ShownFinding(
        key=claim.key,
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
        low=-math.inf if condition.bound == "at most" else found.low,
        high=math.inf if condition.bound == "at least" else found.high,
        claimed=(condition.claimed.low, condition.claimed.high),
        points=condition.values if condition.against is None else (),
        values=" against ".join(" · ".join(map(number, group)) for group in groups),
        word="beside it" if condition.is_aside else condition.word,
        is_ratio=condition.is_ratio,
        n=condition.n,
        bound=condition.bound,
    )


def _training(name: str, run: RunFolder) -> StudiedTraining | None:
    """A training as the page lists it; None where its statistics cannot be read any more."""
    try:
        recipe, last = run.read_recipe(), run.read_stats()[-1]
    except (RunError, RecipeError, IndexError):
        return None
    return StudiedTraining(
        name,
        run.path.name,
        recipe.name,
        recipe.training.seed,
        int(last["images"]),
        float(last["clock"]["seconds"]),
        recipe.data.name,
    )

"""What a page shows of one run: where it comes from, what it measured, its pictures, and what was odd about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digitforge.card import Card
from digitforge.errors import ModelError, RunError
from digitforge.forge import Forge
from digitforge.recipe import Recipe
from digitforge.report.comparison import Reached, reached
from digitforge.report.history import History, history_of
from digitforge.report.plates import RunPlates, run_plates
from digitforge.runs import RunFolder


@dataclass(frozen=True)
class Finding:
    """What a diagnosis said. images: shown to D at each time that it said so, in order; none for the finished model."""

    sentence: str
    images: tuple[int, ...]

    @property
    def when(self) -> str:
        """The times in words."""
        if not self.images:
            return "in what the model draws"
        first, last = self.images[0], self.images[-1]
        if len(self.images) == 1:
            return f"after {first:,} images"
        return f"{len(self.images)} times, from {first:,} to {last:,} images"


@dataclass(frozen=True)
class ShownRun:
    """One run, finished or not.

    data: what it learned from, in words. date: of its last line of statistics, as 2026-11-22, "" where not told.
    card: of its model; None while there is none that can be read. model_sha256: of the model's file, likewise.
    evaluation: as Evaluation.as_dict() has it, or the figures of the card, which lack what an older release did not
    measure; may be empty. left_out: a sentence on each thing that should be there and could not be had.
    """

    name: str
    recipe: Recipe
    history: History
    reached: Reached
    data: str
    date: str
    card: Card | None
    model_sha256: str | None
    evaluation: Mapping[str, Any]
    plates: RunPlates
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What limits its figures, as its evaluation says."""
        return _sentences(self.evaluation.get("notes"))


def shown_run(
    folder: RunFolder,
    name: str | None = None,
    evaluation: Mapping[str, Any] | None = None,
    *,
    forge: Forge | None = None,
    copies: bytes | None = None,
) -> ShownRun:
    """What is shown of a run's folder.

    name: None takes the folder's. evaluation: None takes the figures in the model's card. forge: the model of a run
    that is just being finished; None reads it where the run has ended. copies: a PNG of images beside what they copy.
    Raises RunError for a folder that is no run or holds no line of statistics, RecipeError for a damaged recipe.
    """
    recipe, lines = folder.read_recipe(), folder.read_stats()
    history = history_of(folder, lines, _printable(name or folder.path.resolve().name))
    has_ended, left_out = forge is not None or folder.is_finished, []
    if forge is None and folder.is_finished:
        try:
            forge = Forge.load(folder.path)
        except (ModelError, RunError):
            left_out.append(f"{history.name}: {folder.model.name} is missing or damaged, so its figures are left out.")
    card = forge.card if forge else None
    figures = evaluation if evaluation is not None else card.figures if card else {}
    plates = run_plates(folder, history, forge.names if forge else (), has_ended, copies)
    so_far = reached(recipe, history, figures)
    if not has_ended and not so_far.is_on_its_way:
        left_out.append(f"{history.name}: all its images are seen, and its model and figures are still to come.")
    return ShownRun(
        name=history.name,
        recipe=recipe,
        history=history,
        reached=so_far,
        data=_data(recipe, card),
        date=_date(lines[-1]),
        card=card,
        model_sha256=forge.sha256 if forge else None,
        evaluation=figures,
        plates=plates,
        findings=(*_findings(lines), *(Finding(said, ()) for said in _sentences(figures.get("findings")))),
        left_out=(*left_out, *plates.left_out),
    )


def _printable(name: str) -> str:
    """A name without the bytes of a file name that are no text, which no page could hold."""
    return name.encode("utf-8", "replace").decode()


def _data(recipe: Recipe, card: Card | None) -> str:
    """What a run learns from: the name, the labels chosen from it, and how many images if that is known."""
    parts = [card.data.name if card else recipe.data.name]
    if recipe.data.digits:
        parts.append(f"labels {', '.join(map(str, recipe.data.digits))}")
    count = card.data.count if card else recipe.data.count
    if count:
        parts.append(f"{count:,} images")
    return ", ".join(parts)


def _date(line: Mapping[str, Any]) -> str:
    try:
        return datetime.fromisoformat(line["clock"]["time"]).date().isoformat()
    except (KeyError, TypeError, ValueError):
        return ""


def _findings(lines: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Each sentence that diagnoses said, once, with the times at which they said it."""
    times: dict[str, list[int]] = {}
    for line in lines:
        for sentence in _sentences(line.get("diagnosis")):
            times.setdefault(sentence, []).append(int(line["images"]))
    return tuple(Finding(sentence, tuple(images)) for sentence, images in times.items())


def _sentences(found: object) -> tuple[str, ...]:
    """A list of sentences, or nothing: a card may hold anything."""
    return tuple(map(str, found)) if isinstance(found, list) else ()

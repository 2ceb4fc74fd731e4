"""Evidence: the runs that claims are held against, stage by stage, and in what they differ from what claims ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from digitforge.errors import DigitforgeError
from digitforge.recipe import Recipe, load_recipe, recipe_names
from digitforge.report.history import Curve, History, read_history
from digitforge.runs import RunFolder, count_of
from digitforge.studies.measures import Measures

SEEDS = 3  # that a claim on chance needs: two leave an interval of 12.7 standard errors, three one of 4.3
# How far a snapshot may lie from the moment that is asked for: steps are whole batches, and intervals whole images.
_NEAR = 0.01  # of a run, ...
_BATCHES = 2  # ... or so many batches, whichever is more


class MissingError(DigitforgeError):
    """Something that a claim rests on was not recorded, or cannot be measured; the claim cannot be told."""


@dataclass(frozen=True)
class Need:
    """Runs that claims ask for.

    settings: what is changed in the recipe. epochs: how many of it; None: all that it says. stages: epochs after which
    a snapshot must be there, besides their end. is_trained: whether a study trains what is not there, or only reads
    it. is_own: whether only the study's own runs serve, since it matters how they are recorded, or on what.
    """

    recipe: str
    settings: Mapping[str, object] = field(default_factory=dict)
    epochs: float | None = None
    stages: tuple[float, ...] = ()
    is_trained: bool = True
    is_own: bool = False

    @property
    def is_known(self) -> bool:
        """Whether this release has the recipe."""
        return self.recipe in recipe_names()

    def asked(self, seed: int) -> Recipe:
        """The recipe in full, for a seed."""
        length = {} if self.epochs is None else {"training.epochs": self.epochs}
        return load_recipe(self.recipe).with_settings({**length, **self.settings, "training.seed": seed})


@dataclass(frozen=True)
class StudiedRun:
    """One run of those that a claim rests on.

    images: that its need asks for; the run may go on after them. epoch_images: of an epoch that claims speak of,
    smaller where the run is a shortened stand-in. shortfalls: in what it differs from what is asked for, a few words
    each.
    """

    folder: RunFolder
    seed: int
    images: int
    epoch_images: float
    measures: Measures
    shortfalls: tuple[str, ...] = ()

    @cached_property
    def history(self) -> History:
        """Its statistics."""
        return read_history(self.folder)

    @cached_property
    def recipe(self) -> Recipe:
        """Its resolved recipe."""
        return self.folder.read_recipe()

    @cached_property
    def history_asked(self) -> History:
        """Its statistics until its need is met."""
        return self.history.until(self.images + self.recipe.training.batch_size)

    def curve(self, key: str) -> Curve:
        """One quantity until its need is met. Raises MissingError where it was never measured."""
        if key not in self.history_asked.curves:
            raise MissingError(f"{self.folder.path.name} recorded no {key}")
        return self.history_asked.curves[key]

    def images_after(self, epochs: float) -> float:
        """Images after so many epochs of those that claims speak of."""
        return self.recipe.training.pretrain_images + epochs * self.epoch_images

    def snapshot_after(self, epochs: float | None = None) -> int:
        """The snapshot after so many epochs, or when its need is met. Raises MissingError where there is none near."""
        wanted = self.images if epochs is None else self.images_after(epochs)
        found = near_snapshot(self.folder, wanted, self.images, self.recipe.training.batch_size)
        if found is None:
            when = "at its end" if epochs is None else f"after {epochs:g} epochs"
            raise MissingError(f"{self.folder.path.name} has no snapshot {when}")
        return found

    def figures(self, epochs: float | None = None, details: bool = False) -> Mapping[str, Any]:
        """What it measures after so many epochs, at its end by default."""
        found = self.measures.figures(self.folder, self.snapshot_after(epochs), details)
        if details and not found.get("details"):
            raise MissingError(f"{self.folder.path.name}: no details could be measured")
        return found

    def distance(self, epochs: float | None = None) -> float:
        """The Frechet distance to real training images after so many epochs."""
        return float(self.figures(epochs)["frechet"]["value"])

    def floors(self, epochs: float | None = None) -> float:
        """The same in floors. Raises MissingError where no held-out images give one."""
        ratio = self.figures(epochs)["ratio"]
        if ratio is None:
            raise MissingError(f"{self.folder.path.name} has no floor to be held against")
        return float(ratio["value"])

    def floors_by_label(self, epochs: float | None = None) -> dict[str, float]:
        """Each label's distance in floors of its own, all from equally many images; one hardly drawn is left out."""
        found = self.measures.of_digits(self.folder, self.snapshot_after(epochs), self.measures.data.train.names)
        return {name: float(one["floors"]) for name, one in found.items()}

    @cached_property
    def diagnosis(self) -> tuple[str, ...]:
        """What was wrong with it when it was last measured until its need is met, a sentence each.

        Raises MissingError where neither D's accuracies nor the figures had been measured by then.
        """
        end = self.images + self.recipe.training.batch_size
        lines = [line for line in self.folder.read_stats() if float(line["images"]) <= end]
        measured = [line for line in lines if "accuracy" in line or "figures" in line]
        if not measured:
            raise MissingError(
                f"{self.folder.path.name} measured neither D nor figures, by which it would be diagnosed"
            )
        return tuple(map(str, measured[-1].get("diagnosis", [])))

    @property
    def judged(self) -> int:
        """Images of each kind that D judged when its accuracy was last measured."""
        return int(min(self.curve(f"accuracy.{kind}_n").values[-1] for kind in ("real_train", "fake")))


def near_snapshot(folder: RunFolder, wanted: float, length: int, batch_size: int) -> int | None:
    """The snapshot that was made after so many images of a run of some length; None where there is none near."""
    counts = [count_of(path) for path in folder.snapshots()]
    nearest = min(counts, key=lambda count: abs(count - wanted), default=None)
    room = max(_NEAR * length, _BATCHES * batch_size)
    return nearest if nearest is not None and abs(nearest - wanted) <= room else None


@dataclass(frozen=True)
class Evidence:
    """Runs by the role that claims know them by, each role with its need; a role may have no run.

    diverged: how many runs of a role have none of their figures, since their numbers ran away.
    """

    needs: Mapping[str, Need]
    runs: Mapping[str, Sequence[StudiedRun]]
    diverged: Mapping[str, int] = field(default_factory=dict)

    def of(self, role: str) -> Sequence[StudiedRun]:
        """The runs of a role, by seed. Raises MissingError where there are none."""
        if not self.runs.get(role):
            need = self.needs[role]
            why = "" if need.is_known else ", a recipe that this release does not have"
            whole = " that came to its end" if self.diverged.get(role) else ""
            raise MissingError(f"there is no run of {need.recipe}{whole}{why}")
        return self.runs[role]

    def count(self, role: str) -> int:
        """How many images were drawn for each measure of a role's runs. Raises MissingError where there are none."""
        return self.of(role)[0].measures.count

    def digit_count(self, role: str) -> int:
        """The same of one digit, where digits are measured by themselves."""
        return self.of(role)[0].measures.digit_count

    def judged(self, role: str) -> int:
        """How many images of each kind D judged, at the least, when its accuracy was last measured."""
        return int(min(self.each(role, lambda run: run.judged)))

    def each(self, role: str, measure: Callable[[StudiedRun], float]) -> tuple[float, ...]:
        """A figure of each run of a role."""
        return tuple(measure(run) for run in self.of(role))

    def shortfalls(self, roles: Sequence[str], seeds: int, may_diverge: Sequence[str] = ()) -> list[str]:
        """In what the runs of some roles fall short of what a claim asks for; may_diverge: see Claim."""
        found: list[str] = []
        for role in roles:
            runs, diverged = self.runs.get(role, ()), self.diverged.get(role, 0)
            begun = len(runs) + diverged
            if begun < seeds:
                found.append(f"{begun} of {seeds} seeds of {role}")
            if diverged and role not in may_diverge:
                found.append(f"{diverged} of {begun} runs of {role} diverged")
            found += [reason for run in runs for reason in run.shortfalls]
        return list(dict.fromkeys(found))

"""The runs that claims are held against: what each role asks for, found elsewhere, trained, or narrowed to be quick."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from digitforge.data import DataSet
from digitforge.data.svhn import TRAIN_COUNT
from digitforge.metrics.evaluate import COUNT
from digitforge.recipe import Recipe, load_recipe
from digitforge.runs import RunFolder
from digitforge.studies.evidence import SEEDS, Need, StudiedRun, near_snapshot
from digitforge.studies.measures import DIGIT_COUNT, Measures
from digitforge.studies.study import StudyFolder
from digitforge.studies.trials import Trial, find_runs, finished_runs, is_alike, is_long_enough

LEAST_BATCHES = 10  # of a stand-in: losses are looked at in as many parts
_NARROWER = 4  # times that a quick study's networks are narrower
_QUICK_RECORD: Mapping[str, object] = {
    "record.tick": "1/40 run",
    "record.accuracy": "1/10 run",
    "record.accuracy_images": 200,
    "record.figures": "1/5 run",
    "record.figure_images": 200,
    "record.sheet": "1/10 run",
    "record.snapshot": "1/10 run",
}


@dataclass(frozen=True)
class Extent:
    """How much a study of claims does.

    seeds: runs of each role. quick_images: length of the longest of the narrow stand-ins that are trained for what is
    not found; None: what is lacking is trained as described, which takes days. count: images drawn for a measure;
    digit_count: of one digit.
    """

    seeds: int = SEEDS
    quick_images: int | None = None
    count: int = COUNT
    digit_count: int = DIGIT_COUNT


@dataclass(frozen=True)
class Planned:
    """A run that a role asks for: what it is to be, and where it was found, or what is trained in its place.

    images, epochs: of the need, in full. scale: images of the stand-in for one of them.
    """

    role: str
    seed: int
    full: Trial
    images: int
    epochs: float
    found: RunFolder | None
    trial: Trial | None
    scale: float


def plan_runs(
    needs: Mapping[str, Need], data: str, data_set: DataSet, extent: Extent, places: Sequence[Path]
) -> list[Planned]:
    """For each seed and role what is to be read or trained; roles that are the beginning of others share their runs.

    Seed by seed, so that a slow hour of a machine hits all that are compared. places: folders of runs that are there.
    """
    planned = []
    trained = {role: need for role, need in needs.items() if need.is_known and need.is_trained}
    known = {role: need for role, need in needs.items() if need.is_known}
    for seed in range(extent.seeds):
        for role, need in known.items():
            name = data if need.is_trained else load_recipe(need.recipe).data.name
            full = _asked(role, need, seed, name)
            if not need.is_trained:
                planned += _only_read(role, seed, full, places)
                continue
            images = full.images(data_set)
            epochs = full.recipe.training.epochs or 1.0
            found = None if need.is_own else _found(need, full, images, data_set, places)
            trial, scale = (None, 1.0) if found else _to_train(role, seed, trained, full, data_set, extent)
            planned.append(Planned(role, seed, full, images, epochs, found, trial, scale))
    return planned


def gather(plan: Sequence[Planned], folder: StudyFolder, measures: Measures) -> dict[str, list[StudiedRun]]:
    """The runs of each role that have come to their end."""
    runs: dict[str, list[StudiedRun]] = {}
    for one in plan:
        run = one.found or (one.trial.folder(folder.runs) if one.trial else None)
        if run is None or not run.is_finished:
            continue
        pretraining = one.full.recipe.training.pretrain_images
        runs.setdefault(one.role, []).append(
            StudiedRun(
                run,
                one.seed,
                images=round(one.images * one.scale),
                epoch_images=(one.images - pretraining) / one.epochs * one.scale,
                measures=measures,
                shortfalls=tuple(_shortfalls(one)),
            )
        )
    return runs


def runaways(plan: Sequence[Planned], diverged: Collection[str]) -> dict[str, int]:
    """How many runs of each role ran away, from the names of the trials that did."""
    roles = [one.role for one in plan if one.trial is not None and one.trial.name in diverged]
    return {role: roles.count(role) for role in roles}


def narrowed(recipe: Recipe, settings: Mapping[str, object], scale: float) -> Recipe:
    """A stand-in for a recipe: as many times shorter as `scale` says, narrower, and hardly recorded.

    settings: those that its role asks for, which stay.
    """
    networks, training = recipe.networks, recipe.training
    changes: dict[str, object] = dict(_QUICK_RECORD)
    for key in ("generator_width", "discriminator_width"):
        changes[f"networks.{key}"] = max(1, getattr(networks, key) // _NARROWER)
    changes["training.pretrain_images"] = round(training.pretrain_images * scale)
    kept = {key: value for key, value in settings.items() if key.startswith("record.")}
    return recipe.with_settings({**changes, **kept})


def _to_train(
    role: str, seed: int, needs: Mapping[str, Need], full: Trial, data_set: DataSet, extent: Extent
) -> tuple[Trial, float]:
    """The trial that gives a role its run, which is that of the longest role that begins alike; and its scale.

    Stand-ins of a document have one scale, so that as many epochs of them are as many images. Only what would be too
    short to learn anything lasts longer, and shares no run.
    """
    all_of_them = {other: _asked(other, need, seed, full.recipe.data.name) for other, need in needs.items()}
    if extent.quick_images is None:
        return _longest_alike(role, full, all_of_them, needs, data_set), 1.0
    images = full.images(data_set)
    rivals = [one.images(data_set) for one in all_of_them.values() if one.recipe.document == full.recipe.document]
    scale = min(1.0, extent.quick_images / max(rivals))
    least = min(1.0, LEAST_BATCHES * full.recipe.training.batch_size / images)
    if scale < least:
        return _stand_in(full, needs[role], images, least), least
    longest = _longest_alike(role, full, all_of_them, needs, data_set)
    need = needs[longest.name.removesuffix(f"-{seed}")]
    return _stand_in(longest, need, longest.images(data_set), scale), scale


def _asked(role: str, need: Need, seed: int, data: str) -> Trial:
    """What a need asks for, as a trial of some data."""
    return Trial(f"{role}-{seed}", need.asked(seed).with_settings({"data.name": data, "compute.threads": 1}))


def _longest_alike(
    role: str, full: Trial, trials: Mapping[str, Trial], needs: Mapping[str, Need], data_set: DataSet
) -> Trial:
    """The longest of some trials that begins as a role's own does, which may be that one."""
    if needs[role].is_own or full.recipe.has_schedule:
        return full
    alike = [one for other, one in trials.items() if not needs[other].is_own and is_alike(one.recipe, full.recipe)]
    return max([full, *alike], key=lambda one: one.images(data_set))


def _stand_in(trial: Trial, need: Need, images: int, scale: float) -> Trial:
    """A narrow and short trial in the place of one of so many images."""
    recipe = narrowed(trial.recipe, need.settings, scale).with_settings({"training.images": round(images * scale)})
    return Trial(f"quick-{trial.name}", recipe)


def _found(need: Need, full: Trial, images: int, data_set: DataSet, places: Sequence[Path]) -> RunFolder | None:
    """A run that is there and is the role's, with every snapshot that its claims ask for."""
    training = full.recipe.training
    each = (images - training.pretrain_images) / (training.epochs or 1)
    moments = [images, *(training.pretrain_images + epochs * each for epochs in need.stages)]
    for found in find_runs(full, data_set, places):
        if all(near_snapshot(found, moment, images, training.batch_size) is not None for moment in moments):
            return found
    return None


def _only_read(role: str, seed: int, full: Trial, places: Sequence[Path]) -> list[Planned]:
    """A run of a role on SVHN, which no study trains, since its images may not be at hand."""
    asked = full.recipe
    images = asked.training.length(TRAIN_COUNT)
    assert images is not None  # needs say epochs
    for run, recipe in finished_runs(places):
        if is_alike(recipe, asked) and is_long_enough(recipe, asked, images):
            return [Planned(role, seed, full, images, asked.training.epochs or 1.0, run, None, 1.0)]
    return []


def _shortfalls(one: Planned) -> list[str]:
    """In what a run differs from what its document describes."""
    described = load_recipe(one.full.recipe.name).data.name
    reasons = []
    if one.full.recipe.data.name != described:
        reasons.append(f"learned from {one.full.recipe.data.name}, not from {described}")
    if one.trial is not None and not is_alike(one.trial.recipe, one.full.recipe):
        reasons.append(
            f"a stand-in for {one.role}, {_NARROWER} times as narrow, saw {round(one.images * one.scale):,} images in "
            f"place of {one.epochs:g} epochs"
        )
    return reasons

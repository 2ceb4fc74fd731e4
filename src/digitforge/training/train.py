"""`train`: from a recipe and a data set to a finished run folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from lightning_fabric import Fabric

from digitforge.data import DataSet, Progress, load_data
from digitforge.errors import OutputError, RecipeError, RunError, WriteError
from digitforge.files import unwritable, write_whole
from digitforge.holding import held
from digitforge.recipe import Recipe
from digitforge.resuming import (
    asked_anew,
    asked_recipe,
    check_goes_on,
    new_place_of_data,
    saved_recipe,
    settings_in_full,
)
from digitforge.runs import RunFolder, count_of, is_taken, new_run_folder
from digitforge.sections import Interval
from digitforge.sheets import png_bytes
from digitforge.training.budget import images_in
from digitforge.training.compute import resolve_compute, start_fabric
from digitforge.training.finish import finish
from digitforge.training.interruption import ends_at_once
from digitforge.training.observers import Observer, Recorder, TensorBoard
from digitforge.training.pictures import real_sheet
from digitforge.training.plan import INTERVALS, Plan, make_plan, with_images
from digitforge.training.trainer import Trainer


def train(
    recipe: str | Recipe | None = None,
    data: str | Path | DataSet | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    observers: Sequence[Observer] = (),
    progress: Progress | None = None,
) -> RunFolder:
    """Train a recipe and return its run folder, which holds the model file, statistics, sheets and checkpoints.

    recipe: a name, a path to a `.toml` file, or a Recipe; by default `express`, or the recipe of the run to resume.
    data: a data set's name, a path, or a DataSet; by default what the recipe says.
    settings: dotted keys of the recipe to change, such as {"training.seconds": 60, "training.seed": 1}.
    out: a folder that does not exist or is empty; by default `runs/NAME-SEED`, numbered if taken.
    resume: go on with the run in `out` from its newest checkpoint. A missing folder starts it; a finished run is
    returned as it is, unless more images are asked for and its recipe has no schedule.
    observers: hear the run besides those that write its folder. progress: hears a download.

    Raises RecipeError, DataError, RunError or OutputError before anything is written; InterruptionError after SIGINT or
    SIGTERM, when the state is saved; OutputError on the way for a disk that fails, DivergenceError for numbers that run
    away, and either says what is kept.
    """
    settings = settings_in_full(settings, data)
    folder = RunFolder(Path(out)) if out is not None else None
    if resume and folder is None:
        raise RunError("--resume needs to know which run: name its folder with --out")
    saved = saved_recipe(folder, resume)
    asked = ask(recipe, settings, saved, folder)
    if saved is not None and folder is not None and folder.is_finished and asked == saved:
        return folder
    data_set = data if isinstance(data, DataSet) else load_data(asked.data.name, progress=progress)
    plan = planned(asked, data_set, saved, folder, resume)
    of_same = plan.recipe if saved is None else plan.recipe.model_copy(update={"data": saved.data})  # as the hash tells
    if folder is not None and folder.is_finished and of_same == saved:
        return folder
    fabric = start_fabric(plan.recipe)
    plan = set_length(plan, fabric)
    if saved is None or folder is None:
        chosen = new_run_folder(folder.path if folder else None, asked) if fabric.is_global_zero else None
        folder = fabric.broadcast(chosen)
        assert folder is not None
    run(plan, fabric, folder, observers)
    return folder


def ask(
    recipe: str | Recipe | None, settings: Mapping[str, object], saved: Recipe | None, folder: RunFolder | None
) -> Recipe:
    """The recipe that is asked for: a new one, or the saved one of the run to resume, which must be the same.

    A saved one comes with the length and the intervals in the words of who asks: only the images say what they are.
    Data that have moved go by their new name, as their hash tells whether they are the same.
    """
    if saved is None:
        return asked_recipe(recipe).with_settings(settings)
    assert folder is not None
    asked, keys = asked_anew(saved, recipe, settings)
    new_place = new_place_of_data(saved, settings)
    check_goes_on(folder.path, saved, asked, [key for key in keys if key not in (*INTERVALS, *new_place)])
    taken = {key: settings[key] for key in ("training.images", "training.epochs") if key in settings} | new_place
    return saved.with_settings(taken | {key: asked.setting(key) for key in keys if _tells_interval(key, asked)})


def planned(asked: Recipe, data: DataSet, saved: Recipe | None, folder: RunFolder | None, resume: bool) -> Plan:
    """The plan of a run that is new or, where a saved recipe is given, goes on."""
    if saved is not None and folder is not None:
        _check_device(saved, folder)
    plan = make_plan(asked, data)
    if saved is not None and folder is not None:
        return lengthened(plan, saved, folder)
    if folder is not None:
        if resume and is_taken(folder.path):
            folder.read_recipe()  # raises, as it holds none
        new_run_folder(folder.path, asked)  # refuses a folder that is taken before any time is spent
    return plan


def _check_device(saved: Recipe, folder: RunFolder) -> None:
    """Raise RunError where a run began on a device that this machine lacks: on another one it would be another run."""
    try:
        resolve_compute(saved.compute)
    except RecipeError as error:
        raise RunError(
            f"the run in {folder.path} began on {saved.compute.device} and goes on only there ({error}); begin another "
            f"one with its settings: `digitforge train {shlex.quote(str(folder.recipe))} --device auto --out FOLDER`"
        ) from None


def lengthened(plan: Plan, saved: Recipe, folder: RunFolder) -> Plan:
    """The plan of a resumed run: the saved one, or a longer one where its recipe has no schedule."""
    before = length_of(saved)
    # What older versions did not settle is settled now: the hash of the data, and the intervals.
    own = plan.with_recipe(saved.model_copy(update={"data": plan.recipe.data}))
    check_goes_on(folder.path, with_images(own, before).recipe, with_images(plan, before).recipe, INTERVALS)
    goes_on = with_images(own, length_of(plan.recipe))
    now = length_of(goes_on.recipe)
    if now != before and (saved.has_schedule or now < before):
        why = "its schedule was made for that length" if saved.has_schedule else "it cannot get shorter"
        raise RunError(
            f"the run in {folder.path} is one of {before:,} images, not {now:,}, and {why}; choose another --out"
        )
    return goes_on


def length_of(recipe: Recipe) -> int:
    """How many images a run of a recipe shows to D, once that is settled."""
    assert recipe.training.images is not None
    return recipe.training.images


def set_length(plan: Plan, fabric: Fabric) -> Plan:
    """The plan with its length in images: a time budget is probed, and every process takes the first one's count."""
    if plan.recipe.training.seconds is not None:
        images = images_in(plan.recipe, lambda size: Trainer(throw_away(plan, size), fabric).step, fabric)
        return with_images(plan, images)
    return with_images(plan, length_of(plan.recipe))


def throw_away(plan: Plan, batch_size: int) -> Plan:
    """The plan of steps that are only timed, all with such batches."""
    settings = {
        "training.images": 2**40,
        "training.batch_size": batch_size,
        "training.batch_doublings": 0,
        "training.pretrain_images": 0,
    }
    return plan.with_recipe(plan.recipe.with_settings(settings))


def run(plan: Plan, fabric: Fabric, folder: RunFolder, observers: Sequence[Observer]) -> None:
    """Train a resolved plan in its folder, from the newest checkpoint there, to the end."""
    trainer = Trainer(plan, fabric)
    with says_what_is_kept(plan, folder), held(folder.path) if fabric.is_global_zero else nullcontext():
        trainer.resume(folder)
        prepare(trainer, folder)
        with ends_at_once(folder.path):
            with recorded(trainer, folder, observers) as heard:
                trainer.run(folder, heard)
            complete(trainer, folder)


@contextmanager
def says_what_is_kept(plan: Plan, folder: RunFolder) -> Iterator[None]:
    """Where a file of a run cannot be written or read: say what of it is kept, and how to go on."""
    try:
        yield
    except (WriteError, OSError) as error:
        known = error if isinstance(error, WriteError) else unwritable(error.filename or folder.path, error, "use")
        if not folder.recipe.is_file():
            raise OutputError(f"{known.fault}; choose another place") from error
        saved = folder.checkpoints()
        images = plan.times.images_after(count_of(saved[0])) if saved else 0
        kept = f"its state after {images:,} images is kept" if saved else "nothing is saved yet"
        raise OutputError(
            f"{known.fault}; the run has ended, {kept}: once there is room and the disk is well, go on with "
            f"`digitforge train --out {shlex.quote(str(folder.path))} --resume`"
        ) from error


def prepare(trainer: Trainer, folder: RunFolder) -> None:
    """Make a folder ready for what comes after the images seen so far."""
    if trainer.fabric.is_global_zero:
        folder.create(trainer.plan.recipe)
        folder.rewind(trainer.images, trainer.state.step)
        write_whole(folder.real_sheet, png_bytes(real_sheet(trainer.plan)))


@contextmanager
def recorded(trainer: Trainer, folder: RunFolder, observers: Sequence[Observer]) -> Iterator[list[Observer]]:
    """Have observers hear what comes after the images seen so far, until the end.

    Gives all those that hear it: of several processes, in the first alone.
    """
    plan, images, first = trainer.plan, trainer.images, trainer.fabric.is_global_zero
    heard: list[Observer] = [Recorder(), TensorBoard(), *observers] if first else []
    for observer in heard:
        observer.started(plan, folder, images)
    try:
        yield heard
    finally:
        for observer in heard:
            observer.ended()


def complete(trainer: Trainer, folder: RunFolder) -> None:
    """Write what a run leaves that has come to its end."""
    generator = trainer.generator()  # by every process, as they measure its normalisation together
    if trainer.fabric.is_global_zero:
        finish(trainer.plan, generator, trainer.state.game.discriminator, trainer.images, folder)
    trainer.fabric.barrier()


def _tells_interval(key: str, asked: Recipe) -> bool:
    """Whether a key is an interval that a saved run must have; a share of a run that may have grown is of any size."""
    if key not in INTERVALS:
        return False
    return asked.has_schedule or Interval.parse(str(asked.setting(key))).unit != "run"

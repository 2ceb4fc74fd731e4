"""`specialists`: one small model for each label of a data set, trained side by side as one job, kept as one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from digitforge.card import Card
from digitforge.data import DataSet, Progress, load_data
from digitforge.errors import DataError, InterruptionError, ModelError, RunError, UserError
from digitforge.files import drop_parts, write_whole
from digitforge.forge import Forge
from digitforge.holding import held
from digitforge.metrics.evaluate import evaluate
from digitforge.onnx_file import available_cores, open_onnx
from digitforge.recipe import Recipe
from digitforge.resuming import (
    asked_anew,
    asked_recipe,
    check_goes_on,
    new_place_of_data,
    saved_recipe,
    settings_in_full,
)
from digitforge.runs import RunFolder, SpecialistsFolder, is_taken, new_specialists_folder
from digitforge.sections import Compute
from digitforge.set_file import set_card, write_set
from digitforge.sheets import model_sheet, png_bytes
from digitforge.studies.crew import Crew, Watcher, train_all
from digitforge.studies.worker import Job, Message, Noted, Ready, Task, work
from digitforge.training.interruption import Interruption

VERB = "specialists"
MAX_SPECIALISTS = 100  # a minute each is much already, and Forge holds as many open models
_ACCELERATORS = ("cuda", "mps")


def train_specialists(
    recipe: str | Recipe | None = None,
    data: str | Path | DataSet | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    workers: int | None = None,
    at_once: int | None = None,
    watcher: Watcher | None = None,
    progress: Progress | None = None,
) -> SpecialistsFolder:
    """Train a recipe on each label alone and return the job's folder, which holds a run a label and the set of models.

    Arguments are those of train(), with these differences. Lengths in `settings` are each label's own; `data.digits`
    names the labels, all by default. out: by default `runs/NAME-specialists-SEED`, numbered if taken.
    workers: how many labels train side by side. On a CPU each has a process, by default one a core that computes with
    one thread; on an accelerator one process trains them as one program, by default all. Processes are spawned, so a
    script that calls this needs the usual `if __name__ == "__main__":`.
    at_once: how many labels each process trains as one program, whatever it computes with.

    Raises RecipeError, DataError, RunError or OutputError before anything is written; InterruptionError after SIGINT or
    SIGTERM, when every worker has saved its state; the error of the first label that fails, its name before it.
    """
    if workers is not None and workers < 1:
        raise UserError(f"a job needs at least one worker, not {workers}")
    settings = settings_in_full(settings, data)
    folder = SpecialistsFolder(Path(out)) if out is not None else None
    if resume and folder is None:
        raise RunError("--resume needs to know which job: name its folder with --out")
    saved = saved_recipe(folder, resume)
    asked = ask(recipe, settings, saved, folder)
    if saved is not None and folder is not None and folder.is_finished and asked == saved:
        return folder
    data_set = data if isinstance(data, DataSet) else load_data(asked.data.name, progress=progress)
    asked = with_labels(asked, data_set)
    if saved is None or folder is None:
        folder = choose_folder(folder, asked, resume)
    runs = {name: folder.run(data_set.train.label_of(name), name) for name in asked.data.digits}
    check_same_images(folder, saved, runs, data_set)
    if folder.is_finished:
        return folder
    job = Job(asked, data if isinstance(data, DataSet) else None)
    try:
        with held(folder.path), _forgotten_unless_begun(folder, runs):
            if saved is not None and asked != saved:
                folder.create(asked)
            if not all(run.is_finished for run in runs.values()):
                train_runs(job, runs, folder, workers, watcher, at_once, data_set.notes)
            finish(folder, {data_set.train.label_of(name): run for name, run in runs.items()})
    except BaseException:
        with suppress(OSError):  # where anything is in it, as who else holds it
            folder.path.rmdir()
        raise
    return folder


def choose_folder(folder: SpecialistsFolder | None, asked: Recipe, resume: bool) -> SpecialistsFolder:
    """The folder of a new job: the one that is asked for, which must be free, or the default."""
    if folder is None:
        return new_specialists_folder(None, asked)
    if resume and is_taken(folder.path):
        folder.read_recipe()  # raises, as it holds none
    return new_specialists_folder(folder.path, asked)


def ask(
    recipe: str | Recipe | None, settings: Mapping[str, object], saved: Recipe | None, folder: SpecialistsFolder | None
) -> Recipe:
    """The recipe that is asked for: a new one, or the saved one of the job to resume, which must be the same.

    Data that have moved go by their new name, as their hash tells whether they are the same.
    """
    if saved is None:
        return asked_recipe(recipe).with_settings(settings)
    assert folder is not None
    asked, keys = asked_anew(saved, recipe, settings)
    new_place = new_place_of_data(saved, settings)
    # No labels stand for those of the data set, which the saved recipe names.
    left = {*new_place, *([] if asked.data.digits else ["data.digits"])}
    check_goes_on(folder.path, saved, asked, [key for key in keys if key not in left])
    before, now = saved.training.said_length, asked.training.said_length
    if now != before:
        raise RunError(
            f"each run in {folder.path} takes {before}, not {now}; resume them as they are, or choose another --out"
        )
    return saved.with_settings(new_place)


def with_labels(recipe: Recipe, data: DataSet) -> Recipe:
    """The recipe with the name of every label that gets a specialist, and the hash of the images.

    Raises DataError for a label without images, and for more labels than one job trains.
    """
    train, counts = data.train, data.train.counts
    names = recipe.data.digits or [name for name, count in zip(train.names, counts, strict=True) if count]
    if len(names) > MAX_SPECIALISTS:
        raise DataError(
            f"a job trains at most {MAX_SPECIALISTS} specialists, and {data.name} has {len(names):,} labels; "
            "choose some with --digits, or train one model for all"
        )
    for name in names:
        if not counts[train.label_of(name)]:
            raise DataError(f"{data.name} holds no training image of {name}; leave it out of --digits")
    return recipe.with_settings(
        {"data.digits": list(dict.fromkeys(names)), "data.sha256": recipe.data.sha256 or train.sha256}
    )


def check_same_images(
    folder: SpecialistsFolder, saved: Recipe | None, runs: Mapping[str, RunFolder], data: DataSet
) -> None:
    """Raise RunError where a job, or a run of it, began with other images than the data set holds now."""
    begun = [run.read_recipe() for run in runs.values() if run.recipe.is_file()]
    for recipe in [*begun, *([saved] if saved is not None else [])]:
        if recipe.data.sha256 not in ("", data.train.sha256):
            raise RunError(
                f"the specialists in {folder.path} learn from other images or labels than {data.name} holds now; bring "
                "the old ones back, or choose another --out"
            )


def train_runs(
    job: Job,
    runs: Mapping[str, RunFolder],
    folder: SpecialistsFolder,
    workers: int | None,
    watcher: Watcher | None,
    at_once: int | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Bring every label's run to its end; the job's recipe is kept once a worker has said what it computes with.

    notes: sentences for who watches.
    """
    tasks = [Task(name, run) for name, run in runs.items() if not run.is_finished]
    is_known = folder.recipe.is_file()

    def hear(message: Message) -> None:
        nonlocal is_known
        if isinstance(message, Ready) and not is_known:
            is_known = True
            folder.create(job.recipe.model_copy(update={"compute": message.compute}))
        if watcher is not None:
            watcher.heard(message)

    if watcher is not None:
        title = (
            f"{job.recipe.name} on {job.recipe.data.name}: a specialist for each of {', '.join(runs)}, "
            f"seed {job.recipe.training.seed}, in {folder.path}"
        )
        watcher.started(title, list(runs), [name for name, run in runs.items() if run.is_finished])
        for note in notes:
            watcher.heard(Noted(note))
    try:
        with Interruption() as interruption, Crew(work, job, crew_size(job.recipe, len(tasks), workers)) as crew:
            train_all(crew, tasks, hear, interruption, lambda compute: at_once or program_size(compute, workers))
            if interruption.asked:
                raise interruption.error(folder.path, VERB)
    finally:
        if watcher is not None:
            watcher.ended()


def crew_size(recipe: Recipe, tasks: int, workers: int | None) -> int:
    """How many processes train at once: by default so many that all cores compute, or one for an accelerator."""
    compute = recipe.compute
    if compute.device in _ACCELERATORS:
        return 1
    return min(workers or max(1, available_cores() // max(1, compute.threads)), tasks)


def program_size(compute: Compute, workers: int | None) -> int:
    """How many labels a process trains as one program: one on a CPU, which they keep busy; all on an accelerator."""
    return (workers or MAX_SPECIALISTS) if compute.device in _ACCELERATORS else 1


def finish(folder: SpecialistsFolder, runs: Mapping[int, RunFolder]) -> None:
    """Write the set of the finished runs' models, by their labels, what it measures, its sheet, and the hashes of all.

    The figures are those of the images that the set draws, labels after the training frequencies.
    """
    drop_parts(folder.path)
    cards = {label: Card.from_json(open_onnx(run.model).card) for label, run in runs.items()}
    models = {label: run.model.read_bytes() for label, run in runs.items()}
    recipe = folder.read_recipe()
    card = set_card(cards, recipe.model_dump(mode="json", exclude_none=True))
    card = replace(card, data=replace(card.data, name=recipe.data.name))  # whose place some runs knew before they moved
    write_set(folder.model, card, models)
    forge = Forge.load(folder.model)
    if forge.classifier is not None:
        # Images that were handed in may have the name of others, or have gone: the set is no worse for that.
        with suppress(DataError, ModelError):
            found = evaluate(forge, details=False)
            if found.data_sha256 == card.data.sha256:
                card = replace(card, figures=found.for_card())
                write_set(folder.model, card, models)
    write_whole(folder.final_sheet, png_bytes(model_sheet(forge)))
    folder.write_hashes()


@contextmanager
def _forgotten_unless_begun(folder: SpecialistsFolder, runs: Mapping[str, RunFolder]) -> Iterator[None]:
    """Remove the recipe of a job that fails before any run has begun, such as one that these images don't fit."""
    try:
        yield
    except InterruptionError:
        raise
    except BaseException:
        if not any(run.path.exists() for run in runs.values()):
            with suppress(OSError):
                folder.recipe.unlink(missing_ok=True)
        raise

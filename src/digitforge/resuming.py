"""What is asked of a run, above all of one that a folder holds already: it goes on as what it is, or is refused."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from digitforge.data import DataSet, catalogue, data_name
from digitforge.errors import RecipeError, RunError
from digitforge.files import at_home
from digitforge.recipe import DEFAULT_RECIPE, LENGTHS, Recipe, full_key, load_recipe, recipe_keys, recipe_names
from digitforge.runs import RunFolder, SpecialistsFolder

# What leaves a decision to us, which was taken when the run began: here it may fall out otherwise.
_LEFT_TO_US: Mapping[str, object] = {"compute.device": "auto", "compute.precision": "auto", "compute.threads": 0}


def settings_in_full(settings: Mapping[str, object] | None, data: str | Path | DataSet | None) -> dict[str, object]:
    """Settings by their full keys, the name of the data among them where data are given."""
    full = {full_key(key): value for key, value in (settings or {}).items()}
    return full if data is None else full | {"data.name": data.name if isinstance(data, DataSet) else data_name(data)}


def asked_recipe(recipe: str | Recipe | None) -> Recipe:
    """A recipe itself, or the one that a name or a path to a `.toml` file means; None: the default one.

    Raises RecipeError for what is none, and says how to train on it where it is a data set, a folder or a file.
    """
    if isinstance(recipe, Recipe):
        return recipe
    name = recipe or DEFAULT_RECIPE
    if name not in recipe_names() and not name.endswith(".toml"):
        _refuse_data(name)
    return load_recipe(name)


def saved_recipe(folder: RunFolder | SpecialistsFolder | None, resume: bool) -> Recipe | None:
    """The recipe of what is to go on in a folder, None where it is yet to begin."""
    return folder.read_recipe() if resume and folder is not None and folder.recipe.is_file() else None


def asked_anew(
    saved: Recipe, recipe: str | Recipe | None, settings: Mapping[str, object]
) -> tuple[Recipe, tuple[str, ...]]:
    """What is asked of a saved run, as a recipe, and the dotted keys in which the two must agree.

    A recipe's own name stands for the saved one, whatever was set in it, so that the keys are those of `settings`. One
    from a file, or an object, may have changed since: all keys. A length is no such key, as a run may grow, nor is the
    hash of the data, which is held against theirs.
    """
    if isinstance(recipe, Recipe) or (recipe is not None and recipe.endswith(".toml")):
        asked, keys = asked_recipe(recipe), tuple(recipe_keys())
    else:
        name = asked_recipe(recipe).name if recipe else saved.name
        asked, keys = saved.model_copy(update={"name": name}), tuple(settings)
    return asked.with_settings(settings), tuple(key for key in keys if key not in (*LENGTHS, "data.sha256"))


def new_place_of_data(saved: Recipe, settings: Mapping[str, object]) -> dict[str, object]:
    """What changes in a saved recipe whose data go by another name now; empty where nothing tells what they were."""
    if "data.name" not in settings or not saved.data.sha256:
        return {}
    return {"data.name": settings["data.name"], "data.sha256": saved.data.sha256}


def check_goes_on(folder: Path, saved: Recipe, asked: Recipe, keys: Iterable[str]) -> None:
    """Raise RunError where what a folder holds is to go on by another recipe, or has another value of a key."""
    if asked.name != saved.name:
        raise RunError(f"the run in {folder} is one of {saved.name}, not of {asked.name}; choose another --out")
    for key in keys:
        before, now = saved.setting(key), asked.setting(key)
        if now not in (before, _LEFT_TO_US.get(key, before)):
            raise RunError(
                f"the run in {folder} has {key} = {before}, not {now}; resume it as it is, or choose another --out"
            )


def _refuse_data(name: str) -> None:
    """Raise RecipeError where a word that is no recipe names a data set, a run, a folder or a file."""
    if name in [entry.name for entry in catalogue()]:
        raise RecipeError(f'"{name}" is a data set, no recipe: train on it with --data {name}')
    path, kind, way_on = at_home(name), None, f"train on it with --data {shlex.quote(name)}"
    with suppress(OSError):  # such as a name that is too long for one
        kind = "folder" if path.is_dir() else "file" if path.is_file() else None
        if RunFolder(path).recipe.is_file():
            kind, own = "run", shlex.quote(str(RunFolder(Path(name)).recipe))
            way_on = f"go on with it by --out {shlex.quote(name)} --resume, or train anew by its recipe, {own}"
    if kind is not None:
        raise RecipeError(f'there is no recipe "{name}", but a {kind} of that name: {way_on}')

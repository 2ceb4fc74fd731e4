"""What is asked of a run, above all of one that a folder holds already: it goes on as what it is, or is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from digitforge.data import DataSet, data_name
from digitforge.errors import RunError
from digitforge.recipe import LENGTHS, Recipe, full_key, load_recipe, recipe_keys
from digitforge.runs import RunFolder, SpecialistsFolder

# What leaves a decision to us, which was taken when the run began: here it may fall out otherwise.
_LEFT_TO_US: Mapping[str, object] = {"compute.device": "auto", "compute.precision": "auto", "compute.threads": 0}


def settings_in_full(settings: Mapping[str, object] | None, data: str | Path | DataSet | None) -> dict[str, object]:
    """Settings by their full keys, the name of the data among them where data are given."""
    full = {full_key(key): value for key, value in (settings or {}).items()}
    return full if data is None else full | {"data.name": data.name if isinstance(data, DataSet) else data_name(data)}


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
        asked, keys = recipe if isinstance(recipe, Recipe) else load_recipe(recipe), tuple(recipe_keys())
    else:
        name = load_recipe(recipe).name if recipe else saved.name
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

"""Resuming: what is asked of a saved run is held against it key by key, and only where it was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from digitforge.errors import RecipeError, RunError
from digitforge.recipe import Recipe, load_recipe
from digitforge.resuming import asked_anew, asked_recipe, check_goes_on
from digitforge.runs import RunFolder
from tiny_runs import tiny_recipe

SAVED = tiny_recipe()


def test_a_recipe_is_meant_by_its_name_its_file_or_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SAVED.to_toml())
    (tmp_path / "dcgan").mkdir()
    assert asked_recipe(None) == load_recipe("express")
    assert asked_recipe("dcgan") == load_recipe("dcgan")
    assert asked_recipe(str(tmp_path / "mine.toml")) == asked_recipe(SAVED) == SAVED


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("mnist-5k", '"mnist-5k" is a data set, no recipe: train on it with --data mnist-5k'),
        ("own", 'there is no recipe "own", but a folder of that name: train on it with --data own'),
        ("my own", "there is no recipe \"my own\", but a file of that name: train on it with --data 'my own'"),
        (
            "runs/mine",
            'there is no recipe "runs/mine", but a run of that name: go on with it by --out runs/mine --resume, or '
            "train anew by its recipe, runs/mine/recipe.toml",
        ),
        ("mnist", '"mnist" is a data set, no recipe: train on it with --data mnist'),
    ],
)
def test_data_in_the_place_of_a_recipe_are_told_how_to_be_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own", "mnist", "express"):
        (tmp_path / name).mkdir()
    (tmp_path / "my own").touch()
    RunFolder(Path("runs/mine")).create(SAVED)
    with pytest.raises(RecipeError) as caught:
        asked_recipe(word)
    assert str(caught.value) == said
    assert asked_recipe("express").name == "express"  # a folder of that name or not


@pytest.mark.parametrize("word", ["nothing-such", "no/such/place", "x" * 5000, "zero\0byte"])
def test_a_word_that_names_nothing_is_told_the_recipes(word: str) -> None:
    with pytest.raises(RecipeError, match=r"no recipe .*; the recipes are express"):
        asked_recipe(word)


def go_on(recipe: str | Recipe | None, settings: dict[str, object], saved: Recipe = SAVED) -> None:
    asked, keys = asked_anew(saved, recipe, settings)
    check_goes_on(Path("runs/mine"), saved, asked, keys)


def test_a_recipe_of_the_package_by_its_name_is_held_to_what_is_set_alone() -> None:
    saved = load_recipe("dcgan").with_settings({"networks.generator_width": 8})
    go_on("dcgan", {}, saved)
    go_on("dcgan", {"networks.generator_width": 8}, saved)
    with pytest.raises(RunError, match=r"^the run in runs/mine has networks\.generator_width = 8, not 9; "):
        go_on("dcgan", {"networks.generator_width": 9}, saved)
    with pytest.raises(RunError, match="is one of dcgan, not of wgan"):
        go_on("wgan", {}, saved)
    with pytest.raises(RecipeError, match="no recipe"):
        go_on("nothing-such", {}, saved)


def test_a_recipe_of_ones_own_is_held_to_as_a_whole(tmp_path: Path) -> None:
    changed = SAVED.with_settings({"generator_optimiser.rate": 0.5})
    (tmp_path / "mine.toml").write_text(changed.to_toml())
    for recipe in (changed, str(tmp_path / "mine.toml")):
        with pytest.raises(RunError, match=r"has generator_optimiser\.rate = 0\.001, not 0\.5"):
            go_on(recipe, {})
        go_on(recipe, {"generator_optimiser.rate": 1e-3})


def test_no_recipe_stands_for_the_saved_one() -> None:
    go_on(None, {})
    go_on(None, {"training.seed": 5})
    with pytest.raises(RunError, match=r"has training\.seed = 5, not 6"):
        go_on(None, {"training.seed": 6})


def test_what_was_left_to_the_machine_then_is_no_other_choice_now() -> None:
    open_words: dict[str, object] = {"compute.device": "auto", "compute.precision": "auto", "compute.threads": 0}
    go_on(SAVED.with_settings(open_words), {})
    go_on(None, open_words)
    with pytest.raises(RunError, match=r"has compute\.precision = 32, not bf16"):
        go_on(None, {"compute.precision": "bf16"})


@pytest.mark.parametrize(
    "settings", [{"training.images": 1280}, {"training.seconds": 5.0}, {"training.epochs": 2}, {"data.sha256": "ab"}]
)
def test_lengths_and_the_hash_of_the_data_are_held_elsewhere(settings: dict[str, object]) -> None:
    go_on(None, settings)
    go_on(SAVED.with_settings(settings), {})

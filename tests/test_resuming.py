"""Resuming: what is asked of a saved run is held against it key by key, and only where it was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from digitforge.errors import RecipeError, RunError
from digitforge.recipe import Recipe, load_recipe
from digitforge.resuming import asked_anew, check_goes_on
from tiny_runs import tiny_recipe

SAVED = tiny_recipe()


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

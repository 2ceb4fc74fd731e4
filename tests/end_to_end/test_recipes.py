"""Every recipe by the public command, on real digits: it trains, shows what it should, draws, moves and morphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digitforge.cli import main
from digitforge.metrics.evaluate import evaluate
from digitforge.recipe import load_recipe, recipe_names
from digitforge.runs import RunFolder

NARROW = ("networks.generator_width=4", "networks.discriminator_width=4", "compute.threads=1")
STEPS = 6  # with five critic steps to one of the generator's, so many are needed for its first
GUIDE = Path(__file__).parents[2] / "docs" / "recipes.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a cache of its own, where runs end with figures of few images."""
    path = tmp_path_factory.mktemp("recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(path / "cache"))
        patch.chdir(path)
        patch.setattr("digitforge.training.finish.evaluate", partial(evaluate, count=200))
        yield path


def few_steps(recipe: str, folder: Path) -> RunFolder:
    """A run of a few steps on mnist-5k, its networks narrow, as the command leaves it."""
    settings = load_recipe(recipe).training
    images = settings.pretrain_images + STEPS * settings.batch_size
    out = folder / Path(recipe).stem
    words = ["train", recipe, "--data", "mnist-5k", "--images", str(images), "--out", str(out)]
    for setting in (*NARROW, "record.accuracy_images=50", "record.figure_images=50"):
        words += ["--set", setting]
    assert main(words) == 0
    return RunFolder(out)


@pytest.fixture(scope="module", params=recipe_names())
def run(request: pytest.FixtureRequest, folder: Path) -> RunFolder:
    return few_steps(request.param, folder)


def test_a_recipe_trains_to_a_finished_run_with_its_pictures(run: RunFolder) -> None:
    assert run.is_finished
    assert run.samples()[0] == run.sample(0)
    for picture in (run.final_sheet, run.curves, run.evolution):
        with Image.open(picture) as image:
            assert min(image.size) > 2 * 28
    assert run.pretraining.exists() is (run.read_recipe().training.pretrain_images > 0)


def test_tensorboard_shows_losses_accuracies_penalties_speed_and_grids(run: RunFolder) -> None:
    events = EventAccumulator(str(run.tensorboard), size_guidance={"images": 0}).Reload()
    shown, objective = set(events.Tags()["scalars"]), run.read_recipe().objective
    assert {"loss/discriminator", "loss/generator", "accuracy/real_train", "accuracy/fake"} <= shown
    assert "clock/images_per_second" in shown
    assert ("loss/penalty" in shown) is bool(objective.r1 or objective.r2 or objective.gradient_penalty)
    assert len(events.Images("samples")) == len(run.samples()) > 1


def test_a_digit_can_be_had_of_every_conditional_recipe_and_digits_of_all(run: RunFolder, folder: Path) -> None:
    conditional = run.read_recipe().networks.conditional
    out = folder / f"{run.path.name}.npz"
    words = ["generate", str(run.path), "--count", "5", "--out", str(out)]
    assert main([*words, "--digit", "7"] if conditional else words) == 0
    with np.load(out) as drawn:
        assert drawn["images"].shape == (5, 28, 28)
        assert set(drawn["labels"]) == {7} if conditional else set(drawn["labels"]) <= set(range(10))


def test_what_a_recipe_drew_over_training_becomes_an_animation(run: RunFolder, folder: Path) -> None:
    out = folder / f"{run.path.name}-animation.gif"
    assert main(["animate", str(run.path), "--out", str(out)]) == 0
    with Image.open(out) as animation:
        assert animation.n_frames >= len(run.samples())


def test_two_of_a_recipes_digits_morph_into_each_other(run: RunFolder, folder: Path) -> None:
    out = folder / f"{run.path.name}-morph.gif"
    words = ["interpolate", str(run.path), "--frames", "6", "--count", "4", "--out", str(out)]
    ends = ["--from", "3", "--to", "8"] if run.read_recipe().networks.conditional else []
    assert main([*words, *ends]) == 0
    with Image.open(out) as animation:
        assert animation.n_frames > 2


def test_the_guides_example_of_a_new_recipe_is_one_file_that_trains(folder: Path) -> None:
    example = re.search(r"```toml\n(# small-dcgan.*?)```", GUIDE.read_text("utf-8"), re.S)
    assert example is not None
    path = folder / "small-dcgan.toml"
    path.write_text(example[1], "utf-8")
    run = few_steps(str(path), folder)
    assert run.is_finished
    assert run.read_recipe().name == "small-dcgan"

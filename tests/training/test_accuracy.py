"""D's accuracy: shares of hand-made logits, and what D is shown when it is asked."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from digitforge.data import Digits
from digitforge.networks.layers import BatchNorm, Dropout, Flatten, Logit
from digitforge.networks.players import Discriminator, Generator
from digitforge.recipe import Recipe, parse_recipe
from digitforge.training.accuracy import discriminator_accuracy, judged

RECIPE = """
name = "tiny"
document = "ours"
summary = "a recipe for tests"
networks = { family = "dcgan", latent_size = 4 }
objective = { loss = "non-saturating" }
generator_optimiser = { rate = 1e-3 }
discriminator_optimiser = { rate = 1e-4 }
training = { epochs = 2 }
"""


def recipe(**settings: object) -> Recipe:
    return parse_recipe(tomllib.loads(RECIPE), "tiny").with_settings(settings)


def test_an_image_is_judged_rightly_on_its_side_of_zero() -> None:
    logits = {
        "real_train": torch.tensor([1.0, 2.0, -0.1, 5.0]),
        "fake": torch.tensor([-1.0, 0.2]),
        "real_held_out": torch.tensor([-1.0, -2.0, 3.0]),
    }
    found = judged(logits, has_zero=True)
    assert (found["real_train"], found["real_train_n"]) == (0.75, 4)
    assert (found["fake"], found["fake_n"]) == (0.5, 2)
    assert (found["real_held_out"], found["real_held_out_n"]) == (pytest.approx(1 / 3), 3)


def test_without_a_zero_the_threshold_is_the_midpoint_of_means_on_a_disjoint_half() -> None:
    logits = {
        "real_train": torch.tensor([12.0, 14.0, 100.0, 9.0]),  # first half: mean 13
        "fake": torch.tensor([6.0, 8.0, 9.9, 10.1]),  # first half: mean 7, so that 10 decides
        "real_held_out": torch.tensor([10.5, 9.5, 11.0]),
    }
    found = judged(logits, has_zero=False)
    assert (found["real_train"], found["real_train_n"]) == (0.5, 2)
    assert (found["fake"], found["fake_n"]) == (0.5, 2)
    assert (found["real_held_out"], found["real_held_out_n"]) == (pytest.approx(2 / 3), 3)


@pytest.mark.parametrize(
    ("real", "fake", "separation"),
    [
        ([3.0, 4.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0], [3.0, 4.0], 0.0),
        ([1.0, 1.0, 1.0], [1.0, 1.0], 0.5),
        ([1.0, 2.0], [1.0, 0.0, 5.0], (0.5 + 1 + 0 + 1 + 1 + 0) / 6),
    ],
)
@pytest.mark.parametrize("has_zero", [False, True])
def test_separation_is_the_chance_of_a_pair_in_order_with_ties_counted_half(
    real: list[float], fake: list[float], separation: float, has_zero: bool
) -> None:
    found = judged({"real_train": torch.tensor(real), "fake": torch.tensor(fake)}, has_zero)
    assert found["separation"] == pytest.approx(separation)


class Constant(nn.Module):
    """Draws images of one brightness, whatever the latents."""

    def __init__(self, brightness: float) -> None:
        super().__init__()
        self.brightness = nn.Parameter(torch.tensor(brightness))

    def forward(self, latents: Tensor) -> Tensor:
        return self.brightness.expand(len(latents), 1, 4, 4)


def brightness_judge(*before: nn.Module) -> Discriminator:
    """A discriminator whose logit is an image's mean brightness."""
    logit = Logit(16, classes=0)
    nn.init.constant_(logit.dense.weight, 1 / 16)
    nn.init.zeros_(logit.dense.bias)
    return Discriminator(nn.Sequential(*before, Flatten()), logit)


def digits(count: int, brightness: int = 255) -> Digits:
    return Digits(np.full((count, 1, 4, 4), brightness, np.uint8), np.arange(count) % 10)


def test_each_image_is_judged_by_its_own_label() -> None:
    """Images are as bright as their label says, and D finds an image real that is on the side of its label."""
    judge = brightness_judge()
    judge.logit = Logit(16, classes=2)
    nn.init.zeros_(judge.logit.dense.weight)
    nn.init.zeros_(judge.logit.dense.bias)
    assert judge.logit.label is not None
    judge.logit.label.weight.data = torch.tensor([[-1.0], [1.0]]).expand(2, 16) / 16
    names = ("dark", "bright")

    def lit(count: int, seed: int) -> Digits:
        labels = np.random.default_rng(seed).integers(0, 2, count)
        return Digits(np.tile((255 * labels).astype(np.uint8)[:, None, None, None], (1, 1, 4, 4)), labels, names)

    told = recipe(**{"networks.conditional": True})
    players = Generator(Constant(-0.5), classes=0), judge
    found = discriminator_accuracy(players, told, lit(501, 0), lit(301, 1), images_seen=0)
    assert (found["real_train"], found["real_held_out"]) == (1, 1)
    assert found["fake"] == pytest.approx(np.mean(lit(501, 0).labels), abs=0.02)  # dark ones pass where dark is asked


def test_a_discriminator_that_knows_better_wins_on_every_kind() -> None:
    players = Generator(Constant(-0.5), classes=0), brightness_judge()
    found = discriminator_accuracy(players, recipe(), digits(30), digits(20), images_seen=0)
    assert (found["real_train"], found["real_held_out"], found["fake"], found["separation"]) == (1, 1, 1, 1)
    assert (found["real_train_n"], found["real_held_out_n"], found["fake_n"]) == (30, 20, 30)


def test_without_held_out_images_nothing_is_said_of_them() -> None:
    players = Generator(Constant(-0.5), classes=0), brightness_judge()
    found = discriminator_accuracy(players, recipe(), digits(30, brightness=0), None, images_seen=0)
    assert not any(key.startswith("real_held_out") for key in found)
    assert found["real_train"] == 0


def test_at_most_as_many_images_as_the_recipe_says_are_judged() -> None:
    players = Generator(Constant(-0.5), classes=0), brightness_judge()
    found = discriminator_accuracy(players, recipe(accuracy_images=12), digits(30), digits(20), images_seen=0)
    assert (found["real_train_n"], found["real_held_out_n"], found["fake_n"]) == (12, 12, 12)


def test_dropout_is_off() -> None:
    players = Generator(Constant(-0.5), classes=0), brightness_judge(Dropout(0.9)).train()
    found = discriminator_accuracy(players, recipe(), digits(30), None, images_seen=0)
    assert found["real_train"] == 1
    assert players[1].training


def test_normalisation_is_measured_on_the_pure_batch() -> None:
    """With its own kind's moments a constant batch becomes 0 plus the bias; the tracked ones would say otherwise."""
    norm = BatchNorm(1)
    assert norm.running_mean is not None
    norm.running_mean.fill_(1000.0)
    nn.init.constant_(norm.bias, 0.25)
    players = Generator(Constant(-0.5), classes=0), brightness_judge(norm)
    found = discriminator_accuracy(players, recipe(), digits(30), None, images_seen=0)
    assert (found["real_train"], found["fake"]) == (1, 0)
    assert float(norm.running_mean) == 1000.0


def test_fakes_are_drawn_with_the_moments_of_their_own_batch() -> None:
    """As G draws in training: its tracked moments, which would turn every image to black, have no say."""
    norm = BatchNorm(16)
    assert norm.running_mean is not None
    norm.running_mean.fill_(1000.0)
    nn.init.constant_(norm.bias, 0.5)
    draws = nn.Sequential(nn.Linear(4, 16), norm, nn.Unflatten(1, (1, 4, 4)))
    found = discriminator_accuracy((Generator(draws, classes=0), brightness_judge()), recipe(), digits(30), None, 0)
    assert found["fake"] < 0.2


@pytest.mark.parametrize("count", [249, 250, 251, 501])
def test_no_image_is_left_alone_in_a_batch(count: int) -> None:
    """A single row of features cannot be normalised."""
    seen: list[int] = []
    flat = nn.Sequential(Flatten(), BatchNorm(16))
    flat.register_forward_hook(lambda layer, inputs, output: seen.append(len(output)))
    discriminator = replace_features(brightness_judge(), flat)
    players = Generator(Constant(-0.5), classes=0), discriminator
    found = discriminator_accuracy(players, recipe(), digits(count), None, images_seen=0)
    assert found["real_train_n"] == count
    assert sum(seen) == 2 * count
    assert max(seen) <= 250
    assert min(seen) > 100


def replace_features(discriminator: Discriminator, features: nn.Module) -> Discriminator:
    discriminator.features = features
    return discriminator


def test_the_images_chosen_come_from_the_seed_and_the_images_seen() -> None:
    rng = np.random.default_rng(0)
    mixed = replace(digits(400), images=rng.integers(0, 256, (400, 1, 4, 4), dtype=np.uint8))

    def separation(seed: int, images_seen: int) -> float | int:
        players = Generator(Constant(0.0), classes=0), brightness_judge()
        settings = recipe(accuracy_images=50, seed=seed)
        return discriminator_accuracy(players, settings, mixed, None, images_seen)["separation"]

    assert separation(0, 100) == separation(0, 100)
    assert len({separation(seed, images_seen) for seed in range(3) for images_seen in (0, 100, 200)}) > 3

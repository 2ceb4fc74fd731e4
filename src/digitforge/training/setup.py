"""A run before its first step: its players, their optimisers, the sums of its ticks, the clusters that are told."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from lightning_fabric import Fabric
from torch import nn

from digitforge.errors import RecipeError
from digitforge.networks.build import build
from digitforge.networks.layers import mixes_samples
from digitforge.networks.players import Pair
from digitforge.recipe import Recipe
from digitforge.sections import Optimiser
from digitforge.training.checkpoint import State, create_moments
from digitforge.training.clusters import find_clusters
from digitforge.training.ema import Average
from digitforge.training.plan import Plan
from digitforge.training.step import Game

COUNTS = 3  # in a state's sums, how many of each term stand so far behind the terms


def new_state(plan: Plan, fabric: Fabric) -> State:
    """A run before its first step."""
    recipe = plan.recipe
    pair = build(recipe.networks, plan.train.shape, plan.classes, recipe.training.seed)
    _check_normalisation(pair, recipe)
    generator, discriminator = pair.generator.to(fabric.device), pair.discriminator.to(fabric.device)
    game = Game(
        generator=generator,
        discriminator=discriminator,
        generator_optimiser=optimiser(generator.parameters(), recipe.generator_optimiser),
        discriminator_optimiser=optimiser(discriminator.parameters(), recipe.discriminator_optimiser),
        objective=recipe.objective,
        seed=recipe.training.seed,
        critic_steps=recipe.training.critic_steps,
        generator_batches=recipe.training.generator_batches,
        autocast=fabric.autocast,
    )
    create_moments(game)
    average = Average(generator, recipe.training.ema_images) if recipe.training.ema_images else None
    return State(game, average, torch.zeros(2 * COUNTS, dtype=sums_type(fabric.device.type), device=fabric.device))


def sums_type(device_type: str) -> torch.dtype:
    """What a tick's losses are summed in: in float64, which Apple's devices lack."""
    return torch.float32 if device_type == "mps" else torch.float64


def optimiser(parameters: Iterator[nn.Parameter], settings: Optimiser) -> torch.optim.Optimizer:
    """What moves a player's weights, all of them in one pass."""
    if settings.method == "rmsprop":
        return torch.optim.RMSprop(
            parameters, lr=settings.rate, alpha=settings.beta2, eps=settings.epsilon, foreach=True
        )
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(parameters, lr=settings.rate, betas=betas, eps=settings.epsilon, fused=True)


def give_clusters(plan: Plan, state: State, fabric: Fabric) -> None:
    """Where players are told clusters, have the first process find them, and all processes tell the same ones."""
    if not plan.recipe.networks.clusters:
        return
    found = find_clusters(plan.train, plan.recipe) if fabric.is_global_zero else None
    found = fabric.broadcast(found)
    assert found is not None
    averaged = [state.average.generator] if state.average is not None else []
    found.put_into(state.game.discriminator, state.game.generator, *averaged)


def _check_normalisation(pair: Pair, recipe: Recipe) -> None:
    """Raise RecipeError where a player normalises over a batch, and the recipe asks for what that rules out."""
    if recipe.objective.gradient_penalty and mixes_samples(pair.discriminator):
        raise RecipeError(
            f"the gradient penalty asks for each image's own gradient, and the discriminator of the family "
            f'"{recipe.networks.family}" normalises over the batch; choose another family, or set '
            "objective.gradient_penalty=0"
        )
    if recipe.training.batch_size == 1 and (mixes_samples(pair.generator) or mixes_samples(pair.discriminator)):
        raise RecipeError(
            f'the family "{recipe.networks.family}" normalises over the batch, and a lone image has none beside it; '
            "set training.batch_size to 2 or more, or choose another family"
        )

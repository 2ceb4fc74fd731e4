"""Stacked runs: each is what it is alone, to rounding, and hears of no other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from digitforge.training.batches import Batches
from digitforge.training.checkpoint import named_tensors
from digitforge.training.compute import start_fabric
from digitforge.training.plan import Plan, make_plan
from digitforge.training.stacked import StackedBatches
from digitforge.training.together import Team
from digitforge.training.trainer import Trainer
from tiny_runs import tiny_data, tiny_recipe

CPU = torch.device("cpu")
DATA = tiny_data()
STEPS = 15
# Adam would blow up the rounding of gradients that are all but zero; with a large epsilon it also hears a loss's scale.
SMOOTH = {"generator_optimiser.epsilon": 0.01, "discriminator_optimiser.epsilon": 0.01}
PLAIN = {"networks.conditional": False, "objective.r1": 0.0}
CRITIC = {**PLAIN, "networks.family": "dcgan", "objective.loss": "wasserstein"}
PAIRED = {"objective.loss": "relativistic", "objective.r2": 0.1}
RMSPROP = {"generator_optimiser.method": "rmsprop", "discriminator_optimiser.method": "rmsprop"}
GAMES: dict[str, dict[str, object]] = {
    "express": {"training.update": "alternating-same-fakes", "training.batch_doublings": 1},
    "simultaneous": {},
    "dcgan": {**PLAIN, "networks.family": "dcgan"},
    "raschka": {"networks.family": "raschka", "objective.r1": 0.0, "training.update": "alternating"},
    "raschka, simultaneous": {"networks.family": "raschka", "objective.r1": 0.0},
    "r3gan": {**PAIRED, "networks.family": "r3gan", "training.update": "alternating"},
    "wgan-gp": {**CRITIC, "objective.gradient_penalty": 10.0, "objective.penalty_every": 1},
    "wgan": {**CRITIC, **RMSPROP, "objective.clip": 0.1, "training.critic_steps": 5, "training.update": "alternating"},
    "upsample": {"networks.family": "upsample", "training.pretrain_images": 64, "training.update": "alternating"},
    "clusters": {**PLAIN, "networks.clusters": 2},
    "baseline": {"networks.family": "baseline", "training.generator_batches": 2, "training.update": "alternating"},
}


def plans(settings: dict[str, object], digits: str = "375") -> list[Plan]:
    """A plan for each of some digits."""
    return [make_plan(tiny_recipe({**SMOOTH, **settings, "data.digits": digit}), DATA) for digit in digits]


def trainers(settings: dict[str, object], digits: str = "375", steps: int = 0) -> list[Trainer]:
    """A trainer for each of some digits, who have taken some steps, each alone."""
    found = [Trainer(plan, start_fabric(plan.recipe)) for plan in plans(settings, digits)]
    for trainer in found if steps else ():
        trainer.begin([])
        for _ in range(steps):
            trainer.step()
    return found


def check_equal(alone: Sequence[Trainer], together: Sequence[Trainer]) -> None:
    """Every tensor that decides how a run goes on is the same, to rounding."""
    for one, other in zip(alone, together, strict=True):
        assert one.state.step == other.state.step
        for (name, wanted), (found, tensor) in zip(named_tensors(one.state), named_tensors(other.state), strict=True):
            assert name == found
            torch.testing.assert_close(tensor, wanted, rtol=1e-3, atol=3e-6, msg=lambda text, at=name: f"{at}: {text}")


@pytest.mark.parametrize("name", GAMES)
def test_a_specialist_among_several_is_the_one_that_it_is_alone(name: str) -> None:
    alone, together = trainers(GAMES[name], steps=STEPS), trainers(GAMES[name])
    team = Team(together)
    for trainer in together:
        trainer.begin([])
    for _ in range(STEPS):
        team.step()
    check_equal(alone, together)
    first, second = (next(iter(trainer.state.game.discriminator.parameters())) for trainer in together[:2])
    assert (first - second).abs().max() > 1e-4  # they see other digits


def test_runs_that_began_alone_go_on_as_one() -> None:
    alone, together = trainers({}, steps=STEPS), trainers({}, steps=STEPS - 4)
    team = Team(together)
    for _ in range(4):
        team.step()
    check_equal(alone, together)


@pytest.mark.parametrize("name", ["simultaneous", "raschka", "r3gan", "wgan-gp"])
def test_a_specialist_that_diverges_takes_nobody_along(name: str) -> None:
    alone, together = trainers(GAMES[name], "35", steps=5), trainers(GAMES[name], "35")
    team = Team(together)
    with torch.no_grad():
        for parameter in together[0].state.game.generator.parameters():
            parameter.fill_(math.nan)
    for _ in range(5):
        team.step()
    assert together[0].state.sums.isnan().any()
    check_equal(alone[1:], together[1:])


def test_stacked_batches_are_what_each_run_sees_alone_side_by_side() -> None:
    each = plans({"training.batch_doublings": 1})
    networks, seed = each[0].recipe.networks, each[0].recipe.training.seed
    stacked = StackedBatches(each, CPU)
    runs = [Batches(plan.train, networks, plan.times, seed, CPU) for plan in each]
    for step in (0, 1, each[0].times.steps - 1):
        side_by_side = stacked.batch(step)
        for place, run in enumerate(runs):
            batch = run.batch(step)
            for part in ("images", "labels", "latents"):
                np.testing.assert_array_equal(getattr(side_by_side, part)[:, place], getattr(batch, part))
            np.testing.assert_array_equal(stacked.noise(step)[:, place], run.noise(step))
            np.testing.assert_array_equal(stacked.mixing(step)[:, place], run.mixing(step))
            latents = stacked.latents(step, "generator", 2), run.latents(step, "generator", 2)
            np.testing.assert_array_equal(latents[0][:, place], latents[1])
    repeated = side_by_side.repeated(2)
    np.testing.assert_array_equal(repeated.labels, torch.cat([side_by_side.labels] * 2))
    np.testing.assert_array_equal(repeated.images, torch.cat([side_by_side.images] * 2))

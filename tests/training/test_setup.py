"""A run before its first step: what its recipe says of optimisers, precision and average reaches what trains."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from digitforge.sections import Optimiser
from digitforge.training.compute import start_fabric
from digitforge.training.plan import make_plan
from digitforge.training.setup import optimiser
from digitforge.training.trainer import Trainer
from tiny_runs import BATCH, IMAGES, tiny_data, tiny_recipe


def trainer(settings: dict[str, object]) -> Trainer:
    """A tiny run before its first step."""
    recipe = tiny_recipe(settings)
    return Trainer(make_plan(recipe, tiny_data()), start_fabric(recipe))


def test_each_player_steps_as_its_own_settings_say_and_the_average_follows() -> None:
    """Beside it stand plain Adams with the recipe's numbers, fed the gradients that each step left behind."""
    settings = {
        "generator_optimiser.beta1": 0.5,
        "discriminator_optimiser.rate": 2e-3,
        "discriminator_optimiser.beta2": 0.9,
        "discriminator_optimiser.epsilon": 1e-3,
        "training.constant_until": 0.0,  # the rates fall from the first step on
    }
    run = trainer(settings)
    game, average = run.state.game, run.state.average
    assert average is not None
    generator, discriminator, averaged = copy.deepcopy((game.generator, game.discriminator, average.generator))
    optimisers = (
        torch.optim.Adam(generator.parameters(), betas=(0.5, 0.99), eps=tiny_recipe().generator_optimiser.epsilon),
        torch.optim.Adam(discriminator.parameters(), betas=(0.0, 0.9), eps=1e-3),
    )
    for step in range(6):
        run.step()
        for twin, player, adam, rate in zip(
            (generator, discriminator), (game.generator, game.discriminator), optimisers, (1e-3, 2e-3), strict=True
        ):
            for parameter, own in zip(twin.parameters(), player.parameters(), strict=True):
                assert own.grad is not None
                parameter.grad = own.grad.clone()
            adam.param_groups[0]["lr"] = rate * (1 - step * BATCH / IMAGES)
            adam.step()
            same_weights(twin, player)
        half_life = min(100, 0.1 * (step + 1) * BATCH)
        for mean, last in zip(averaged.parameters(), generator.parameters(), strict=True):
            mean.data.lerp_(last.data, 1 - 0.5 ** (BATCH / half_life))
        same_weights(averaged, average.generator)


def same_weights(first: nn.Module, second: nn.Module) -> None:
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_rmsprop_remembers_squares_as_beta2_says() -> None:
    """A first step is rate * g / (sqrt((1 - beta2) g^2) + epsilon), with beta2 0.96 (Hinton's lecture 6e, 2012)."""
    weight = nn.Parameter(torch.zeros(3))
    weight.grad = torch.tensor([5.0, -0.5, 2.0])
    optimiser(iter([weight]), Optimiser(method="rmsprop", rate=0.01, beta1=0.0, beta2=0.96, epsilon=0.1)).step()
    torch.testing.assert_close(weight.detach(), torch.tensor([-0.05 / 1.1, 0.005 / 0.2, -0.02 / 0.5]))


@pytest.mark.parametrize(("precision", "dtype"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_players_compute_in_the_precision_of_the_recipe(precision: str, dtype: torch.dtype) -> None:
    run = trainer({"compute.precision": precision})
    seen: list[torch.dtype] = []

    def listen(_module: nn.Module, _given: tuple[Tensor, ...], found: Tensor) -> None:
        seen.append(found.dtype)

    for player in (run.state.game.generator, run.state.game.discriminator):
        layers = [module for module in player.modules() if isinstance(module, nn.Conv2d)]
        for layer in layers:
            layer.register_forward_hook(listen)
    run.step()
    assert len(seen) > 2
    assert set(seen) == {dtype}
    assert {parameter.dtype for parameter in run.state.game.generator.parameters()} == {torch.float32}

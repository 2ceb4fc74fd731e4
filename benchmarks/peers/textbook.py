"""The documents' GANs in PyTorch as tutorials write them: eager, float32, D's step and then G's, D passed three times.

    python textbook.py dcgan | wgan-gp | raschka | baseline     # serves steps to a referee (see contest.py)

They have the layers, batches and update of digitforge's recipes, and none of its code. It needs torch alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from contest import serve
from torch import Tensor, nn


def dcgan(batch: int = 256) -> tuple[Callable[[], None], int]:
    """Document 002's DCGAN."""
    generator, discriminator = _dcgan_players()
    optimisers = torch.optim.Adam(generator.parameters(), 1e-3), torch.optim.Adam(discriminator.parameters(), 1e-4)
    real = torch.rand(batch, 1, 28, 28) * 2 - 1
    return lambda: _logit_step(generator, discriminator, optimisers, real, torch.randn(batch, 100)), batch


def wgan_gp(batch: int = 256) -> tuple[Callable[[], None], int]:
    """The same players with the Wasserstein loss and the gradient penalty, one critic step."""
    generator, critic = _dcgan_players()
    for_generator, for_critic = (
        torch.optim.Adam(generator.parameters(), 1e-3),
        torch.optim.Adam(critic.parameters(), 1e-4),
    )
    real = torch.rand(batch, 1, 28, 28) * 2 - 1

    def step() -> None:
        fakes = generator(torch.randn(batch, 100))
        for_critic.zero_grad()
        factors = torch.rand(batch, 1, 1, 1)
        mixed = (factors * real + (1 - factors) * fakes.detach()).requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
        penalty = ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
        loss = critic(fakes.detach()).mean() - critic(real).mean() + 10 * penalty
        loss.backward()
        for_critic.step()
        for_generator.zero_grad()
        (-critic(fakes).mean()).backward()
        for_generator.step()

    return step, batch


def raschka(batch: int = 64) -> tuple[Callable[[], None], int]:
    """Document 004's DCGAN: each player's turn has noise of its own."""
    generator = nn.Sequential(
        nn.Unflatten(1, (100, 1, 1)),
        nn.ConvTranspose2d(100, 128, 4, 1, 0, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 64, 3, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(32, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 3, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 4, 1, 0, bias=False),
        nn.Flatten(),
    )
    optimisers = torch.optim.Adam(generator.parameters(), 3e-4), torch.optim.Adam(discriminator.parameters(), 2e-4)
    real = torch.rand(batch, 1, 28, 28) * 2 - 1

    def step() -> None:
        with torch.no_grad():
            fakes = generator(torch.rand(batch, 100) * 2 - 1)
        _discriminator_turn(discriminator, optimisers[1], real, fakes)
        _generator_turn(discriminator, optimisers[0], generator(torch.rand(batch, 100) * 2 - 1))

    return step, batch


def baseline(batch: int = 128) -> tuple[Callable[[], None], int]:
    """Document 003's GAN: G learns from twice as many fakes as D."""
    generator = nn.Sequential(
        nn.Linear(100, 128 * 7 * 7),
        nn.LeakyReLU(0.2),
        nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 128, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 128, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 7, padding=3),
        nn.Sigmoid(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 3, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.4),
        nn.Conv2d(64, 64, 3, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.4),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1),
    )
    optimisers = [torch.optim.Adam(player.parameters(), 2e-4, (0.5, 0.999)) for player in (generator, discriminator)]
    real = torch.rand(batch, 1, 28, 28)

    def step() -> None:
        with torch.no_grad():
            fakes = generator(torch.randn(batch, 100))
        _discriminator_turn(discriminator, optimisers[1], real, fakes)
        _generator_turn(discriminator, optimisers[0], generator(torch.randn(2 * batch, 100)))

    return step, batch


def _dcgan_players() -> tuple[nn.Module, nn.Module]:
    generator = nn.Sequential(
        nn.Linear(100, 12_544, bias=False),
        nn.BatchNorm1d(12_544),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (256, 7, 7)),
        nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False),
        nn.Tanh(),
    )
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 64), (64, 128), (128, 256)):
        layers += [nn.Conv2d(inputs, outputs, 5, 2, 2), nn.LeakyReLU(0.3), nn.Dropout(0.3)]
    return generator, nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, 1))


def _logit_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimisers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    real: Tensor,
    noise: Tensor,
) -> None:
    """D learns from real and fake images, then G from D's answer to the same fakes."""
    fakes = generator(noise)
    _discriminator_turn(discriminator, optimisers[1], real, fakes.detach())
    _generator_turn(discriminator, optimisers[0], fakes)


def _discriminator_turn(
    discriminator: nn.Module, optimiser: torch.optim.Optimizer, real: Tensor, fakes: Tensor
) -> None:
    optimiser.zero_grad()
    (_bce(discriminator(real), 1) + _bce(discriminator(fakes), 0)).backward()
    optimiser.step()


def _generator_turn(discriminator: nn.Module, optimiser: torch.optim.Optimizer, fakes: Tensor) -> None:
    optimiser.zero_grad()
    _bce(discriminator(fakes), 1).backward()
    optimiser.step()


def _bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


GANS = {"dcgan": dcgan, "wgan-gp": wgan_gp, "raschka": raschka, "baseline": baseline}

if __name__ == "__main__":
    torch.manual_seed(0)
    serve(*GANS[sys.argv[1]]())

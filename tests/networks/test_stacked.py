"""Stacked networks: each draws and judges as it does alone, whatever its family."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from digitforge.networks.build import FAMILIES, build
from digitforge.networks.layers import seed_dropout
from digitforge.networks.players import Pair
from digitforge.networks.stacked import parts, stacked, stacked_discriminator, stacked_generator
from digitforge.sections import Networks

COUNT, ROWS, CLASSES, SHAPE = 3, 5, 4, (3, 8, 8)


def pairs(family: str, conditional: bool) -> list[Pair]:
    """Pairs of one family with different weights."""
    networks = Networks(
        family=family,
        conditional=conditional,
        latent_size=6,
        generator_width=4,
        discriminator_width=4,
        dropout=0.3,
    )
    found = [build(networks, SHAPE, CLASSES, seed) for seed in range(COUNT)]
    for pair in found:  # some begin with zeros, which would hide what they are multiplied by
        for player in (pair.generator, pair.discriminator):
            with torch.no_grad():
                for parameter in player.parameters():
                    parameter += 0.1 * torch.randn_like(parameter)
    return found


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_stacked_players_draw_and_judge_as_each_does_alone(family: str, is_training: bool, conditional: bool) -> None:
    torch.manual_seed(0)
    each = pairs(family, conditional)
    generator = stacked_generator([pair.generator for pair in each]).train(is_training)
    discriminator = stacked_discriminator([pair.discriminator for pair in each]).train(is_training)
    latents, labels = torch.randn(ROWS, COUNT, 6), torch.randint(CLASSES, (ROWS, COUNT))
    images = torch.randn(ROWS, COUNT, *SHAPE)
    seed_dropout(discriminator, seed=1, step=2, rows=ROWS)
    drawn, judged = generator(latents, labels), discriminator(images, labels)
    for place, pair in enumerate(each):
        seed_dropout(pair.discriminator, seed=1, step=2, rows=ROWS)
        alone = pair.generator.train(is_training)(latents[:, place], labels[:, place])
        torch.testing.assert_close(drawn[:, place], alone, rtol=1e-4, atol=1e-5)
        logits = pair.discriminator.train(is_training)(images[:, place], labels[:, place])
        torch.testing.assert_close(judged[:, place], logits, rtol=1e-4, atol=1e-5)
    for whole, *own in zip(
        generator.state_dict().values(), *(pair.generator.state_dict().values() for pair in each), strict=True
    ):  # also the statistics that a pass in training mode has moved
        for part, value in zip(parts(whole, COUNT), own, strict=True):
            torch.testing.assert_close(part, value, rtol=1e-4, atol=1e-5)


def test_stacked_players_compute_in_bf16_as_each_does_alone() -> None:
    each = pairs("dcgan", conditional=False)
    images = torch.randn(ROWS, COUNT, *SHAPE)
    discriminator = stacked_discriminator([pair.discriminator for pair in each])
    seed_dropout(discriminator, seed=1, step=2, rows=ROWS)
    with torch.autocast("cpu", torch.bfloat16):
        judged = discriminator(images)
        for place, pair in enumerate(each):
            seed_dropout(pair.discriminator, seed=1, step=2, rows=ROWS)
            torch.testing.assert_close(judged[:, place], pair.discriminator(images[:, place]), rtol=0.1, atol=0.05)


def test_a_layer_that_nobody_has_thought_of_is_refused() -> None:
    with pytest.raises(TypeError, match="nobody has said how GroupNorm layers are stacked"):
        stacked([nn.Sequential(nn.GroupNorm(1, 2)), nn.Sequential(nn.GroupNorm(1, 2))])

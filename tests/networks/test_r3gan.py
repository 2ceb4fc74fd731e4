"""R3GAN: no normalisation, blocks that start as the identity, resampling, and a second derivative of everything."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from digitforge.networks.layers import BatchNorm
from digitforge.networks.players import Pair
from digitforge.networks.r3gan import Residual
from network_checks import COLOUR, GREY, layers, make, maps_after, stir, trainable

TINY = (1, 8, 8)


def as_recommended(**settings: object) -> Pair:
    return make("r3gan", **{"generator_width": 32, "discriminator_width": 32, "latent_size": 64, **settings})


def block_weights(channels: int) -> int:
    inner = channels // 2
    return 2 * channels * inner + inner + 9 * inner * inner + inner


BLOCKS = 2 * block_weights(128) + block_weights(64) + block_weights(32)
TRANSITIONS = 128 * 64 + 64 * 32


@pytest.mark.parametrize(("conditional", "labels"), [(False, 0), (True, 10)])
def test_parameter_counts(conditional: bool, labels: int) -> None:
    pair = as_recommended(conditional=conditional)
    assert trainable(pair.generator) == (64 + labels + 1) * 128 * 49 + BLOCKS + TRANSITIONS + 33
    assert trainable(pair.discriminator) == 64 + BLOCKS + TRANSITIONS + (128 * 49 + 1) * 64 + 65 + labels * 64


@pytest.mark.parametrize(("shape", "sides"), [(GREY, (7, 14, 28)), (COLOUR, (8, 16, 32))])
def test_two_blocks_work_at_a_quarter_of_the_sides_and_one_each_at_a_half_and_the_whole(
    shape: tuple[int, int, int], sides: tuple[int, int, int]
) -> None:
    pair = make("r3gan", shape)
    quarter, half, whole = ((channels, side, side) for channels, side in zip((16, 8, 4), sides, strict=True))
    assert maps_after(pair.generator, torch.randn(1, 7), Residual) == [quarter, quarter, half, whole]
    assert maps_after(pair.discriminator, torch.randn(1, *shape), Residual) == [whole, half, quarter, quarter]


def test_nothing_is_normalised() -> None:
    pair = as_recommended()
    assert layers(pair.generator, BatchNorm) + layers(pair.discriminator, BatchNorm) == []


def test_a_block_starts_as_the_identity_and_learns_to_add() -> None:
    for player in (make("r3gan").generator, make("r3gan").discriminator):
        for block in layers(player, Residual):
            maps = torch.randn(2, block.branch[0].in_channels, 5, 5)
            assert torch.equal(block(maps), maps)
        stir(player)
        for block in layers(player, Residual):
            maps = torch.randn(2, block.branch[0].in_channels, 5, 5)
            torch.testing.assert_close(block(maps) - maps, block.branch(maps), atol=1e-5, rtol=1e-4)
            assert not torch.equal(block(maps), maps)


def test_the_convolutions_of_a_block_start_as_fixup_has_them_and_the_others_keep_a_signals_size() -> None:
    slope = 0.2
    pair = as_recommended(leaky_slope=slope)
    fixup = math.sqrt(2 / (1 + slope**2)) * 4 ** (-1 / 4)  # four blocks of three convolutions
    gains = ((0, fixup), (2, fixup), (5, 0.0))
    for player in (pair.generator, pair.discriminator):
        inside = {block.branch[index]: gain for block in layers(player, Residual) for index, gain in gains}
        for layer in layers(player, nn.Conv2d, nn.Linear):
            weight = layer.weight.detach()
            expected = inside.get(layer, 1.0) / math.sqrt(weight[0].numel())
            enough = 4 / math.sqrt(2 * weight.numel())  # four standard errors of a standard deviation
            assert float(weight.square().mean().sqrt()) == pytest.approx(expected, rel=enough)
            assert layer.bias is None or not layer.bias.any()


def test_a_blocks_last_convolution_has_no_bias() -> None:
    for player in (make("r3gan").generator, make("r3gan").discriminator):
        for block in layers(player, Residual):
            biased = [layer.bias is not None for layer in layers(block, nn.Conv2d)]
            assert biased == [True, True, False]


def test_resampling_is_bilinear_both_ways() -> None:
    pair = make("r3gan")
    row = torch.tensor([0.0, 4.0, 8.0])
    image = row.expand(1, 1, 3, 3)
    for up in layers(pair.generator, nn.Upsample):
        torch.testing.assert_close(up(image)[0, 0, 2], torch.tensor([0.0, 1.0, 3.0, 5.0, 7.0, 8.0]))
        torch.testing.assert_close(up(image.mT)[0, 0, :, 2], torch.tensor([0.0, 1.0, 3.0, 5.0, 7.0, 8.0]))
    maps = torch.randn(1, 2, 6, 8)
    expected = nn.functional.interpolate(maps, scale_factor=0.5, mode="bilinear")
    for down in layers(pair.discriminator, nn.AvgPool2d):
        torch.testing.assert_close(down(maps), expected)
    assert len(layers(pair.generator, nn.Upsample)) == len(layers(pair.discriminator, nn.AvgPool2d)) == 2


def test_the_gradient_penalty_on_the_discriminator_has_the_gradient_that_differences_find() -> None:
    torch.manual_seed(0)
    discriminator = make("r3gan", TINY, conditional=True).discriminator.double()
    images, labels = torch.rand(3, *TINY, dtype=torch.double, requires_grad=True), torch.arange(3)

    def penalty() -> Tensor:
        (gradient,) = torch.autograd.grad(discriminator(images, labels).sum(), images, create_graph=True)
        return gradient.square().sum()

    assert_differences_agree(discriminator, penalty)


def test_the_generator_can_be_differentiated_twice_too() -> None:
    torch.manual_seed(0)
    generator = make("r3gan", TINY, conditional=True).generator.double()
    latents, labels = torch.randn(3, 7, dtype=torch.double, requires_grad=True), torch.arange(3)

    def penalty() -> Tensor:
        drawn = generator(latents, labels).square().sum()
        (gradient,) = torch.autograd.grad(drawn, latents, create_graph=True)
        return gradient.square().sum()

    assert_differences_agree(generator, penalty)


def assert_differences_agree(player: nn.Module, penalty: Callable[[], Tensor], step: float = 1e-7) -> None:
    """That the penalty's gradient by each weight, in one direction, is the central difference along it.

    The step is so short because a leaky ReLU must not cross its kink on the way.
    """
    stir(player)
    for parameter in player.parameters():
        before = parameter.detach().clone()
        direction = torch.randn_like(before)
        (gradient,) = torch.autograd.grad(penalty(), parameter, allow_unused=True)
        slope = 0.0 if gradient is None else float((gradient * direction).sum())
        sides = []
        for sign in (1, -1):
            parameter.data.copy_(before + sign * step * direction)
            sides.append(float(penalty().detach()))
        parameter.data.copy_(before)
        assert slope == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-4, abs=1e-4)

"""Raschka: the counts, the maps, the padding, the norms and the first weights of document 004's PyTorch code."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from digitforge.networks.layers import BatchNorm, Dropout
from digitforge.networks.players import Pair
from network_checks import (
    COLOUR,
    GREY,
    Shape,
    assert_strided,
    assert_transposed,
    assert_uniform,
    layers,
    make,
    maps_after,
    trainable,
)


def as_described(shape: Shape = GREY, **settings: object) -> Pair:
    widths = {"generator_width": 32, "discriminator_width": 32, "latent_size": 100}
    return make("raschka", shape, **widths, **settings)


@pytest.mark.parametrize(
    ("shape", "generator", "discriminator"),
    [
        (GREY, 312_256, 109_440),
        # 4x4 doubles to 8x8 with a kernel of 4 instead of 3; three planes come out and go in.
        (COLOUR, 312_256 + (16 - 9) * 128 * 64 + 2 * 16 * 32, 109_440 + 2 * 16 * 32),
    ],
)
def test_parameter_counts_are_the_documents(shape: Shape, generator: int, discriminator: int) -> None:
    pair = as_described(shape)
    assert (trainable(pair.generator), trainable(pair.discriminator)) == (generator, discriminator)


def test_told_the_label_the_generator_has_ten_more_inputs_and_the_discriminator_ten_directions() -> None:
    pair = as_described(conditional=True)
    assert trainable(pair.generator) == 312_256 + 10 * 128 * 4 * 4
    assert trainable(pair.discriminator) == 109_440 + 10 * 128 * 4 * 4


@pytest.mark.parametrize(
    ("shape", "grown", "shrunk"),
    [
        (GREY, [(4, 4), (7, 7), (14, 14), (28, 28)], [(14, 14), (7, 7), (4, 4)]),
        (COLOUR, [(4, 4), (8, 8), (16, 16), (32, 32)], [(16, 16), (8, 8), (4, 4)]),
        ((1, 28, 32), [(4, 4), (7, 8), (14, 16), (28, 32)], [(14, 16), (7, 8), (4, 4)]),
        ((1, 4, 20), [(1, 3), (1, 5), (2, 10), (4, 20)], [(2, 10), (1, 5), (1, 3)]),
    ],
)
def test_every_stage_has_the_documents_side_or_its_like(
    shape: Shape, grown: list[tuple[int, int]], shrunk: list[tuple[int, int]]
) -> None:
    pair = make("raschka", shape)
    up = maps_after(pair.generator, torch.randn(2, 7), nn.ConvTranspose2d)
    down = maps_after(pair.discriminator, torch.randn(2, *shape), nn.Conv2d)
    assert up == [(channels, *sides) for channels, sides in zip((16, 8, 4, shape[0]), grown, strict=True)]
    assert down == [(channels, *sides) for channels, sides in zip((4, 8, 16), shrunk, strict=True)]


@pytest.mark.parametrize(("shape", "quarter", "kernel"), [(GREY, 7, 3), (COLOUR, 8, 4)])
def test_the_generator_stamps_its_kernels_one_before_the_edge_save_the_first(
    shape: Shape, quarter: int, kernel: int
) -> None:
    first, second, *others = layers(make("raschka", shape).generator, nn.ConvTranspose2d)
    assert (first.kernel_size, first.stride) == ((4, 4), (1, 1))
    assert_transposed(first, 1, before=0, after=0)
    assert (second.kernel_size, second.stride) == ((kernel, kernel), (2, 2))
    assert_transposed(second, 4, before=1, after=1)
    for layer, side in zip(others, (quarter, 2 * quarter), strict=True):
        assert (layer.kernel_size, layer.stride) == ((4, 4), (2, 2))
        assert_transposed(layer, side, before=1, after=1)


def test_the_discriminators_kernels_of_4_4_and_3_stride_with_one_zero_on_each_side() -> None:
    convolutions = layers(make("raschka").discriminator, nn.Conv2d)
    for layer, kernel, side in zip(convolutions, (4, 4, 3), (28, 14, 7), strict=True):
        assert (layer.kernel_size, layer.stride) == ((kernel, kernel), (2, 2))
        assert_strided(layer, side, before=1, after=1)


def test_the_logit_is_the_documents_last_convolution_over_the_whole_map() -> None:
    logit = as_described().discriminator.logit
    maps = torch.randn(3, 128, 4, 4)
    kernel = logit.dense.weight.view(4, 4, 128).permute(2, 0, 1)[None]
    flat = maps.permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(logit(flat, None), F.conv2d(maps, kernel).flatten())


def test_first_weights_are_pytorchs_own_and_there_are_no_biases() -> None:
    pair = as_described()
    for player in (pair.generator, pair.discriminator):
        for layer in layers(player, nn.Linear, nn.Conv2d, nn.ConvTranspose2d):
            assert layer.bias is None
            assert_uniform(layer.weight, 1 / math.sqrt(layer.weight[0].numel()))


def test_a_dense_logit_starts_within_the_bound_of_the_convolution_that_it_stands_for() -> None:
    convolution = nn.Conv2d(128, 1, 4, bias=False)
    bound = 1 / math.sqrt(128 * 4 * 4)
    assert_uniform(convolution.weight, bound)
    assert_uniform(as_described().discriminator.logit.dense.weight, bound)


def test_norms_stand_between_all_but_the_outer_layers_with_pytorchs_settings() -> None:
    pair = as_described()
    generator = [type(layer) for layer in pair.generator.layers]
    assert generator[1:] == [nn.ConvTranspose2d, BatchNorm, nn.LeakyReLU] * 3 + [nn.ConvTranspose2d, nn.Tanh]
    judge = [type(layer) for layer in pair.discriminator.features]
    assert judge[:3] == [nn.Conv2d, nn.LeakyReLU, Dropout]
    assert judge[3:-1] == [nn.Conv2d, BatchNorm, nn.LeakyReLU, Dropout] * 2
    for player in (pair.generator, pair.discriminator):
        for norm in layers(player, BatchNorm):
            assert (norm.eps, norm.momentum) == (1e-5, 0.1)
            assert norm.weight.eq(1).all()
            assert not norm.bias.any()

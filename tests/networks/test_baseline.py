"""Baseline: the counts, the maps, the padding and the first weights of document 003's GAN."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from digitforge.networks.layers import BatchNorm, Dropout, Flatten, SameConv
from digitforge.networks.players import Pair
from network_checks import (
    COLOUR,
    GREY,
    Shape,
    assert_keras_weights,
    assert_strided,
    assert_transposed,
    layers,
    make,
    maps_after,
    trainable,
)


def as_described(shape: Shape = GREY, **settings: object) -> Pair:
    widths = {"generator_width": 128, "discriminator_width": 64, "latent_size": 100}
    return make("baseline", shape, **widths, **settings)


@pytest.mark.parametrize(
    ("shape", "generator", "discriminator"),
    [
        (GREY, 1_164_289, 40_705),
        # Three input planes, three output planes and 64 instead of 49 places in the smallest maps.
        (COLOUR, 1_164_289 + 101 * 15 * 128 + 2 * (49 * 128 + 1), 40_705 + 2 * 9 * 64 + 15 * 64),
    ],
)
def test_parameter_counts_are_the_documents(shape: Shape, generator: int, discriminator: int) -> None:
    pair = as_described(shape)
    assert (trainable(pair.generator), trainable(pair.discriminator)) == (generator, discriminator)


def test_told_the_label_the_generator_has_ten_more_inputs_and_the_discriminator_ten_directions() -> None:
    pair = as_described(conditional=True)
    assert trainable(pair.generator) == 1_164_289 + 10 * 7 * 7 * 128
    assert trainable(pair.discriminator) == 40_705 + 10 * 7 * 7 * 64


def test_the_generator_doubles_7_twice_and_the_discriminator_halves_28_twice() -> None:
    pair = as_described()
    grown = maps_after(pair.generator, torch.randn(1, 100), nn.ConvTranspose2d, nn.Conv2d)
    assert grown == [(128, 14, 14), (128, 28, 28), (1, 28, 28)]
    assert maps_after(pair.discriminator, torch.randn(1, *GREY), nn.Conv2d) == [(64, 14, 14), (64, 7, 7)]


def test_the_discriminators_kernels_of_3_pad_after_alone() -> None:
    for layer, side in zip(layers(make("baseline").discriminator, nn.Conv2d), (28, 14), strict=True):
        assert (layer.kernel_size, layer.stride) == ((3, 3), (2, 2))
        assert_strided(layer, side, before=0, after=1)


def test_the_generators_kernels_of_4_crop_one_on_each_side_and_the_last_of_7_pads_three() -> None:
    generator = make("baseline").generator
    for layer, side in zip(layers(generator, nn.ConvTranspose2d), (7, 14), strict=True):
        assert (layer.kernel_size, layer.stride) == ((4, 4), (2, 2))
        assert_transposed(layer, side, before=1, after=1)
    (last,) = layers(generator, nn.Conv2d)
    assert (last.kernel_size, last.stride) == ((7, 7), (1, 1))
    assert_strided(last, 28, before=3, after=3)


def test_first_weights_are_glorot_uniform_and_biases_zero() -> None:
    pair = as_described()
    for player in (pair.generator, pair.discriminator):
        assert_keras_weights(player)


def test_nothing_is_normalised_and_every_strided_convolution_drops_out() -> None:
    pair = make("baseline")
    assert layers(pair.generator, BatchNorm) + layers(pair.discriminator, BatchNorm) == []
    assert [type(layer) for layer in pair.discriminator.features] == [SameConv, nn.LeakyReLU, Dropout] * 2 + [Flatten]

"""Upsample: the counts, the maps, the padding and the first weights that we gave document 001's words."""

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
    layers,
    make,
    maps_after,
    trainable,
)


def as_described(shape: Shape = GREY, **settings: object) -> Pair:
    widths = {"generator_width": 256, "discriminator_width": 64, "latent_size": 100}
    return make("upsample", shape, **widths, **settings)


# Written out: weights and biases of the dense layer and of two convolutions; of two convolutions and of the logit.
@pytest.mark.parametrize(
    ("shape", "generator", "discriminator"),
    [
        (GREY, 101 * 12_544 + (25 * 256 + 1) * 128 + (25 * 128 + 1), 26 * 64 + (25 * 64 + 1) * 128 + 49 * 128 + 1),
        (COLOUR, 101 * 16_384 + (25 * 256 + 1) * 128 + 3 * (25 * 128 + 1), 76 * 64 + 1601 * 128 + 64 * 128 + 1),
    ],
)
def test_parameter_counts(shape: Shape, generator: int, discriminator: int) -> None:
    pair = as_described(shape)
    assert (trainable(pair.generator), trainable(pair.discriminator)) == (generator, discriminator)


def test_told_the_label_the_generator_has_ten_more_inputs_and_the_discriminator_ten_directions() -> None:
    told, untold = as_described(conditional=True), as_described()
    assert trainable(told.generator) - trainable(untold.generator) == 10 * 12_544
    assert trainable(told.discriminator) - trainable(untold.discriminator) == 10 * 7 * 7 * 128


def test_the_dense_layer_is_256_images_of_7x7_which_are_upsampled_and_convolved_twice() -> None:
    generator = as_described().generator
    shapes = maps_after(generator, torch.randn(1, 100), nn.Linear, nn.Upsample, nn.Conv2d)
    assert shapes == [(12_544,), (256, 14, 14), (128, 14, 14), (128, 28, 28), (1, 28, 28)]


def test_the_discriminator_halves_28_twice() -> None:
    assert maps_after(as_described().discriminator, torch.randn(1, *GREY), nn.Conv2d) == [(64, 14, 14), (128, 7, 7)]


def test_upsampling_repeats_every_pixel_in_a_square_of_four() -> None:
    first, second = layers(make("upsample").generator, nn.Upsample)
    image = torch.randn(2, 3, 4, 5)
    expected = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(first(image), expected)
    assert torch.equal(second(image), expected)


def test_kernels_of_5_pad_two_on_each_side_and_where_they_stride_one_before_and_two_after() -> None:
    pair = make("upsample")
    for layer, side in zip(layers(pair.generator, nn.Conv2d), (14, 28), strict=True):
        assert (layer.kernel_size, layer.stride) == ((5, 5), (1, 1))
        assert_strided(layer, side, before=2, after=2)
    for layer, side in zip(layers(pair.discriminator, nn.Conv2d), (28, 14), strict=True):
        assert (layer.kernel_size, layer.stride) == ((5, 5), (2, 2))
        assert_strided(layer, side, before=1, after=2)


def test_first_weights_are_glorot_uniform_and_biases_zero() -> None:
    pair = as_described()
    for player in (pair.generator, pair.discriminator):
        assert_keras_weights(player)


def test_nothing_is_normalised_and_every_strided_convolution_drops_out() -> None:
    pair = make("upsample")
    assert layers(pair.generator, BatchNorm) + layers(pair.discriminator, BatchNorm) == []
    assert [type(layer) for layer in pair.discriminator.features] == [SameConv, nn.LeakyReLU, Dropout] * 2 + [Flatten]

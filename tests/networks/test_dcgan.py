"""DCGAN: the counts, the padding and the first weights that document 002's Keras code has."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from digitforge.errors import RecipeError
from digitforge.networks.build import build
from digitforge.networks.layers import BatchNorm, SameConv, SameConvTranspose
from digitforge.networks.players import Pair
from digitforge.sections import Networks
from network_checks import COLOUR, GREY, assert_strided, assert_transposed, make, trainable


def dcgan(shape: tuple[int, int, int] = GREY, seed: int = 0, **settings: object) -> Pair:
    return build(Networks(family="dcgan", **settings), shape, classes=10, seed=seed)


@pytest.mark.parametrize(
    ("shape", "generator", "discriminator"), [(GREY, 2_305_472, 1_030_145), (COLOUR, 2_700_352, 1_033_345)]
)
def test_parameter_counts_are_the_documents(shape: tuple[int, int, int], generator: int, discriminator: int) -> None:
    pair = dcgan(shape)
    assert (trainable(pair.generator), trainable(pair.discriminator)) == (generator, discriminator)


def test_told_the_label_the_generator_has_ten_more_inputs_and_the_discriminator_ten_directions() -> None:
    pair = dcgan(conditional=True)
    assert trainable(pair.generator) == 2_305_472 + 10 * 12_544
    assert trainable(pair.discriminator) == 1_030_145 + 10 * 4 * 4 * 256


@pytest.mark.parametrize(
    ("kernel", "size", "before", "after"),
    [(5, 28, 1, 2), (5, 14, 1, 2), (5, 7, 2, 2), (5, 32, 1, 2), (3, 28, 0, 1), (3, 14, 0, 1), (3, 7, 1, 1)],
)
def test_a_strided_convolution_pads_as_keras_does(kernel: int, size: int, before: int, after: int) -> None:
    assert_strided(SameConv(2, 3, kernel, stride=2, bias=False), size, before, after)


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "before", "after"),
    [(5, 2, 7, 1, 2), (5, 2, 14, 1, 2), (4, 2, 7, 1, 1), (4, 2, 14, 1, 1), (5, 1, 7, 2, 2), (3, 2, 7, 0, 1)],
)
def test_a_transposed_convolution_crops_as_keras_does(
    kernel: int, stride: int, size: int, before: int, after: int
) -> None:
    assert_transposed(SameConvTranspose(2, 3, kernel, stride, bias=False), size, before, after)


def test_the_discriminators_three_convolutions_halve_28_14_and_7_with_kernels_of_5() -> None:
    layers = [layer for layer in make("dcgan").discriminator.modules() if isinstance(layer, nn.Conv2d)]
    for layer, (size, before, after) in zip(layers, [(28, 1, 2), (14, 1, 2), (7, 2, 2)], strict=True):
        assert layer.kernel_size == (5, 5)
        assert_strided(layer, size, before, after)


def test_the_generators_three_convolutions_keep_7_then_double_it_twice_with_kernels_of_5() -> None:
    layers = [layer for layer in make("dcgan").generator.modules() if isinstance(layer, nn.ConvTranspose2d)]
    for layer, (size, stride, before, after) in zip(layers, [(7, 1, 2, 2), (7, 2, 1, 2), (14, 2, 1, 2)], strict=True):
        assert (layer.kernel_size, layer.stride) == ((5, 5), (stride, stride))
        assert_transposed(layer, size, before, after)


def test_first_weights_are_glorot_uniform_and_biases_zero() -> None:
    pair = dcgan()
    layers = [
        layer
        for player in (pair.generator, pair.discriminator)
        for layer in player.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert len(layers) == 8
    for layer in layers:
        weight = layer.weight.detach()
        area = weight[0, 0].numel()
        limit = math.sqrt(6 / ((weight.shape[0] + weight.shape[1]) * area))
        assert 0.98 * limit < weight.abs().max() <= limit * (1 + 1e-6)
        assert float(weight.std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)
        assert layer.bias is None or not layer.bias.any()


def test_the_generators_norms_have_keras_epsilon_and_momentum() -> None:
    norms = [layer for layer in make("dcgan").generator.modules() if isinstance(layer, BatchNorm)]
    assert len(norms) == 3
    for norm in norms:
        flat = torch.full((4, norm.num_features), 2.0)
        flat[:2] = 0
        shown = norm(flat).detach()
        assert float(shown.abs().max()) == pytest.approx(1 / math.sqrt(1 + 1e-3), rel=1e-5)
        torch.testing.assert_close(norm.running_mean, torch.full_like(norm.running_mean, 0.01))


def test_the_slope_and_the_dropout_are_the_recipes() -> None:
    discriminator = make("dcgan", leaky_slope=0.3, dropout=0.25).discriminator
    slopes = {layer.negative_slope for layer in discriminator.modules() if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.3}
    assert sum(getattr(layer, "threshold", None) == 64 for layer in discriminator.modules()) == 3


def test_one_seed_gives_one_pair_whatever_torchs_own_state() -> None:
    torch.manual_seed(1)
    first = make("dcgan", seed=3).generator.state_dict()
    torch.manual_seed(2)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    second, other = make("dcgan", seed=3).generator.state_dict(), make("dcgan", seed=4).generator.state_dict()
    assert torch.equal(torch.rand(1), drawn)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_an_unknown_family_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match='did you mean "dcgan"'):
        build(Networks(family="dgcan"), GREY, classes=10, seed=0)

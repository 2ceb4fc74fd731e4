"""DCGAN: the counts, the padding and the first weights that document 002's Keras code has."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from digitforge.errors import RecipeError
from digitforge.networks.build import build
from digitforge.networks.layers import BatchNorm, SameConv, SameConvTranspose
from digitforge.networks.players import Pair
from digitforge.sections import Networks

GREY = (1, 28, 28)
COLOUR = (3, 32, 32)


def dcgan(shape: tuple[int, int, int] = GREY, seed: int = 0, **settings: object) -> Pair:
    return build(Networks(family="dcgan", **settings), shape, classes=10, seed=seed)


def narrow(shape: tuple[int, int, int] = GREY, **settings: object) -> Pair:
    return dcgan(shape, **{"generator_width": 2, "discriminator_width": 2, **settings})


def trainable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


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


@pytest.mark.parametrize("shape", [GREY, COLOUR, (1, 8, 12)])
@pytest.mark.parametrize("conditional", [False, True])
def test_latents_become_images_and_images_logits(shape: tuple[int, int, int], conditional: bool) -> None:
    pair = narrow(shape, conditional=conditional, latent_size=7)
    labels = torch.arange(5)
    images = pair.generator(torch.randn(5, 7), labels)
    assert images.shape == (5, *shape)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert pair.discriminator(images, labels).shape == (5,)


@pytest.mark.parametrize(("pixels", "low"), [("signed", -1), ("unit", 0)])
def test_pixels_fill_the_range_that_the_recipe_names(pixels: str, low: int) -> None:
    generator = narrow(pixels=pixels).generator
    with torch.no_grad():
        for parameter in generator.layers[-2].parameters():
            parameter *= 1000
        images = generator(torch.randn(32, 100))
    assert images.min() == pytest.approx(low, abs=0.01)
    assert images.max() == pytest.approx(1, abs=0.01)


def test_only_conditional_networks_hear_the_label() -> None:
    latents, ones, twos = torch.randn(2, 100), torch.tensor([1, 1]), torch.tensor([2, 2])
    images = torch.randn(2, *GREY)
    for conditional in (False, True):
        pair = narrow(conditional=conditional)
        for player, input in ((pair.generator.eval(), latents), (pair.discriminator, images)):
            assert torch.equal(player(input, ones), player(input, twos)) is not conditional


def strided_response(kernel: np.ndarray, size: int, stride: int, before: int, at: tuple[int, int]) -> np.ndarray:
    """What a strided convolution makes of one lit pixel: output i reads input i * stride - before + k."""
    out = np.zeros((math.ceil(size / stride),) * 2)
    for i, j in np.ndindex(*out.shape):
        row, column = at[0] + before - i * stride, at[1] + before - j * stride
        if 0 <= row < len(kernel) and 0 <= column < len(kernel):
            out[i, j] = kernel[row, column]
    return out


def transposed_response(kernel: np.ndarray, size: int, stride: int, before: int, at: tuple[int, int]) -> np.ndarray:
    """What a transposed convolution makes of one lit pixel: it stamps its kernel at stride * i - before."""
    out = np.zeros((size * stride,) * 2)
    for row, column in np.ndindex(*kernel.shape):
        i, j = at[0] * stride + row - before, at[1] * stride + column - before
        if 0 <= i < len(out) and 0 <= j < len(out):
            out[i, j] = kernel[row, column]
    return out


def lit(channels: int, size: int, at: tuple[int, int]) -> Tensor:
    image = torch.zeros(1, channels, size, size)
    image[0, 0, at[0], at[1]] = 1
    return image


def places(size: int) -> list[tuple[int, int]]:
    """The corners, their neighbours and the middle, where paddings show."""
    edge = sorted({0, 1, size // 2, size - 2, size - 1})
    return [(row, column) for row in edge for column in edge]


def assert_strided(layer: nn.Conv2d, size: int, before: int, after: int) -> None:
    kernel = layer.weight[0, 0].detach().double().numpy()
    stride = layer.stride[0]
    assert (math.ceil(size / stride) - 1) * stride + len(kernel) == size + before + after
    for at in places(size):
        with torch.no_grad():
            found = layer(lit(layer.in_channels, size, at))[0, 0].numpy()
        np.testing.assert_allclose(found, strided_response(kernel, size, stride, before, at), atol=1e-6)


def assert_transposed(layer: nn.ConvTranspose2d, size: int, before: int, after: int) -> None:
    kernel = layer.weight[0, 0].detach().double().numpy()
    stride = layer.stride[0]
    assert (size - 1) * stride + len(kernel) == size * stride + before + after
    for at in places(size):
        with torch.no_grad():
            found = layer(lit(layer.in_channels, size, at))[0, 0].numpy()
        np.testing.assert_allclose(found, transposed_response(kernel, size, stride, before, at), atol=1e-6)


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
    layers = [layer for layer in narrow().discriminator.modules() if isinstance(layer, nn.Conv2d)]
    for layer, (size, before, after) in zip(layers, [(28, 1, 2), (14, 1, 2), (7, 2, 2)], strict=True):
        assert layer.kernel_size == (5, 5)
        assert_strided(layer, size, before, after)


def test_the_generators_three_convolutions_keep_7_then_double_it_twice_with_kernels_of_5() -> None:
    layers = [layer for layer in narrow().generator.modules() if isinstance(layer, nn.ConvTranspose2d)]
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
    norms = [layer for layer in narrow().generator.modules() if isinstance(layer, BatchNorm)]
    assert len(norms) == 3
    for norm in norms:
        flat = torch.full((4, norm.num_features), 2.0)
        flat[:2] = 0
        shown = norm(flat).detach()
        assert float(shown.abs().max()) == pytest.approx(1 / math.sqrt(1 + 1e-3), rel=1e-5)
        torch.testing.assert_close(norm.running_mean, torch.full_like(norm.running_mean, 0.01))


def test_the_slope_and_the_dropout_are_the_recipes() -> None:
    discriminator = narrow(leaky_slope=0.3, dropout=0.25).discriminator
    slopes = {layer.negative_slope for layer in discriminator.modules() if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.3}
    assert sum(getattr(layer, "threshold", None) == 64 for layer in discriminator.modules()) == 3


def test_one_seed_gives_one_pair_whatever_torchs_own_state() -> None:
    torch.manual_seed(1)
    first = narrow(seed=3).generator.state_dict()
    torch.manual_seed(2)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    second, other = narrow(seed=3).generator.state_dict(), narrow(seed=4).generator.state_dict()
    assert torch.equal(torch.rand(1), drawn)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_an_unknown_family_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match='did you mean "dcgan"'):
        build(Networks(family="dgcan"), GREY, classes=10, seed=0)


@pytest.mark.parametrize("shape", [(1, 30, 28), (1, 28, 30)])
def test_sides_that_do_not_divide_by_four_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(RecipeError, match="must divide by 4"):
        narrow(shape)

"""What the tests of several families ask: how many weights, which first ones, which maps, what a lit pixel becomes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from digitforge.networks.build import build
from digitforge.networks.layers import BatchNorm
from digitforge.networks.players import Pair
from digitforge.sections import Networks

Shape = tuple[int, int, int]

GREY = (1, 28, 28)
COLOUR = (3, 32, 32)
CLASSES = 10


def networks(family: str, **settings: object) -> Networks:
    """A family's settings, narrow unless they say otherwise."""
    narrow = {"generator_width": 4, "discriminator_width": 4, "latent_size": 7}
    return Networks(family=family, **{**narrow, **settings})


def make(family: str, shape: Shape = GREY, seed: int = 0, **settings: object) -> Pair:
    """A family's pair, narrow unless the settings say otherwise."""
    return build(networks(family, **settings), shape, CLASSES, seed)


def stir(player: nn.Module) -> None:
    """Move every weight and statistic away from its first value, so that no layer is the identity or zero."""
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in player.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng) / 5)
        for norm in (module for module in player.modules() if isinstance(module, BatchNorm)):
            norm.running_mean.add_(torch.randn(norm.running_mean.shape, generator=rng) / 4)
            norm.running_var.mul_(1.5)


def trainable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def layers(network: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    """The network's layers of these kinds, in the order of their making."""
    return [module for module in network.modules() if isinstance(module, kinds)]


def maps_after(player: nn.Module, input: Tensor, *kinds: type[nn.Module]) -> list[tuple[int, ...]]:
    """The shapes [C, H, W] that layers of these kinds give, in the order of their calls."""
    shapes: list[tuple[int, ...]] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output: shapes.append(tuple(output.shape[1:])))
        for layer in layers(player, *kinds)
    ]
    with torch.no_grad():
        player(input)
    for hook in hooks:
        hook.remove()
    return shapes


def assert_strided(layer: nn.Conv2d, side: int, before: int, after: int) -> None:
    """That output i reads the inputs i * stride - before + k, of a map with `after` zeros behind it."""
    kernel = layer.weight[0, 0].detach().double().numpy()
    stride = layer.stride[0]
    result = (side + before + after - len(kernel)) // stride + 1
    for at in _places(side):
        expected = np.zeros((result, result))
        for i, j in np.ndindex(result, result):
            row, column = at[0] + before - i * stride, at[1] + before - j * stride
            if 0 <= row < len(kernel) and 0 <= column < len(kernel):
                expected[i, j] = kernel[row, column]
        np.testing.assert_allclose(_response(layer, side, at), expected, atol=1e-6)


def assert_transposed(layer: nn.ConvTranspose2d, side: int, before: int, after: int) -> None:
    """That input i stamps the kernel at stride * i - before, and that `after` more pixels are cut off behind."""
    kernel = layer.weight[0, 0].detach().double().numpy()
    stride = layer.stride[0]
    result = (side - 1) * stride + len(kernel) - before - after
    for at in _places(side):
        expected = np.zeros((result, result))
        for row, column in np.ndindex(*kernel.shape):
            i, j = at[0] * stride + row - before, at[1] * stride + column - before
            if 0 <= i < result and 0 <= j < result:
                expected[i, j] = kernel[row, column]
        np.testing.assert_allclose(_response(layer, side, at), expected, atol=1e-6)


def _response(layer: nn.Conv2d | nn.ConvTranspose2d, side: int, at: tuple[int, int]) -> np.ndarray:
    image = torch.zeros(1, layer.in_channels, side, side)
    image[0, 0, at[0], at[1]] = 1
    with torch.no_grad():
        return layer(image)[0, 0].numpy()


def _places(side: int) -> list[tuple[int, int]]:
    """The corners, their neighbours and the middle, where paddings show."""
    edge = sorted({0, min(1, side - 1), side // 2, max(side - 2, 0), side - 1})
    return [(row, column) for row in edge for column in edge]


def assert_uniform(weight: Tensor, limit: float) -> None:
    """That weights fill -limit..limit evenly, as far as their number can tell."""
    values = weight.detach().flatten()
    assert 0.98 * limit < values.abs().max() <= limit * (1 + 1e-6)
    assert float(values.std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)


def assert_keras_weights(player: nn.Module) -> None:
    """That weights are Glorot-uniform (Glorot and Bengio 2010), and that there are biases and they are zero."""
    for layer in layers(player, nn.Linear, nn.Conv2d, nn.ConvTranspose2d):
        area = layer.weight[0, 0].numel()
        assert_uniform(layer.weight, math.sqrt(6 / ((layer.weight.shape[0] + layer.weight.shape[1]) * area)))
        assert layer.bias is not None
        assert not layer.bias.any()

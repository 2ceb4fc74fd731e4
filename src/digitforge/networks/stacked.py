"""Stacked networks: K of one architecture as one, each layer one kernel for all, since one alone leaves a GPU idle.

Their channels lie side by side: vectors are [N, K * F] and maps [N, K * C, H, W], the first network's channels first.
What treats channels apart is then right as it is, convolutions are grouped, and the layers below do the rest. A stacked
parameter is theirs, one after the other along the first axis.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from digitforge.networks.layers import BatchNorm, Dropout, Flatten, Logit, SameConv, SameConvTranspose, ToMap
from digitforge.networks.players import Discriminator, Generator
from digitforge.networks.r3gan import Residual

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, SameConv, SameConvTranspose)
_APART = (
    *(nn.Sequential, Residual, BatchNorm, nn.Embedding),
    *(nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.Upsample, nn.AvgPool2d, nn.PixelShuffle, nn.PixelUnshuffle),
)


def stacked_generator(generators: Sequence[Generator]) -> Generator:
    """K generators as one: latents [N, K, Z], and labels [N, K] where told, to images [N, K, C, H, W]."""
    layers = stacked([generator.layers for generator in generators])
    side_by_side = nn.Sequential(nn.Flatten(1, 2), layers, nn.Unflatten(1, (len(generators), -1)))
    return Generator(side_by_side, generators[0].classes)


def stacked_discriminator(discriminators: Sequence[Discriminator]) -> Discriminator:
    """K discriminators as one: images [N, K, C, H, W], and labels [N, K] where told, to logits [N, K]."""
    features = stacked([discriminator.features for discriminator in discriminators])
    logit = stacked([discriminator.logit for discriminator in discriminators])
    return Discriminator(nn.Sequential(nn.Flatten(1, 2), features), logit)


def stacked(networks: Sequence[nn.Module]) -> nn.Module:
    """K networks, or layers, as one, with weights of its own that are equal to theirs."""
    first, count = networks[0], len(networks)
    kind = type(first)
    if kind in _MIXING:
        whole = _MIXING[kind](first, count)
    elif kind in _APART or kind in _CONVOLUTIONS:
        whole = copy.deepcopy(first)
    else:
        raise TypeError(f"nobody has said how {kind.__name__} layers are stacked")
    if isinstance(whole, nn.Conv2d | nn.ConvTranspose2d):
        whole.groups = count
    for name, _ in first.named_children():
        setattr(whole, name, stacked([getattr(network, name) for network in networks]))
    for name, _ in first.named_parameters(recurse=False):
        setattr(whole, name, nn.Parameter(torch.cat([getattr(network, name).detach() for network in networks])))
    for name, value in first.named_buffers(recurse=False):
        if value.dim():  # else it counts batches, which are as many for all
            setattr(whole, name, torch.cat([getattr(network, name) for network in networks]))
    return whole


def parts(whole: Tensor, count: int) -> Sequence[Tensor]:
    """Each network's own part of a stacked parameter or buffer, as views; a number that all share is everyone's."""
    return whole.chunk(count) if whole.dim() else [whole] * count


class _Linear(nn.Module):
    """K dense layers: [N, K * inputs] to [N, K * outputs]."""

    def __init__(self, layer: nn.Linear, count: int) -> None:
        super().__init__()
        self.count = count
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, input: Tensor) -> Tensor:
        rows = torch.unflatten(input, 1, (self.count, -1)).transpose(0, 1)
        weight = torch.unflatten(self.weight, 0, (self.count, -1)).transpose(1, 2)
        if self.bias is None:
            output = torch.bmm(rows, weight)
        else:
            output = torch.baddbmm(self.bias.view(self.count, 1, -1), rows, weight)
        return output.transpose(0, 1).flatten(1)


class _Dropout(Dropout):
    """Dropout whose masks are the same for all K, as each would draw them alone."""

    def __init__(self, layer: Dropout, count: int) -> None:
        super().__init__(rate=0)
        self.threshold, self.count = layer.threshold, count

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return input
        kept = super().forward(torch.ones_like(torch.unflatten(input, 1, (self.count, -1))[:, 0])) > 0
        scaled = input * (256 / (256 - self.threshold))
        return scaled * kept.repeat(1, self.count, *[1] * (input.dim() - 2))


class _ToMap(nn.Module):
    """[N, K * C * H * W], each network's map lying channels last, to [N, K * C, H, W]."""

    def __init__(self, layer: ToMap, count: int) -> None:
        super().__init__()
        self.shape = (count, *layer.map_shape)

    def forward(self, input: Tensor) -> Tensor:
        return torch.unflatten(input, 1, self.shape).permute(0, 1, 4, 2, 3).flatten(1, 2)


class _Flatten(nn.Module):
    """[N, K * C, H, W] to [N, K * H * W * C]."""

    def __init__(self, layer: Flatten, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, input: Tensor) -> Tensor:
        return torch.unflatten(input, 1, (self.count, -1)).permute(0, 1, 3, 4, 2).flatten(1)


class _Logit(nn.Module):
    """K last layers: features [N, K * F], and labels [N, K] where told, to logits [N, K]."""

    def __init__(self, layer: Logit, count: int) -> None:
        super().__init__()
        self.count = count
        self.dense, self.label = layer.dense, layer.label

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        logit: Tensor = self.dense(features)
        if self.label is not None:
            assert labels is not None
            classes = self.label.num_embeddings
            rows = labels + classes * torch.arange(self.count, device=labels.device)
            own = torch.unflatten(features, 1, (self.count, -1))
            logit = logit + (own * self.label(rows).to(features.dtype)).sum(2)
        return logit.float()


_MIXING: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.Linear: _Linear,
    Dropout: _Dropout,
    ToMap: _ToMap,
    Flatten: _Flatten,
    Logit: _Logit,
}

"""Layers that the families share: Keras' padding, and what must see the whole global batch of several processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from digitforge.networks.convolutions import Geometry, convolve, spread
from digitforge.randomness import stream


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation (Ioffe and Szegedy 2015) over the global batch: [N, C] or [N, C, H, W].

    With several processes the moments are those of all of them (Chan, Golub and LeVeque 1979), in one message and in a
    way that can be differentiated twice, so that the result is that of one process with the whole batch. `momentum` is
    PyTorch's: the share of the new batch.
    is_shared: whether each process has its part of the batch, rather than all of them the same one.
    """

    is_shared = True

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"batch normalisation takes [N, C] or [N, C, H, W], not {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and self.is_shared) or processes() == 1:
            return super().forward(input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1, *[1] * (input.dim() - 2)]
        wide = input.float()
        own_variance, own_mean = torch.var_mean(wide, axes, correction=0)
        means, variances = from_all_processes(torch.stack([own_mean, own_variance])).unbind(1)
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        self._track(mean.detach(), variance.detach(), size=input.numel() // input.shape[1] * processes())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul((self.bias - mean * scale).view(shape), wide, scale.view(shape)).to(input.dtype)

    def _track(self, mean: Tensor, variance: Tensor, size: int) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (size / (size - 1)), share)


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) whose mask for the global batch comes from (seed, step) and is sliced by rank.

    One random byte an element decides, which is many times cheaper on a CPU than a Bernoulli draw; the rate is
    therefore rounded to 1/256, and the scale is that of the rounded rate.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.threshold = min(round(rate * 256), 255)
        self.draw: Callable[[Tensor], NDArray[np.uint8]] | None = None

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return input
        if self.draw is None:
            raise RuntimeError("dropout was not seeded: call seed_dropout before a pass in training mode")
        drawn = torch.from_numpy(self.draw(input)).to(input.device)
        if input.dim() == 4:  # channels last, as maps mostly lie in memory, so that the product takes one sweep
            n, c, h, w = input.shape
            drawn = drawn.view(n, h, w, c).permute(0, 3, 1, 2)
        levels = drawn.view(input.shape).to(input.dtype)
        if input.is_contiguous():
            levels = levels.contiguous()
        # Written for ReLU's gradient, this is the one operation that chooses without a mask between: 4 times faster.
        scaled = input * (256 / (256 - self.threshold))
        kept: Tensor = torch.ops.aten.threshold_backward(scaled, levels, self.threshold - 1)
        return kept


def seed_dropout(network: nn.Module, seed: int, step: int, rows: int) -> None:
    """Make the masks of every dropout layer those of `step`; a second pass in the step gets masks of its own.

    rows: this process's share of the global batch. A pass may show several kinds of so many rows, one after the other
    (real, then fake); the global mask does the same, and each process takes its share of each kind.
    """
    for index, layer in enumerate(module for module in network.modules() if isinstance(module, Dropout)):
        layer.draw = _masks(seed, f"dropout {index}", step, rows)


def _masks(seed: int, purpose: str, step: int, rows: int) -> Callable[[Tensor], NDArray[np.uint8]]:
    passes = count()

    def draw(input: Tensor) -> NDArray[np.uint8]:
        rng = stream(seed, f"{purpose} pass {next(passes)}", step)
        size = input.numel() * processes()
        drawn = rng.bit_generator.random_raw(-(-size // 8)).view(np.uint8)[
            :size
        ]  # the bytes of rng.bytes, in half the time
        return np.ascontiguousarray(drawn.reshape(len(input) // rows, processes(), -1)[:, this_process()])

    return draw


class SameConv(nn.Conv2d):
    """A strided convolution with Keras' "same" padding: the output is ceil(size / stride), odd padding goes after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        height, width = (same_padding(size, kernel, stride) for size in input.shape[2:])
        if not _has_fast_products(self, input):
            return super().forward(F.pad(input, [*width, *height]))
        geometry = Geometry(stride, *zip(height, width, strict=True))
        return convolve(*_as_autocast(input, self.weight, self.bias), geometry)


class SameConvTranspose(nn.ConvTranspose2d):
    """A transposed convolution with Keras' "same" padding: the output is size * stride, odd cropping goes after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=(kernel - stride) // 2, bias=bias)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        if _has_fast_products(self, input):
            (kernel, _), (stride, _) = self.kernel_size, self.stride
            before = (kernel - stride) // 2
            after = kernel - stride - before
            geometry = Geometry(stride, (before, before), (after, after))
            return spread(*_as_autocast(input, self.weight, self.bias), geometry)
        height, width = (size * self.stride[0] for size in input.shape[2:])
        full: Tensor = super().forward(input)
        if full.shape[2:] == (height, width):
            return full
        return full[:, :, :height, :width].contiguous(memory_format=torch.channels_last)


def _has_fast_products(layer: nn.Conv2d | nn.ConvTranspose2d, input: Tensor) -> bool:
    """Whether to train by `convolutions`: in bf16 on a CPU, for which they were chosen, and without groups.

    PyTorch's own layer serves elsewhere, as where a model is exported, and in float32, which is plain arithmetic.
    """
    is_fit = layer.training and layer.groups == 1
    return is_fit and input.device.type == "cpu" and torch.is_autocast_enabled("cpu")


def _as_autocast(input: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """What a layer multiplies, in the type that autocast would give it: it does not reach our own functions."""
    dtype = torch.get_autocast_dtype("cpu")
    return input.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)


class ToMap(nn.Module):
    """[N, C * H * W] to a feature map [N, C, H, W] that lies channels last in memory, without a copy."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.map_shape = (height, width, channels)

    def forward(self, input: Tensor) -> Tensor:
        return input.view(-1, *self.map_shape).permute(0, 3, 1, 2)


class Flatten(nn.Module):
    """[N, C, H, W] to [N, H * W * C]: free of copies where the map lies channels last."""

    def forward(self, input: Tensor) -> Tensor:
        return input.permute(0, 2, 3, 1).flatten(1)


class Logit(nn.Module):
    """D's last layer: one logit an image, [N, F] to [N]; told a label, by projection (Miyato and Koyama 2018)."""

    def __init__(self, features: int, classes: int, bias: bool = True) -> None:
        super().__init__()
        self.dense = nn.Linear(features, 1, bias)
        self.label = nn.Embedding(classes, features) if classes else None
        if self.label is not None:
            nn.init.normal_(self.label.weight, std=features**-0.5)

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        logit: Tensor = self.dense(features).squeeze(1)
        if self.label is not None:
            logit = logit + (features * self.label(labels).to(features.dtype)).sum(1)
        return logit.float()


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels that Keras' "same" padding puts before and after an axis of `size` pixels; below 0, it leaves some out."""
    total = (math.ceil(size / stride) - 1) * stride + kernel - size
    before = max(total, 0) // 2
    return before, total - before


def initialise_as_keras(network: nn.Module) -> None:
    """Glorot-uniform weights (Glorot and Bengio 2010) and zero biases, Keras' defaults."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def mixes_samples(network: nn.Module) -> bool:
    """Whether one image's output depends on the others of its batch."""
    return any(isinstance(module, BatchNorm) for module in network.modules())


def processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def this_process() -> int:
    """This process's rank among them."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def from_all_processes(value: Tensor) -> Tensor:
    """Every process's `value`, [P, ...] by rank: one message, differentiable any number of times."""
    if processes() == 1:
        return value[None]
    own = [value if rank == this_process() else torch.zeros_like(value) for rank in range(processes())]
    return _SumOverProcesses.apply(torch.stack(own))  # type: ignore[no-untyped-call, no-any-return]


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _SumOverProcesses.apply(gradient.contiguous())  # type: ignore[no-untyped-call, no-any-return]

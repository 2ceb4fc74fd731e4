"""The three products of a convolution, each the way that oneDNN computes it fastest on a CPU, differentiable at will.

A convolution is one form, linear in images x, kernel w and responses g: <convolve(x, w), g> = <x, spread(g, w)> =
<w, correlate(x, g)>. So each product's gradients are the other two, and the rules below give derivatives of any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

# oneDNN computes channels in blocks of so many; a product with fewer is mostly padding.
_CHANNELS = 16
# Up to this width of responses, channels first in memory are faster: 12.7 for 19.4 ms (512x128x7x7 to 256x4x4).
_NARROW = 4
# Responses of up to so many pixels serve well as kernels, when the gradient of the weights is taken by a convolution.
_KERNEL_PIXELS = 49
# Products that a pixel of the images takes part in, from which on that convolution outweighs its two transpositions.
_WORTH_EXCHANGING = 800
# Images to transpose at a time: half the time of all 512 at once (512x64x14x14).
_CACHED = 32


@dataclass(frozen=True)
class Geometry:
    """How responses lie on images: a stride, and the pixels of padding before and after, (height, width) each.

    The responses reach the last padded pixel: (height + before + after - kernel) divides by the stride.
    """

    stride: int
    before: tuple[int, int]
    after: tuple[int, int]

    def within(self, channels: int) -> tuple[int, int]:
        """The padding that a convolution is told of, as far as both sides have it, so that nobody writes or reads it.

        Images of few channels are padded in full: telling oneDNN makes their weights' gradient 3 times slower.
        """
        if channels < _CHANNELS:
            return 0, 0
        height, width = (max(min(pair), 0) for pair in zip(self.before, self.after, strict=True))
        return height, width

    def beyond(self, channels: int) -> list[int]:
        """The rest of the padding, as F.pad takes it."""
        (up, left), (down, right), (height, width) = self.before, self.after, self.within(channels)
        return [left - width, right - width, up - height, down - height]


def convolve(images: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Images [N, C, H, W] and a kernel [R, C, k, k] to responses [N, R, h, w], plus a bias [R]."""
    return _Convolve.apply(images, kernel, bias, geometry)  # type: ignore[no-untyped-call, no-any-return]


def spread(responses: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Responses [N, R, h, w] and a kernel [R, C, k, k] to images [N, C, H, W], plus a bias [C].

    With a bias the kernel must be at least the stride: pixels that no response reaches stay 0.
    """
    return _Spread.apply(responses, kernel, bias, geometry)  # type: ignore[no-untyped-call, no-any-return]


def correlate(images: Tensor, responses: Tensor, geometry: Geometry) -> Tensor:
    """Images [N, C, H, W] and responses [N, R, h, w] to a kernel [R, C, k, k]."""
    return _Correlate.apply(images, responses, geometry)  # type: ignore[no-untyped-call, no-any-return]


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(images, kernel)
        ctx.geometry = geometry
        return _convolved(images, kernel, bias, geometry)

    @staticmethod
    def backward(ctx: Any, responses: Tensor) -> tuple[Tensor | None, ...]:
        images, kernel = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            spread(responses, kernel, None, ctx.geometry) if wanted[0] else None,
            correlate(images, responses, ctx.geometry) if wanted[1] else None,
            responses.sum((0, 2, 3)) if wanted[2] else None,
            None,
        )


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, responses: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(responses, kernel)
        ctx.geometry = geometry
        return _spread(responses, kernel, bias, geometry)

    @staticmethod
    def backward(ctx: Any, images: Tensor) -> tuple[Tensor | None, ...]:
        responses, kernel = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            convolve(images, kernel, None, ctx.geometry) if wanted[0] else None,
            correlate(images, responses, ctx.geometry) if wanted[1] else None,
            images.sum((0, 2, 3)) if wanted[2] else None,
            None,
        )


class _Correlate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, responses: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(images, responses)
        ctx.geometry = geometry
        return _correlated(images, responses, geometry)

    @staticmethod
    def backward(ctx: Any, kernel: Tensor) -> tuple[Tensor | None, ...]:
        images, responses = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            spread(responses, kernel, None, ctx.geometry) if wanted[0] else None,
            convolve(images, kernel, None, ctx.geometry) if wanted[1] else None,
            None,
        )


def _convolved(images: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    height, width = _response_size(images, kernel, geometry)
    block = next((size for size in (4, 2) if height % size == width % size == 0), 1)
    if block > 1 and len(kernel) * block**2 <= _CHANNELS <= kernel.shape[1]:
        return _convolved_by_blocks(images, kernel, bias, geometry, block)
    padded = _pad(images, geometry.beyond(images.shape[1]))
    if width <= _NARROW and kernel.shape[1] >= _CHANNELS:
        padded, kernel = padded.contiguous(), kernel.contiguous()
    return _channels_last(_convolution(padded, kernel, bias, geometry.stride, geometry.within(images.shape[1])))


def _convolved_by_blocks(images: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry, block: int) -> Tensor:
    """Few responses a pixel: make each pixel of a block of them a response of its own, to a window on all they see."""
    stride, last = geometry.stride, (block - 1) * geometry.stride
    shifts = [(row, column) for row in range(0, last + 1, stride) for column in range(0, last + 1, stride)]
    windows = torch.stack([F.pad(kernel, [x, last - x, y, last - y]) for y, x in shifts], 1).flatten(0, 1)
    biases = None if bias is None else bias.repeat_interleave(block**2)
    wide = Geometry(stride * block, geometry.before, geometry.after)
    return F.pixel_shuffle(_convolved(images, windows, biases, wide), block)


def _spread(responses: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    stride = geometry.stride
    if kernel.shape[1] * stride**2 <= _CHANNELS <= len(kernel) and 1 < stride <= kernel.shape[2]:
        return _spread_by_phases(responses, kernel, bias, geometry)
    channels = kernel.shape[1]
    full = _convolution(responses, kernel, bias, stride, geometry.within(channels), transposed=True)
    return _channels_last(_pad(full, [-pixels for pixels in geometry.beyond(channels)]))


def _spread_by_phases(responses: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Few channels a pixel: a convolution that makes the pixels of one response as channels of one (Shi et al. 2016).

    Pixel stride * q + phase of an image meets response q + m through pixel phase + before - stride * m of the kernel.
    """
    stride = geometry.stride
    (up, left), (height, width) = geometry.before, _image_size(responses, kernel, geometry)
    most_up, most_left = ((stride - 1 + before) // stride for before in geometry.before)  # the greatest m
    pads = []
    for most, before, size in ((most_left, left, kernel.shape[3]), (most_up, up, kernel.shape[2])):
        first = stride * most - before
        pads += [first, -(first + size) % stride]
    phases = F.pixel_unshuffle(F.pad(kernel, pads), stride).flip(2, 3).transpose(0, 1)
    biases = None if bias is None else bias.repeat_interleave(stride**2)
    fine = Geometry(
        1,
        before=(phases.shape[2] - 1 - most_up, phases.shape[3] - 1 - most_left),
        after=(
            math.ceil(height / stride) + most_up - responses.shape[2],
            math.ceil(width / stride) + most_left - responses.shape[3],
        ),
    )
    images = F.pixel_shuffle(_convolved(responses, phases, biases, fine), stride)
    return images[:, :, :height, :width]


def _correlated(images: Tensor, responses: Tensor, geometry: Geometry) -> Tensor:
    channels, kernels = images.shape[1], responses.shape[1]
    if kernels * 4 <= _CHANNELS <= channels and geometry.stride == 1:
        return _correlated_by_taps(images, responses, geometry)
    size = _kernel_size(images, responses, geometry)
    products = kernels * math.prod(size) / geometry.stride**2  # of a pixel of the images
    if (
        min(len(images), channels) >= _CHANNELS
        and products >= _WORTH_EXCHANGING
        and responses[0, 0].numel() <= _KERNEL_PIXELS
    ):
        return _correlated_by_convolution(images, responses, geometry)
    kernel = images.new_empty(kernels, channels, *size)  # only its shape is read
    padded = _pad(images, geometry.beyond(images.shape[1]))
    stride, padding, only_kernel = [geometry.stride] * 2, geometry.within(channels), [False, True, False]
    found = torch.ops.aten.convolution_backward(
        responses, padded, kernel, None, stride, padding, [1, 1], False, [0, 0], 1, only_kernel
    )
    gradient: Tensor = found[1]
    return gradient


def _correlated_by_convolution(images: Tensor, responses: Tensor, geometry: Geometry) -> Tensor:
    """Images and channels change places, and the responses, spread by the stride, are the kernel."""
    gradient: Tensor = torch.ops.aten.convolution(
        _exchanged(images, geometry.beyond(images.shape[1])),
        _exchanged(responses, [0] * 4),
        None,
        [1, 1],
        geometry.within(images.shape[1]),
        [geometry.stride] * 2,
        False,
        [0, 0],
        1,
    )
    return gradient.transpose(0, 1)


def _correlated_by_taps(images: Tensor, responses: Tensor, geometry: Geometry) -> Tensor:
    """Few responses a pixel: one product of the responses, shifted by each pixel of the kernel, with the images."""
    (height, width), (rows, columns) = images.shape[2:], _kernel_size(images, responses, geometry)
    (up, left), (down, right) = geometry.before, geometry.after
    around = F.pad(responses, [columns - 1 - left, columns - 1 - right, rows - 1 - up, rows - 1 - down])
    shifted = (
        around.unfold(2, height, 1)
        .unfold(3, width, 1)
        .permute(1, 2, 3, 0, 4, 5)
        .reshape(-1, len(images) * height * width)
    )
    product = shifted @ images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])
    return product.view(responses.shape[1], rows, columns, -1).flip(1, 2).permute(0, 3, 1, 2)


def _convolution(
    maps: Tensor, kernel: Tensor, bias: Tensor | None, stride: int, padding: tuple[int, int], transposed: bool = False
) -> Tensor:
    result: Tensor = torch.ops.aten.convolution(
        maps, kernel, bias, [stride] * 2, padding, [1, 1], transposed, [0, 0], 1
    )
    return result


def _exchanged(maps: Tensor, pads: list[int]) -> Tensor:
    """[N, C, H, W] as [C, N, H, W], padded, N last in memory; a few images at a time, so that reads stay in cache."""
    count, channels, height, width = maps.shape
    left, right, up, down = pads
    exchanged = maps.new_empty(channels, height + up + down, width + left + right, count)
    inside = _bordered(exchanged.permute(0, 3, 1, 2), pads).permute(0, 2, 3, 1)
    for start in range(0, count, _CACHED):
        part = slice(start, start + _CACHED)
        inside[..., part].copy_(maps[part].permute(1, 2, 3, 0))
    return exchanged.permute(0, 3, 1, 2)


def _pad(maps: Tensor, pads: list[int]) -> Tensor:
    """F.pad, without filling what will be written over; pads: left, right, up, down, and below 0 what to leave out."""
    if not any(pads):
        return maps
    left, right, up, down = pads
    if min(pads) < 0:
        return _channels_last(F.pad(maps, pads))
    height, width = maps.shape[2] + up + down, maps.shape[3] + left + right
    padded = maps.new_empty(len(maps), height, width, maps.shape[1]).permute(0, 3, 1, 2)
    _bordered(padded, pads).copy_(maps)
    return padded


def _bordered(maps: Tensor, pads: list[int]) -> Tensor:
    """Fill the border of maps [N, C, H, W] with 0; what lies inside of it, as a view."""
    left, right, up, down = pads
    height, width = maps.shape[2] - up - down, maps.shape[3] - left - right
    for border in (maps[:, :, :up], maps[:, :, up + height :], maps[:, :, :, :left], maps[:, :, :, left + width :]):
        border.zero_()
    return maps[:, :, up : up + height, left : left + width]


def _channels_last(maps: Tensor) -> Tensor:
    return maps.contiguous(memory_format=torch.channels_last)


def _response_size(images: Tensor, kernel: Tensor, geometry: Geometry) -> list[int]:
    pairs = zip(images.shape[2:], kernel.shape[2:], geometry.before, geometry.after, strict=True)
    return [(pixels + before + after - size) // geometry.stride + 1 for pixels, size, before, after in pairs]


def _image_size(responses: Tensor, kernel: Tensor, geometry: Geometry) -> list[int]:
    pairs = zip(responses.shape[2:], kernel.shape[2:], geometry.before, geometry.after, strict=True)
    return [(pixels - 1) * geometry.stride + size - before - after for pixels, size, before, after in pairs]


def _kernel_size(images: Tensor, responses: Tensor, geometry: Geometry) -> list[int]:
    pairs = zip(images.shape[2:], responses.shape[2:], geometry.before, geometry.after, strict=True)
    return [pixels + before + after - (count - 1) * geometry.stride for pixels, count, before, after in pairs]

"""The three products of a convolution agree with PyTorch's layers, in value and in derivatives of both orders."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from digitforge.networks import convolutions
from digitforge.networks.convolutions import Geometry, convolve, correlate, spread

# channels, kernels, kernel size, height and width, geometry
PLAIN = (3, 5, 3, (6, 5), Geometry(1, (1, 1), (1, 1)))
STRIDED = (2, 3, 5, (8, 6), Geometry(2, (1, 1), (2, 2)))
CUT = (2, 3, 1, (6, 4), Geometry(2, (0, 0), (-1, -1)))
BLOCKS = (16, 1, 3, (8, 8), Geometry(1, (1, 1), (1, 1)))
PHASES = (1, 16, 5, (6, 8), Geometry(2, (1, 1), (2, 2)))
UNEVEN_PHASES = (2, 16, 3, (5, 6), Geometry(2, (1, 0), (1, 1)))
NARROW = (16, 48, 5, (7, 7), Geometry(2, (2, 2), (2, 2)))
EXCHANGED = (16, 128, 5, (6, 6), Geometry(2, (1, 1), (2, 2)))
SHAPES = [PLAIN, STRIDED, CUT, BLOCKS, PHASES, UNEVEN_PHASES, NARROW, EXCHANGED]
IMAGES = 33  # enough for the weights' gradient by a convolution, and more than are transposed at a time


def triple(
    case: tuple[int, int, int, tuple[int, int], Geometry], images: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    channels, kernels, size, shape, geometry = case
    generator = torch.Generator().manual_seed(0)
    height, width = (
        (pixels + before + after - size) // geometry.stride + 1
        for pixels, before, after in zip(shape, geometry.before, geometry.after, strict=True)
    )
    shapes = ((images, channels, *shape), (kernels, channels, size, size), (images, kernels, height, width))
    x, w, g = (torch.randn(each, generator=generator, dtype=torch.float64) for each in shapes)
    return x.to(dtype), w.to(dtype), g.to(dtype)


def by_pytorch(images: Tensor, kernel: Tensor, geometry: Geometry) -> Tensor:
    (up, left), (down, right) = geometry.before, geometry.after
    return F.conv2d(F.pad(images, [left, right, up, down]), kernel, stride=geometry.stride)


@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_the_three_products_are_those_of_pytorch(
    case: tuple[int, int, int, tuple[int, int], Geometry], dtype: torch.dtype, bound: float
) -> None:
    geometry = case[-1]
    x, w, g = triple(case, IMAGES, dtype)
    exact_x, exact_w = x.double().requires_grad_(), w.double().requires_grad_()
    exact = by_pytorch(exact_x, exact_w, geometry)
    exact.backward(g.double())
    for product, expected in (
        (convolve(x, w, None, geometry), exact.detach()),
        (spread(g, w, None, geometry), exact_x.grad),
        (correlate(x, g, geometry), exact_w.grad),
    ):
        assert expected is not None and product.shape == expected.shape and product.dtype == dtype
        assert (product.double() - expected).abs().max() <= bound * expected.abs().max()


@pytest.mark.parametrize("case", [PLAIN, STRIDED, CUT, BLOCKS, PHASES, UNEVEN_PHASES])
def test_first_and_second_derivatives_are_right(case: tuple[int, int, int, tuple[int, int], Geometry]) -> None:
    geometry = case[-1]
    x, w, g = (each.requires_grad_() for each in triple(case, 1, torch.float64))
    of_responses, of_images = (torch.ones(n, dtype=torch.float64, requires_grad=True) for n in w.shape[:2])
    if w.shape[2] < geometry.stride:
        of_images = None
    for product, inputs in (
        (lambda x, w, b: convolve(x, w, b, geometry), (x, w, of_responses)),
        (lambda g, w, b: spread(g, w, b, geometry), (g, w, of_images)),
        (lambda x, g: correlate(x, g, geometry), (x, g)),
    ):
        assert torch.autograd.gradcheck(product, inputs, fast_mode=True)
        assert torch.autograd.gradgradcheck(product, inputs, fast_mode=True)


@pytest.mark.parametrize("case", [STRIDED, BLOCKS, PHASES])
def test_a_bias_is_added_to_every_pixel(case: tuple[int, int, int, tuple[int, int], Geometry]) -> None:
    geometry = case[-1]
    x, w, g = triple(case, 2, torch.float32)
    for product, maps, channels in ((convolve, x, len(w)), (spread, g, w.shape[1])):
        bias = torch.arange(1.0, channels + 1)
        expected = product(maps, w, None, geometry) + bias.view(-1, 1, 1)
        torch.testing.assert_close(product(maps, w, bias, geometry), expected)


def test_each_shape_takes_the_way_it_is_here_for(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    for name in ("_convolved_by_blocks", "_spread_by_phases", "_correlated_by_taps", "_correlated_by_convolution"):
        way = getattr(convolutions, name)
        monkeypatch.setattr(convolutions, name, lambda *given, name=name, way=way: taken.append(name) or way(*given))
    for case in (PLAIN, BLOCKS, PHASES, EXCHANGED):
        x, w, g = triple(case, IMAGES, torch.float32)
        convolve(x, w, None, case[-1]), spread(g, w, None, case[-1]), correlate(x, g, case[-1])
    assert set(taken) == {
        "_convolved_by_blocks", "_spread_by_phases", "_correlated_by_taps", "_correlated_by_convolution"
    }  # fmt: skip


def test_responses_lie_channels_last_whatever_way_they_took() -> None:
    for case in (STRIDED, NARROW):
        x, w, _ = triple(case, 2, torch.float32)
        assert convolve(x, w, None, case[-1]).is_contiguous(memory_format=torch.channels_last)

"""Penalties: half the mean squared gradient norm of each image, held against closed forms and differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from digitforge.objectives.penalties import zero_centred

SHAPE = (2, 3, 4)


def test_a_linear_critics_penalty_is_half_its_weights_squared_norm() -> None:
    weight = torch.randn(SHAPE)

    def critic(images: Tensor) -> Tensor:
        return (images * weight).sum((1, 2, 3)) + 5

    for count in (1, 7):
        penalty = zero_centred(critic, torch.randn(count, *SHAPE))
        torch.testing.assert_close(penalty, weight.square().sum() / 2)


def test_the_norm_is_each_images_own() -> None:
    slopes = torch.tensor([3.0, 0.0, 4.0, 1.0])  # one critic a place in the batch

    def critic(images: Tensor) -> Tensor:
        return slopes * images[:, 0, 0, 0]

    penalty = zero_centred(critic, torch.randn(4, *SHAPE))
    assert float(penalty) == pytest.approx((9 + 0 + 16 + 1) / 4 / 2)


def double_critic() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    return nn.Sequential(*layers).double()


def test_it_matches_finite_differences_of_the_critic() -> None:
    critic = double_critic()
    images = torch.randn(3, *SHAPE, dtype=torch.float64)
    step = 1e-5
    squares = []
    with torch.no_grad():
        for image in images:
            shifts = step * torch.eye(image.numel(), dtype=torch.float64).view(-1, *SHAPE)
            slope = (critic(image + shifts) - critic(image - shifts)) / (2 * step)
            squares.append(slope.square().sum())
    found = zero_centred(lambda shown: critic(shown).squeeze(1), images)
    assert found.item() == pytest.approx(torch.stack(squares).mean().item() / 2, rel=1e-6)


def test_its_gradient_matches_finite_differences_in_the_critics_weights() -> None:
    critic = double_critic()
    images = torch.randn(3, *SHAPE, dtype=torch.float64)

    def penalty() -> Tensor:
        return zero_centred(lambda shown: critic(shown).squeeze(1), images)

    weight = critic[0].weight
    (gradient,) = torch.autograd.grad(penalty(), [weight])
    step = 1e-3
    for place in ((0, 0, 0, 0), (1, 1, 2, 1), (2, 0, 1, 2)):
        found = []
        for shift in (step, -step):
            with torch.no_grad():
                weight[place] += shift
            found.append(penalty().item())
            with torch.no_grad():
                weight[place] -= shift
        # The sum over pixels runs in float32: differences are good to some 1e-7 / step.
        assert (found[0] - found[1]) / (2 * step) == pytest.approx(gradient[place].item(), abs=2e-4)


def test_images_are_left_without_a_gradient_and_constants_without_a_penalty() -> None:
    weight = torch.zeros(SHAPE, requires_grad=True)
    images = torch.randn(2, *SHAPE, requires_grad=True)
    penalty = zero_centred(lambda shown: (shown * weight).sum((1, 2, 3)), images)
    assert float(penalty.detach()) == 0
    penalty.backward()
    assert images.grad is None
    assert weight.grad is not None

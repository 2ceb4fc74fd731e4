"""Penalties on each image's own gradient norm, held against closed forms and finite differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from digitforge.objectives.penalties import between, one_centred, zero_centred

Penalty = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]

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


def test_a_linear_critic_is_penalised_for_its_weights_norm_alone() -> None:
    weight = torch.randn(SHAPE)
    expected = (weight.norm() - 1) ** 2
    for count in (1, 7):
        images = torch.randn(count, *SHAPE)
        for scale in (0.5, 2.0):
            penalty = one_centred(lambda shown, scale=scale: scale * (shown * weight).sum((1, 2, 3)) + 5, images)
            torch.testing.assert_close(penalty, (scale * weight.norm() - 1) ** 2)
        unit = one_centred(lambda shown: (shown * weight / weight.norm()).sum((1, 2, 3)), images)
        assert float(unit) == pytest.approx(0, abs=1e-9)
    assert float(expected) > 0.1


def test_the_norm_that_is_to_be_one_is_each_images_own_and_not_the_batchs() -> None:
    slopes = torch.tensor([3.0, 0.0, 4.0, 1.0])
    penalty = one_centred(lambda shown: slopes * shown[:, 0, 0, 0], torch.randn(4, *SHAPE))
    assert float(penalty) == pytest.approx((4 + 1 + 9 + 0) / 4)


def test_a_flat_critic_is_penalised_without_a_gradient_that_is_no_number() -> None:
    weight = torch.zeros(SHAPE, requires_grad=True)
    penalty = one_centred(lambda shown: (shown * weight).sum((1, 2, 3)), torch.randn(2, *SHAPE))
    assert float(penalty.detach()) == 1
    penalty.backward()
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("penalise", [zero_centred, one_centred])
def test_norms_are_taken_in_float32_whatever_the_passes_compute_in(penalise: Penalty) -> None:
    shape = (1, 64, 64)  # 4,096 equal squares, whose sum bf16 would round by up to 2 in 4,096, and their root
    slope = torch.tensor(1.0078125)  # exact in bf16

    def critic(images: Tensor) -> Tensor:
        return (images.to(torch.bfloat16) * slope.to(torch.bfloat16)).float().sum((1, 2, 3))

    squared = 4096 * float(slope) ** 2
    expected = squared / 2 if penalise is zero_centred else (squared**0.5 - 1) ** 2
    assert float(penalise(critic, torch.zeros(2, *shape))) == pytest.approx(expected, rel=1e-6)


def test_each_image_is_mixed_by_its_own_share() -> None:
    real, fake = torch.randn(4, *SHAPE), torch.randn(4, *SHAPE)
    shares = torch.tensor([0.0, 1.0, 0.25, 0.5])
    mixed = between(real, fake, shares)
    for index, share in enumerate(shares.tolist()):
        torch.testing.assert_close(mixed[index], share * real[index] + (1 - share) * fake[index])


def double_critic() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    return nn.Sequential(*layers).double()


def test_both_match_finite_differences_of_the_critic() -> None:
    critic = double_critic()
    images = torch.randn(3, *SHAPE, dtype=torch.float64)
    step = 1e-5
    squares = []
    with torch.no_grad():
        for image in images:
            shifts = step * torch.eye(image.numel(), dtype=torch.float64).view(-1, *SHAPE)
            slope = (critic(image + shifts) - critic(image - shifts)) / (2 * step)
            squares.append(slope.square().sum())
    norms = torch.stack(squares).sqrt()

    def judge(shown: Tensor) -> Tensor:
        return critic(shown).squeeze(1)

    assert zero_centred(judge, images).item() == pytest.approx((norms**2).mean().item() / 2, rel=1e-6)
    assert one_centred(judge, images).item() == pytest.approx(((norms - 1) ** 2).mean().item(), rel=1e-6)


@pytest.mark.parametrize("penalise", [zero_centred, one_centred])
def test_its_gradient_matches_finite_differences_in_the_critics_weights(penalise: Penalty) -> None:
    critic = double_critic()
    images = torch.randn(3, *SHAPE, dtype=torch.float64)

    def penalty() -> Tensor:
        return penalise(lambda shown: critic(shown).squeeze(1), images)

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

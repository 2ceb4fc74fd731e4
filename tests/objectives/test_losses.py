"""Losses: each is the formula of its paper, held against torch's own binary cross-entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from digitforge.objectives.losses import LOSSES

REAL = torch.tensor([2.0, -1.0, 0.3, 60.0])
FAKE = torch.tensor([-3.0, 0.5, 0.3, -60.0])
ONES, ZEROS = torch.ones(4), torch.zeros(4)


def test_non_saturating_is_cross_entropy_with_the_generators_labels_inverted() -> None:
    loss = LOSSES["non-saturating"]
    expected = cross_entropy(REAL, ONES) + cross_entropy(FAKE, ZEROS)
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), expected)
    torch.testing.assert_close(loss.generator(REAL, FAKE), cross_entropy(FAKE, ONES))


def test_relativistic_is_cross_entropy_of_each_pairs_difference() -> None:
    loss = LOSSES["relativistic"]
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), cross_entropy(REAL - FAKE, ONES))
    torch.testing.assert_close(loss.generator(REAL, FAKE), cross_entropy(FAKE - REAL, ONES))


def test_wasserstein_is_the_difference_of_the_critics_means() -> None:
    loss = LOSSES["wasserstein"]
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx((-3 + 0.5 + 0.3 - 60) / 4 - (2 - 1 + 0.3 + 60) / 4)
    assert float(loss.generator(REAL, FAKE)) == pytest.approx(-(-3 + 0.5 + 0.3 - 60) / 4)


@pytest.mark.parametrize("name", LOSSES)
def test_a_logit_of_zero_means_something_only_where_a_common_shift_changes_the_loss(name: str) -> None:
    loss = LOSSES[name]
    shifted = loss.discriminator(REAL + 1, FAKE + 1)
    assert torch.isclose(loss.discriminator(REAL, FAKE), shifted, atol=1e-5).item() is not loss.has_zero


@pytest.mark.parametrize(
    ("name", "discriminator"), [("non-saturating", 2 * math.log(2)), ("relativistic", math.log(2))]
)
def test_a_discriminator_that_says_one_half_costs_the_textbooks_constant(name: str, discriminator: float) -> None:
    undecided = torch.zeros(5)
    assert float(LOSSES[name].discriminator(undecided, undecided)) == pytest.approx(discriminator)
    assert float(LOSSES[name].generator(undecided, undecided)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_wins_by_moving_the_logits_its_way(name: str) -> None:
    real, fake = REAL[:3].clone().requires_grad_(True), FAKE[:3].clone().requires_grad_(True)
    loss = LOSSES[name]
    real_slope, fake_slope = torch.autograd.grad(loss.discriminator(real, fake), [real, fake])
    assert (real_slope < 0).all()
    assert (fake_slope > 0).all()
    (slope,) = torch.autograd.grad(loss.generator(real, fake), [fake])
    assert (slope < 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_only_a_loss_that_pairs_needs_real_logits_for_the_generator(name: str) -> None:
    loss = LOSSES[name]
    same = torch.equal(loss.generator(REAL, FAKE), loss.generator(REAL + 1, FAKE))
    assert same is not loss.pairs


@pytest.mark.parametrize("name", LOSSES)
def test_sure_discriminators_leave_losses_finite(name: str) -> None:
    sure = torch.full((3,), 1e4)
    for real, fake in ((sure, -sure), (-sure, sure)):
        assert LOSSES[name].discriminator(real, fake).isfinite()
        assert LOSSES[name].generator(real, fake).isfinite()

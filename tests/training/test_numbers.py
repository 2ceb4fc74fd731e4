"""Numbers that are none: found wherever they are, and told; what is merely large is a number."""

from __future__ import annotations

import pytest
import torch

from digitforge.training.numbers import all_finite, divergence, lost_among
from tiny_runs import tiny_recipe

WRONG = [float("nan"), float("inf"), -float("inf")]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("place", range(3))
def test_one_wrong_number_among_many_is_found(wrong: float, place: int) -> None:
    tensors = [torch.ones(5, 7), torch.zeros(300, dtype=torch.float64), torch.full((2, 3, 4), -2.0).transpose(0, 2)]
    assert all_finite(tensors)
    tensors[place][-1, ...] = wrong
    assert not all_finite(tensors)


def test_the_largest_number_that_there_is_is_one() -> None:
    assert all_finite([torch.full((4,), torch.finfo(torch.float32).max), torch.tensor([3])])
    assert all_finite([torch.tensor([3])])


def test_what_is_lost_is_told_once_in_words() -> None:
    bad, good = torch.tensor([1.0, float("nan")]), torch.ones(2)
    tensors = {"generator.a": bad, "generator.b": bad, "discriminator.a": good, "average.a": bad, "tick.sums": bad}
    tensors["discriminator_optimiser.0.exp_avg"] = bad
    words = ["the generator's weights", "the average's weights", "the losses", "the discriminator's moments"]
    assert lost_among(tensors) == words


def test_the_sentence_says_what_can_be_changed() -> None:
    plain = divergence(["the losses"], 1600, tiny_recipe({"objective.r1": 0.0}))
    assert plain.startswith("the losses are no numbers any more after 1,600 images; the checkpoint before is kept")
    assert "a lower generator_optimiser.rate (0.001 now)" in plain
    assert "objective" not in plain and "precision" not in plain
    settings = {"compute.precision": "bf16", "objective.r1": 0.1, "objective.gradient_penalty": 10}
    told = divergence(["the losses", "the generator's weights"], 16, tiny_recipe(settings))
    assert "the losses and the generator's weights are" in told
    assert "a lower objective.r1 (0.1 now) or a lower objective.gradient_penalty (10 now) or --precision 32" in told

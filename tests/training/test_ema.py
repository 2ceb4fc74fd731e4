"""The averaged generator: how fast it forgets, and that its normalisation is measured, not inherited."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from digitforge.networks.layers import BatchNorm
from digitforge.networks.players import Generator
from digitforge.sections import Networks
from digitforge.training.ema import Average, measured

Results = dict[str, np.ndarray]


def one_weight(value: float) -> Generator:
    """A generator of a single weight."""
    linear = nn.Linear(1, 1, bias=False)
    nn.init.constant_(linear.weight, value)
    return Generator(linear, classes=0)


def weight(generator: Generator) -> float:
    return float(generator.layers.weight.detach())


def test_half_of_the_difference_is_left_after_a_half_life() -> None:
    generator = one_weight(1.0)
    average = Average(generator, half_life=400)
    nn.init.constant_(generator.layers.weight, 0.0)
    for step in range(4):
        average.update(images_seen=100_000 + 100 * step, batch_size=100)
    assert weight(average.generator) == pytest.approx(0.5)


def test_the_average_is_the_sum_that_its_definition_says() -> None:
    generator = one_weight(0.0)
    average = Average(generator, half_life=300)
    share = 1 - 0.5 ** (100 / 300)
    expected = 0.0
    for step, value in enumerate([1.0, -2.0, 5.0]):
        nn.init.constant_(generator.layers.weight, value)
        average.update(images_seen=10**6 + step, batch_size=100)
        expected += share * (value - expected)
    assert weight(average.generator) == pytest.approx(expected)


def test_early_on_the_half_life_is_a_tenth_of_the_images_seen() -> None:
    generator = one_weight(0.0)
    average = Average(generator, half_life=10**9)
    nn.init.constant_(generator.layers.weight, 1.0)
    average.update(images_seen=1000, batch_size=100)
    assert weight(average.generator) == pytest.approx(0.5)


def test_averaging_leaves_the_trained_weights_alone() -> None:
    generator = one_weight(3.0)
    average = Average(generator, half_life=10)
    nn.init.constant_(generator.layers.weight, 4.0)
    average.update(images_seen=1000, batch_size=100)
    assert weight(generator) == 4.0
    assert generator.layers.weight.requires_grad
    assert not average.generator.layers.weight.requires_grad


def test_what_layers_keep_besides_weights_is_that_of_the_trained_generator() -> None:
    torch.manual_seed(0)
    generator = Generator(nn.Sequential(spectral_norm(nn.Linear(3, 3)), BatchNorm(3)), classes=0)
    average = Average(generator, half_life=10)
    first = copy.deepcopy(average.generator.state_dict())
    with torch.no_grad():
        generator.layers[0].parametrizations.weight.original.add_(torch.randn(3, 3))
    for _ in range(5):
        generator(torch.randn(4, 3))
    average.update(images_seen=1000, batch_size=100)
    for name, buffer in average.generator.named_buffers():
        is_normalisation = name.startswith("layers.1.")
        torch.testing.assert_close(buffer, first[name] if is_normalisation else generator.get_buffer(name))
        assert not torch.equal(first[name], generator.get_buffer(name)), name


def test_a_buffer_that_a_layer_replaces_is_followed() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("passes", torch.zeros(1))

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            self.passes = self.passes + 1
            return input

    generator = Generator(nn.Sequential(nn.Linear(1, 1), Counting()), classes=0)
    average = Average(generator, half_life=10)
    generator(torch.ones(1, 1))
    average.update(images_seen=1000, batch_size=100)
    assert float(average.generator.layers[1].passes) == 1


def normalising(size: int, classes: int = 0) -> Generator:
    """A generator that only normalises what it is given, with moments that are far off."""
    norm = BatchNorm(size)
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    norm.running_mean.fill_(50.0)
    norm.running_var.fill_(9.0)
    norm.num_batches_tracked.fill_(3)
    return Generator(norm, classes)


@pytest.mark.parametrize(("latent", "variance"), [("normal", 1.0), ("uniform", 1 / 3)])
def test_normalisation_is_measured_on_latents_of_the_recipes_distribution(latent: str, variance: float) -> None:
    networks = Networks(family="dcgan", latent_size=6, latent=latent)
    norm = measured(normalising(6), networks, torch.ones(10)).layers
    torch.testing.assert_close(norm.running_mean, torch.zeros(6), atol=0.15, rtol=0)
    torch.testing.assert_close(norm.running_var, torch.full((6,), variance), atol=0.2 * variance, rtol=0)


def test_labels_are_drawn_as_often_as_in_training() -> None:
    networks = Networks(family="dcgan", latent_size=1, conditional=True)
    frequencies = torch.tensor([300, 0, 100])
    norm = measured(normalising(4, classes=3), networks, frequencies).layers
    torch.testing.assert_close(norm.running_mean[1:], torch.tensor([0.75, 0.0, 0.25]), atol=0.06, rtol=0)
    assert norm.running_mean[2] == 0


def test_measuring_repeats_exactly_and_leaves_the_original_alone() -> None:
    networks = Networks(family="dcgan", latent_size=6)
    generator = normalising(6).train()
    before = copy.deepcopy(generator.state_dict())
    first, second = (measured(generator, networks, torch.ones(10)) for _ in range(2))
    assert not first.training and not first.layers.training
    assert generator.training
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])
        assert torch.equal(before[key], generator.state_dict()[key])


def global_batch_results() -> Results:
    """The moments that one of several processes measures, or the only one."""
    norm = measured(normalising(6), Networks(family="dcgan", latent_size=6), torch.ones(10)).layers
    return {"mean": norm.running_mean.numpy(), "variance": norm.running_var.numpy()}


def test_each_of_two_processes_measures_what_one_does_alone(
    in_two_processes: Callable[[str], tuple[Results, Results]],
) -> None:
    alone = global_batch_results()
    for found in in_two_processes(__file__):
        for name, wanted in alone.items():
            np.testing.assert_array_equal(found[name], wanted, err_msg=name)


def test_a_measured_generators_image_does_not_depend_on_its_neighbours() -> None:
    networks = Networks(family="dcgan", latent_size=6)
    generator = measured(normalising(6), networks, torch.ones(10))
    latents = torch.randn(5, 6)
    torch.testing.assert_close(generator(latents)[:1], generator(latents[:1]))

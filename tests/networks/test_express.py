"""Express: the shapes that it turns into one another, told the label or not, channels last throughout."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from digitforge.networks.build import build
from digitforge.networks.players import Pair
from digitforge.sections import Networks


def express(shape: tuple[int, int, int] = (1, 28, 28), **settings: object) -> Pair:
    settings = {"generator_width": 4, "discriminator_width": 4, "latent_size": 7, **settings}
    return build(Networks(family="express", **settings), shape, classes=10, seed=0)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 12)])
@pytest.mark.parametrize("conditional", [False, True])
def test_latents_become_images_and_images_logits(shape: tuple[int, int, int], conditional: bool) -> None:
    pair = express(shape, conditional=conditional)
    labels = torch.arange(5)
    images = pair.generator(torch.randn(5, 7), labels)
    assert images.shape == (5, *shape)
    assert pair.discriminator(images, labels).shape == (5,)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_any_width_makes_a_pair(width: int) -> None:
    pair = express(generator_width=width, discriminator_width=width)
    assert pair.discriminator(pair.generator(torch.randn(2, 7))).shape == (2,)


@pytest.mark.parametrize(("pixels", "low"), [("signed", -1), ("unit", 0)])
def test_pixels_fill_the_range_that_the_recipe_names(pixels: str, low: int) -> None:
    generator = express(pixels=pixels).generator
    last = [layer for layer in generator.modules() if isinstance(layer, nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight *= 1000
        images = generator(torch.randn(32, 7))
    assert images.min() == pytest.approx(low, abs=0.01)
    assert images.max() == pytest.approx(1, abs=0.01)


def test_only_conditional_networks_hear_the_label() -> None:
    latents, ones, twos = torch.randn(2, 7), torch.tensor([1, 1]), torch.tensor([2, 2])
    images = torch.randn(2, 1, 28, 28)
    for conditional in (False, True):
        pair = express(conditional=conditional)
        for player, input in ((pair.generator.eval(), latents), (pair.discriminator, images)):
            assert torch.equal(player(input, ones), player(input, twos)) is not conditional


def test_the_discriminator_judges_each_image_by_itself() -> None:
    discriminator = express().discriminator
    images = torch.randn(6, 1, 28, 28)
    alone = torch.cat([discriminator(image[None]) for image in images])
    torch.testing.assert_close(discriminator(images), alone)


def test_maps_stay_channels_last_so_that_no_layer_copies() -> None:
    pair = express((3, 28, 28), generator_width=8, discriminator_width=8)
    seen: list[str] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.dim() == 4 and not output.is_contiguous(memory_format=torch.channels_last):
            seen.append(type(layer).__name__)

    for player in (pair.generator, pair.discriminator):
        for layer in player.modules():
            layer.register_forward_hook(note)
    images = torch.randn(3, 3, 28, 28).contiguous(memory_format=torch.channels_last)
    pair.discriminator(images)
    pair.generator(torch.randn(3, 7))
    assert seen == []

"""What every family owes a recipe: any shape, width, pixel range and labels, and files that do as torch does."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from digitforge.errors import RecipeError
from digitforge.networks.build import FAMILIES, build
from digitforge.networks.layers import BatchNorm, Dropout, Flatten, Logit, mixes_samples, seed_dropout
from digitforge.networks.pixels import to_network, to_uint8
from digitforge.networks.players import Discriminator, Generator, Outline, Pair
from digitforge.networks.to_onnx import discriminator_to_onnx, generator_to_onnx
from network_checks import CLASSES, COLOUR, GREY, Shape, layers, make, networks, stir

every_family = pytest.mark.parametrize("family", FAMILIES)
told_or_not = pytest.mark.parametrize("conditional", [False, True], ids=["untold", "told"])


@every_family
@told_or_not
@pytest.mark.parametrize("shape", [GREY, COLOUR, (3, 28, 28), (1, 8, 12), (3, 12, 8)], ids=str)
def test_latents_become_images_and_images_logits(family: str, conditional: bool, shape: Shape) -> None:
    pair = make(family, shape, conditional=conditional)
    labels = torch.arange(5)
    images = pair.generator(torch.randn(5, 7), labels)
    assert images.shape == (5, *shape)
    assert pair.discriminator(images, labels).shape == (5,)


@every_family
@pytest.mark.parametrize("width", [1, 2, 5])
def test_any_width_makes_a_pair(family: str, width: int) -> None:
    pair = make(family, generator_width=width, discriminator_width=width)
    assert pair.discriminator(pair.generator(torch.randn(2, 7))).shape == (2,)


@every_family
@pytest.mark.parametrize(("pixels", "low"), [("signed", -1), ("unit", 0)])
def test_pixels_fill_the_range_that_the_recipe_names(family: str, pixels: str, low: int) -> None:
    generator = make(family, pixels=pixels).generator
    with torch.no_grad():
        layers(generator, nn.Conv2d, nn.ConvTranspose2d)[-1].weight *= 1000
        images = generator(torch.randn(32, 7))
    assert images.min() == pytest.approx(low, abs=0.01)
    assert images.max() == pytest.approx(1, abs=0.01)


@every_family
@told_or_not
def test_only_conditional_networks_hear_the_label(family: str, conditional: bool) -> None:
    pair = make(family, conditional=conditional)
    ones, twos = torch.tensor([1, 1]), torch.tensor([2, 2])
    for player, input in ((pair.generator.eval(), torch.randn(2, 7)), (pair.discriminator, torch.randn(2, *GREY))):
        assert torch.equal(player(input, ones), player(input, twos)) is not conditional


@every_family
def test_the_slope_is_the_recipes(family: str) -> None:
    pair = make(family, leaky_slope=0.35)
    slopes = {layer.negative_slope for layer in layers(pair.discriminator, nn.LeakyReLU)}
    slopes |= {layer.negative_slope for layer in layers(pair.generator, nn.LeakyReLU)}
    assert slopes == {0.35}


@every_family
def test_dropout_at_the_recipes_rate_in_the_discriminator_alone(family: str) -> None:
    pair = make(family, dropout=0.25)
    assert {layer.threshold for layer in layers(pair.discriminator, Dropout)} == {64}
    assert not any(layer.threshold for layer in layers(pair.generator, Dropout))
    stir(pair.discriminator)
    images = torch.randn(3, *GREY)
    first, second, again = (judged_in_step(pair.discriminator, images, step) for step in (0, 1, 0))
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


def judged_in_step(discriminator: nn.Module, images: Tensor, step: int) -> Tensor:
    seed_dropout(discriminator, seed=0, step=step, rows=len(images))
    return discriminator(images)


@every_family
def test_a_discriminator_judges_each_image_by_itself_unless_it_normalises_over_the_batch(family: str) -> None:
    discriminator = make(family).discriminator
    stir(discriminator)
    images = torch.randn(6, *GREY)
    alone = torch.cat([discriminator(images[[row, row]])[:1] for row in range(6)])  # norms ask for two images
    assert torch.allclose(discriminator(images), alone, rtol=1e-4, atol=1e-5) is not mixes_samples(discriminator)


@every_family
def test_maps_stay_channels_last_so_that_no_layer_copies(family: str) -> None:
    pair = make(family, (3, 28, 28), generator_width=8, discriminator_width=8)
    seen: list[str] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.dim() == 4 and not output.is_contiguous(memory_format=torch.channels_last):
            seen.append(type(layer).__name__)

    for player in (pair.generator, pair.discriminator):
        for layer in player.modules():
            layer.register_forward_hook(note)
    pair.discriminator(torch.randn(3, 3, 28, 28).contiguous(memory_format=torch.channels_last))
    pair.generator(torch.randn(3, 7))
    assert seen == []


@every_family
@pytest.mark.parametrize("shape", [(1, 30, 28), (1, 28, 30)], ids=str)
def test_sides_that_do_not_divide_by_four_are_refused(family: str, shape: Shape) -> None:
    with pytest.raises(RecipeError, match="must divide by 4"):
        make(family, shape)


# An export takes seconds: those of dcgan and express stand in test_to_onnx.py, one of them without labels.
@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in ("dcgan", "express")])
def test_the_files_draw_and_judge_as_torch_does(family: str) -> None:
    shape, settings = (3, 12, 8), networks(family, conditional=True, dropout=0.5)
    pair = build(settings, shape, CLASSES, seed=3)
    for player in (pair.generator, pair.discriminator):
        stir(player.eval())
    latents, labels = torch.randn(6, 7), torch.arange(6)
    images = torch.randint(0, 256, (6, *shape), dtype=torch.uint8)
    with torch.no_grad():
        drawn = to_uint8(pair.generator(latents, labels), "signed").numpy()
        judged = pair.discriminator(to_network(images, "signed"), labels).numpy()

    generator = generator_to_onnx(pair.generator, settings, shape, card="{}")
    found = run(generator, {"latent": latents.numpy(), "label": labels.numpy()})
    # Two orders of summation may round a pixel that lies between two levels to either of them.
    assert np.abs(found.astype(int) - drawn).max() <= 1
    assert (found != drawn).mean() <= 0.01
    assert drawn.std() > 5

    discriminator = discriminator_to_onnx(pair.discriminator, settings, shape, CLASSES, card="{}")
    np.testing.assert_allclose(
        run(discriminator, {"images": images.numpy(), "label": labels.numpy()}), judged, rtol=1e-4, atol=1e-4
    )
    assert judged.std() > 0.01


def run(model: bytes, feeds: dict[str, np.ndarray]) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    (output,) = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, feeds)
    return output


def family_with(player: str, layer: nn.Module) -> Callable[[Outline], Pair]:
    """A family of one's own that has a layer in one of its players."""

    def build(outline: Outline) -> Pair:
        pixels = math.prod(outline.shape)
        draw = nn.Sequential(nn.Linear(outline.latent_size, pixels), nn.Unflatten(1, outline.shape))
        features = nn.Sequential(Flatten())
        (draw if player == "generator" else features).append(nn.Sequential(layer))
        return Pair(Generator(draw, outline.classes), Discriminator(features, Logit(pixels, outline.classes)))

    return build


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("layer", "instead"),
    [
        (nn.BatchNorm1d(4), r"digitforge\.networks\.layers\.BatchNorm"),
        (nn.BatchNorm2d(4), r"digitforge\.networks\.layers\.BatchNorm"),
        (nn.LazyBatchNorm2d(), r"digitforge\.networks\.layers\.BatchNorm"),
        (nn.SyncBatchNorm(4), r"digitforge\.networks\.layers\.BatchNorm"),
        (nn.InstanceNorm2d(4, track_running_stats=True), "it with track_running_stats=False"),
        (nn.Dropout(0.3), r"digitforge\.networks\.layers\.Dropout"),
        (nn.Dropout2d(0.3), r"digitforge\.networks\.layers\.Dropout"),
        (nn.RReLU(), r"torch\.nn\.LeakyReLU"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_family_with_a_layer_that_would_train_wrongly_is_refused(
    monkeypatch: pytest.MonkeyPatch, player: str, layer: nn.Module, instead: str
) -> None:
    monkeypatch.setitem(FAMILIES, "mine", family_with(player, layer))
    with pytest.raises(
        RecipeError, match=rf'the {player} of the family "mine" .*{type(layer).__name__}.*; use {instead}$'
    ):
        make("mine")


@pytest.mark.parametrize(
    "layer",
    [BatchNorm(4), Dropout(0.3), nn.InstanceNorm2d(4), nn.GroupNorm(1, 4), nn.LayerNorm(4), nn.Dropout(0.0)],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_train_rightly_are_let_in(monkeypatch: pytest.MonkeyPatch, layer: nn.Module) -> None:
    monkeypatch.setitem(FAMILIES, "mine", family_with("generator", layer))
    assert layer in list(make("mine").generator.modules())

"""From network to file: onnxruntime draws and judges as torch does, for any number of images, and the card is kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import digitforge
from digitforge.networks.build import build
from digitforge.networks.layers import BatchNorm
from digitforge.networks.pixels import to_network, to_uint8
from digitforge.networks.players import Pair
from digitforge.networks.to_onnx import (
    classifier_to_onnx,
    discriminator_to_onnx,
    generator_to_onnx,
    weights_sha256,
    with_card,
)
from digitforge.seal import is_broken
from digitforge.sections import Networks

SHAPE = (1, 8, 8)
LATENT = 5
CARD = '{"name": "caf\N{LATIN SMALL LETTER E WITH ACUTE}"}'
COUNTS = (1, 2, 7)


def networks(family: str, conditional: bool) -> Networks:
    """Narrow ones; D drops out in training."""
    return Networks(
        family=family,
        conditional=conditional,
        latent_size=LATENT,
        generator_width=4,
        discriminator_width=4,
        dropout=0.5 if family == "dcgan" else 0.0,
    )


TOLD, UNTOLD = networks("express", conditional=True), networks("dcgan", conditional=False)
CLUSTERED = networks("express", conditional=False).model_copy(update={"clusters": 3})


def pair(settings: Networks, seed: int = 1) -> Pair:
    """Both players after a few passes, so that normalisation has statistics of its own."""
    made = build(settings, SHAPE, classes=10, seed=seed)
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for module in made.generator.modules():
            if isinstance(module, BatchNorm):
                module.weight.add_(torch.rand(module.weight.shape, generator=rng))
                module.running_mean.add_(torch.randn(module.running_mean.shape, generator=rng) / 4)
                module.running_var.mul_(1.5)
        if made.discriminator.clusters is not None:
            made.discriminator.clusters.weight.copy_(torch.randn(3, math.prod(SHAPE), generator=rng))
    return made


def session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def card_of(model: bytes) -> str:
    return session(model).get_modelmeta().custom_metadata_map["digitforge"]


@pytest.fixture(scope="module", params=[TOLD, UNTOLD, CLUSTERED], ids=["told", "untold", "clusters"])
def settings(request: pytest.FixtureRequest) -> Networks:
    return request.param


@pytest.fixture(scope="module")
def players(settings: Networks) -> Pair:
    return pair(settings)


def test_the_file_draws_what_torch_draws_for_any_number_of_latents(players: Pair, settings: Networks) -> None:
    generator = players.generator
    model = session(generator_to_onnx(generator, settings, SHAPE, CARD))
    inputs = {node.name: (node.type, node.shape[1:]) for node in model.get_inputs()}
    told = {"label": ("tensor(int64)", [])} if generator.label_count else {}
    assert inputs == {"latent": ("tensor(float)", [settings.drawing_size])} | told
    for count in COUNTS:
        latents, labels = torch.randn(count, settings.drawing_size), torch.arange(count)
        feeds = {"latent": latents.numpy()} | ({"label": labels.numpy()} if told else {})
        (drawn,) = model.run(["images"], feeds)
        with torch.no_grad():
            expected = to_uint8(players.generator.eval().drawn(latents, labels), "signed").numpy()
        assert drawn.dtype == np.uint8
        assert drawn.shape == (count, *SHAPE)
        # Two orders of summation may round a pixel that lies between two levels to either of them.
        assert np.abs(drawn.astype(int) - expected).max() <= 1
        assert (drawn != expected).mean() <= 0.01
        assert drawn.std() > 5


def test_a_blend_of_labels_is_an_input_that_nobody_needs_to_know_of() -> None:
    generator = pair(TOLD).generator
    model = session(generator_to_onnx(generator, TOLD, SHAPE, CARD))
    optional = [(node.name, node.type, node.shape[1:]) for node in model.get_overridable_initializers()]
    assert optional == [("blend", "tensor(float)", [10])]
    latents, threes = np.random.default_rng(0).standard_normal((4, LATENT), np.float32), np.full(4, 3)
    to_eight = np.eye(10, dtype=np.float32)[[8]] - np.eye(10, dtype=np.float32)[[3]]
    (eights,) = model.run(None, {"latent": latents, "label": np.full(4, 8)})
    for rows in (1, 4):  # one blend for all images, or one for each
        feeds = {"latent": latents, "label": threes, "blend": np.repeat(to_eight, rows, 0)}
        np.testing.assert_array_equal(model.run(None, feeds)[0], eights)
    weights = np.random.default_rng(1).dirichlet(np.ones(10), 4).astype(np.float32)
    (mixed,) = model.run(None, {"latent": latents, "label": threes, "blend": weights - np.eye(10, dtype="f")[threes]})
    with torch.no_grad():
        images = generator.eval().conditioned(torch.from_numpy(latents), torch.from_numpy(weights))
    assert np.abs(mixed.astype(int) - to_uint8(images, "signed").numpy()).max() <= 1


def test_a_model_that_is_told_nothing_blends_nothing() -> None:
    model = session(generator_to_onnx(pair(UNTOLD).generator, UNTOLD, SHAPE, CARD))
    assert model.get_overridable_initializers() == []


def test_networks_of_one_kind_have_files_of_their_own_whichever_was_written_first() -> None:
    first, second = (pair(TOLD, seed).generator for seed in (1, 2))
    files = [generator_to_onnx(generator, TOLD, SHAPE, CARD) for generator in (first, second, first)]
    assert files[0] == files[2] != files[1]
    latents, labels = torch.randn(4, LATENT), torch.arange(4)
    for generator, file in zip((first, second), files, strict=False):
        (drawn,) = session(file).run(None, {"latent": latents.numpy(), "label": labels.numpy()})
        with torch.no_grad():
            expected = to_uint8(generator.eval()(latents, labels), "signed").numpy()
        assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_a_file_says_nothing_of_the_machine_that_wrote_it(players: Pair, settings: Networks) -> None:
    generator = generator_to_onnx(players.generator, settings, SHAPE, CARD)
    discriminator = discriminator_to_onnx(players.discriminator, settings, SHAPE, 10, CARD)
    for file in (generator, discriminator):
        assert b".py" not in file
        assert str(Path.cwd()).encode() not in file


def test_the_files_of_the_package_say_nothing_of_the_machine_that_wrote_them() -> None:
    files = sorted((Path(digitforge.__file__).parent / "assets").glob("*.onnx"))
    assert len(files) == 3
    for file in files:
        content = file.read_bytes()
        assert b".py" not in content, file.name
        assert not is_broken(content), file.name


def test_the_file_judges_as_torch_does(players: Pair, settings: Networks) -> None:
    classes = players.generator.label_count
    judge = session(discriminator_to_onnx(players.discriminator, settings, SHAPE, 10, CARD))
    for count in COUNTS:
        images, labels = torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8), torch.arange(count)
        feeds = {"images": images.numpy()} | ({"label": labels.numpy()} if classes else {})
        (logits,) = judge.run(["logit"], feeds)
        with torch.no_grad():
            shown, judge_of_torch = to_network(images, "signed"), players.discriminator.eval()
            expected = judge_of_torch(shown, judge_of_torch.told(shown, labels))
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_the_card_is_kept_and_can_be_replaced_without_touching_the_model() -> None:
    class Plain(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            means = images.float().mean((2, 3))
            return means, -means

    model = classifier_to_onnx(Plain(), SHAPE, CARD)
    other = with_card(model, '{"name": "other"}')
    assert card_of(model) == CARD
    assert card_of(other) == '{"name": "other"}'
    graphs = [onnx.load_model_from_string(file).graph.SerializeToString(deterministic=True) for file in (model, other)]
    assert graphs[0] == graphs[1]
    images = np.full((3, *SHAPE), 7, np.uint8)
    features, logits = session(other).run(["features", "logits"], {"images": images})
    np.testing.assert_allclose(features, np.full((3, 1), 7))
    np.testing.assert_allclose(logits, -features)


def change_a_weight(network: nn.Module) -> None:
    next(network.parameters()).view(-1)[0] += 1e-6


def change_a_statistic(network: nn.Module) -> None:
    next(module for module in network.modules() if isinstance(module, BatchNorm)).running_var[0] += 1e-6


@pytest.mark.parametrize("change", [change_a_weight, change_a_statistic])
def test_the_hash_of_the_weights_tells_any_change(change: Callable[[nn.Module], None]) -> None:
    generator = pair(TOLD).generator
    other = copy.deepcopy(generator)
    assert weights_sha256(other) == weights_sha256(generator)
    with torch.no_grad():
        change(other)
    assert weights_sha256(other) != weights_sha256(generator)

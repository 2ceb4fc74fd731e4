"""The documents' recipes: each is as its document, or the paper behind it, describes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from digitforge.data import DataSet, Digits
from digitforge.networks.build import build
from digitforge.networks.layers import BatchNorm, Dropout
from digitforge.recipe import load_recipe, recipe_names
from digitforge.sections import Objective
from digitforge.training.compute import start_fabric
from digitforge.training.plan import Plan, make_plan, with_images
from digitforge.training.trainer import Trainer

KERAS = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
RADFORD = {"beta1": 0.5, "beta2": 0.999, "epsilon": 1e-7}
RMSPROP = {"method": "rmsprop", "beta1": 0.0, "beta2": 0.99, "epsilon": 1e-7}
GAME = Objective(loss="non-saturating")
PENALISED = Objective(loss="wasserstein", gradient_penalty=10)
CLIPPED = Objective(loss="wasserstein", clip=0.01)
PYTORCH = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

DCGAN: dict[str, Any] = {
    "latent": (100, "normal"),
    "pixels": "signed",
    "parameters": (2_305_472, 1_030_145),
    "slope": 0.3,
    "dropout": 0.3,
    "batch": 256,
    "images": 60_000,
}
# Layers for colour at 32x32: the first reshape is 8x8x256, G's last layer has 3 channels, D sees 3.
SVHN: dict[str, Any] = DCGAN | {"data": "svhn", "parameters": (2_700_352, 1_033_345), "images": 73_257, "epochs": 200}
DOCUMENTED: dict[str, dict[str, Any]] = {
    "dcgan": DCGAN
    | {"generator": {"rate": 1e-3} | KERAS, "discriminator": {"rate": 1e-4} | KERAS}
    | {"objective": GAME, "update": "simultaneous", "epochs": 100},
    "wgan-gp": DCGAN
    | {"generator": {"rate": 1e-3} | KERAS, "discriminator": {"rate": 1e-4} | KERAS}
    | {"objective": PENALISED, "update": "simultaneous", "epochs": 50},
    "dcgan-svhn": SVHN
    | {"generator": {"rate": 1e-3} | KERAS, "discriminator": {"rate": 1e-4} | KERAS}
    | {"objective": GAME, "update": "simultaneous"},
    "wgan-gp-svhn": SVHN
    | {"generator": {"rate": 1e-3} | KERAS, "discriminator": {"rate": 1e-4} | KERAS}
    | {"objective": PENALISED, "update": "simultaneous"},
    "wgan-gp-tuned": DCGAN
    | {
        "generator": {"rate": 1e-4, "beta1": 0.0, "beta2": 0.9, "epsilon": 1e-7},
        "discriminator": {"rate": 1e-4, "beta1": 0.0, "beta2": 0.9, "epsilon": 1e-7},
    }
    | {"objective": PENALISED, "update": "alternating", "epochs": 50, "dropout": 0.0, "critic_steps": 5},
    "wgan": DCGAN
    | {"generator": {"rate": 5e-5} | RMSPROP, "discriminator": {"rate": 5e-5} | RMSPROP}
    | {"objective": CLIPPED, "update": "alternating", "epochs": 50, "critic_steps": 5},
    "baseline": {
        "generator": {"rate": 2e-4} | RADFORD,
        "discriminator": {"rate": 2e-4} | RADFORD,
        "latent": (100, "normal"),
        "pixels": "unit",
        "parameters": (1_164_289, 40_705),
        "slope": 0.2,
        "dropout": 0.4,
        "batch": 128,
        "generator_batches": 2,
        "images": 234 * 128,
        "objective": GAME,
        "update": "alternating",
        "epochs": 100,
    },
    "raschka": {
        "generator": {"rate": 3e-4} | PYTORCH,
        "discriminator": {"rate": 2e-4} | PYTORCH,
        "latent": (100, "uniform"),
        "pixels": "signed",
        "parameters": (312_256, 109_440),
        "slope": 0.2,
        "dropout": 0.0,
        "batch": 64,
        "images": 60_000,
        "objective": GAME,
        "update": "alternating",
        "epochs": 200,
    },
    "upsample": {
        "generator": {"rate": 2e-4} | RADFORD,
        "discriminator": {"rate": 2e-4} | RADFORD,
        "latent": (100, "normal"),
        "pixels": "signed",
        "parameters": None,  # the document counts none
        "slope": 0.2,
        "dropout": 0.4,
        "batch": 64,
        "images": 5_000,
        "objective": GAME,
        "update": "alternating",
        "epochs": 50,
    },
}


SHAPES = {"mnist": (1, 28, 28), "svhn": (3, 32, 32)}


def full_sized(name: str, count: int) -> DataSet:
    """As many black pictures as the data set has, its own counts aside."""
    black = np.broadcast_to(np.uint8(0), (count, *SHAPES[name]))
    return DataSet(name, Digits(black, np.arange(count) % 10), None)


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    data = {"mnist": full_sized("mnist", 60_000), "svhn": full_sized("svhn", 73_257)}
    return {name: make_plan(load_recipe(name), data[told.get("data", "mnist")]) for name, told in DOCUMENTED.items()}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documents_settings_stand_in_its_recipe(name: str) -> None:
    recipe, told = load_recipe(name), DOCUMENTED[name]
    networks, training = recipe.networks, recipe.training
    assert (networks.latent_size, networks.latent) == told["latent"]
    assert (networks.pixels, networks.leaky_slope, networks.dropout) == (told["pixels"], told["slope"], told["dropout"])
    assert recipe.objective == told["objective"]
    assert (training.update, training.epochs) == (told["update"], told["epochs"])
    assert recipe.data.name == told.get("data", "mnist")
    assert training.batch_size == told["batch"]
    assert training.generator_batches == told.get("generator_batches", 1)
    assert training.critic_steps == told.get("critic_steps", 1)
    for player, optimiser in (
        ("generator", recipe.generator_optimiser),
        ("discriminator", recipe.discriminator_optimiser),
    ):
        assert optimiser.model_dump() | told[player] == optimiser.model_dump()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documents_recipe_is_judged_on_plain_weights_without_schedule_or_labels(name: str) -> None:
    recipe = load_recipe(name)
    assert not recipe.has_schedule
    assert recipe.training.ema_images == recipe.training.warmup_images == 0
    assert not recipe.networks.conditional


@pytest.mark.parametrize("name", DOCUMENTED)
def test_its_networks_have_the_documents_parameters(name: str) -> None:
    recipe = load_recipe(name)
    pair = build(recipe.networks, SHAPES[recipe.data.name], 10, seed=0)
    counts = tuple(
        sum(parameter.numel() for parameter in player.parameters()) for player in (pair.generator, pair.discriminator)
    )
    assert counts == (DOCUMENTED[name]["parameters"] or counts)
    rates = [layer.threshold / 256 for layer in pair.discriminator.modules() if isinstance(layer, Dropout)]
    assert max(rates, default=0) == pytest.approx(recipe.networks.dropout, abs=1 / 256)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_an_epoch_is_the_documents(name: str, plans: dict[str, Plan]) -> None:
    plan, told = plans[name], DOCUMENTED[name]
    assert plan.epoch_images == told["images"]
    pretraining = plan.recipe.training.pretrain_images
    assert plan.recipe.training.images == pretraining + told["epochs"] * told["images"]


def test_upsample_trains_on_500_images_a_digit_and_sees_each_once_before_the_game(plans: dict[str, Plan]) -> None:
    plan = plans["upsample"]
    assert plan.train.counts.tolist() == [500] * 10
    assert plan.recipe.training.pretrain_images == 5000


def test_baseline_takes_234_steps_an_epoch_and_records_every_10(plans: dict[str, Plan]) -> None:
    plan = plans["baseline"]
    assert plan.times.steps == 234 * 100
    for record in ("accuracy", "sheet", "snapshot"):
        due = [steps for steps in range(1, plan.times.steps + 1) if plan.is_due(record, steps)]
        assert due == [234 * 10 * part for part in range(1, 11)]


@pytest.mark.parametrize("name", ["wgan", "wgan-gp", "wgan-gp-svhn", "wgan-gp-tuned"])
def test_a_critic_has_neither_normalisation_nor_a_last_activation(name: str) -> None:
    discriminator = build(load_recipe(name).networks, (1, 28, 28), 10, seed=0).discriminator
    assert not any(isinstance(layer, BatchNorm | nn.BatchNorm2d) for layer in discriminator.modules())
    assert not any(isinstance(layer, nn.Sigmoid | nn.Tanh) for layer in discriminator.modules())


def test_r3gan_plays_the_game_of_its_paper() -> None:
    """Huang et al. 2024: relativistic pairing, both zero-centred penalties alike, Adam without momentum, no norm."""
    recipe = load_recipe("r3gan")
    assert recipe.objective == Objective(loss="relativistic", r1=1, r2=1, penalty_every=4)
    assert recipe.training.update == "alternating"
    for optimiser in (recipe.generator_optimiser, recipe.discriminator_optimiser):
        assert (optimiser.method, optimiser.beta1, optimiser.beta2) == ("adam", 0, 0.99)
    pair = build(recipe.networks, SHAPES["mnist"], 10, seed=0)
    for player in (pair.generator, pair.discriminator):
        assert not any(isinstance(layer, BatchNorm | nn.BatchNorm2d) for layer in player.modules())


def test_every_recipe_names_its_document() -> None:
    documents = {name: load_recipe(name).document for name in recipe_names()}
    assert {documents[name] for name in DOCUMENTED if name != "wgan-gp-tuned"} == {"001", "002", "003", "004"}
    ours = {name for name, document in documents.items() if document == "ours"}
    assert ours == {"express", "express-svhn", "express-untold", "r3gan", "wgan-gp-tuned"}


def test_without_labels_express_is_told_clusters_and_nothing_else_differs() -> None:
    told, untold = load_recipe("express"), load_recipe("express-untold")
    assert untold.networks == told.networks.model_copy(update={"conditional": False, "clusters": 100})
    for table in ("data", "objective", "generator_optimiser", "discriminator_optimiser", "training", "record"):
        assert getattr(untold, table) == getattr(told, table)


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp"])
def test_on_house_numbers_a_recipe_differs_in_data_and_length_alone(name: str) -> None:
    grey, colour = load_recipe(name), load_recipe(f"{name}-svhn")
    for table in ("networks", "objective", "generator_optimiser", "discriminator_optimiser", "record"):
        assert getattr(colour, table) == getattr(grey, table)
    assert colour.training == grey.training.model_copy(update={"epochs": 200})


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize(("shape", "classes"), [((1, 28, 28), 10), ((3, 32, 32), 10), ((3, 32, 32), 3)], ids=str)
def test_every_recipe_adapts_to_the_pictures_shape_and_to_the_number_of_classes(
    name: str, shape: tuple[int, int, int], classes: int
) -> None:
    narrow = {"networks.generator_width": 4, "networks.discriminator_width": 4, "training.batch_size": 6}
    length = {"training.images": 6, "training.pretrain_images": 0, "training.batch_doublings": 0}
    fixed = {"compute.device": "cpu", "compute.precision": "32", "compute.threads": 1, "data.count": 0}
    few = {"networks.clusters": min(load_recipe(name).networks.clusters, 2), "training.critic_steps": 1}
    recipe = load_recipe(name).with_settings({**narrow, **length, **fixed, **few})
    rng = np.random.default_rng(0)
    labels = np.arange(24, dtype=np.int64) % classes
    digits = Digits(rng.integers(0, 256, (24, *shape), np.uint8), labels, tuple(map(str, range(classes))))
    plan = with_images(make_plan(recipe, DataSet("own", digits, None)), 6)
    trainer = Trainer(plan, start_fabric(plan.recipe))
    before = [parameter.detach().clone() for parameter in trainer.state.game.generator.parameters()]
    trainer.step()
    after = list(trainer.state.game.generator.parameters())
    assert all(bool(parameter.isfinite().all()) for parameter in after)
    assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))

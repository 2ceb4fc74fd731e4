"""The end of a run: its networks as ONNX files, the figures of the model file, a sheet, and the hashes of it all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from digitforge import __version__
from digitforge.card import Card, CardData, CardLatent
from digitforge.data import DIGIT_NAMES, Digits
from digitforge.errors import DataError
from digitforge.files import write_whole
from digitforge.forge import Forge
from digitforge.metrics.evaluate import evaluate
from digitforge.networks.players import Discriminator, Generator
from digitforge.networks.to_onnx import discriminator_to_onnx, generator_to_onnx, weights_sha256, with_card
from digitforge.runs import RunFolder
from digitforge.sheets import labelled_sheet, png_bytes
from digitforge.training.plan import Plan

_SHEET_COLUMNS = 10
_DRAWN_FOR_SHEET = 500  # where nobody tells the model its labels: some 50 of each digit, if it draws them equally


def finish(plan: Plan, generator: Generator, discriminator: Discriminator, images: int, folder: RunFolder) -> Card:
    """Write what a finished run leaves behind; the figures are those of the images that the model file draws.

    generator: as it will be used, in evaluation mode. images: real images shown to the discriminator.
    """
    card = make_card(plan, generator, images)
    networks = plan.recipe.networks
    model = generator_to_onnx(generator, networks.latent_size, networks.pixels, card.to_json())
    write_whole(folder.model, model)
    if can_be_judged(plan):
        try:
            card = replace(card, figures=figures_of(folder))
        except DataError:  # images that were handed in, or have gone since: the model is no worse for that
            card = replace(card, figures={})
        write_whole(folder.model, with_card(model, card.to_json()))
    classes = plan.classes if networks.conditional else 0
    judge = discriminator_to_onnx(
        discriminator, classes, plan.train.shape, networks.pixels, json.dumps({"kind": "discriminator"})
    )
    write_whole(folder.discriminator, judge)
    write_whole(folder.final_sheet, png_bytes(labelled_sheet(by_label(Forge.load(folder.model)), _SHEET_COLUMNS)))
    folder.write_hashes()
    return card


def figures_of(folder: RunFolder) -> dict[str, Any]:
    """What `evaluate` finds for the model file, less the file's own name and hash, which the card would change."""
    found = evaluate(folder.model).as_dict()
    return {key: value for key, value in found.items() if key not in ("model", "model_sha256")}


def make_card(plan: Plan, generator: Generator, images: int) -> Card:
    """The card of a model, without figures."""
    recipe = plan.recipe
    table: dict[str, Any] = recipe.model_dump(mode="json", exclude_none=True)
    return Card(
        version=__version__,
        recipe=table,
        data=CardData(plan.data_name, plan.data_sha256, len(plan.train)),
        seed=recipe.training.seed,
        images=images,
        names=plan.train.names,
        frequencies=tuple(int(count) for count in plan.train.counts),
        conditional=recipe.networks.conditional,
        latent=CardLatent(recipe.networks.latent_size, recipe.networks.latent),
        weights="average" if recipe.training.ema_images else "plain",
        shape=plan.train.shape,
        weights_sha256=weights_sha256(generator),
    )


def by_label(forge: Forge) -> Digits:
    """A few images of each label that a model draws, for a sheet; fewer of a label that it hardly draws."""
    if forge.is_told:
        parts = [forge.generate(name, _SHEET_COLUMNS) for name in forge.names]
        return Digits(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.labels for part in parts]),
            forge.card.names,
        )
    drawn = forge.generate(count=_DRAWN_FOR_SHEET)
    chosen = [np.flatnonzero(drawn.labels == label)[:_SHEET_COLUMNS] for label in range(len(drawn.names))]
    return drawn.take(np.concatenate(chosen))


def can_be_judged(plan: Plan) -> bool:
    """Whether the pinned classifier reads what this run draws: grey digits of 28x28 pixels."""
    return plan.train.shape == (1, 28, 28) and plan.train.names == DIGIT_NAMES

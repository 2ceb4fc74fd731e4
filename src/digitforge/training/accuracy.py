"""How well D tells real from fake: on training images, on held-out ones, and on what G draws now."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from digitforge.data import Digits
from digitforge.metrics.distributions import chance_above
from digitforge.networks.layers import BatchNorm
from digitforge.networks.pixels import to_network
from digitforge.networks.players import Discriminator, Generator
from digitforge.objectives.losses import LOSSES
from digitforge.randomness import draw_latents, stream
from digitforge.recipe import Recipe

_BATCH = 250
_LEAST = 2  # images of a kind: one alone has nothing to be normalised by, and no half beside it


@torch.no_grad()
def discriminator_accuracy(
    game: tuple[Generator, Discriminator], recipe: Recipe, train: Digits, held_out: Digits | None, images_seen: int
) -> dict[str, float | int]:
    """Shares of images that D judges rightly, each with its n: `real_train`, `real_held_out`, `fake`.

    Up to `record.accuracy_images` of each kind, dropout off, normalisation from pure batches of one kind. A D whose
    loss has no zero of its own (relativistic, Wasserstein) is asked at the midpoint of its means on a disjoint half,
    so that n of `real_train` and `fake` is half as large. A lone image is shown twice. `separation` is
    P(D(real) > D(fake)): 1 when D wins, 1/2 when it can only guess.
    """
    generator, discriminator = copy.deepcopy(game)
    for player in (generator, discriminator):
        for module in player.eval().modules():
            if isinstance(module, BatchNorm):
                module.train()
    device = next(discriminator.parameters()).device
    rng = stream(recipe.training.seed, "accuracy", images_seen)

    def real(digits: Digits) -> tuple[Tensor, Tensor]:
        count = min(recipe.record.accuracy_images, len(digits))
        places = rng.choice(len(digits), count, replace=False)
        chosen = digits.take(np.resize(places, max(_LEAST, count)))
        return torch.from_numpy(chosen.images).to(device), torch.from_numpy(chosen.labels).to(device)

    def shown(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        pixels = to_network(images, networks.pixels)
        with torch.autocast(device.type, enabled=False):  # clusters are told apart in float32, as in training
            told = discriminator.told(pixels, labels)
        assert told is not None
        return pixels, told

    def logits(pairs: Callable[[slice], tuple[Tensor, Tensor]], count: int) -> Tensor:
        # Parts of nearly one size: a last part of one image would have no statistics to be normalised by.
        edges = torch.linspace(0, count, -(-count // _BATCH) + 1).round().int().tolist()
        parts = [slice(*ends) for ends in pairwise(edges)]
        return torch.cat([discriminator(*pairs(part)) for part in parts]).float().cpu()

    networks = recipe.networks
    seen, labels = real(train)
    drawn = torch.from_numpy(draw_latents(rng, len(labels), networks.drawing_size, networks.latent)).to(device)
    latents, asked = generator.settled(drawn, labels)
    assert asked is not None
    found = {
        "real_train": logits(lambda part: shown(seen[part], labels[part]), len(seen)),
        "fake": logits(lambda part: (generator(latents[part], asked[part]), asked[part]), len(asked)),
    }
    if held_out is not None:
        unseen, unseen_labels = real(held_out)
        found["real_held_out"] = logits(lambda part: shown(unseen[part], unseen_labels[part]), len(unseen))
    return judged(found, has_zero=LOSSES[recipe.objective.loss].has_zero)


def judged(logits: dict[str, Tensor], has_zero: bool) -> dict[str, float | int]:
    """Accuracies from logits by kind ([N] each); `has_zero` says whether a logit of 0 means undecided."""
    real, fake = logits["real_train"], logits["fake"]
    separation = chance_above(real.numpy(), fake.numpy())
    assert separation is not None  # neither is empty
    threshold = 0.0
    if not has_zero:
        half = len(real) // 2
        threshold = float((real[:half].mean() + fake[:half].mean()) / 2)
        logits = {**logits, "real_train": real[half:], "fake": fake[half:]}
    result: dict[str, float | int] = {"separation": separation}
    for kind, values in logits.items():
        right = values < threshold if kind == "fake" else values > threshold
        result[kind] = float(right.float().mean())
        result[f"{kind}_n"] = len(values)
    return result

"""Stacked: K runs of one recipe as one game, each layer one kernel for all of them, since one alone leaves a GPU idle.

Their weights are stacked, their batches lie side by side as [N, K, ...], and every loss is K means of which the sum is
differentiated, so that no run's gradient hears of another. Adam, RMSprop, clipping and the weight average treat each
number by itself: over stacked weights they are K of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitforge.networks.clusters import NearestCluster
from digitforge.networks.stacked import parts, stacked_discriminator, stacked_generator
from digitforge.recipe import Recipe
from digitforge.training.batches import Batch, Batches
from digitforge.training.checkpoint import State, create_moments, named_tensors
from digitforge.training.ema import Average
from digitforge.training.plan import Plan
from digitforge.training.setup import optimiser
from digitforge.training.step import Game

# What is each run's own: the sums of its tick, which are tied apart, and its clusters.
_OWN = ("tick.sums", "generator.choice.", "average.choice.", "discriminator.clusters.")


class StackedBatches(Batches):
    """The batches of K runs side by side: images [N, K, C, H, W], labels [N, K], latents [N, K, Z].

    Each run has the images, and their order, that it has alone. All have one seed, hence the same latents.
    """

    def __init__(
        self, plans: Sequence[Plan], device: torch.device, clusters: Sequence[NearestCluster | None] = ()
    ) -> None:
        first, digits = plans[0], [plan.train for plan in plans]
        networks, training = first.recipe.networks, first.recipe.training
        images, labels = (np.concatenate([getattr(each, part) for each in digits]) for part in ("images", "labels"))
        super().__init__(replace(digits[0], images=images, labels=labels), networks, first.times, training.seed, device)
        self._runs = [Batches(each, networks, first.times, training.seed, torch.device("cpu")) for each in digits]
        self._clusters_of_runs = clusters
        self._starts = np.cumsum([0, *(len(each) for each in digits)])

    def batch(self, step: int) -> Batch:
        flat, sizes = super().batch(step), (-1, len(self._runs))
        images, labels = (torch.unflatten(each, 0, sizes) for each in (flat.images, flat.labels))
        for run, nearest in enumerate(self._clusters_of_runs):
            if nearest is not None:
                labels[:, run] = nearest(images[:, run])
        return Batch(images, labels, flat.latents)

    def latents(self, step: int, player: str, batches: int = 1) -> Tensor:
        return self._for_all(super().latents(step, player, batches))

    def mixing(self, step: int) -> Tensor:
        return self._for_all(super().mixing(step))

    def noise(self, step: int) -> Tensor:
        return self._for_all(super().noise(step))

    def indices(self, step: int) -> NDArray[np.int64]:
        """Which of all images make a step's batches: int64 [N * K], the runs taking turns."""
        places = [run.indices(step) + start for run, start in zip(self._runs, self._starts, strict=False)]
        return np.stack(places, 1).ravel()

    def _for_all(self, rows: Tensor) -> Tensor:
        return rows.unsqueeze(1).expand(-1, len(self._runs), *rows.shape[1:])


def stack(states: Sequence[State], recipe: Recipe) -> State:
    """One state of K runs that stand at one step; each of theirs then looks into it, and moves as it moves.

    What never moves, a run's clusters, stays its own.
    """
    whole = State(_stacked_game([state.game for state in states], recipe), None, states[0].sums, states[0].step)
    averages = [state.average for state in states if state.average is not None]
    if averages:
        whole.average = Average(whole.game.generator, averages[0].half_life)
    create_moments(whole.game)
    for tensor, *own in zip(_tied_tensors(whole), *map(_tied_tensors, states), strict=True):
        for view, part in zip(parts(tensor.data, len(states)), own, strict=True):
            view.copy_(part.data)
            part.data = view
    whole.sums = torch.stack([state.sums for state in states], 1)
    for place, state in enumerate(states):
        state.sums = whole.sums[:, place]
    return whole


def _stacked_game(games: Sequence[Game], recipe: Recipe) -> Game:
    generator = stacked_generator([game.generator for game in games])
    discriminator = stacked_discriminator([game.discriminator for game in games])
    return replace(
        games[0],
        generator=generator,
        discriminator=discriminator,
        generator_optimiser=optimiser(generator.parameters(), recipe.generator_optimiser),
        discriminator_optimiser=optimiser(discriminator.parameters(), recipe.discriminator_optimiser),
    )


def _tied_tensors(state: State) -> Iterator[Tensor]:
    return (tensor for name, tensor in named_tensors(state) if not name.startswith(_OWN))

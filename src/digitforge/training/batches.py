"""Batches: which images, latents and labels a step sees, as a function of seed and step alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitforge.data import Digits
from digitforge.networks.clusters import NearestCluster
from digitforge.networks.layers import processes, this_process
from digitforge.networks.pixels import to_network
from digitforge.randomness import draw_latents, stream
from digitforge.sections import Networks
from digitforge.training.schedule import Timetable

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Batch:
    """This process's slice of one global batch.

    images: float [N, C, H, W] in the recipe's pixel range. labels: int64 [N], or the clusters that are told in their
    place. latents: float32 [N, Z].
    """

    images: Tensor
    labels: Tensor
    latents: Tensor

    def repeated(self, times: int) -> Batch:
        """The same batch so many times over."""
        if times == 1:
            return self
        parts = self.images, self.labels, self.latents
        return Batch(*(part.repeat(times, *[1] * (part.dim() - 1)) for part in parts))


class Batches:
    """An endless walk over the training images, each epoch in an order of its own."""

    def __init__(
        self,
        digits: Digits,
        networks: Networks,
        times: Timetable,
        seed: int,
        device: torch.device,
        clusters: NearestCluster | None = None,
    ) -> None:
        self.count = len(digits)
        self.times = times
        self._images = torch.from_numpy(digits.images).to(device)
        self._labels = torch.from_numpy(digits.labels).to(device)
        self._networks = networks
        self._seed = seed
        self._device = device
        self._clusters = clusters
        self._orders: dict[int, NDArray[np.int64]] = {}

    def batch(self, step: int) -> Batch:
        """The real images of a step with latents for as many fakes of the same labels."""
        chosen = torch.from_numpy(self._slice(self.indices(step))).to(self._device)
        images = to_network(self._images[chosen], self._networks.pixels)
        labels = self._labels[chosen] if self._clusters is None else self._clusters(images)
        return Batch(images, labels, self.latents(step, "discriminator"))

    def latents(self, step: int, player: str, batches: int = 1) -> Tensor:
        """This process's slice of the latents that a player's turn is played with: float32 [batches * N, Z]."""
        rng = stream(self._seed, f"latents for the {player}", step)
        count = batches * self.times.batch_size(step)
        drawn = draw_latents(rng, count, self._networks.latent_size, self._networks.latent)
        parts = [self._slice(part) for part in np.split(drawn, batches)]
        return torch.from_numpy(np.concatenate(parts)).to(self._device)

    def mixing(self, step: int) -> Tensor:
        """This process's slice of a step's shares of real in what lies between real and fake: float32 [N], 0..1."""
        shares = stream(self._seed, "mixing", step).random(self.times.batch_size(step), np.float32)
        return torch.from_numpy(self._slice(shares)).to(self._device)

    def noise(self, step: int) -> Tensor:
        """This process's slice of a step's images of noise, each pixel uniform: as real images are, [N, C, H, W]."""
        shape = (self.times.batch_size(step), *self._images.shape[1:])
        drawn = stream(self._seed, "noise", step).integers(0, 256, shape, np.uint8)
        return to_network(torch.from_numpy(self._slice(drawn)).to(self._device), self._networks.pixels)

    def indices(self, step: int) -> NDArray[np.int64]:
        """Which training images make the global batch of a step: int64 [batch size]."""
        place, end = self.times.images_after(step), self.times.images_after(step + 1)
        parts = []
        while place < end:
            epoch, offset = divmod(place, self.count)
            parts.append(self._order(epoch)[offset : offset + end - place])
            place += len(parts[-1])
        return np.concatenate(parts)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders = {key: order for key, order in self._orders.items() if key >= epoch - 1}
            self._orders[epoch] = stream(self._seed, "order", epoch).permutation(self.count)
        return self._orders[epoch]

    def _slice(self, rows: NDArray[T]) -> NDArray[T]:
        share = len(rows) // processes()
        return rows[this_process() * share :][:share]

"""The clusters of a data set, for players who are told those in the place of labels (networks/clusters.py)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from digitforge.data import Digits
from digitforge.errors import DataError
from digitforge.networks.clusters import NearestCluster
from digitforge.networks.pixels import Range, to_network
from digitforge.networks.players import Pair
from digitforge.randomness import stream
from digitforge.recipe import Recipe

_LEARNT_FROM = 20_000  # images: a third of MNIST, in a third of the time
_AXES = 32  # principal components, in which distances are taken; in all pixels k-means takes five times as long
_ROUNDS = 20  # of k-means
_LEAST = 10  # images a cluster, in the mean
_BATCH = 1000


@dataclass(frozen=True)
class Clusters:
    """The centres of K clusters as NearestCluster takes them, and how often each occurs.

    weight: float32 [K, pixels]; bias, shares: float32 [K]. Shares sum to 1.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    shares: NDArray[np.float32]

    def put_into(self, pair: Pair) -> None:
        """Give both players these clusters."""
        nearest, choice = pair.discriminator.clusters, pair.generator.choice
        assert nearest is not None and choice is not None
        nearest.weight.copy_(torch.from_numpy(self.weight))
        nearest.bias.copy_(torch.from_numpy(self.bias))
        choice.log_shares.copy_(torch.from_numpy(self.shares).log())


def find_clusters(digits: Digits, recipe: Recipe) -> Clusters:
    """What a recipe's players are told: k-means (Lloyd 1982) in the images' principal components.

    Begun as k-means++ (Arthur and Vassilvitskii 2007) from the run's seed. Raises DataError for too few images.
    """
    from scipy.cluster.vq import kmeans2
    from scipy.linalg import eigh

    count, pixels = recipe.networks.clusters, recipe.networks.pixels
    most = len(digits) // _LEAST
    if count > most:
        way = f"networks.clusters={most} or fewer, or 0" if most else "networks.clusters=0"
        raise DataError(
            f"{count} clusters need {count * _LEAST:,} images, and there are {len(digits):,}; set {way}, "
            "which tells the players nothing"
        )
    rng = stream(recipe.training.seed, "clusters")
    some = rng.permutation(len(digits))[:_LEARNT_FROM]
    rows = to_network(torch.from_numpy(digits.images[some]), pixels).flatten(1).numpy()
    centred = rows - rows.mean(0)
    size = rows.shape[1]
    _, axes = eigh(centred.T @ centred, subset_by_index=[max(0, size - _AXES), size - 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of equal images some clusters stay empty, which are never told
        centres, _ = kmeans2(rows @ axes, count, iter=_ROUNDS, minit="++", seed=rng)
    found = NearestCluster(count, size)
    found.weight.copy_(torch.from_numpy(centres @ axes.T))
    found.bias.copy_(torch.from_numpy(-np.square(centres).sum(1) / 2))
    return Clusters(found.weight.numpy(), found.bias.numpy(), _shares(digits, found, pixels))


def _shares(digits: Digits, nearest: NearestCluster, pixels: Range) -> NDArray[np.float32]:
    """How often each cluster occurs among all images."""
    counts = torch.zeros(len(nearest.bias), dtype=torch.int64)
    for start in range(0, len(digits), _BATCH):
        found = nearest(to_network(torch.from_numpy(digits.images[start : start + _BATCH]), pixels))
        counts += torch.bincount(found, minlength=len(counts))
    return (counts / counts.sum()).numpy()

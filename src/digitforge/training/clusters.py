"""The clusters of a data set, for players who are told those in the place of labels (networks/clusters.py)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from digitforge.data import Digits
from digitforge.errors import DataError
from digitforge.networks.clusters import NearestCluster
from digitforge.networks.pixels import Range, to_network
from digitforge.networks.players import Discriminator, Generator
from digitforge.randomness import stream
from digitforge.recipe import Recipe

_LEARNT_FROM = 20_000  # images: a third of MNIST, in a third of the time
_AXES = 32  # principal components, in which distances are taken; in all pixels k-means takes five times as long
_ROUNDS = 20  # of k-means
_LEAST = 10  # images a cluster, in the mean
_BATCH = 1000


@dataclass(frozen=True)
class Clusters:
    """The centres of K clusters as NearestCluster takes them, and how often each occurs, all float32 on the CPU.

    weight [K, pixels], bias [K]; shares [K], which sum to 1.
    """

    weight: Tensor
    bias: Tensor
    shares: Tensor

    def put_into(self, discriminator: Discriminator, *generators: Generator) -> None:
        """Give players these clusters."""
        for generator in generators:
            assert generator.choice is not None
            generator.choice.shares.copy_(self.shares)
        assert discriminator.clusters is not None
        discriminator.clusters.weight.copy_(self.weight)
        discriminator.clusters.bias.copy_(self.bias)


def check_enough(images: int, clusters: int) -> None:
    """Raise DataError where there are too few images for so many clusters."""
    most = images // _LEAST
    if clusters > most:
        way = f"networks.clusters={most} or fewer, or 0" if most else "networks.clusters=0"
        raise DataError(
            f"{clusters} clusters need {clusters * _LEAST:,} images, and there are {images:,}; set {way}, "
            "which tells the players nothing"
        )


def find_clusters(digits: Digits, recipe: Recipe) -> Clusters:
    """What a recipe's players are told: k-means (Lloyd 1982) in the images' first principal components.

    Begun as k-means++ (Arthur and Vassilvitskii 2007) from the run's seed. A cluster may stay empty where images are
    alike; it is never told.
    """
    from scipy.cluster.vq import kmeans2

    count, pixels, rng = recipe.networks.clusters, recipe.networks.pixels, stream(recipe.training.seed, "clusters")
    some = rng.permutation(len(digits))[:_LEARNT_FROM]
    rows = to_network(torch.from_numpy(digits.images[some]), pixels).flatten(1)
    axes = _principal_axes(rows, int(rng.integers(2**63)))
    with (
        warnings.catch_warnings(),
        np.errstate(invalid="ignore"),
    ):  # equal images lie at no distance from each other, ...
        warnings.filterwarnings("ignore", "One of the clusters is empty")  # ... and leave clusters empty
        found, _ = kmeans2((rows @ axes).numpy(), count, iter=_ROUNDS, minit="++", seed=rng)
    centres = torch.from_numpy(found)
    weight, bias = centres @ axes.T, -centres.square().sum(1) / 2
    return Clusters(weight, bias, _shares(digits, weight, bias, pixels))


def _principal_axes(rows: Tensor, seed: int) -> Tensor:
    """The first principal axes of rows [N, P], as columns [P, at most 32] (Halko, Martinsson and Tropp 2011)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.pca_lowrank(rows, min(_AXES, *rows.shape))[2]


def _shares(digits: Digits, weight: Tensor, bias: Tensor, pixels: Range) -> Tensor:
    """How often each cluster occurs among all images."""
    nearest, counts = NearestCluster(*weight.shape), torch.zeros(len(bias))
    nearest.weight.copy_(weight)
    nearest.bias.copy_(bias)
    for start in range(0, len(digits), _BATCH):
        found = nearest(to_network(torch.from_numpy(digits.images[start : start + _BATCH]), pixels))
        counts += torch.bincount(found, minlength=len(counts))
    return counts / len(digits)

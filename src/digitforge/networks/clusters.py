"""Clusters: what players are told who are told no labels, so that a model without labels draws all there is.

A discriminator that is told which kind of image to expect leaves no kind out, and kinds need nobody's labels: clusters
of the images do (Liu, Wang, Bau, Zhu and Torralba, "Diverse image generation via self-conditioned GANs", 2020).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

_LEAST = 1e-7  # of a uniform number, and as far from 1: float32 has no finite logarithm of what is nearer


class NearestCluster(nn.Module):
    """Images [N, C, H, W], in a recipe's pixel range, to the number of each one's nearest centre, int64 [N].

    |x - c|^2 is least where x c - |c|^2 / 2 is most, so that one product finds it: `weight` [K, P] holds the centres
    and `bias` [K] what is subtracted. The distance may be taken within a subspace, onto which the centres then lie.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, clusters: int, pixels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(clusters, pixels))
        self.register_buffer("bias", torch.zeros(clusters))

    def forward(self, images: Tensor) -> Tensor:
        return F.linear(images.float().flatten(1), self.weight, self.bias).argmax(1)


class ClusterChoice(nn.Module):
    """Numbers of a latent [N, K] to the cluster that each row chooses, one-hot [N, K]: each as often as its share.

    log_shares [K]: logarithms of how often each occurs. The greatest of them, each plus a number of Gumbel's
    distribution, falls on each just so often (Gumbel 1954); such numbers are made of normal or of uniform ones. So a
    drawing is a function of its latent alone, and a latent near another one mostly chooses as that does.
    """

    log_shares: Tensor

    def __init__(self, clusters: int, distribution: str) -> None:
        super().__init__()
        self.distribution = distribution
        self.register_buffer("log_shares", torch.full([clusters], -math.log(clusters)))

    def forward(self, numbers: Tensor) -> Tensor:
        below = (numbers + 1) / 2 if self.distribution == "uniform" else (1 + torch.erf(numbers / math.sqrt(2))) / 2
        gumbel = -(-below.clamp(_LEAST, 1 - _LEAST).log()).log()
        chosen = (gumbel + self.log_shares).argmax(1)
        return F.one_hot(chosen, numbers.shape[1]).to(numbers.dtype)

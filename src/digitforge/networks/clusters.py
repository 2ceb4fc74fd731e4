"""Clusters: what players are told who are told no labels, so that a model without labels draws all there is.

A discriminator that is told which kind of image to expect has G draw every kind, and kinds need nobody's labels:
clusters do (Liu, Wang, Bau, Zhu and Torralba, "Diverse image generation via self-conditioned GANs", 2020). Theirs are
found among D's features, again and again; ours among the images, once.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

# A uniform number is kept so far from 0 and 1, whose logarithms are of no use; float32 is no finer just below 1.
_MARGIN = 1e-7


class NearestCluster(nn.Module):
    """Images [N, C, H, W], in a recipe's pixel range, to the number of each one's nearest centre, int64 [N].

    |x - c|^2 is least where x c - |c|^2 / 2 is most, so that one product finds it: `weight` [K, P] holds the centres
    and `bias` [K] what is subtracted. The distance may be taken within a subspace, in which the centres then lie.
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
    """Numbers of a latent [N, K] to the cluster that each row chooses, int64 [N]: each as often as its share.

    shares [K]: how often each occurs. The greatest of their logarithms, each plus a number of Gumbel's distribution,
    falls on each just so often (Gumbel 1954); such numbers are made of normal or of uniform ones. So a drawing is a
    function of its latent alone.
    """

    shares: Tensor

    def __init__(self, clusters: int, distribution: str) -> None:
        super().__init__()
        self.distribution = distribution
        self.register_buffer("shares", torch.full([clusters], 1 / clusters))

    def forward(self, numbers: Tensor) -> Tensor:
        below = (numbers + 1) / 2 if self.distribution == "uniform" else (1 + torch.erf(numbers / math.sqrt(2))) / 2
        gumbel = -(-below.clamp(_MARGIN, 1 - _MARGIN).log()).log()
        return (gumbel + self.shares.log()).argmax(1)

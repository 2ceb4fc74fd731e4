"""The two players, as every family builds them: a generator and a discriminator, told the label or not."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from digitforge.networks.clusters import ClusterChoice, NearestCluster
from digitforge.networks.pixels import Range


@dataclass(frozen=True)
class Outline:
    """What a family builds its pair from.

    shape: channels, height and width of an image, in pixels.
    latent_size: numbers in a latent.
    classes: labels, or clusters, that the players are told; 0 where they are told none.
    """

    shape: tuple[int, int, int]
    latent_size: int
    classes: int
    pixels: Range
    generator_width: int
    discriminator_width: int
    leaky_slope: float
    dropout: float


class Generator(nn.Module):
    """Latents [N, Z], and labels [N] where it is told them, to images [N, C, H, W] in the recipe's pixel range.

    choice: what chooses a cluster, where it is told clusters while it learns; who uses it then tells it nothing.
    """

    choice: ClusterChoice | None

    def __init__(self, layers: nn.Module, classes: int) -> None:
        super().__init__()
        self.layers = layers
        self.classes = classes
        self.register_module("choice", None)

    @property
    def label_count(self) -> int:
        """How many labels one may ask it for; 0 where it is told none by who uses it."""
        return 0 if self.choice else self.classes

    def settled(self, latents: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Latents and labels as forward() takes them: the last K numbers of latents [N, Z + K] choose clusters."""
        if self.choice is None:
            return latents, labels
        own = latents.shape[1] - self.classes
        return latents[:, :own], self.choice(latents[:, own:])

    def drawn(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """What it draws for who uses it."""
        images: Tensor = self(*self.settled(latents, labels))
        return images

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.classes:
            assert labels is not None, "this generator is told labels"
            return self.conditioned(latents, F.one_hot(labels, self.classes).to(latents.dtype))
        images: Tensor = self.layers(latents)
        return images

    def conditioned(self, latents: Tensor, condition: Tensor) -> Tensor:
        """Latents [N, Z] and each label's share [N, classes], a label's one-hot vector or a mixture of some."""
        images: Tensor = self.layers(torch.cat([latents, condition], latents.dim() - 1))
        return images


class Discriminator(nn.Module):
    """Images [N, C, H, W], and labels [N] where it is told them, to logits [N]: positive for real.

    clusters: what finds an image's cluster, where it is told clusters in the place of labels.
    """

    clusters: NearestCluster | None

    def __init__(self, features: nn.Module, logit: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.logit = logit
        self.register_module("clusters", None)

    def told(self, images: Tensor, labels: Tensor | None = None) -> Tensor | None:
        """What it is told with images: their labels, or of which cluster each is, which it sees for itself."""
        return labels if self.clusters is None else self.clusters(images)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.logit(self.features(images), labels)
        return logits


@dataclass(frozen=True)
class Pair:
    """The generator and the discriminator of one family."""

    generator: Generator
    discriminator: Discriminator


def last_activation(pixels: Range) -> nn.Module:
    """What bounds a generator's output to its pixel range."""
    return nn.Tanh() if pixels == "signed" else nn.Sigmoid()

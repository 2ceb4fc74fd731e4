"""Losses: pure functions of logits, each from one paper; the Trainer owns everything else.

A loss maps the logits of real and fake images (float [N] each, positive for real) to the mean that each player
minimises. Real and fake are paired by their place in the batch where a loss compares them. Logits [N, K], of K games
side by side, become K means.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812
from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """What the two players minimise: scalars [], from logits of real and of fake images.

    pairs: whether the generator's loss needs the logits of real images as well.
    has_zero: whether D is undecided at a logit of 0; else only differences of logits mean something.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    pairs: bool
    has_zero: bool


def non_saturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy with real as 1 and fake as 0 (Goodfellow et al. 2014, equation 1)."""
    return F.softplus(-real).mean(0) + F.softplus(fake).mean(0)


def non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy with fake taken for 1: maximise log D(G(z)) (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean(0)


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Each real image is to look more real than its fake partner (Jolicoeur-Martineau 2019; Huang et al. 2024)."""
    return F.softplus(fake - real).mean(0)


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Each fake image is to look more real than its real partner (Jolicoeur-Martineau 2019; Huang et al. 2024)."""
    return F.softplus(real - fake).mean(0)


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Minus the critic's estimate of the Wasserstein distance, up to its slope (Arjovsky et al. 2017, equation 3)."""
    return fake.mean(0) - real.mean(0)


def wasserstein_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Raise the critic's mean over fakes (Arjovsky et al. 2017, theorem 3)."""
    return -fake.mean(0)


LOSSES = {
    "non-saturating": Loss(non_saturating_discriminator, non_saturating_generator, pairs=False, has_zero=True),
    "relativistic": Loss(relativistic_discriminator, relativistic_generator, pairs=True, has_zero=False),
    "wasserstein": Loss(wasserstein_discriminator, wasserstein_generator, pairs=False, has_zero=False),
}

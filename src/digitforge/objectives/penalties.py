"""Gradient penalties on the discriminator: pure functions of it and of the images it is penalised on.

Images [N, K, C, H, W] of K games side by side become K penalties.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Judge = Callable[[Tensor], Tensor]  # images [N, C, H, W] to logits [N]

_PIXELS = (-3, -2, -1)  # the axes of one image


def zero_centred(judge: Judge, images: Tensor) -> Tensor:
    """Half the mean squared norm of each image's gradient: R1 on real images, R2 on fake (Mescheder et al. 2018).

    judge: the discriminator, labels bound. images: [N, C, H, W]. Returns a scalar that can be differentiated; the
    sum over an image's pixels runs in float32 whatever the precision of the passes.
    """
    return _gradients(judge, images).square().sum(_PIXELS).mean(0) / 2


def one_centred(judge: Judge, images: Tensor) -> Tensor:
    """The mean squared difference of each image's gradient norm from 1 (Gulrajani et al. 2017, equation 3).

    judge: as above. images: [N, C, H, W], such as `between` makes them. Returns a scalar that can be differentiated;
    a norm is that of one image's gradient, in float32 whatever the precision of the passes.
    """
    norms: Tensor = torch.linalg.vector_norm(_gradients(judge, images), dim=_PIXELS)
    return (norms - 1).square().mean(0)


def between(real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """Points on the straight lines between real and fake images [N, C, H, W] (Gulrajani et al. 2017, algorithm 1).

    shares: float [N] in 0..1, the share of the real image, drawn uniformly for each pair.
    """
    return torch.lerp(fake.float(), real.float(), shares[..., None, None, None])


def _gradients(judge: Judge, images: Tensor) -> Tensor:
    """Each image's gradient of its own logit, float32 [N, C, H, W], which can itself be differentiated."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    return gradient.float()

"""Gradient penalties on the discriminator: pure functions of it and of the images it is penalised on."""

from collections.abc import Callable

import torch
from torch import Tensor

Judge = Callable[[Tensor], Tensor]  # images [N, C, H, W] to logits [N]


def zero_centred(judge: Judge, images: Tensor) -> Tensor:
    """Half the mean squared norm of each image's gradient: R1 on real images, R2 on fake (Mescheder et al. 2018).

    judge: the discriminator, labels bound. images: [N, C, H, W]. Returns a scalar that can be differentiated; the
    sum over an image's pixels runs in float32 whatever the precision of the passes.
    """
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean() / 2

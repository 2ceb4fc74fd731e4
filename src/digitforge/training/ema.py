"""The generator that is used: its weights averaged over training, its normalisation measured afresh."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from digitforge.networks.layers import BatchNorm
from digitforge.networks.players import Generator
from digitforge.randomness import draw_latents, stream
from digitforge.sections import Networks

# Early on the average forgets faster: its half-life is at most this share of the images seen (Karras et al. 2020).
_RAMP = 0.1
_NORM_LATENTS = 1024  # what batch normalisation is measured on: 0.2 s for express, 2 % off in the worst channel
_NORM_BATCH = 256


class Average:
    """An exponential moving average of a generator's weights (Yazici et al. 2019).

    What else its layers keep, as spectral normalisation its vectors, is taken as it is; but the statistics of batch
    normalisation, which fit no averaged weights, stay as they were first (see `measured`).
    """

    def __init__(self, generator: Generator, half_life: int) -> None:
        self.generator = copy.deepcopy(generator).requires_grad_(False)
        self.half_life = half_life
        self._pairs = (
            [parameter.data for parameter in self.generator.parameters()],
            [parameter.data for parameter in generator.parameters()],
        )
        # By name, since a layer may put a new tensor in a buffer's place.
        self._buffers = [
            (own, layer, name)
            for own, layer in zip(self.generator.modules(), generator.modules(), strict=True)
            if not isinstance(layer, BatchNorm)
            for name, _ in layer.named_buffers(recurse=False)
        ]

    def update(self, images_seen: int, batch_size: int) -> None:
        """Take in the weights after a step that brought the images seen to `images_seen`."""
        half_life = min(self.half_life, _RAMP * images_seen)
        torch._foreach_lerp_(*self._pairs, 1 - 0.5 ** (batch_size / half_life))
        for own, layer, name in self._buffers:
            own.get_buffer(name).copy_(layer.get_buffer(name))


@torch.no_grad()
def measured(generator: Generator, networks: Networks, frequencies: Tensor) -> Generator:
    """A copy of an averaged generator whose batch normalisation is measured on fixed latents; in evaluation mode.

    Averaged weights have never seen a batch, so the statistics of the plain weights do not fit them.
    frequencies: how often each label occurs in training, [classes]; labels are drawn so.
    """
    copied = copy.deepcopy(generator)
    norms = [module for module in copied.modules() if isinstance(module, BatchNorm)]
    device = next(copied.parameters()).device
    if norms:
        rng = stream(0, "normalisation")
        latents = torch.from_numpy(draw_latents(rng, _NORM_LATENTS, networks.drawing_size, networks.latent))
        shares = frequencies.double().numpy() / float(frequencies.sum())
        labels = torch.from_numpy(rng.choice(len(frequencies), _NORM_LATENTS, p=shares))
        copied.train()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.is_shared = False  # every process draws all of these latents
        for start in range(0, _NORM_LATENTS, _NORM_BATCH):
            part = slice(start, start + _NORM_BATCH)
            copied.drawn(latents[part].to(device), labels[part].to(device))
    return copied.eval()

"""Drawing with the weights in memory, as the model file will draw."""

from __future__ import annotations

import numpy as np
import torch

from digitforge.data.digits import Images, Labels
from digitforge.networks.pixels import Range, to_uint8
from digitforge.networks.players import Generator
from digitforge.randomness import Latents

_BATCH = 500  # images at once, as a model file draws them


@torch.no_grad()
def draw(generator: Generator, latents: Latents, labels: Labels, pixels: Range) -> Images:
    """Images uint8 [N, C, H, W] from a generator in evaluation mode, in float32, of latents [N, Z] and labels [N]."""
    device = next(generator.parameters()).device
    parts = []
    for start in range(0, len(latents), _BATCH):
        part = slice(start, start + _BATCH)
        images = generator.drawn(torch.from_numpy(latents[part]).to(device), torch.from_numpy(labels[part]).to(device))
        parts.append(to_uint8(images, pixels).cpu().numpy())
    return np.concatenate(parts)

"""Pixels: the one place where uint8 images become a network's numbers, and back."""

from typing import Literal

import torch
from torch import Tensor

Range = Literal["signed", "unit"]


def to_network(images: Tensor, pixels: Range) -> Tensor:
    """uint8 [N, C, H, W] to float32 in -1..1 ("signed") or 0..1 ("unit"), channels last."""
    scaled = images.to(torch.float32, memory_format=torch.channels_last)
    return scaled.div_(127.5).sub_(1) if pixels == "signed" else scaled.div_(255)


def to_uint8(images: Tensor, pixels: Range) -> Tensor:
    """A network's images back to uint8 [N, C, H, W], rounded and clamped."""
    scaled = images.float()
    scaled = scaled * 127.5 + 127.5 if pixels == "signed" else scaled * 255
    return scaled.round().clamp(0, 255).to(torch.uint8)

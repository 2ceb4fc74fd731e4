"""Colours: how bright, how rich in contrast and how strongly coloured each image is, from its pixels alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digitforge.data.digits import Images
from digitforge.metrics.per_image import PerImage, by_chunk

LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)  # how bright red, green and blue look: ITU-R BT.601
RED, GREEN, BLUE = range(3)


def brightnesses(images: Images) -> PerImage:
    """The mean luma of each image uint8 [N, 3, H, W]: float64 [N], 0..255."""
    return _of_colour(lambda chunk: _lumas(chunk).mean(1, dtype=np.float64), images)


def contrasts(images: Images) -> PerImage:
    """The standard deviation of luma within each image uint8 [N, 3, H, W]: float64 [N], 0..127.5, 0 for a flat one."""
    return _of_colour(lambda chunk: _lumas(chunk).std(1, dtype=np.float64), images)


def saturations(images: Images) -> PerImage:
    """How strongly each image uint8 [N, 3, H, W] is coloured: the mean of max - min of R, G and B over its pixels.

    float64 [N], 0 (all grey) to 255. It is the chroma of a hue-chroma view of RGB, so dark colours count little.
    """
    return _of_colour(lambda chunk: (chunk.max(1) - chunk.min(1)).mean((1, 2), dtype=np.float64), images)


def channel_means(images: Images, channel: int) -> PerImage:
    """The mean of one channel (RED, GREEN or BLUE) of each image uint8 [N, 3, H, W]: float64 [N], 0..255."""
    return _of_colour(lambda chunk: chunk[:, channel].mean((1, 2), dtype=np.float64), images)


def colour_spread(colours: ArrayLike) -> float:
    """How varied the mean colours [N, 3] of images are: the root of the trace of their covariance, N at least 1.

    It is the root mean square distance of a colour from the mean one, in levels: 0 where all are alike, at most 221
    (half of the images black and half white).
    """
    return float(np.sqrt(np.asarray(colours, np.float64).var(0).sum()))


def _of_colour(measure: Callable[[Images], PerImage], images: Images) -> PerImage:
    if images.ndim != 4 or images.shape[1] != len(LUMA):
        raise ValueError(f"colours are measured on images [N, 3, H, W], not {images.shape}")
    return by_chunk(measure, images)


def _lumas(images: Images) -> NDArray[np.float32]:
    """The luma of each pixel of images [N, 3, H, W]: [N, H W], 0..255."""
    lumas: NDArray[np.float32] = np.einsum("c,ncp->np", LUMA, images.reshape(len(images), len(LUMA), -1))
    return lumas

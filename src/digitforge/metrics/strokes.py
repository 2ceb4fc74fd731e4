"""Strokes: how wide, how slanted and how whole the ink of each image is, from its pixels alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import Images
from digitforge.metrics.per_image import PerImage, by_chunk

# What makes a mark, decided by looking at MNIST: 1.6 % of its test images have one. A level of 128 would take strokes
# apart where they are faint (2.6 %), and 4 neighbours thin slanted ones (2.4 %). Single pixels (another 0.9 %) are
# specks that one hardly sees; from two on they are dots beside the digit, or the loose bar of a 5.
INK_LEVEL = 64  # grey level, 0..255
MARK_PIXELS = 2

# How much a grey difference counts between neighbours in a row or column, and between diagonal ones: the perimeter from
# the lines that cross it (Cauchy-Crofton), with the weights that make edges at every multiple of 45 degrees exact.
_STRAIGHT_WEIGHT = 2**0.5 - 1
_DIAGONAL_WEIGHT = 1 - 0.5**0.5


def stroke_widths(images: Images) -> PerImage:
    """The mean width of each image's strokes in pixels, 2 x ink / perimeter: float64 [N], NaN without ink.

    images: uint8 [N, 1, H, W], 0 for no ink. Ink is the sum of grey levels and the perimeter their total variation,
    which by the coarea formula is the mean perimeter of all levels, and so needs no threshold. A bar of width w and
    length l measures w * l / (l + w), a long one its width: exactly along the axes, to 8 % at other angles from a width
    of 2 pixels up. Thinner strokes measure wider, as their two edges share pixels.
    """
    return _of_grey(_widths, images)


def slants(images: Images) -> PerImage:
    """The slant of each image in degrees, -90..90, positive leaning right like "/": float64 [N].

    images: uint8 [N, 1, H, W], 0 for no ink. It is the angle of the shear that would set the image upright, atan(mu11 /
    mu02) of its second moments, as in Morpho-MNIST (Castro et al. 2019). NaN without ink, or with ink in one
    row alone.
    """
    return _of_grey(_slants, images)


def stray_ink(images: Images) -> PerImage:
    """The share of each image's ink that lies in marks apart from its largest piece: float64 [N], 0..1; 0 without ink.

    images: uint8 [N, 1, H, W], 0 for no ink. Ink counts where a pixel has at least INK_LEVEL, and hangs together over
    8 neighbours. A piece of fewer than MARK_PIXELS pixels is no mark, as nobody sees it, and counts nowhere.
    """
    return _of_grey(_stray_shares, images)


def _of_grey(measure: Callable[[NDArray[np.uint8]], PerImage], images: Images) -> PerImage:
    """What `measure` finds in grey images [N, H, W]."""
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"strokes are measured on grey images [N, 1, H, W], not {images.shape}")
    return by_chunk(lambda chunk: measure(chunk[:, 0]), images)


def _widths(images: NDArray[np.uint8]) -> PerImage:
    grey = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1)))  # ink at the image's border has an edge there
    straight = _variation(grey[:, 1:], grey[:, :-1]) + _variation(grey[:, :, 1:], grey[:, :, :-1])
    diagonal = _variation(grey[:, 1:, 1:], grey[:, :-1, :-1]) + _variation(grey[:, 1:, :-1], grey[:, :-1, 1:])
    perimeters = _STRAIGHT_WEIGHT * straight + _DIAGONAL_WEIGHT * diagonal
    return _ratio(2 * images.sum((1, 2), dtype=np.float64), perimeters)


def _variation(grey: NDArray[np.float32], neighbours: NDArray[np.float32]) -> PerImage:
    """The sum of absolute differences of two equally large parts of each image: float64 [N]."""
    difference = grey - neighbours
    sums: PerImage = np.abs(difference, out=difference).sum((1, 2)).astype(np.float64)
    return sums


def _slants(images: NDArray[np.uint8]) -> PerImage:
    count, height, width = images.shape
    rows, columns = (axis.ravel() for axis in np.indices((height, width)))
    # From the middle, sums are exact in float64 (up to 600x600 pixels): a flat line has height 0, not a rounding error.
    up, right = (height - 1) / 2 - rows, columns - (width - 1) / 2
    powers = np.stack([np.ones_like(up), right, up, right * up, up * up], 1)
    sums = images.reshape(count, -1).astype(np.float64) @ powers
    ink, of_right, of_up, of_both, of_up_twice = sums.T
    shear = _ratio(ink * of_both - of_right * of_up, ink * of_up_twice - of_up**2)
    angles: PerImage = np.degrees(np.arctan(shear))
    return angles


def _stray_shares(images: NDArray[np.uint8]) -> PerImage:
    """Pieces are found over all images at once: the ink's runs along rows are nodes, joined where they touch."""
    inked = np.pad(images >= INK_LEVEL, ((0, 0), (1, 1), (1, 1)))  # so that no run reaches into the next row
    starts = inked[:, :, 1:] & ~inked[:, :, :-1]
    runs = starts.ravel().cumsum().reshape(starts.shape) - 1  # at each pixel with ink, its run
    upper, lower = _touching(inked[:, :, 1:], runs)
    pieces = _pieces(int(starts.sum()), upper, lower)

    pixels = inked[:, 1:-1, 1:-1]
    piece = pieces[runs[:, 1:-1, :-1][pixels]]
    sizes = np.bincount(piece, minlength=len(pieces))
    ink = np.bincount(piece, images[pixels], len(pieces))
    ink[sizes < MARK_PIXELS] = 0
    owners = np.flatnonzero(starts) // starts[0].size  # the image of each run, and so of each piece
    total = np.bincount(owners, ink, len(images)).astype(np.float64)
    largest = np.zeros(len(images))
    np.maximum.at(largest, owners, ink)
    return np.where(total > 0, _ratio(total - largest, total), 0)


def _touching(inked: NDArray[np.bool_], runs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs that touch over a side or a corner: of each pair the upper and the lower one.

    A pair is told by the first column that both cover; by a corner only if no side joins them there, so that each
    pair of long runs comes once and not once a pixel.
    """
    above, below = inked[:, :-1], inked[:, 1:]
    both = above & below
    both[:, :, 1:] &= ~(above & below)[:, :, :-1]
    falling = above[:, :, :-1] & below[:, :, 1:] & ~above[:, :, 1:] & ~below[:, :, :-1]
    rising = above[:, :, 1:] & below[:, :, :-1] & ~above[:, :, :-1] & ~below[:, :, 1:]
    over, under = runs[:, :-1], runs[:, 1:]
    upper = [over[both], over[:, :, :-1][falling], over[:, :, 1:][rising]]
    lower = [under[both], under[:, :, 1:][falling], under[:, :, :-1][rising]]
    return np.concatenate(upper), np.concatenate(lower)


def _pieces(count: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Connected components of `count` nodes with edges a[i] - b[i]: of each node the lowest node of its component.

    Union-find in whole arrays (Shiloach and Vishkin 1982): hook the higher root of each edge to the lowest that it
    touches, let every node point at its root, and drop the edges whose ends agree, until none is left.
    """
    roots = np.arange(count)
    while len(a):
        a, b = roots[a], roots[b]
        open_edges = a != b
        a, b = a[open_edges], b[open_edges]
        np.minimum.at(roots, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(above := roots[roots], roots):
            roots = above
    return roots


def _ratio(over: PerImage, under: PerImage) -> PerImage:
    """over / under, NaN where there is nothing to divide by."""
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)

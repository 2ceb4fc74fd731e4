"""A walk through latents: a plane that bends, so that it never leaves where the generator learned to draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import Digits
from digitforge.forge import Forge
from digitforge.randomness import Latents, draw_latents, stream
from digitforge.studio.bounds import WalkWish

SIDE = 7  # images along each side of what is seen at once; the middle one is where the walker stands
_PLANE = 2  # numbers of a latent that make a plane, with no sphere in it
_WALL = 3.0  # of a plane of normal latents: few lie further out, and then the wall stands there


def see(forge: Forge, wish: WalkWish) -> Digits:
    """What lies around a place of the walk: SIDE x SIDE images, row by row."""
    latents = latents_around(forge, wish)
    label = forge.card.trained[0] if wish.digit is None else forge.label_of(wish.digit)
    labels = np.full(len(latents), label, np.int64)
    return Digits(forge.draw(latents, labels), labels, forge.card.names)


def latents_around(forge: Forge, wish: WalkWish) -> Latents:
    """The latents float32 [SIDE * SIDE, Z] that a model draws a walk's surroundings of, all within one cluster."""
    start, free = forge.latents(wish.digit, 1, wish.seed)[0], forge.card.latent.free
    around = surroundings(start[:free], wish, forge.card.latent.distribution)
    return np.concatenate([around, np.tile(start[free:], (len(around), 1))], axis=1)


def surroundings(start: NDArray[np.float32], wish: WalkWish, distribution: str) -> Latents:
    """The latents float32 [SIDE * SIDE, Z] around a place, x to the right and y down.

    Normal latents lie close to a sphere: x and y are angles, `stride` radians a step, on a sphere through the start
    and two directions that the seed chose. Uniform ones fill a cube: steps are straight, and walls throw them back.
    Latents of one or two numbers are a line or a plane, which is walked on along its own axes, between such walls.
    """
    offsets = (np.arange(SIDE) - SIDE // 2).astype(np.float64)
    x = (wish.x + offsets)[None, :, None] * wish.stride
    y = (wish.y + offsets)[:, None, None] * wish.stride
    base, is_normal = start.astype(np.float64), distribution == "normal"
    right, down = _directions(base, wish.seed) if len(base) > _PLANE else np.eye(_PLANE)[:, : len(base)]
    if is_normal and len(base) > _PLANE:
        places = np.cos(y) * (np.cos(x) * base + np.sin(x) * right) + np.sin(y) * down
    else:
        walls = np.maximum(_WALL, np.abs(base)) if is_normal else np.ones_like(base)
        places = _folded(base + x * right + y * down, walls)
    latents: Latents = places.reshape(SIDE * SIDE, -1).astype(np.float32)
    return latents


def _directions(base: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Two directions float64 [2, Z] as long as the start, at right angles to it and to each other."""
    frame = [base / np.linalg.norm(base)]
    for direction in draw_latents(stream(seed, "walk"), 2, len(base), "normal").astype(np.float64):
        for axis in frame:
            direction = direction - (direction @ axis) * axis
        frame.append(direction / np.linalg.norm(direction))
    directions: NDArray[np.float64] = np.stack(frame[1:]) * np.linalg.norm(base)
    return directions


def _folded(places: NDArray[np.float64], walls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers [..., Z] thrown back, as often as it takes, from walls [Z] at either side of 0."""
    folded: NDArray[np.float64] = walls * (np.abs((places / walls - 1) % 4 - 2) - 1)
    return folded

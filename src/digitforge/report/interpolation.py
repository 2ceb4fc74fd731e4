"""Interpolation: smooth ways between latents and between labels, and what a model draws along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitforge.card import CardLatent
from digitforge.data.digits import Images, few_of
from digitforge.errors import UserError
from digitforge.forge import Forge
from digitforge.randomness import Latents
from digitforge.report.animations import Film
from digitforge.sheets import Picture, enlarged, grid, square_grid

MAX_PATHS = 100
MIN_FRAMES, MAX_FRAMES = 2, 1000
STEP = 0.08  # seconds a frame: there and back in 60 frames takes 4.8 s, and each of ten digits half a second
_LOOP_STATIONS = 4  # random latents that a loop leads through
_STRIP_STEPS = 11  # from left to right on a strip, so that it has some twelve columns, ...
_STRIP_LEAST = 2  # ... but with many stations so many steps to each, so that what lies between is seen
_PARALLEL = 1e-6  # the sine of an angle below which a great circle can't be told from a straight line


@dataclass(frozen=True)
class Route:
    """Where paths lead: from station to station, all paths at one pace.

    latents: float32 [S, N, Z], those of N paths at S stations. labels: int64 [S], what the model is told there.
    is_loop: whether the last station leads on to the first.
    """

    latents: NDArray[np.float32]
    labels: NDArray[np.int64]
    is_loop: bool

    @property
    def legs(self) -> int:
        """Ways from one station to the next."""
        return len(self.labels) if self.is_loop else len(self.labels) - 1


def plan_route(
    forge: Forge, start: int | str | None = None, end: int | str | None = None, count: int = 16, seed: int = 0
) -> Route:
    """`count` paths from the digit `start` to the digit `end`, or a loop where neither is given.

    A model that is told labels keeps each path's latent while the label changes; without digits it goes through all
    that it was trained on, and back to the first. From a digit to itself, and where no label is told, the latents
    move; the pinned classifier finds those of a digit. Latents are those of generate(start, count, seed).
    """
    if not 1 <= count <= MAX_PATHS:
        raise UserError(f"1 to {MAX_PATHS} paths go side by side, not {count:,}")
    if (start is None) != (end is None):
        raise UserError("a way needs both ends; give --from and --to, or neither for a loop")
    if start is None or end is None:
        return _loop(forge, count, seed)
    labels = np.asarray([forge.label_of(start), forge.label_of(end)], np.int64)
    if labels[0] == labels[1]:
        latents = _stations(forge.latents(start, 2 * count, seed), 2)
    elif forge.is_told:
        latents = np.stack([forge.latents(start, count, seed)] * 2)
    else:
        latents = np.stack([forge.latents(digit, count, seed) for digit in (start, end)])
    return Route(latents, labels, is_loop=False)


def draw_along(forge: Forge, route: Route, position: float) -> Images:
    """What every path draws at a position: uint8 [N, C, H, W].

    position: 0 at the first station, 1 at the second, up to the number of legs, where a loop is at the first again.
    """
    leg = min(int(position), route.legs - 1)
    here, there = leg, (leg + 1) % len(route.labels)
    share = position - leg
    latents = _between(route.latents[here], route.latents[there], share, forge.card.latent)
    if not forge.is_told or route.labels[here] == route.labels[there]:
        return forge.draw(latents, np.full(len(latents), route.labels[here], np.int64))
    weights = np.zeros((len(latents), len(forge.card.names)), np.float32)
    weights[:, route.labels[here]] = 1 - share
    weights[:, route.labels[there]] = share
    return forge.blended(latents, weights)


def film_of_route(forge: Forge, route: Route, frames: int = 60) -> Film:
    """All paths in one square picture, from the start to the end and back, or once around; it plays without a jump."""
    if not MIN_FRAMES <= frames <= MAX_FRAMES:
        raise UserError(f"an interpolation has {MIN_FRAMES} to {MAX_FRAMES:,} frames, not {frames:,}")
    places = around(frames, route.legs) if route.is_loop else there_and_back(frames)
    return Film([square_grid(draw_along(forge, route, float(place))) for place in eased(places)], STEP)


def strip_of_route(forge: Forge, route: Route) -> Picture:
    """A picture for paper: a row a path, from left to right what lies on it, in equal steps.

    It has some twelve columns, and at least two a station.
    """
    steps = route.legs * max(_STRIP_LEAST, round(_STRIP_STEPS / route.legs))
    places = np.arange(steps + 1) * route.legs / steps
    images = np.stack([draw_along(forge, route, float(place)) for place in places], axis=1)
    return enlarged(grid(images.reshape(-1, *forge.card.shape), len(places)))


def _between(start: Latents, end: Latents, share: float, latent: CardLatent) -> Latents:
    """The latents [N, Z] at a share 0..1 of the way; numbers that choose a cluster are the start's, then the end's."""
    free = latent.free
    nearer = start if share < 1 / 2 else end
    return np.concatenate(
        [between(start[:, :free], end[:, :free], share, latent.distribution), nearer[:, free:]], axis=1
    )


def between(start: Latents, end: Latents, share: float, distribution: str) -> Latents:
    """The latents [N, Z] at a share 0..1 of the way: on great circles for normal ones, on straight lines for uniform.

    A straight line between normal latents passes through lengths that hardly ever occur, and so through images that a
    generator never learned to draw (White, "Sampling generative networks", 2016).
    """
    return slerp(start, end, share) if distribution == "normal" else lerp(start, end, share)


def lerp(start: Latents, end: Latents, share: float) -> Latents:
    """The points [N, Z] at a share 0..1 of the straight line."""
    return ((1 - share) * start.astype(np.float64) + share * end.astype(np.float64)).astype(np.float32)


def slerp(start: Latents, end: Latents, share: float) -> Latents:
    """The points [N, Z] at a share 0..1 of the great circle, their lengths changing evenly from start's to end's.

    Shoemake, "Animating rotation with quaternion curves", 1985. Vectors that point the same way or opposite ways have
    no one circle, and take the straight line.
    """
    a, b = start.astype(np.float64), end.astype(np.float64)
    lengths_a, lengths_b = (np.linalg.norm(points, axis=1, keepdims=True) for points in (a, b))
    lengths = (1 - share) * lengths_a + share * lengths_b
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = np.clip((a * b).sum(1, keepdims=True) / (lengths_a * lengths_b), -1, 1)
        angles = np.arccos(cosines)
        weights_a = np.sin((1 - share) * angles) / np.sin(angles) * (lengths / lengths_a)
        weights_b = np.sin(share * angles) / np.sin(angles) * (lengths / lengths_b)
        arcs = weights_a * a + weights_b * b
    has_circle = np.sin(angles) > _PARALLEL  # false for a latent of length 0 too, whose angle is no number
    return np.where(has_circle, arcs, lerp(start, end, share)).astype(np.float32)


def there_and_back(frames: int) -> NDArray[np.float64]:
    """Positions of so many frames from 0 to 1 and back to just before 0, where the first frame follows again."""
    forth = frames // 2 + 1
    back = np.linspace(1, 0, frames - forth + 2)[1:-1]
    return np.concatenate([np.linspace(0, 1, forth), back])


def around(frames: int, legs: int) -> NDArray[np.float64]:
    """Positions of so many frames once around a loop, ending just before its start."""
    return np.arange(frames) * legs / frames


def eased(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions that rest at each station and hurry in between, along a cosine."""
    stations = np.floor(positions)
    return stations + (1 - np.cos(np.pi * (positions - stations))) / 2


def _loop(forge: Forge, count: int, seed: int) -> Route:
    """Through the digits, 26 at most, where labels are told; else, or where there is only one, through some latents."""
    trained = few_of(np.asarray(forge.card.trained, np.int64))
    if forge.is_told and len(trained) > 1:
        return Route(np.stack([forge.latents(None, count, seed)] * len(trained)), trained, is_loop=True)
    latents = _stations(forge.latents(None, _LOOP_STATIONS * count, seed), _LOOP_STATIONS)
    return Route(latents, np.full(_LOOP_STATIONS, trained[0]), is_loop=True)


def _stations(latents: Latents, stations: int) -> NDArray[np.float32]:
    """Latents [S * N, Z] as [S, N, Z]."""
    return latents.reshape(stations, -1, latents.shape[1])

"""Paint and walls: the colours of house numbers, and what is behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digitforge.data.street_digits import SIZE

Colours = NDArray[np.uint8]  # [N, 3] RGB
Fields = NDArray[np.float32]  # [N, 32, 32], or [N, 3, 32, 32] where a colour is meant
Draws = NDArray[np.float32]  # [N, 1, 1]: one number an image, ready to meet fields

# How paint differs from grey of the same lightness, in RGB, where it is at its strongest, and how often it is used.
TINTS = (
    ((0, 0, 0), 0.30),  # grey
    ((22, 4, -40), 0.16),  # cream
    ((85, -28, -55), 0.11),  # brick
    ((110, -45, -65), 0.08),  # red
    ((60, 5, -75), 0.09),  # brass
    ((38, 0, -38), 0.08),  # wood
    ((-35, 28, -25), 0.06),  # green
    ((-50, -5, 70), 0.07),  # blue
    ((-30, -8, 60), 0.05),  # navy
)
LIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue, as ITU-R BT.601 weighs them
LIGHT_INK = 0.5  # how often ink is the lighter one
PALEST = 0.2  # of a tint's strength is left next to black and white

# Ranges that are drawn from evenly. In levels of 0..255:
DARK = (10, 120)  # the darker one of ink and ground
LIGHT_MOST = 245
CONTRAST_LEAST = 60  # between ink and ground: below it blurred digits can't be read with certainty
MOTTLES = (0, 20)  # a wall's uneven colour, most
JOINTS = (8, 45)  # how much darker or lighter joints are than boards or bricks
# as shares, slopes and ratios:
SATURATIONS = (0.15, 1.0)
TILTS = (-0.08, 0.08)  # of boards, bricks and plates
BRICK_LENGTHS = (1.8, 2.8)  # for a height of 1
# and in pixels:
COURSES = (5.0, 11.0)  # the height of a board or of a row of bricks
NEAR_EDGES = (10.5, 15.0)  # from the crop's middle to the plate's nearer edge; digits are up to 14.5
FAR_EDGES = (0, 12)  # how much farther off the opposite edge is: often outside the crop

COURSED = 0.30  # how often a wall has boards or bricks,
BRICKS = 0.5  # how often bricks of those,
DARK_JOINTS = 0.6  # how often with joints darker than the rest;
ON_A_PLATE = 0.38  # how often numbers are on a plate,
LEVEL = 0.7  # how often of which the upper and lower edge are seen, else those at the sides
KNOTS = 6  # random numbers along a side, between which a wall's colour changes smoothly

_MIDDLE = (SIZE - 1) / 2
ROWS, COLUMNS = (grid.astype(np.float32) - np.float32(_MIDDLE) for grid in np.mgrid[:SIZE, :SIZE])  # from the middle


def draw_colours(count: int, rng: np.random.Generator) -> tuple[Colours, Colours]:
    """Paint of `count` digits and of the walls behind them, never too near in lightness: ink and ground [N, 3]."""
    dark = rng.uniform(*DARK, count)
    light = dark + CONTRAST_LEAST + rng.random(count) * (LIGHT_MOST - CONTRAST_LEAST - dark)
    is_light_ink = rng.random(count) < LIGHT_INK
    ink = _tinted(np.where(is_light_ink, light, dark), rng)
    ground = _tinted(np.where(is_light_ink, dark, light), rng)
    return ink, ground


def _tinted(lightness: NDArray[np.float64], rng: np.random.Generator) -> Colours:
    """Paint of a lightness, in a tint that is weaker the nearer to black or white it is."""
    count = len(lightness)
    tints, shares = zip(*TINTS, strict=True)
    chosen = np.array(tints)[rng.choice(len(tints), count, p=shares)]
    room = np.minimum(lightness, 255 - lightness) / 128
    strength = rng.uniform(*SATURATIONS, count) * (PALEST + (1 - PALEST) * room)
    colours = lightness[:, None] + chosen * strength[:, None]
    weighed = colours[:, 0] * LIGHTNESS[0] + colours[:, 1] * LIGHTNESS[1] + colours[:, 2] * LIGHTNESS[2]
    return np.clip(colours + (lightness - weighed)[:, None], 0, 255).astype(np.uint8)


def draw_wall(ground: Colours, rng: np.random.Generator) -> Fields:
    """What is behind the numbers: paint, unevenly; boards, bricks or a plate's edge: [N, 3, 32, 32]."""
    count = len(ground)
    wall = np.broadcast_to(ground[:, :, None, None].astype(np.float32), (count, 3, SIZE, SIZE)).copy()
    tilt = uniform(rng, TILTS, count)
    down, across = ROWS + tilt * COLUMNS, COLUMNS - tilt * ROWS
    wall += _draw_courses(down, across, rng)[:, None]
    beyond = _draw_plate_edges(down, across, rng)[:, None]
    _, other = draw_colours(count, rng)
    wall += beyond * (other[:, :, None, None] - wall)
    wall += (uniform(rng, MOTTLES, count) * _draw_clouds(count, rng))[:, None]
    return wall


def _draw_courses(down: Fields, across: Fields, rng: np.random.Generator) -> Fields:
    """Joints between boards or bricks, in levels to add; 0 for walls without."""
    count = len(down)
    height = uniform(rng, COURSES, count)
    phase = down / height + uniform(rng, (0, 1), count)
    course = np.floor(phase)
    joints = (phase - course) * height < 1
    length = height * uniform(rng, BRICK_LENGTHS, count)
    shifted = across / length + course * np.float32(0.5) + uniform(rng, (0, 1), count)
    upright = (shifted - np.floor(shifted)) * length < 1
    joints |= upright & happens(rng, BRICKS, count)
    strength = uniform(rng, JOINTS, count) * np.where(happens(rng, DARK_JOINTS, count), np.float32(-1), np.float32(1))
    added: Fields = joints * (strength * happens(rng, COURSED, count))
    return added


def _draw_plate_edges(down: Fields, across: Fields, rng: np.random.Generator) -> Fields:
    """How much of each pixel lies beyond the plate that a number is on: 0 to 1; all 0 where there is no plate."""
    count = len(down)
    nearest = uniform(rng, NEAR_EDGES, count)
    farther = nearest + uniform(rng, FAR_EDGES, count)
    position = np.where(happens(rng, LEVEL, count), down, across)
    position *= np.where(happens(rng, 0.5, count), np.float32(1), np.float32(-1))
    beyond: Fields = np.clip(np.maximum(position - nearest, -position - farther) + np.float32(0.5), 0, 1)
    beyond *= happens(rng, ON_A_PLATE, count)
    return beyond


def _draw_clouds(count: int, rng: np.random.Generator) -> Fields:
    """Smooth random fields of -1 to 1: a coarse grid of random numbers, filled in between."""
    coarse = rng.random((count, KNOTS, KNOTS), dtype=np.float32) * 2 - 1
    places = np.arange(SIZE, dtype=np.float32) * np.float32((KNOTS - 1) / SIZE)
    first = places.astype(np.int64)
    share = places - first
    rows = coarse[:, first] * (1 - share)[:, None] + coarse[:, first + 1] * share[:, None]
    clouds: Fields = rows[:, :, first] * (1 - share) + rows[:, :, first + 1] * share
    return clouds


def uniform(rng: np.random.Generator, limits: tuple[float, float], count: int) -> Draws:
    """One even draw an image: float32 [N, 1, 1]."""
    return rng.uniform(*limits, (count, 1, 1)).astype(np.float32)


def happens(rng: np.random.Generator, share: float, count: int) -> NDArray[np.bool_]:
    """Whether something that is so frequent happens to each image: bool [N, 1, 1]."""
    return rng.random((count, 1, 1)) < share

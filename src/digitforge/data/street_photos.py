"""House numbers as photographs: masks get paint, a wall behind them, light and shadow, and a cheap camera.

Pixels come of arithmetic that IEEE 754 defines to the last bit (no sine, no power, no sum of floats) and of Pillow's
whole numbers, so that one version of Pillow and NumPy draws the same images on every machine.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import Images
from digitforge.data.street_digits import CROP, LEFT, SIZE, TOP, Masks

if TYPE_CHECKING:
    from PIL import Image

Colours = NDArray[np.uint8]  # [N, 3] RGB
Fields = NDArray[np.float32]  # [N, 32, 32], or [N, 3, 32, 32] where a colour is meant
Draws = NDArray[np.float32]  # [N, 1, 1] or [N, 1, 1, 1]: one number an image, ready to meet fields

# How paint differs from grey of the same lightness, in RGB, for full colour; the fields' names are what it looks like.
TINTS = np.array(
    [
        (0, 0, 0),  # grey
        (0, 0, 0),
        (22, 4, -40),  # cream
        (85, -28, -55),  # brick
        (110, -45, -65),  # red
        (60, 5, -75),  # brass
        (38, 0, -38),  # wood
        (-35, 28, -25),  # green
        (-50, -5, 70),  # blue
        (-30, -8, 60),  # navy
    ],
    np.float32,
)
TINT_SHARES = (0.15, 0.15, 0.16, 0.11, 0.08, 0.09, 0.08, 0.06, 0.07, 0.05)
LIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue, as ITU-R BT.601 weighs them

DARK_RIM, LIGHT_RIM = 20, 235  # levels of outlines around light and around dark ink

# Ranges that are drawn from evenly. In levels of 0..255:
DARK = (10, 120)  # the darker one of ink and ground
LIGHT_MOST = 245
CONTRAST_LEAST = 60  # between ink and ground: below it blurred digits can't be read with certainty
MOTTLES = (0, 20)  # a wall's uneven colour, most
GRAIN = (0, 18)  # a sensor's noise, most
JOINTS = (8, 45)  # how much darker or lighter joints are than boards or bricks
# as shares:
SATURATIONS = (0.15, 1.0)
SLOPES = (-0.30, 0.30)  # how much light changes from the middle of the crop to its edge
SHADES = (0.55, 0.9)  # light that a cast shadow leaves
DROPS = (0.35, 0.85)  # light that the digit's own shadow leaves
BLURS = (0.0, 0.28)  # of a pixel's light that goes to each of two neighbours
# and in pixels:
COURSES = (5.0, 11.0)  # the height of a board or of a row of bricks
RESOLUTIONS = (14, 33)  # what the camera saw of the crop, the end excluded; thin digits can't be read below
QUALITIES = (45, 92)  # of JPEG

# How often:
LIGHT_INK = 0.5
OUTLINED = 0.06
WITH_DROP = 0.40
SHADED = 0.22
ON_A_PLATE = 0.38
COURSED = 0.30  # boards or bricks
BRICKS = 0.5  # of those
COMPRESSED = 0.7
FULL_RESOLUTION = 0.25

MIDDLE = (SIZE - 1) / 2
ROWS, COLUMNS = (grid.astype(np.float32) - np.float32(MIDDLE) for grid in np.mgrid[:SIZE, :SIZE])


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
    tints = TINTS[rng.choice(len(TINTS), count, p=TINT_SHARES)]
    room = np.minimum(lightness, 255 - lightness) / 128
    strength = rng.uniform(*SATURATIONS, count) * (0.2 + 0.8 * room)
    colours = lightness[:, None] + tints * strength[:, None]
    weighed = colours[:, 0] * LIGHTNESS[0] + colours[:, 1] * LIGHTNESS[1] + colours[:, 2] * LIGHTNESS[2]
    return np.clip(colours + (lightness - weighed)[:, None], 0, 255).astype(np.uint8)


def photograph(masks: Masks, ink: Colours, ground: Colours, rng: np.random.Generator) -> Images:
    """Photographs of N painted numbers: masks uint8 [N, 48, 96], ink and ground [N, 3]; uint8 [N, 3, 32, 32]."""
    wall = _draw_wall(ground, rng)
    scene = _put_numbers(wall, masks, ink, ground, rng)
    scene *= _draw_light(len(masks), rng)[:, None]
    scene = _blur(scene, rng)
    scene += _draw_grain(scene.shape, rng)
    return _see(np.clip(scene, 0, 255).astype(np.uint8), rng)


def _draw_wall(ground: Colours, rng: np.random.Generator) -> Fields:
    """What is behind the numbers: paint, unevenly; boards, bricks or a plate's edge."""
    count = len(ground)
    wall = np.broadcast_to(ground[:, :, None, None].astype(np.float32), (count, 3, SIZE, SIZE)).copy()
    tilt = _uniform(rng, (-0.08, 0.08), count)
    down, across = ROWS + tilt * COLUMNS, COLUMNS - tilt * ROWS
    joints = _draw_courses(down, across, rng)
    wall += joints[:, None]
    beyond = _draw_plate_edges(down, across, rng)[:, None]
    _, other = draw_colours(count, rng)
    wall += beyond * (other[:, :, None, None] - wall)
    wall += (_uniform(rng, MOTTLES, count) * _draw_clouds(count, rng))[:, None]
    return wall


def _draw_courses(down: Fields, across: Fields, rng: np.random.Generator) -> Fields:
    """Joints between boards or bricks, in levels to add; 0 for walls without."""
    count = len(down)
    height = _uniform(rng, COURSES, count)
    phase = down / height + _uniform(rng, (0, 1), count)
    course = np.floor(phase)
    joints = (phase - course) * height < 1
    length = height * _uniform(rng, (1.8, 2.8), count)
    shifted = across / length + course * np.float32(0.5) + _uniform(rng, (0, 1), count)
    upright = (shifted - np.floor(shifted)) * length < 1
    joints |= upright & _happens(rng, BRICKS, count)
    strength = _uniform(rng, JOINTS, count) * np.where(_happens(rng, 0.6, count), np.float32(-1), np.float32(1))
    added: Fields = joints * (strength * _happens(rng, COURSED, count))
    return added


def _draw_plate_edges(down: Fields, across: Fields, rng: np.random.Generator) -> Fields:
    """How much of each pixel lies beyond the plate that a number is on: 0 to 1; all 0 where there is no plate."""
    count = len(down)
    nearest = _uniform(rng, (10.5, 15.0), count)
    farther = nearest + _uniform(rng, (0, 12), count)
    upright, turned = _happens(rng, 0.5, count), _happens(rng, 0.3, count)
    sign = np.where(upright, np.float32(1), np.float32(-1))
    near = np.where(turned, across, down) * sign - nearest
    far = -np.where(turned, across, down) * sign - farther
    beyond: Fields = np.clip(np.maximum(near, far) + np.float32(0.5), 0, 1)
    beyond *= _happens(rng, ON_A_PLATE, count)
    return beyond


def _draw_clouds(count: int, rng: np.random.Generator) -> Fields:
    """Smooth random fields of -1 to 1: a coarse grid of random numbers, filled in between."""
    knots = 6
    coarse = rng.random((count, knots, knots), dtype=np.float32) * 2 - 1
    places = np.arange(SIZE, dtype=np.float32) * np.float32((knots - 1) / SIZE)
    first = places.astype(np.int64)
    share = places - first
    rows = coarse[:, first] * (1 - share)[:, None] + coarse[:, first + 1] * share[:, None]
    clouds: Fields = rows[:, :, first] * (1 - share) + rows[:, :, first + 1] * share
    return clouds


def _put_numbers(wall: Fields, masks: Masks, ink: Colours, ground: Colours, rng: np.random.Generator) -> Fields:
    """Numbers on their walls: the shadow that they cast, perhaps an outline, and their ink on top."""
    count = len(masks)
    shift = rng.integers(1, 3, (count, 2)) * np.where(rng.random((count, 2)) < 0.5, -1, 1)
    shift[:, 0] = np.abs(shift[:, 0])  # light comes from above
    drop = (1 - _uniform(rng, DROPS, count)) * _happens(rng, WITH_DROP, count)
    scene = wall * (1 - drop * _share_of(_cropped(masks, shift)))[:, None]
    around = np.maximum.reduce([_cropped(masks, np.array([step])) for step in ((0, 1), (0, -1), (1, 0), (-1, 0))])
    outline = (_share_of(around) * _happens(rng, OUTLINED, count))[:, None]
    scene += outline * (_rims(ink, ground)[:, None, None, None] - scene)
    relief = 1 + _uniform(rng, (-0.012, 0.012), count) * ROWS
    paint = ink[:, :, None, None] * relief[:, None]
    scene += _share_of(masks[:, *CROP])[:, None] * (paint - scene)
    return scene


def _rims(ink: Colours, ground: Colours) -> Fields:
    """The grey of each outline, on the ground's side of the ink, so that digits stay legible: float32 [N]."""
    is_light = ink.sum(1, dtype=np.int64) > ground.sum(1, dtype=np.int64)
    return np.where(is_light, np.float32(DARK_RIM), np.float32(LIGHT_RIM))


def _cropped(masks: Masks, shift: NDArray[np.int64]) -> Masks:
    """What the crop shows of masks that are moved down and right by `shift`, [N, 2] or [1, 2] pixels."""
    rows = TOP + np.arange(SIZE) - shift[:, :1]
    columns = LEFT + np.arange(SIZE) - shift[:, 1:]
    cropped: Masks = masks[np.arange(len(masks))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return cropped


def _share_of(masks: Masks) -> Fields:
    return masks.astype(np.float32) * np.float32(1 / 255)


def _draw_light(count: int, rng: np.random.Generator) -> Fields:
    """Light by pixel: 1 in the middle, more to one side than to the other, perhaps with a shadow's edge across."""
    slopes = _uniform(rng, SLOPES, count), _uniform(rng, SLOPES, count)
    light: Fields = 1 + (slopes[0] * ROWS + slopes[1] * COLUMNS) / np.float32(SIZE)
    tilt, place = _uniform(rng, (-1, 1), count), _uniform(rng, (-12, 12), count)
    flat = np.where(_happens(rng, 0.5, count), ROWS + tilt * COLUMNS, COLUMNS + tilt * ROWS)
    shadow = np.clip((flat - place) / _uniform(rng, (1, 6), count) + np.float32(0.5), 0, 1)
    shade = (1 - _uniform(rng, SHADES, count)) * _happens(rng, SHADED, count)
    light *= 1 - shadow * shade
    return light


def _blur(scene: Fields, rng: np.random.Generator) -> Fields:
    """Out of focus, or moved: each pixel gives light to its neighbours, by rows and by columns unequally."""
    for axis in (2, 3):
        given = _uniform(rng, BLURS, len(scene))[:, None]
        padded = np.pad(scene, [(1, 1) if each == axis else (0, 0) for each in range(4)], mode="edge")
        before, after = (np.take(padded, np.arange(SIZE) + start, axis) for start in (0, 2))
        scene = scene * (1 - 2 * given) + (before + after) * given
    return scene


def _draw_grain(shape: tuple[int, ...], rng: np.random.Generator) -> Fields:
    """A sensor's noise: the sum of two even draws, in levels."""
    noise = rng.integers(0, 256, (2, *shape), np.uint8).astype(np.int16)
    most = _uniform(rng, GRAIN, shape[0])[:, None]
    grain: Fields = (noise[0] + noise[1] - np.int16(255)) * (most * np.float32(1 / 255))
    return grain


def _see(images: Images, rng: np.random.Generator) -> Images:
    """What a cheap camera keeps: few pixels, JPEG's blocks and washed colours, then brought to the crop's size."""
    from PIL import Image

    count = len(images)
    resolutions = np.where(rng.random(count) < FULL_RESOLUTION, SIZE, rng.integers(*RESOLUTIONS, count))
    qualities = np.where(rng.random(count) < COMPRESSED, rng.integers(*QUALITIES, count), 0)
    seen = np.empty((count, SIZE, SIZE, 3), np.uint8)
    pictures = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    for place, (resolution, quality) in enumerate(zip(resolutions.tolist(), qualities.tolist(), strict=True)):
        picture = Image.fromarray(pictures[place]).resize((resolution, resolution), Image.Resampling.BILINEAR)
        if quality:
            picture = _compress(picture, quality)
        seen[place] = np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(seen.transpose(0, 3, 1, 2))


def _compress(picture: Image.Image, quality: int) -> Image.Image:
    """The picture as JPEG gives it back."""
    from PIL import Image

    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def _uniform(rng: np.random.Generator, limits: tuple[float, float], count: int) -> Draws:
    """One even draw an image: float32 [N, 1, 1]."""
    return rng.uniform(*limits, (count, 1, 1)).astype(np.float32)


def _happens(rng: np.random.Generator, share: float, count: int) -> NDArray[np.bool_]:
    """Whether something that is so frequent happens to each image: bool [N, 1, 1]."""
    return rng.random((count, 1, 1)) < share

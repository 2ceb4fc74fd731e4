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
from digitforge.data.street_paint import COLUMNS, ROWS, Colours, Fields, draw_wall, happens, uniform

if TYPE_CHECKING:
    from PIL import Image

DARK_RIM, LIGHT_RIM = 20, 235  # levels of outlines around light and around dark ink
DROP_MOST = 2  # pixels that a digit's own shadow is moved, each way
AROUND = ((0, 1), (0, -1), (1, 0), (-1, 0))  # where an outline shows around ink, in pixels

# Ranges that are drawn from evenly. In levels of 0..255:
GRAIN = (0, 18)  # a sensor's noise, most
# as shares and slopes:
SLOPES = (-0.30, 0.30)  # how much light changes across the crop
RELIEFS = (-0.012, 0.012)  # how much lighter or darker paint gets by pixel from a digit's middle down
SHADES = (0.55, 0.9)  # light that a cast shadow leaves
EDGE_TILTS = (-1, 1)  # of a cast shadow's edge
DROPS = (0.35, 0.85)  # light that the digit's own shadow leaves
BLURS = (0.0, 0.28)  # of a pixel's light that goes to each of two neighbours
# and in pixels:
EDGE_PLACES = (-12, 12)  # of a cast shadow's edge, from the middle
EDGE_WIDTHS = (1, 6)
RESOLUTIONS = (14, 33)  # what the camera saw of the crop, the end excluded; below, thin digits can't be read
QUALITIES = (45, 92)  # of JPEG

OUTLINED = 0.06  # how often a digit has an outline,
WITH_DROP = 0.40  # its own shadow on the wall,
SHADED = 0.22  # another thing's shadow on it;
COMPRESSED = 0.7  # how often the picture was a JPEG,
FULL_RESOLUTION = 0.25  # how often surely with all pixels of the crop


def photograph(masks: Masks, ink: Colours, ground: Colours, rng: np.random.Generator) -> Images:
    """Photographs of N painted numbers: masks uint8 [N, 56, 112], ink and ground [N, 3]; uint8 [N, 3, 32, 32]."""
    wall = draw_wall(ground, rng)
    scene = _put_numbers(wall, masks, ink, ground, rng)
    scene *= _draw_light(len(masks), rng)[:, None]
    scene = _blur(scene, rng)
    scene += _draw_grain(scene.shape, rng)
    return _record(np.clip(scene, 0, 255).astype(np.uint8), rng)


def _put_numbers(wall: Fields, masks: Masks, ink: Colours, ground: Colours, rng: np.random.Generator) -> Fields:
    """Numbers on their walls: the shadow that they cast, perhaps an outline, and their ink on top."""
    count = len(masks)
    shift = rng.integers(1, DROP_MOST + 1, (count, 2)) * np.where(rng.random((count, 2)) < 0.5, -1, 1)
    shift[:, 0] = np.abs(shift[:, 0])  # light comes from above
    drop = (1 - uniform(rng, DROPS, count)) * happens(rng, WITH_DROP, count)
    scene = wall * (1 - drop * _share_of(_cropped(masks, shift)))[:, None]
    around = np.maximum.reduce([_cropped(masks, np.array([step])) for step in AROUND])
    outline = (_share_of(around) * happens(rng, OUTLINED, count))[:, None]
    scene += outline * (_rims(ink, ground)[:, None, None, None] - scene)
    relief = 1 + uniform(rng, RELIEFS, count) * ROWS
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
    slopes = uniform(rng, SLOPES, count), uniform(rng, SLOPES, count)
    light: Fields = 1 + (slopes[0] * ROWS + slopes[1] * COLUMNS) / np.float32(SIZE)
    tilt, place = uniform(rng, EDGE_TILTS, count), uniform(rng, EDGE_PLACES, count)
    flat = np.where(happens(rng, 0.5, count), ROWS + tilt * COLUMNS, COLUMNS + tilt * ROWS)
    shadow = np.clip((flat - place) / uniform(rng, EDGE_WIDTHS, count) + np.float32(0.5), 0, 1)
    shade = (1 - uniform(rng, SHADES, count)) * happens(rng, SHADED, count)
    light *= 1 - shadow * shade
    return light


def _blur(scene: Fields, rng: np.random.Generator) -> Fields:
    """Out of focus, or moved: each pixel gives light to its neighbours, by rows and by columns unequally."""
    for axis in (2, 3):
        given = uniform(rng, BLURS, len(scene))[:, None]
        padded = np.pad(scene, [(1, 1) if each == axis else (0, 0) for each in range(4)], mode="edge")
        before, after = (np.take(padded, np.arange(SIZE) + start, axis) for start in (0, 2))
        scene = scene * (1 - 2 * given) + (before + after) * given
    return scene


def _draw_grain(shape: tuple[int, ...], rng: np.random.Generator) -> Fields:
    """A sensor's noise: the sum of two even draws, in levels."""
    noise = rng.integers(0, 256, (2, *shape), np.uint8).astype(np.int16)
    most = uniform(rng, GRAIN, shape[0])[:, None]
    grain: Fields = (noise[0] + noise[1] - np.int16(255)) * (most * np.float32(1 / 255))
    return grain


def _record(images: Images, rng: np.random.Generator) -> Images:
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

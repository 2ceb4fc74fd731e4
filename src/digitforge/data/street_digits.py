"""House numbers as masks: glyphs of free fonts, set side by side and turned as a camera sees a wall from aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import Labels
from digitforge.errors import DataError, to_install
from digitforge.randomness import spread_labels

if TYPE_CHECKING:
    from PIL import Image

SIZE = 32  # pixels of the crop on a side
CANVAS = (56, 112)  # rows and columns drawn around it: neighbours lie in here whole, so that their share can be told
TOP, LEFT = ((length - SIZE) // 2 for length in CANVAS)  # of the crop in the canvas
CROP = (slice(TOP, TOP + SIZE), slice(LEFT, LEFT + SIZE))

# Of the digits 0 to 9, in percent: near those of house numbers, where 1 is by far the most frequent and 9 the rarest.
FREQUENCIES = (7, 19, 14, 12, 10, 9, 8, 8, 7, 6)
# How often a digit has no neighbour, one at the left, one at the right, or both: more lone digits than real house
# numbers have, so that both kinds of crop can be counted in small samples.
NEIGHBOURS = ((False, False), (True, False), (False, True), (True, True))
NEIGHBOUR_SHARES = (0.30, 0.25, 0.25, 0.20)

# Fonts that matplotlib ships, and strokes in pixels that make them bolder; the same font twice is twice as frequent.
# Thin ones are never left as they are, since their hairlines vanish at this size.
STYLES = (
    ("DejaVuSans-Bold.ttf", 0),
    ("DejaVuSans-Bold.ttf", 1),
    ("DejaVuSans.ttf", 0),
    ("DejaVuSans.ttf", 1),
    ("DejaVuSans.ttf", 2),
    ("DejaVuSans-BoldOblique.ttf", 0),
    ("DejaVuSerif-Bold.ttf", 0),
    ("DejaVuSerif.ttf", 1),
    ("STIXGeneral.ttf", 1),
    ("STIXGeneralBol.ttf", 0),
    ("STIXGeneralBol.ttf", 1),
    ("STIXGeneralItalic.ttf", 1),
    ("cmb10.ttf", 1),
    ("cmr10.ttf", 2),
    ("cmss10.ttf", 1),
    ("cmss10.ttf", 2),
)
GLYPH_HEIGHT = 32  # pixels of a 0 without strokes: a little more than in the crop, so that warping hardly aliases
MEASURED_SIZE = 400  # of a font, for its 0's height: large, since heights come as whole pixels
GLYPH_MARGIN = 5  # pixels of nothing around a glyph, for strokes and for smooth edges when it is warped

# Ranges that are drawn from evenly. In pixels of the crop:
HEIGHTS = (20.0, 29.0)
OFFSETS = (-1.8, 1.8)  # of the digit's centre from the crop's
# and as shares of the digit's height:
WIDTHS = (0.44, 0.74)  # of a 0
GAPS = (0.05, 0.24)  # between neighbours
JITTERS = (-0.05, 0.05)  # a neighbour's place above or below
# and as slopes:
HALF_TURNS = (-0.075, 0.075)  # tangent of half the angle: up to 8.6 degrees
SHEARS = (-0.18, 0.18)
STEPS = (-0.10, 0.10)  # of the line that the number stands on
VANISHINGS = (-0.004, 0.004)  # perspective: sizes change by 6 % over half a crop

Masks = NDArray[np.uint8]  # [N, H, W], 0 is no ink, 255 full ink
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Glyph:
    """One digit of one style.

    mask: its ink in a picture with GLYPH_MARGIN around it, mode L.
    width: of its ink, in pixels.
    """

    mask: Image.Image
    width: float


@dataclass(frozen=True)
class HouseNumbers:
    """N digits with what stands beside them.

    masks: uint8 [N, 56, 112], the ink of the digit and its neighbours on the canvas.
    labels: int64 [N], the digit in the middle.
    styles: uint8 [N], an index into STYLES.
    shares: float32 [N, 2], of the left and the right neighbour's ink that lies in the crop; 0 where there is none.
    """

    masks: Masks
    labels: Labels
    styles: NDArray[np.uint8]
    shares: NDArray[np.float32]


Glyphs = Mapping[tuple[int, int], Glyph]  # by style and digit


def render_glyphs() -> Glyphs:
    """Every digit in every style. Raises DataError if matplotlib, which brings the fonts, is missing."""
    try:
        from matplotlib import get_data_path
    except ImportError as error:
        raise DataError(f"street is drawn with the fonts of matplotlib; {to_install('train')}") from error
    folder = Path(get_data_path(), "fonts", "ttf")
    return {
        (style, digit): glyph
        for style, (file, stroke) in enumerate(STYLES)
        for digit, glyph in enumerate(_render_style(folder / file, stroke))
    }


def _render_style(file: Path, stroke: int) -> list[Glyph]:
    """The ten digits of a font at one height, on one baseline."""
    from PIL import Image, ImageDraw, ImageFont

    if not file.is_file():  # Pillow would go on to look for a font of that name on the system
        raise DataError(f"the installed matplotlib lacks the font {file}; pip install --force-reinstall matplotlib")

    def font_of(size: float) -> ImageFont.FreeTypeFont:
        # The basic layout, since the other one depends on a library of the system.
        return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)

    _, top, _, bottom = font_of(MEASURED_SIZE).getbbox("0")
    font = font_of(MEASURED_SIZE * GLYPH_HEIGHT / (bottom - top))
    glyphs = []
    for digit in "0123456789":
        left, _, right, _ = font.getbbox(digit, anchor="ls")
        mask = Image.new("L", (int(right - left) + 2 * GLYPH_MARGIN, GLYPH_HEIGHT + 2 * GLYPH_MARGIN))
        place = (GLYPH_MARGIN - left, GLYPH_MARGIN + GLYPH_HEIGHT)
        ImageDraw.Draw(mask).text(place, digit, fill=255, font=font, anchor="ls", stroke_width=stroke)
        glyphs.append(Glyph(mask, right - left))
    return glyphs


def set_numbers(glyphs: Glyphs, count: int, rng: np.random.Generator) -> HouseNumbers:
    """`count` house numbers, each seen so that one of its digits is in the middle of the crop."""
    labels = spread_labels(rng, FREQUENCIES, count)
    beside = spread_labels(rng, FREQUENCIES, 2 * count).reshape(count, 2)
    has = np.array(NEIGHBOURS)[rng.choice(len(NEIGHBOURS), count, p=NEIGHBOUR_SHARES)]
    styles = rng.integers(0, len(STYLES), count, np.uint8)
    gaps = rng.uniform(*GAPS, (count, 2)) * GLYPH_HEIGHT
    drops = rng.uniform(*JITTERS, (count, 2)) * GLYPH_HEIGHT
    aspects = np.array([glyphs[int(style), 0].width for style in styles]) / GLYPH_HEIGHT
    views = _draw_views(aspects, rng)
    masks = np.empty((count, *CANVAS), np.uint8)
    shares = np.zeros((count, 2), np.float32)
    for place in range(count):
        own = glyphs[int(styles[place]), int(labels[place])]
        masks[place] = _warp(own, views[place], 0, 0)
        for side, sign in enumerate((-1, 1)):
            if has[place, side]:
                other = glyphs[int(styles[place]), int(beside[place, side])]
                distance = sign * ((own.width + other.width) / 2 + gaps[place, side])
                mask = _warp(other, views[place], distance, drops[place, side])
                shares[place, side] = mask[CROP].sum() / mask.sum()
                np.maximum(masks[place], mask, out=masks[place])
    return HouseNumbers(masks, labels, styles, shares)


def _draw_views(aspects: Floats, rng: np.random.Generator) -> Floats:
    """From where each number is seen: homographies [N, 3, 3] from canvas pixels to glyph pixels about its centre.

    aspects: [N], the width of each style's 0 as a share of its height. Only arithmetic that IEEE 754 defines to the
    last bit is used: sines and NumPy's matrix products differ from machine to machine.
    """
    count = len(aspects)
    height = rng.uniform(*HEIGHTS, count)
    half = rng.uniform(*HALF_TURNS, count)
    shear, step = rng.uniform(*SHEARS, count), rng.uniform(*STEPS, count)
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    narrow = aspects / rng.uniform(*WIDTHS, count)
    scale = GLYPH_HEIGHT / height
    across = scale * narrow * (cosine + shear * sine), scale * narrow * (shear * cosine - sine)
    down = scale * (sine + step * cosine), scale * (cosine - step * sine)
    views = np.zeros((count, 3, 3))
    views[:, 0, 0], views[:, 0, 1] = across
    views[:, 1, 0], views[:, 1, 1] = down
    views[:, 2, :2] = rng.uniform(*VANISHINGS, (count, 2))
    views[:, 2, 2] = 1
    middles = np.array([CANVAS[1] / 2, CANVAS[0] / 2]) + rng.uniform(*OFFSETS, (count, 2))
    views[:, :, 2] -= views[:, :, 0] * middles[:, :1] + views[:, :, 1] * middles[:, 1:]
    return views


def _warp(glyph: Glyph, view: Floats, across: float, down: float) -> Masks:
    """A glyph on the canvas, its centre `across` and `down` glyph pixels from the number's: uint8 [56, 112]."""
    from PIL import Image

    homography = view.copy()
    homography[0] += (glyph.mask.width / 2 - across) * view[2]
    homography[1] += (glyph.mask.height / 2 - down) * view[2]
    homography /= homography[2, 2]
    coefficients = homography.ravel()[:8].tolist()
    size = (CANVAS[1], CANVAS[0])
    return np.asarray(glyph.mask.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR))

"""street: rendered house numbers in colour, a stand-in for SVHN, with the truth on each image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import DataSet, Digits
from digitforge.data.fetch import cache_folder
from digitforge.data.npz import DAMAGE
from digitforge.data.sources import Progress, silent
from digitforge.data.street_digits import SIZE, Glyphs, render_glyphs, set_numbers
from digitforge.data.street_paint import Colours, draw_colours
from digitforge.data.street_photos import photograph
from digitforge.errors import DataError
from digitforge.files import keep
from digitforge.randomness import stream

NAME = "street"
FILE_NAME = "street.npz"
SHAPE = (3, SIZE, SIZE)
TRAIN_COUNT, TEST_COUNT = 20_000, 5_000
SEED = 0  # part of the data set, not of a run
CHUNK = 500  # images drawn at once: their fields fit into a processor's cache
# Digits.sha256 of both parts, taken with the versions below; figures from other images can't be compared.
TRAIN_SHA256 = "ac278fe539f8e96daa81fd47d1f19657963432e1cb8744cf6f7351580308fc42"
TEST_SHA256 = "84489972ff2c12c81f44e055e475487668aa6350c7f86e237faae32b3d0f32ee"
DRAWN_WITH = {"pillow": "13.0.0", "matplotlib": "3.11.2", "numpy": "2.4.6"}
# Of a neighbour's ink. Of less, a sliver at the edge, nobody could say that it is a digit.
VISIBLE_SHARE = 0.25


@dataclass(frozen=True)
class Truth:
    """What was drawn in each of N images besides the digit that is the label.

    shares: float32 [N, 2], how much of the ink of the neighbour at the left and of the one at the right lies in the
        image, 0 (there is none, or it is outside) to 1 (all of it).
    ink, ground: uint8 [N, 3], RGB of the digits' paint and of the wall's, before light, shadows, blur and noise.
    styles: uint8 [N], font and weight, an index into street_digits.STYLES.
    """

    shares: NDArray[np.float32]
    ink: Colours
    ground: Colours
    styles: NDArray[np.uint8]

    @property
    def neighbours(self) -> NDArray[np.int8]:
        """How many other digits are visible, each with at least a quarter of its ink in the image: 0 to 2, int8 [N]."""
        counts: NDArray[np.int8] = np.count_nonzero(self.shares >= VISIBLE_SHARE, axis=1).astype(np.int8)
        return counts

    @property
    def is_crowded(self) -> NDArray[np.bool_]:
        """Whether the image shows two digits or more, that is, a visible neighbour beside its own: bool [N]."""
        return self.neighbours > 0


@dataclass(frozen=True)
class Part:
    """Images with their truth."""

    digits: Digits
    truth: Truth


def cached_path() -> Path:
    """Where the images and their truth are kept once they were drawn."""
    return cache_folder() / NAME / FILE_NAME


def load_street(progress: Progress | None = None) -> DataSet:
    """Both parts: uint8 [20000, 3, 32, 32] and [5000, 3, 32, 32], drawn on first use in some ten seconds, then kept.

    `progress` hears the drawing, in bytes. Raises DataError if matplotlib, whose fonts are used, is missing, or if the
    installed versions draw other images.
    """
    train, test = _load_parts(progress)
    return DataSet(NAME, train.digits, test.digits)


def load_truth(progress: Progress | None = None) -> tuple[Truth, Truth]:
    """The truth on the training and on the test images, in their order. Raises DataError as load_street does."""
    train, test = _load_parts(progress)
    return train.truth, test.truth


def _load_parts(progress: Progress | None) -> tuple[Part, Part]:
    parts = _read_cached()
    if parts is None:
        parts = _draw_parts(progress or silent)
        _check_versions(parts)
        _keep(parts)
    return parts


def _draw_parts(progress: Progress) -> tuple[Part, Part]:
    """The training and the test part, drawn now."""
    glyphs = render_glyphs()

    def tell(images: int) -> None:
        image_bytes = math.prod(SHAPE)
        progress(f"{NAME} (drawn here)", images * image_bytes, (TRAIN_COUNT + TEST_COUNT) * image_bytes)

    train = draw_part(glyphs, "train", TRAIN_COUNT, tell)
    return train, draw_part(glyphs, "test", TEST_COUNT, lambda images: tell(TRAIN_COUNT + images))


def draw_part(glyphs: Glyphs, name: str, count: int, tell: Callable[[int], None]) -> Part:
    """The first `count` images of an endless part, "train" or "test"; `tell` hears how many are drawn.

    Where the last images are less than a chunk, they are others than in a longer part.
    """
    chunks = []
    for index, first in enumerate(range(0, count, CHUNK)):
        last = min(first + CHUNK, count)
        chunks.append(draw_chunk(glyphs, last - first, stream(SEED, f"street {name}", index)))
        tell(last)
    return _joined(chunks)


def draw_chunk(glyphs: Glyphs, count: int, rng: np.random.Generator) -> Part:
    """`count` photographs of house numbers, uint8 [count, 3, 32, 32], and the truth on them."""
    numbers = set_numbers(glyphs, count, rng)
    ink, ground = draw_colours(count, rng)
    images = photograph(numbers.masks, ink, ground, rng)
    return Part(Digits(images, numbers.labels), Truth(numbers.shares, ink, ground, numbers.styles))


def _joined(parts: list[Part]) -> Part:
    """Parts one after the other."""
    images = np.concatenate([part.digits.images for part in parts])
    labels = np.concatenate([part.digits.labels for part in parts])
    truths = [np.concatenate([getattr(part.truth, field.name) for part in parts]) for field in fields(Truth)]
    return Part(Digits(images, labels), Truth(*truths))


def _is_pinned(parts: tuple[Part, Part]) -> bool:
    return (parts[0].digits.sha256, parts[1].digits.sha256) == (TRAIN_SHA256, TEST_SHA256)


def _check_versions(parts: tuple[Part, Part]) -> None:
    """Raise DataError if what was drawn isn't the data set."""
    if not _is_pinned(parts):
        found = ", ".join(f"{package} {version(package)}" for package in DRAWN_WITH)
        wanted = " ".join(f'"{package}=={number}"' for package, number in DRAWN_WITH.items())
        raise DataError(
            f"{found} draw other images for {NAME} (expected {TRAIN_SHA256}, found {parts[0].digits.sha256}); "
            f"pip install {wanted}"
        )


def _read_cached() -> tuple[Part, Part] | None:
    """The kept parts; None if there are none, or if they are damaged or of another version."""
    try:
        with np.load(cached_path(), allow_pickle=False) as arrays:
            train, test = (_read_part(arrays, prefix) for prefix in ("", "test_"))
    except (OSError, KeyError, *DAMAGE):
        return None
    return (train, test) if _is_pinned((train, test)) else None


def _read_part(arrays: np.lib.npyio.NpzFile, prefix: str) -> Part:
    truth = Truth(*(arrays[f"{prefix}{field.name}"] for field in fields(Truth)))
    return Part(Digits(arrays[f"{prefix}images"], arrays[f"{prefix}labels"]), truth)


def _keep(parts: tuple[Part, Part]) -> None:
    """Write both parts to the cache."""
    arrays: dict[str, Any] = {}
    for prefix, part in zip(("", "test_"), parts, strict=True):
        arrays |= {f"{prefix}images": part.digits.images, f"{prefix}labels": part.digits.labels}
        arrays |= {f"{prefix}{field.name}": getattr(part.truth, field.name) for field in fields(Truth)}
    keep(cached_path(), lambda stream: np.savez(stream, **arrays))

"""Sheet of copies: generated images beside the training images that they are nearest to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitforge.data.digits import DataSet, Images
from digitforge.metrics.subject import Subject
from digitforge.sheets import beside, captioned_rows, enlarged, grid

MAX_PAIRS = 20
_COLUMNS = 5  # pairs side by side
_CAPTION = 22  # pixels for a caption above its pair
_FONT_SIZE = 14  # pixels


def copies_sheet(
    images: Images, originals: Images, relative: NDArray[np.float32], captions: Sequence[str] | None = None
) -> Image.Image:
    """Pairs of a generated image at the left and its nearest training image at the right, the most copy-like first.

    images, originals: uint8 [N, C, H, W], at least one of each, paired by place. relative: [N], the relative distances
    (`Nearest.relative`), by which pairs are ordered; up to MAX_PAIRS are shown. captions: what to call each pair before
    its distance, such as its label's name.
    """
    if len(images) == 0 or images.shape != originals.shape or len(relative) != len(images):
        raise ValueError(f"{images.shape}, {originals.shape} and {len(relative)} distances make no pairs")
    chosen = np.argsort(relative, kind="stable")[:MAX_PAIRS]
    pairs = [_pair(images[place], originals[place]) for place in chosen]
    called = [_caption(captions[place] if captions else "", relative[place]) for place in chosen]
    return captioned_rows(pairs, called, _COLUMNS, _CAPTION, _FONT_SIZE)


def copies_of(subject: Subject, evaluation: Mapping[str, Any], data: DataSet) -> Image.Image | None:
    """The images of an evaluation that are most like a training image, as copies_sheet() shows them.

    evaluation: of this subject, as Evaluation.as_dict() has it, held against `data`; None without any such image.
    """
    closest = (evaluation.get("details") or {}).get("closest")
    if not closest:
        return None
    drawn = subject.draw(evaluation["count"], evaluation["seed"])
    train = data.train.only([data.train.label_of(name) for name in subject.names])
    images = drawn.take(np.asarray([pair["image"] for pair in closest]))
    originals = train.take(np.asarray([pair["original"] for pair in closest]))
    relative = np.asarray([pair["relative"] for pair in closest], np.float32)
    captions = [originals.names[label] for label in originals.labels]
    return copies_sheet(images.images, originals.images, relative, captions)


def _pair(image: NDArray[np.uint8], original: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(enlarged(beside([grid(one[None], 1) for one in (image, original)])))


def _caption(name: str, relative: np.float32) -> str:
    return f"{name}: {relative:.2f}" if name else f"{relative:.2f}"

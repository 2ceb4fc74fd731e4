"""The pinned classifiers: images in, features and labels out; what every quality figure is read with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.data.digits import Images, Labels
from digitforge.data.fetch import cache_folder
from digitforge.errors import ModelError
from digitforge.onnx_file import OnnxFile, open_onnx
from digitforge.stacked_file import StackedFile

_ASSETS = Path(__file__).parent / "assets"
PINNED = _ASSETS / "classifier-28.onnx"  # grey digits of 28x28 pixels, learnt from MNIST
PINNED_COLOUR = _ASSETS / "classifier-32.onnx"  # colour digits of 32x32 pixels, learnt from street's rendered ones
PROCEDURE = 1  # counts up when own classifiers are trained otherwise, as old ones then measure something else
COLOUR_CHANNELS = 3  # red, green and blue
BATCH = 500  # images read at once: about 200 MB at the classifier's widest layer


@dataclass(frozen=True)
class Reading:
    """What a classifier sees in images.

    features: float32 [N, F], its last hidden layer.
    logits: float32 [N, L], one for each label.
    crowded: float32 [N], a logit, above 0 where it sees a digit beside the one in the middle; None if it can't tell.
    """

    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    crowded: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def labels(self) -> Labels:
        """int64 [N], the label it takes each image for."""
        labels: Labels = self.logits.argmax(1).astype(np.int64)
        return labels


class Classifier:
    """A classifier file, or one that is laid over the channels of stacked digits, ready to read images.

    names: what each label is called; shape: channels, height and width of an image, in pixels.
    card: all that the file says of itself, such as its accuracy.
    """

    def __init__(self, file: OnnxFile | StackedFile) -> None:
        self._file = file
        self.card = _parse_card(file)
        self.names: tuple[str, ...] = tuple(self.card["names"])
        self.shape: tuple[int, int, int] = tuple(self.card["shape"])
        outputs = dict.fromkeys(("features", "logits", *(("crowded",) if self.tells_crowded else ())), "float")
        file.expect({"images": ("uint8", [None, *self.shape])}, outputs)
        self.feature_count = self._read_batch(np.zeros((1, *self.shape), np.uint8)).features.shape[1]

    @classmethod
    def load(cls, path: str | Path | None = None) -> Classifier:
        """The pinned classifier of grey digits, or the one in a file. Raises ModelError if it is none."""
        return cls(_open(path))

    @classmethod
    def of_channels(cls, path: str | Path | None = None) -> Classifier:
        """The classifier of stacked digits: each of three channels read by the pinned one, or by that in a file."""
        return cls(StackedFile(_open(path)))

    @property
    def sha256(self) -> str:
        """The hash of the classifier's file, which stands beside every figure that it was used for."""
        return self._file.sha256

    @property
    def sees_colours(self) -> bool:
        """Whether the channels of what it reads are red, green and blue, and no digits of their own."""
        return self.shape[0] == COLOUR_CHANNELS and not self.is_stacked

    @property
    def is_stacked(self) -> bool:
        """Whether it reads a digit in each channel."""
        return isinstance(self._file, StackedFile)

    @property
    def tells_crowded(self) -> bool:
        """Whether it tells images with neighbouring digits from those with one alone."""
        return bool(self.card.get("tells_crowded"))

    @property
    def data_name(self) -> str:
        """The name of the data set that it learnt from."""
        return str(self._data.get("name", "other images"))

    @property
    def _data(self) -> Mapping[str, Any]:
        data = self.card.get("data")
        return data if isinstance(data, Mapping) else {}

    def learnt_from(self, data_sha256: str) -> bool:
        """Whether it was trained on these images; `data_sha256`: `Digits.sha256` of a training part."""
        return bool(self._data.get("sha256") == data_sha256)

    def fits(self, shape: tuple[int, int, int], names: tuple[str, ...]) -> bool:
        """Whether it can read images of this shape, and knows every one of these labels."""
        return shape == self.shape and set(names) <= set(self.names)

    def read(self, images: Images) -> Reading:
        """Read uint8 images [N, C, H, W], 0..255; N may be 0. Raises ModelError for images of another shape."""
        if images.shape[1:] != self.shape:
            raise ModelError(
                f"the classifier {self._file.path.name} reads images of {_sizes(self.shape)}, "
                f"not of {_sizes(images.shape[1:])} (channels x height x width)"
            )
        parts = [self._read_batch(batch) for batch in _batches(images)]
        crowded = [part.crowded for part in parts if part.crowded is not None]
        return Reading(
            np.concatenate([np.empty((0, self.feature_count), np.float32), *(part.features for part in parts)]),
            np.concatenate([np.empty((0, len(self.names)), np.float32), *(part.logits for part in parts)]),
            np.concatenate([np.empty(0, np.float32), *crowded]) if self.tells_crowded else None,
        )

    def _read_batch(self, images: Images) -> Reading:
        outputs = self._file.run({"images": np.ascontiguousarray(images)})
        features, logits, crowded = outputs["features"], outputs["logits"], outputs.get("crowded")
        count = len(images)
        fits = features.ndim == 2 and len(features) == count and logits.shape == (count, len(self.names))
        if not fits or (crowded is not None and crowded.shape != (count,)):
            shapes = " and ".join(f"{name} {list(values.shape)}" for name, values in outputs.items())
            raise ModelError(
                f"{self._file.path} gives {shapes} for {count} images and {len(self.names)} labels; make the file again"
            )
        return Reading(features, logits, crowded)


def classifier_for(
    shape: tuple[int, int, int],
    names: tuple[str, ...],
    given: Classifier | None = None,
    *,
    all_names: tuple[str, ...] | None = None,
    data_sha256: str | None = None,
) -> Classifier | None:
    """The first classifier here that reads images of this shape and knows every one of these labels; None if none.

    all_names: of all labels that the data have, where that may be more: stacked digits have one for each of their 1,000
    kinds, by which they are told from other classes that are numbered. given: the only one to ask. data_sha256: of the
    data set that they come from, whose own classifier may be in the cache. In colour that one is asked before the
    pinned one, which learnt from rendered digits, unless it learnt from just these images.
    """
    candidates = _candidates(data_sha256) if given is None else [given]
    fitting = (classifier for classifier in candidates if classifier.fits(shape, names))
    known = set(names if all_names is None else all_names)
    return next((one for one in fitting if one is given or not one.is_stacked or known == set(one.names)), None)


def is_stand_in(classifier: Classifier, data_sha256: str) -> bool:
    """Whether it reads colour images of a data set without having learnt from them.

    Grey digits on black look much alike wherever they come from; rendered digits and photographs do not.
    """
    return classifier.sees_colours and not classifier.learnt_from(data_sha256)


def own_classifier_path(data_sha256: str) -> Path:
    """Where a data set's classifier lies once it is trained; `data_sha256`: `Digits.sha256` of its training part."""
    return cache_folder() / "classifiers" / f"{data_sha256[:16]}.onnx"


def cached_classifier(data_sha256: str) -> Classifier | None:
    """The classifier that was trained on just these images and labels; None if there is none that can be used.

    A file that is damaged, of other data or of an older procedure counts as none: it can be made anew.
    """
    try:
        classifier = Classifier.load(own_classifier_path(data_sha256))
    except ModelError:
        return None
    is_current = classifier.card.get("procedure") == PROCEDURE
    return classifier if is_current and classifier.learnt_from(data_sha256) else None


def _open(path: str | Path | None) -> OnnxFile:
    wanted = PINNED if path is None else Path(path)
    if wanted in (PINNED, PINNED_COLOUR) and not wanted.is_file():
        raise ModelError(f"this installation lacks the pinned classifier ({wanted.name}); install digitforge again")
    return open_onnx(wanted)


def _candidates(data_sha256: str | None) -> Iterator[Classifier]:
    """The classifiers there are, each opened only when those before it don't fit."""
    yield Classifier.load()
    yield Classifier.of_channels()
    colour = Classifier.load(PINNED_COLOUR)
    if data_sha256 is not None and not colour.learnt_from(data_sha256) and (own := cached_classifier(data_sha256)):
        yield own
    yield colour


def _batches(images: Images) -> Iterator[Images]:
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _parse_card(file: OnnxFile | StackedFile) -> dict[str, Any]:
    """The classifier's card, with names and a shape that can be what they say."""
    try:
        card = json.loads(file.card)
        is_right = (
            card["kind"] == "classifier"
            and all(isinstance(name, str) for name in card["names"])
            and len(set(card["names"])) == len(card["names"]) > 0
            and len(card["shape"]) == 3
            and all(isinstance(size, int) and size > 0 for size in card["shape"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        is_right = False
    if not is_right:
        raise ModelError(f"{file.path} is no classifier of digitforge: its card says something else")
    return dict(card)

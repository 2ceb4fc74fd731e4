"""Forge: a model file in, digits out; it needs neither torch nor a data set."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from digitforge.card import Card
from digitforge.classifier import Classifier, classifier_for
from digitforge.data.digits import FEW_LABELS, UNLABELLED, Digits, Images, Labels, listed
from digitforge.errors import ModelError, UserError, enumerated
from digitforge.files import at_home
from digitforge.onnx_file import BLEND, Port
from digitforge.randomness import Latents, draw_latents, spread_labels, stream
from digitforge.set_file import ModelFile, open_model

if TYPE_CHECKING:
    from digitforge.runs import RunFolder, SpecialistsFolder

PRETRAINED = Path(__file__).parent / "assets" / "express-mnist.onnx"
BATCH = 500  # images drawn at once: bounds memory; from 32 to 1,000, express draws equally fast on two cores
MAX_COUNT = 10_000_000  # images a call; more come from further seeds
MAX_UNSUMMED = 1e-4  # how far from 1 the shares of a blend may sum up: float32 keeps seven digits
MAX_BYTES = 4 * 1024**3  # what generate() may hold in memory; batches() needs no more than one batch
MAX_VARIETY = 1.5  # far enough to see that latents which training hardly ever met draw badly

# A digit that an unconditional model draws less often than this, once so many images were drawn, is given up.
HOPELESS_YIELD = 1 / 200
HOPELESS_SHARE = 1 / 20  # ... and than so much of its share in training, where that is below 1/10
HOPELESS_AFTER = 20_000  # images; a model of ten digits yields about 1/10, so a common digit never comes near

LatentSource = Callable[[int], Latents]  # the next so many latents, float32 [count, Z]


@dataclass(frozen=True)
class Drawn:
    """Digits, and how many images were drawn to get them: more than there are where a classifier chose among them."""

    digits: Digits
    drawn: int

    @property
    def share(self) -> float:
        """The share of the drawn images that was kept, 0..1."""
        return len(self.digits) / self.drawn


class Forge:
    """A model that is ready to draw.

    card: what the model file says of itself. path: where it was read from. sha256: of the file.
    """

    def __init__(self, file: ModelFile, classifier: Classifier | None = None) -> None:
        self._file = file
        self._given_classifier = classifier
        try:
            self.card = Card.from_json(file.card)
        except ModelError as error:
            raise ModelError(f"{file.path} is no model file that can be used: {error}") from None
        inputs: dict[str, tuple[str, list[int | None]]] = {"latent": ("float", [None, self.card.latent.size])}
        if self.card.conditional:
            inputs["label"] = ("int64", [None])
        file.expect(inputs, {"images": "uint8"})
        self._run(np.zeros((2, self.card.latent.size), np.float32), np.full(2, self.card.trained[0], np.int64))

    @classmethod
    def load(cls, path: str | Path | None = None, *, classifier: Classifier | None = None) -> Forge:
        """The model of a run's or of specialists' folder, or in a model file; None: the pretrained one in the package.

        classifier: filters and reads what an unconditional model draws; None: the one that fits, mostly the pinned one.
        Raises ModelError that names the file if it is missing, damaged, or not what its card says; RunError if it is
        not the file that its run left.
        """
        return cls(open_model(_model_path(path)), classifier)

    @property
    def path(self) -> Path:
        """The model file."""
        return self._file.path

    @property
    def sha256(self) -> str:
        """The hash of the model file."""
        return self._file.sha256

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the labels that it can draw: those that it was trained on."""
        return tuple(self.card.names[label] for label in self.card.trained)

    @property
    def is_told(self) -> bool:
        """Whether each image's label is known before it is drawn: the model takes it, or draws only one."""
        return self.card.conditional or len(self.card.trained) == 1

    @property
    def can_blend(self) -> bool:
        """Whether blended() can draw what lies between two labels."""
        wanted = Port(BLEND, "float", (None, len(self.card.names)))
        return self.card.conditional and wanted in self._file.options

    @cached_property
    def classifier(self) -> Classifier | None:
        """What reads the model's images; None if no classifier here reads their size and labels."""
        card, given = self.card, self._given_classifier
        return classifier_for(card.shape, self.names, given, all_names=card.names, data_sha256=card.data.sha256)

    @property
    def label_names(self) -> tuple[str, ...]:
        """What the labels of its digits are called: all the card's names, or UNLABELLED where nothing tells a label."""
        return self.card.names if self.is_told or self.classifier else UNLABELLED

    def label_of(self, digit: int | str) -> int:
        """The label whose name is `digit`, such as 7 or "7". Raises ModelError if the model was not trained on it."""
        name = str(digit)
        if name not in self.names:
            known = "knows" if name not in self.card.names else "was trained on"
            raise ModelError(f"{self.path.name} {known} {_enumerate(self.names)}, not {name!r}; ask for one of these")
        return self.card.names.index(name)

    def generate(
        self,
        digit: int | str | None = None,
        count: int = 64,
        seed: int = 0,
        variety: float = 1.0,
        *,
        balanced: bool = False,
    ) -> Digits:
        """Draw `count` digits: uint8 images [count, C, H, W], 0..255, and int64 labels [count].

        digit: the name of the one label to draw. None: the labels follow the training frequencies, each label's count
        within one of its share, in random order; what an unconditional model draws is labelled by the pinned
        classifier, or named UNLABELLED where that can't read it.
        seed: 0 to 2**32 - 1; one seed and model file give one result; a digit's latents don't depend on count.
        variety: 0 to 1.5, what latents are multiplied by, but for numbers of them that choose a cluster, where a model
        learned by those. 1 draws as in training; less keeps nearer to the average digit, cleaner and more alike; more
        strays further than training did. Like the truncation of Brock et al. ("Large scale
        GAN training for high fidelity natural image synthesis", 2019), with scaling for resampling.
        balanced: equally many of every label, the remainder to the first ones. A model that is told labels draws them
        in turn; of another the pinned classifier picks them.
        Raises ModelError if the model can't draw the digit, UserError for a number that is out of range, and for one
        digit and balanced at once.
        """
        return self.generate_with_yield(digit, count, seed, variety, balanced=balanced).digits

    def generate_with_yield(
        self,
        digit: int | str | None = None,
        count: int = 64,
        seed: int = 0,
        variety: float = 1.0,
        *,
        balanced: bool = False,
    ) -> Drawn:
        """As generate(), with the number of images that were drawn for them."""
        parts = self.batches(digit, count, seed, variety, balanced=balanced)
        channels, height, width = self.card.shape
        if count * channels * height * width > MAX_BYTES:
            raise UserError(f"{count:,} images need more than {MAX_BYTES:,} bytes of memory; ask for fewer at once")
        images = np.empty((count, channels, height, width), np.uint8)
        labels = np.empty(count, np.int64)
        done = drawn = 0
        for part in parts:
            images[done : done + len(part.digits)] = part.digits.images
            labels[done : done + len(part.digits)] = part.digits.labels
            done, drawn = done + len(part.digits), drawn + part.drawn
        return Drawn(Digits(images, labels, self.label_names), drawn)

    def batches(
        self,
        digit: int | str | None = None,
        count: int = 64,
        seed: int = 0,
        variety: float = 1.0,
        *,
        balanced: bool = False,
    ) -> Iterator[Drawn]:
        """What generate() draws, in parts of at most 500 images, one in memory at a time.

        What is asked for is checked at once, before the first part is drawn; a digit that turns out too rare raises
        ModelError on the way.
        """
        if balanced and digit is not None:
            raise UserError(
                f"a balanced set has equally many of every digit, not {digit!r} alone; leave out one of them"
            )
        label, draw_some = self._checked(digit, count), self._latent_source(seed, variety)
        if self.is_told:
            return self._draw_told(draw_some, self._told_labels(label, count, seed, balanced))
        if label is None and not balanced:
            return self._draw_freely(draw_some, count)
        return (drawn for drawn, _ in self._draw_chosen(draw_some, self._wanted(label, count), self._chooser(label)))

    def latents(self, digit: int | str | None = None, count: int = 64, seed: int = 0, variety: float = 1.0) -> Latents:
        """The latents float32 [count, Z] that generate() makes its images of, in their order; raises as it does."""
        label, draw_some = self._checked(digit, count), self._latent_source(seed, variety)
        if self.is_told or label is None:
            return draw_some(count)
        chosen = self._draw_chosen(draw_some, self._wanted(label, count), self._chooser(label))
        return np.concatenate([kept for _, kept in chosen])

    def draw(self, latents: Latents, labels: Labels | None = None) -> Images:
        """The images of given latents: uint8 [N, C, H, W], 0..255, from float32 [N, Z].

        labels: int64 [N], which a conditional model needs and another ignores.
        """
        if self.card.conditional and (labels is None or not np.isin(labels, self.card.trained).all()):
            raise ModelError(f"{self.path.name} needs a label for each image, one of {list(self.card.trained)}")
        return self._run_in_batches(latents, np.zeros(len(latents), np.int64) if labels is None else labels)

    def blended(self, latents: Latents, weights: NDArray[np.float32]) -> Images:
        """The images of given latents between labels: uint8 [N, C, H, W], 0..255, from float32 [N, Z].

        weights: float32 [N, classes], each label's share in an image, which sum to 1; all of one label gives what
        draw() gives for it. Raises ModelError if the model can't blend, or for weights that are no shares.
        """
        if not self.can_blend:
            raise ModelError(
                f"{self.path.name} draws whole digits and nothing between two of them, as older model files and sets "
                "of specialists do; train it again, or stay within one digit"
            )
        classes = len(self.card.names)
        unused = np.asarray(self.card.frequencies) == 0
        is_known = weights.shape == (len(latents), classes) and (weights >= 0).all() and not weights[:, unused].any()
        if not is_known or not np.allclose(weights.sum(1), 1, rtol=0, atol=MAX_UNSUMMED):
            raise ModelError(
                f"{self.path.name} needs {classes} shares for each image that sum to 1, none below 0, and shares of "
                f"{_enumerate(self.names)} alone"
            )
        told = weights.argmax(1)
        return self._run_in_batches(latents, told, weights - np.eye(classes, dtype=np.float32)[told])

    def _checked(self, digit: int | str | None, count: int) -> int | None:
        """The label that is meant, if any, once it and the count can be."""
        if not 1 <= count <= MAX_COUNT:
            raise UserError(f"a count of images lies in 1 to {MAX_COUNT:,}, not at {count:,}")
        return None if digit is None else self.label_of(digit)

    def _latent_source(self, seed: int, variety: float) -> LatentSource:
        """What gives so many latents of a seed at each call."""
        check_variety(variety)
        rng, latent = stream(seed, "generate"), self.card.latent
        factors = np.full(latent.size, variety, np.float32)
        factors[latent.free :] = 1  # what is drawn stays as frequent as it is
        return lambda count: draw_latents(rng, count, latent.size, latent.distribution) * factors

    def _chooser(self, label: int | None) -> Classifier:
        """What picks a digit, or all in equal numbers, out of the images of a model that isn't told any."""
        if self.classifier is None:
            what = "the digit" if label is not None else "balanced"
            raise ModelError(
                f"{self.path.name} is not told which digit to draw, and the pinned classifier can't read its images; "
                f"leave out {what}, or use a conditional model"
            )
        return self.classifier

    def _told_labels(self, label: int | None, count: int, seed: int, balanced: bool) -> Labels:
        """The labels that a model is told, one after the other: int64 [count]."""
        if balanced:
            return self._in_turn(count)
        if label is None:
            return spread_labels(stream(seed, "labels"), self.card.frequencies, count)
        return np.full(count, label, np.int64)

    def _in_turn(self, count: int) -> Labels:
        """Every label that it was trained on, again and again, so that fewer images are the first of more."""
        return np.resize(np.asarray(self.card.trained, np.int64), count)

    def _wanted(self, label: int | None, count: int) -> NDArray[np.int64]:
        """How many images of each label to pick: all of one, or of each equally many; int64 [classes]."""
        labels = self._in_turn(count) if label is None else np.full(count, label, np.int64)
        return np.bincount(labels, minlength=len(self.card.names)).astype(np.int64)

    def _draw_told(self, draw_some: LatentSource, labels: Labels) -> Iterator[Drawn]:
        for start in range(0, len(labels), BATCH):
            told = labels[start : start + BATCH]
            yield Drawn(Digits(self._run(draw_some(len(told)), told), told, self.card.names), len(told))

    def _draw_freely(self, draw_some: LatentSource, count: int) -> Iterator[Drawn]:
        for start in range(0, count, BATCH):
            size = min(BATCH, count - start)
            images = self._run(draw_some(size), np.zeros(size, np.int64))
            labels = self._read(images, self.classifier) if self.classifier else np.zeros(size, np.int64)
            yield Drawn(Digits(images, labels, self.label_names), size)

    def _draw_chosen(
        self, draw_some: LatentSource, wanted: NDArray[np.int64], classifier: Classifier
    ) -> Iterator[tuple[Drawn, Latents]]:
        """Draw, and keep what the classifier takes for a label of which some are missing, with its latents.

        wanted: int64 [classes], how many images of each label are kept in the end.
        """
        names = self.card.names
        label_of = np.full(len(classifier.names), -1, np.int64)
        for label in np.flatnonzero(wanted):
            label_of[classifier.names.index(names[label])] = label
        missing, drawn = wanted, 0
        while missing.any():
            latents = draw_some(BATCH)
            images = self._run(latents, np.zeros(BATCH, np.int64))
            labels = label_of[classifier.read(images).labels]
            found = [np.flatnonzero(labels == label)[: missing[label]] for label in np.flatnonzero(missing)]
            places = np.sort(np.concatenate(found))
            missing = missing - np.bincount(labels[places], minlength=len(names))
            used = BATCH if missing.any() else int(places[-1]) + 1
            drawn += used
            yield Drawn(Digits(images[places], labels[places], names), used), latents[places]
            if drawn >= HOPELESS_AFTER:
                self._check_hope(wanted - missing, missing, drawn)

    def _check_hope(self, kept: NDArray[np.int64], missing: NDArray[np.int64], drawn: int) -> None:
        """Raise ModelError for a label that hardly ever comes; kept, missing: images of each, int64 [classes]."""
        shares = np.asarray(self.card.frequencies) / sum(self.card.frequencies)
        is_hopeless = (missing > 0) & (kept < drawn * np.minimum(HOPELESS_YIELD, HOPELESS_SHARE * shares))
        if is_hopeless.any():
            label = int(is_hopeless.argmax())
            raise ModelError(
                f"{self.path.name} draws too few of {self.card.names[label]!r}: {kept[label]:,} of {drawn:,} images "
                "were read as it; do without it, or use a conditional model"
            )

    def _read(self, images: Images, classifier: Classifier) -> Labels:
        """The label that the classifier takes each image for, among those that the model was trained on."""
        columns = [classifier.names.index(name) for name in self.names]
        places = classifier.read(images).logits[:, columns].argmax(1)
        labels: Labels = np.asarray(self.card.trained, np.int64)[places]
        return labels

    def _run_in_batches(self, latents: Latents, labels: Labels, blends: NDArray[np.float32] | None = None) -> Images:
        images = np.empty((len(latents), *self.card.shape), np.uint8)
        for start in range(0, len(latents), BATCH):
            part = slice(start, start + BATCH)
            images[part] = self._run(latents[part], labels[part], None if blends is None else blends[part])
        return images

    def _run(self, latents: Latents, labels: Labels, blends: NDArray[np.float32] | None = None) -> Images:
        feeds: dict[str, NDArray[Any]] = {"latent": latents}
        if self.card.conditional:
            feeds["label"] = labels
        if blends is not None:
            feeds[BLEND] = blends
        images = self._file.run(feeds)["images"]
        if images.shape != (len(latents), *self.card.shape):
            raise ModelError(
                f"{self.path} draws images of shape {list(images.shape[1:])}, but its card promises "
                f"{list(self.card.shape)}; make the file again"
            )
        return images


def check_variety(variety: float, name: str = "variety") -> None:
    """Raise UserError for a variety, called so, that no drawing can have."""
    if not 0 <= variety <= MAX_VARIETY:  # which refuses what is no number, too
        raise UserError(f"{name} lies in 0 to {MAX_VARIETY}, not at {variety:g}; 1 draws as in training")


def _model_path(path: str | Path | None) -> Path:
    """The model file that is meant."""
    if path is None:
        if not PRETRAINED.is_file():
            raise ModelError("this installation holds no pretrained model; name a run folder or a model file")
        return PRETRAINED
    path = at_home(path)
    try:
        is_folder = path.is_dir()
    except OSError:  # such as a name that is too long; opening it says which
        is_folder = False
    if not is_folder:
        return path
    from digitforge.runs import RunFolder, SpecialistsFolder  # bring pydantic, which a file alone does not need

    run, job = RunFolder(path), SpecialistsFolder(path)
    if job.model.is_file():
        return job.model
    if not run.model.is_file():
        raise ModelError(_no_model_in(run, job))
    return run.intact(run.model)


def _no_model_in(run: RunFolder, job: SpecialistsFolder) -> str:
    """Why a folder, which may be a run's or a job's, stands for no model, and the way on."""
    lacks, word = f"the folder {run.path} holds no {run.model.name}", shlex.quote(str(run.path))
    if job.recipe.is_file():
        return (
            f"{lacks}, as its job of specialists has not ended: name a run in it, or go on with it by "
            f"`digitforge specialists --out {word} --resume`"
        )
    if not run.recipe.is_file():
        return f"{lacks} and no {run.recipe.name}, so it is no run; name a run folder or a model file"
    if run.snapshots():
        return f"{lacks} yet; `digitforge export {word}` makes a model of the run's newest snapshot"
    return f"{lacks} yet, nor a snapshot of its run; go on with it by `digitforge train --out {word} --resume`"


def _enumerate(names: tuple[str, ...]) -> str:
    return listed(names) if len(names) > FEW_LABELS else enumerated(names)

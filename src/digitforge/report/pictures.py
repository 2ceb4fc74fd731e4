"""Pictures of what a generator draws: how a run came to it, beside real images, and a model's best digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitforge.data.digits import Digits, Images, few_of
from digitforge.errors import ModelError, RunError
from digitforge.forge import Forge
from digitforge.randomness import draw_latents, stream
from digitforge.report.history import Epochs
from digitforge.runs import RunFolder, count_of
from digitforge.sheets import PNG_DAMAGE, SCALE, captioned_rows, read_png

MOMENTS = 7  # of a run that are shown: with real images two rows of four
_COLUMNS = 4
_SIDE = 400  # pixels that a sheet may take; ten digits of 28 pixels need 280
_CAPTION = 24  # pixels for a caption above its sheet
_FONT_SIZE = 17  # pixels
_NEAR_EPOCH = 0.05  # epochs: what ends so near to a whole one is called by it, as batches seldom end just there

BEST_OF = 1_500  # images: about 150 a digit; dcgan draws and the classifier reads them in 1 to 1.6 s on two cores
BEST_A_LABEL = 10
# Two pictures are near-copies if they differ in less than this share of their ink. The 40 surest of each label among
# 2,000 of MNIST have their nearest neighbour at 0.05 in the median for ones, at 0.10 to 0.25 for other labels.
NEAR_COPY = 0.05


def evolution_sheet(folder: RunFolder, epochs: Epochs | None = None, moments: Sequence[float] = ()) -> Image.Image:
    """A run's sheets of the same latents side by side, image 0 to the last, after a sheet of real images.

    epochs: lets captions count epochs where the sheets were made at whole ones; else they count images. moments: in
    epochs, the sheets to show after the first one; none: equally far apart.
    Real images are left out where the run has no sheet of them. Raises RunError if a sheet is missing or damaged.
    """
    samples = folder.samples()
    alone = folder.read_recipe().training.images_alone
    shown = sheets_at(samples, epochs, moments) if epochs and moments else chosen_sheets(samples, alone)
    if not shown:
        raise RunError(f"{folder.path} has no sheet of samples to show; name another run")
    captions, paths = _captions(list(shown), epochs), list(shown.values())
    if folder.real_sheet.is_file():
        captions, paths = ["real", *captions], [folder.real_sheet, *paths]
    return captioned_rows([_read_reduced(path) for path in paths], captions, _COLUMNS, _CAPTION, _FONT_SIZE)


def chosen_sheets(samples: Sequence[Path], alone: int = 0) -> dict[int, Path]:
    """Which sheets tell how a run went, by images: the first two, as most happens there, then equally far apart.

    samples: first to last. alone: images that D learned from alone; what was drawn by then equals the first sheet, and
    is passed over.
    """
    found = {count_of(path): path for path in samples}
    first, later = list(found)[:1], [images for images in list(found)[1:] if images > alone]
    places = np.linspace(0, len(later) - 1, min(len(later), MOMENTS - 1)).round().astype(int)
    return {images: found[images] for images in [*first, *(later[place] for place in places)]}


def sheets_at(samples: Sequence[Path], epochs: Epochs, moments: Sequence[float]) -> dict[int, Path]:
    """The first sheet, those nearest to some moments, in epochs, and the last one, by images; moments that a run has
    not reached yet are left out.
    """
    found = {count_of(path): path for path in samples}
    last = epochs.after(max(found, default=0)) + _NEAR_EPOCH
    near = [min(found, key=lambda images: abs(epochs.after(images) - moment)) for moment in moments if moment <= last]
    return {images: found[images] for images in sorted({*list(found)[:1], *near, *list(found)[-1:]})}


def best_digits(forge: Forge, count: int = BEST_OF, seed: int = 0, near_copy: float = NEAR_COPY) -> Digits:
    """Of `count` images, for each label the ten that the pinned classifier is surest of, the surest first.

    How sure it is: the log-odds of the label against all others, which still differ where probabilities have all
    reached 1. Only what it reads as the label counts, and of a model that is told its label only what was drawn for it.
    From the surest down, near-copies of what was taken are passed over; so a label has fewer than ten where the model
    hardly draws it or repeats itself, and none where it never draws it.
    Of many labels 26 are shown: any for a model that takes them, else some of those that it drew.
    Raises ModelError if the classifier does not read the model's images.
    """
    if forge.classifier is None:
        raise ModelError(f"the pinned classifier can't read what {forge.path.name} draws; leave out the best")
    card, known = forge.card, forge.classifier.names
    shown = np.asarray(card.trained, np.int64)
    if card.conditional:
        shown = few_of(shown)
    latents = draw_latents(stream(seed, "best"), count, card.latent.size, card.latent.distribution)
    asked = np.resize(shown, count)
    images = forge.draw(latents, asked)
    reading = forge.classifier.read(images)
    columns = np.asarray([known.index(card.names[label]) for label in shown])
    shown = few_of(shown[np.isin(columns, reading.labels)])
    chosen, labels = [np.empty(0, np.int64)], []
    for label in shown:
        column = known.index(card.names[label])
        fits = (reading.labels == column) & (asked == label if card.conditional else True)
        places = np.flatnonzero(fits)
        best = surest(images[places], log_odds(reading.logits[places], column), near_copy)
        chosen.append(places[best])
        labels += [label] * len(best)
    return Digits(images[np.concatenate(chosen)], np.asarray(labels, np.int64), card.names)


def surest(images: Images, sureness: NDArray[np.float64], near_copy: float = NEAR_COPY) -> NDArray[np.int64]:
    """Which images to show: up to ten, the surest first, none a near-copy of a surer one that was taken."""
    pixels = images.astype(np.float64)
    taken: list[int] = []
    for place in np.argsort(-sureness, kind="stable"):
        if all(_difference(pixels[place], pixels[other]) >= near_copy for other in taken):
            taken.append(int(place))
        if len(taken) == BEST_A_LABEL:
            break
    return np.asarray(taken, np.int64)


def log_odds(logits: NDArray[np.float32], column: int) -> NDArray[np.float64]:
    """The log-odds of one label against all others: float64 [N] from logits [N, L]."""
    wide = logits.astype(np.float64)
    odds: NDArray[np.float64] = wide[:, column] - np.logaddexp.reduce(np.delete(wide, column, 1), axis=1)
    return odds


def _difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The share of ink in which two pictures differ: 0 for equal ones, 1 where no ink of one lies on the other's."""
    ink = (one**2).sum() + (other**2).sum()
    return float(((one - other) ** 2).sum() / ink) if ink else 0.0


def _captions(moments: Sequence[int], epochs: Epochs | None) -> list[str]:
    """What each moment is called: by its epoch if all lie at whole ones, else by its images."""
    if epochs is not None:
        passed = [max(0.0, epochs.after(images)) for images in moments]
        whole = [round(count) for count in passed]
        if len(set(whole)) == len(whole) and all(
            abs(count - near) <= _NEAR_EPOCH for count, near in zip(passed, whole, strict=True)
        ):
            return [f"epoch {count:,}" for count in whole]
    return [f"{images:,} images" for images in moments]


def _read_reduced(path: Path) -> Image.Image:
    """A sheet at the size of its digits' own pixels, or smaller where that is much."""
    try:
        sheet = read_png(path.read_bytes())
    except PNG_DAMAGE as error:
        raise RunError(f"the sheet {path} cannot be read: {error}; name another run") from None
    reduced = sheet.convert("L" if sheet.mode == "L" else "RGB").reduce(SCALE)
    reduced.thumbnail((_SIDE, _SIDE))
    return reduced

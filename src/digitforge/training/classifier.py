"""Training a classifier of small images, whose features the figures are measured in: the pinned ones, and users' own.

The pinned ones were made on two cores by `python -m digitforge.training.classifier --out
src/digitforge/assets/classifier-28.onnx`, in about six minutes, and by `... --data street --epochs 4 --out
src/digitforge/assets/classifier-32.onnx`, in 14 beside much else. Another processor rounds otherwise, so its files have
other hashes: the file decides.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from digitforge.data import DataSet, Digits, load_data, street
from digitforge.files import write_whole
from digitforge.networks.to_onnx import classifier_to_onnx
from digitforge.sections import Compute
from digitforge.training.compute import resolve_compute

EPOCHS = 14
BATCH = 256  # images
RATE = 4e-3  # of AdamW at its highest, after a warm-up
WEIGHT_DECAY = 0.02
FEATURES = 128  # what the figures are measured in: the averages of the last feature maps
# The widest random change of a training image, so that features follow the stroke rather than its place.
TURN, SCALE, SHEAR, SHIFT = 0.2, 0.12, 0.2, 2 / 14  # radians, share, share, half-widths of the image
# Of that in colour, where shifts and turns move neighbouring digits and their background into the picture.
COLOUR_DISTORTION = 0.5
MOST_PIXELS = 40  # of the shorter side; larger images are halved first, which keeps their cost near that of 28x28
STEM = 16  # feature maps of a layer that halves
_READ_AT_ONCE = 500  # images
SHORTEST = 8  # pixels of a side: two poolings leave 2 of them

Heard = Callable[[int, Tensor], None]  # hears a step's number, from 1, and its loss


@dataclass(frozen=True)
class Course:
    """How a classifier learns.

    steps: of the optimiser; batch: images a step; warmup: the share of the steps in which the rate rises.
    distortion: how far images are changed by chance, as a share of the widest change; 0 for not at all.
    edges: what comes in from beyond an image's edge: "zeros", or "border", the pixels on it.
    """

    steps: int
    batch: int
    warmup: float
    distortion: float = 1.0
    edges: Literal["zeros", "border"] = "zeros"


class Reader(nn.Module):
    """uint8 images [N, C, H, W] to features [N, 128], logits [N, classes] and, if it tells crowded images, a logit [N].

    shape: channels, height and width of an image; a side has at least 8 pixels. tells_crowded: whether it also says if
    there is a digit beside the one in the middle.
    """

    def __init__(self, classes: int, shape: tuple[int, int, int] = (1, 28, 28), *, tells_crowded: bool = False) -> None:
        super().__init__()
        halving, maps = _halve(shape)
        self.maps = nn.Sequential(
            *halving,
            *_convolve(maps, 32),
            nn.MaxPool2d(2),
            *_convolve(32, 64),
            *_convolve(64, 64),
            nn.MaxPool2d(2),
            *_convolve(64, FEATURES),
            *_convolve(FEATURES, FEATURES),
        )
        self.head = nn.Linear(FEATURES, classes)
        self.crowd = nn.Linear(FEATURES, 1) if tells_crowded else None

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.maps(images.float() / 255).mean((2, 3))
        seen = F.dropout(features, 0.2, self.training)
        if self.crowd is None:
            return features, self.head(seen)
        return features, self.head(seen), self.crowd(seen).squeeze(1)


def train_classifier(
    data: DataSet, seed: int = 0, epochs: int = EPOCHS, crowded: NDArray[np.bool_] | None = None
) -> Reader:
    """A pinned classifier's course on `data`'s training images, told epoch by epoch; in evaluation mode.

    crowded: [N], which of them show a neighbouring digit, where that is known.
    """
    epoch = len(data.train) // BATCH
    start = time.perf_counter()

    def tell(step: int, loss: Tensor) -> None:
        if step % epoch == 0:
            spent = time.perf_counter() - start
            print(f"epoch {step // epoch}/{epochs}  loss {loss.item():.4f}  {spent:.0f} s", flush=True)

    course = Course(epochs * epoch, BATCH, 1 / epochs)
    if data.train.shape[0] > 1:
        course = replace(course, distortion=COLOUR_DISTORTION, edges="border")
    return fit(data.train, course, seed, tell, crowded)


def fit(
    digits: Digits, course: Course, seed: int, heard: Heard | None = None, crowded: NDArray[np.bool_] | None = None
) -> Reader:
    """A classifier of labelled images, in evaluation mode, on the CPU; PyTorch's own random numbers stay as they were.

    `course.batch` is at most the number of images. heard: hears every step. crowded: [N], as train_classifier has it.
    """
    compute = resolve_compute(Compute(device="cpu"))
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels)
    crowds = None if crowded is None else torch.from_numpy(crowded).float()
    with _set_apart(seed, compute.threads):
        reader = Reader(len(digits.names), digits.shape, tells_crowded=crowds is not None)
        reader.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.AdamW(reader.parameters(), RATE, weight_decay=WEIGHT_DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, course.steps, pct_start=course.warmup)
        for step, chosen in enumerate(_batches(len(images), course), 1):
            with torch.autocast("cpu", torch.bfloat16, enabled=compute.precision == "bf16"):
                _, logits, *crowd = reader(_shown(images[chosen], course))
                loss = F.cross_entropy(logits.float(), labels[chosen])
                if crowds is not None:
                    loss = loss + F.binary_cross_entropy_with_logits(crowd[0].float(), crowds[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            if heard:
                heard(step, loss.detach())
    reader.eval()
    return reader


def distorted(images: Tensor, share: float = 1.0, edges: str = "zeros") -> Tensor:
    """Each image turned, scaled, sheared and shifted by chance: float [N, C, H, W], 0..255.

    share: of the widest change. edges: what comes in from beyond an image's edge, "zeros" or "border".
    """
    count = len(images)
    turn, scale, shear, across, down = (
        (torch.rand(count) * 2 - 1) * (most * share) for most in (TURN, SCALE, SHEAR, SHIFT, SHIFT)
    )
    cos, sin = turn.cos() / (1 + scale), turn.sin() / (1 + scale)
    maps = torch.stack([cos, shear * cos - sin, across, sin, shear * sin + cos, down], 1).view(count, 2, 3)
    places = F.affine_grid(maps, [count, *images.shape[1:]], align_corners=False)
    return F.grid_sample(images.float(), places, padding_mode=edges, align_corners=False)


def accuracy(reader: Reader, digits: Digits) -> float:
    """The share of images that are read right."""
    return _share(_outputs(reader, digits)[1].argmax(1) == torch.from_numpy(digits.labels))


def crowded_accuracy(reader: Reader, digits: Digits, crowded: NDArray[np.bool_]) -> float:
    """The share of images rightly told to show a neighbouring digit or none; the reader tells crowded images."""
    return _share((_outputs(reader, digits)[2] > 0) == torch.from_numpy(crowded))


def main() -> None:
    """Train a pinned classifier and write it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    data = load_data(arguments.data)
    crowded, crowded_test = _crowded(data)
    reader = train_classifier(data, arguments.seed, arguments.epochs, crowded)
    card = {
        "kind": "classifier",
        "names": data.train.names,
        "shape": data.train.shape,
        "data": {"name": data.name, "sha256": data.train.sha256, "count": len(data.train)},
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "accuracy": accuracy(reader, data.test) if data.test is not None else None,
    }
    if data.test is not None and crowded_test is not None:
        card |= {"tells_crowded": True, "crowded_accuracy": crowded_accuracy(reader, data.test, crowded_test)}
    content = classifier_to_onnx(reader, data.train.shape, json.dumps(card), tells_crowded=crowded is not None)
    write_whole(arguments.out, content)
    print(f"{arguments.out}: {json.dumps(card)}")


def _crowded(data: DataSet) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    """Which training and which test images show a neighbouring digit; None where the data don't say."""
    if data.name != street.NAME:
        return None, None
    train, test = street.load_truth()
    return train.is_crowded, test.is_crowded


@torch.no_grad()
def _outputs(reader: Reader, digits: Digits) -> tuple[Tensor, ...]:
    """All that a reader gives for images, a few at a time."""
    parts = [reader(images) for images in torch.split(torch.from_numpy(digits.images), _READ_AT_ONCE)]
    return tuple(torch.cat(each) for each in zip(*parts, strict=True))


def _share(is_right: Tensor) -> float:
    return int(is_right.sum()) / len(is_right)


@contextmanager
def _set_apart(seed: int, threads: int) -> Iterator[None]:
    """PyTorch seeded and with these threads; whoever else computes in this process finds both as they were."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _batches(count: int, course: Course) -> Iterator[Tensor]:
    """Places of images, a batch a step, in a new order each time that all were shown (but for a batch's rest)."""
    epoch = count // course.batch
    for step in range(course.steps):
        if step % epoch == 0:
            order = torch.split(torch.randperm(count), course.batch)
        yield order[step % epoch]


def _shown(images: Tensor, course: Course) -> Tensor:
    return distorted(images, course.distortion, course.edges) if course.distortion else images


def _halve(shape: tuple[int, int, int]) -> tuple[list[nn.Module], int]:
    """Layers that halve an image until its shorter side is small enough, and the maps that they leave."""
    maps, side = shape[0], min(shape[1:])
    layers: list[nn.Module] = []
    while side > MOST_PIXELS:
        layers += [*_convolve(maps, STEM), nn.MaxPool2d(2)]
        maps, side = STEM, side // 2
    return layers, maps


def _convolve(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


if __name__ == "__main__":
    main()

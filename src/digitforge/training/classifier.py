"""Training a classifier of 28x28 grey images, whose features the figures are measured in, to one ONNX file.

The pinned one was made by `python -m digitforge.training.classifier --out src/digitforge/assets/classifier-28.onnx`
on two cores in about six minutes. Another processor rounds otherwise, so its file has another hash: the file decides.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from digitforge.data import DataSet, Digits, load_data
from digitforge.files import write_whole
from digitforge.networks.to_onnx import classifier_to_onnx
from digitforge.sections import Compute
from digitforge.training.compute import resolve_compute

EPOCHS = 14
BATCH = 256  # images
RATE = 4e-3  # of AdamW at its highest, after a warm-up of one epoch
WEIGHT_DECAY = 0.02
FEATURES = 128  # what the figures are measured in: the averages of the last feature maps
# The widest random change of a training image, so that features follow the stroke rather than its place.
TURN, SCALE, SHEAR, SHIFT = 0.2, 0.12, 0.2, 2 / 14  # radians, share, share, half-widths of the image


class Reader(nn.Module):
    """uint8 images [N, 1, 28, 28] to features [N, 128] and logits [N, classes]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            *_convolve(1, 32),
            nn.MaxPool2d(2),
            *_convolve(32, 64),
            *_convolve(64, 64),
            nn.MaxPool2d(2),
            *_convolve(64, FEATURES),
            *_convolve(FEATURES, FEATURES),
        )
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.maps(images.float() / 255).mean((2, 3))
        return features, self.head(F.dropout(features, 0.2, self.training))


def train_classifier(data: DataSet, seed: int = 0, epochs: int = EPOCHS) -> Reader:
    """A classifier of `data`'s training images, in evaluation mode, on the CPU."""
    compute = resolve_compute(Compute(device="cpu"))
    torch.set_num_threads(compute.threads)
    torch.manual_seed(seed)
    reader = Reader(len(data.train.names))
    reader.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    optimiser = torch.optim.AdamW(reader.parameters(), RATE, weight_decay=WEIGHT_DECAY, fused=True)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=1 / epochs)
    for epoch in range(epochs):
        start = time.perf_counter()
        for chosen in torch.split(torch.randperm(len(images)), BATCH)[: len(images) // BATCH]:
            with torch.autocast("cpu", torch.bfloat16, enabled=compute.precision == "bf16"):
                _, logits = reader(distorted(images[chosen]))
                loss = F.cross_entropy(logits.float(), labels[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{epochs}  loss {loss.item():.4f}  {time.perf_counter() - start:.0f} s", flush=True)
    reader.eval()
    return reader


def distorted(images: Tensor) -> Tensor:
    """Each image turned, scaled, sheared and shifted by chance: float [N, 1, H, W], 0..255."""
    count = len(images)
    turn, scale, shear, across, down = (
        (torch.rand(count) * 2 - 1) * most for most in (TURN, SCALE, SHEAR, SHIFT, SHIFT)
    )
    cos, sin = turn.cos() / (1 + scale), turn.sin() / (1 + scale)
    maps = torch.stack([cos, shear * cos - sin, across, sin, shear * sin + cos, down], 1).view(count, 2, 3)
    places = F.affine_grid(maps, [count, *images.shape[1:]], align_corners=False)
    return F.grid_sample(images.float(), places, align_corners=False)


@torch.no_grad()
def accuracy(reader: Reader, digits: Digits) -> float:
    """The share of images that are read right."""
    images, labels = (torch.split(torch.from_numpy(each), 500) for each in (digits.images, digits.labels))
    parts = zip(images, labels, strict=True)
    return sum(int((reader(images)[1].argmax(1) == labels).sum()) for images, labels in parts) / len(digits)


def main() -> None:
    """Train the pinned classifier and write it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    data = load_data(arguments.data)
    reader = train_classifier(data, arguments.seed, arguments.epochs)
    card = {
        "kind": "classifier",
        "names": data.train.names,
        "shape": data.train.shape,
        "data": {"name": data.name, "sha256": data.train.sha256, "count": len(data.train)},
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "accuracy": accuracy(reader, data.test) if data.test is not None else None,
    }
    write_whole(arguments.out, classifier_to_onnx(reader, data.train.shape, json.dumps(card)))
    print(f"{arguments.out}: {json.dumps(card)}")


def _convolve(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


if __name__ == "__main__":
    main()

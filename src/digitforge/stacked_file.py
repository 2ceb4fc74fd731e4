"""A classifier's file laid over three channels: stacked digits in, what the file sees in each channel out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.onnx_file import OnnxFile

CHANNELS = 3


@dataclass(frozen=True)
class StackedFile:
    """Reads as a classifier's file does, but images of three channels that hold a digit each.

    A label is a digit for each channel, "000" to "999" for a file that knows "0" to "9": its L names in all L^3 orders.
    The channels are independent given the image, so that a label's log-probability is the sum of its digits'.
    """

    file: OnnxFile

    @property
    def path(self) -> Path:
        """Where the file was read from, for messages."""
        return self.file.path

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        return self.file.sha256

    @property
    def card(self) -> str:
        """The file's card with the names and the shape of stacked digits."""
        table = json.loads(self.file.card)
        names = ["".join(digits) for digits in product(table["names"], repeat=CHANNELS)]
        return json.dumps(table | {"names": names, "shape": [CHANNELS, *table["shape"][1:]]})

    def expect(self, inputs: Mapping[str, tuple[str, list[int | None]]], outputs: Mapping[str, str]) -> None:
        """Raise ModelError unless the file takes these inputs one channel at a time, and gives these outputs."""
        single = {name: (kind, [shape[0], 1, *shape[2:]]) for name, (kind, shape) in inputs.items()}
        self.file.expect(single, outputs)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """`features` float32 [N, 3 F], the channels' one after the other, and `logits` float32 [N, L^3] of `images`."""
        images = feeds["images"]
        seen = [
            self.file.run({"images": np.ascontiguousarray(images[:, channel, np.newaxis])})
            for channel in range(CHANNELS)
        ]
        first, second, third = (_log_softmax(one["logits"]) for one in seen)
        pairs = first[:, :, np.newaxis] + second[:, np.newaxis]
        logits = pairs.reshape(len(images), -1, 1) + third[:, np.newaxis]
        features = np.concatenate([one["features"] for one in seen], axis=1)
        return {"features": features, "logits": logits.reshape(len(images), -1)}


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """log softmax over the last axis of [N, L]."""
    centred = logits - logits.max(1, keepdims=True)
    result: NDArray[np.float32] = centred - np.log(np.exp(centred).sum(1, keepdims=True))
    return result

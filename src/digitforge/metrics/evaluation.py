"""What was measured on one model, every figure with the number of images behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.metrics.details import Details
from digitforge.metrics.distributions import kl_divergence, total_variation
from digitforge.metrics.figure import Figure


@dataclass(frozen=True)
class Histogram:
    """How often each label occurs, by its name: in images read by the classifier, and in the data's training part."""

    drawn: dict[str, int]
    data: dict[str, int]

    @property
    def modes(self) -> int:
        """How many of the data's labels were read at least once."""
        return sum(self.drawn[name] > 0 for name, count in self.data.items() if count)

    @property
    def modes_in_data(self) -> int:
        """How many labels the data have images of."""
        return sum(count > 0 for count in self.data.values())

    @property
    def total_variation(self) -> float:
        """Half the sum of the differences between the shares drawn and those in the data, 0..1."""
        return total_variation(*self._counts(self.data))

    @property
    def kl(self) -> float | None:
        """KL divergence of the labels drawn from those of the data, in nats (`kl_divergence`).

        Over the labels that the data have, as one image read as another would make it infinite; None if none is read.
        """
        if not self.modes:
            return None
        return kl_divergence(*self._counts(name for name, count in self.data.items() if count))

    def _counts(self, names: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        drawn, data = zip(*((self.drawn[name], self.data[name]) for name in names), strict=True)
        return np.asarray(drawn, np.int64), np.asarray(data, np.int64)

    def as_dict(self) -> dict[str, Any]:
        """Counts and figures as plain types."""
        figures = {key: getattr(self, key) for key in ("total_variation", "modes", "modes_in_data", "kl")}
        return {"drawn": self.drawn, "data": self.data} | figures


@dataclass(frozen=True)
class Tstr:
    """Train on synthetic, test on real: shares of the data's test images that a classifier reads right, 0..1.

    synthetic: after training on the model's images. real: on as many real ones, the best that a model can hope for.
    count: training images of each kind. variety: of the model's, as Forge.generate takes it.
    """

    synthetic: Figure
    real: Figure
    count: int
    variety: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Both figures, the count and the variety, as plain types."""
        figures = {"synthetic": self.synthetic.as_dict(), "real": self.real.as_dict()}
        return figures | {"count": self.count, "variety": self.variety}


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one model.

    model: the file. model_sha256: of the file; weights_sha256: of the weights, from its card.
    data: the name of the data set whose real images it was held against; data_sha256: of its training part.
    count: images drawn, from `seed`.
    frechet: Frechet distance to the training images in the classifier's features, 0 and up.
    floor: the same for the test images against the training images; None without a test part.
    ratio: the Frechet distance in floors, both of equally many images where the held-out ones are at hand, as few
    images raise a distance: 1 is as near as other real images; None without a floor.
    accuracy: share of images read as the label asked for, 0..1; None where no label can be asked for without the
    classifier's help.
    accuracy_by_label: the same for each label asked for, by name.
    details: all the figures that need the real images themselves; None where they were not asked for or can't be had.
    findings: sentences on what sets the images apart from real ones. notes: sentences on what limits a figure.
    tstr, inception: figures of judges that learn, None where they were not asked for.
    """

    model: str
    model_sha256: str
    weights_sha256: str
    classifier_sha256: str
    data: str
    data_sha256: str
    count: int
    seed: int
    frechet: Figure
    floor: Figure | None
    ratio: Figure | None
    accuracy: Figure | None
    accuracy_by_label: dict[str, Figure]
    histogram: Histogram
    details: Details | None
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    tstr: Tstr | None = None
    inception: Figure | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain types."""
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "weights_sha256": self.weights_sha256,
            "classifier_sha256": self.classifier_sha256,
            "data": self.data,
            "data_sha256": self.data_sha256,
            "count": self.count,
            "seed": self.seed,
            "frechet": self.frechet.as_dict(),
            "floor": self.floor.as_dict() if self.floor else None,
            "ratio": self.ratio.as_dict() if self.ratio else None,
            "accuracy": self.accuracy.as_dict() if self.accuracy else None,
            "accuracy_by_label": {name: figure.as_dict() for name, figure in self.accuracy_by_label.items()},
            "histogram": self.histogram.as_dict(),
            "details": self.details.as_dict() if self.details else None,
            "tstr": self.tstr.as_dict() if self.tstr else None,
            "inception": self.inception.as_dict() if self.inception else None,
            "findings": list(self.findings),
            "notes": list(self.notes),
        }

    def for_card(self) -> dict[str, Any]:
        """What a model's own card keeps: all but the file's name and hash, which the card would change."""
        return {key: value for key, value in self.as_dict().items() if key not in ("model", "model_sha256")}

    def to_json(self) -> str:
        """Everything as JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)

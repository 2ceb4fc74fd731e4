"""What a model's images are held against: the moments of real ones in the classifier's features.

Those of MNIST ship with the package, which spares its key figures the data set; `python -m
digitforge.metrics.reference --out FILE` makes that file.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.classifier import Classifier
from digitforge.data.catalogue import load_data
from digitforge.data.npz import DAMAGE
from digitforge.errors import DataError, DigitforgeError
from digitforge.files import write_whole
from digitforge.metrics.frechet import LEAST, Moments, merge, moments
from digitforge.metrics.real import Measured, Real, find_real

SHIPPED = Path(__file__).parents[1] / "assets" / "reference-mnist.npz"


@dataclass(frozen=True)
class Reference:
    """Real images of some labels, as the Frechet distance sees them.

    data: the data set's name. data_sha256: `Digits.sha256` of its whole training part.
    counts: training images of each label, by name.
    train, test: the moments of all their images; test is None where there are fewer than two.
    """

    data: str
    data_sha256: str
    counts: dict[str, int]
    train: Moments
    test: Moments | None


@dataclass(frozen=True)
class Shipped:
    """A data set's moments label by label, one entry a label, as a file of the package keeps them.

    classifier_sha256: of the classifier whose features they are.
    """

    data: str
    data_sha256: str
    classifier_sha256: str
    names: tuple[str, ...]
    train: tuple[Moments, ...]
    test: tuple[Moments, ...]

    def reference(self, names: Sequence[str]) -> Reference:
        """The reference of some of its labels, by name."""
        labels = [self.names.index(name) for name in names]
        train, test = (merge([part[label] for label in labels]) for part in (self.train, self.test))
        counts = {name: self.train[label].count for name, label in zip(names, labels, strict=True)}
        return Reference(self.data, self.data_sha256, counts, train, test if test.count >= LEAST else None)


def shipped_reference(
    names: Sequence[str], classifier: Classifier, *, sha256: str | None = None, data: str | None = None
) -> Reference | None:
    """The package's reference of these labels, if it is of this data set, told by hash or name, and this classifier."""
    shipped = read_shipped(SHIPPED)
    if shipped is None or shipped.classifier_sha256 != classifier.sha256 or not set(names) <= set(shipped.names):
        return None
    is_meant = shipped.data_sha256 == sha256 if sha256 is not None else shipped.data == data
    return shipped.reference(names) if is_meant else None


def reference_of(real: Real, names: Sequence[str]) -> Reference:
    """The reference of some labels of a data set. Raises DataError if it lacks one, or has one image in all."""
    counts = dict(zip(real.train.digits.names, real.train.digits.counts.tolist(), strict=True))
    lacking = [name for name in names if not counts.get(name)]
    if lacking:
        raise DataError(
            f"{real.name} holds no {lacking[0]!r}, which the model draws; name a data set that does with --data"
        )
    some = real.only([real.train.digits.names.index(name) for name in names])
    if len(some.train) < LEAST:
        raise DataError(
            f"{real.name} holds 1 image of what the model draws, and a distance takes {LEAST}; name a data set that "
            "holds more with --data"
        )
    test = None if some.test is None or len(some.test) < LEAST else moments(some.test.features)
    return Reference(real.name, real.sha256, {name: counts[name] for name in names}, moments(some.train.features), test)


def write_shipped(path: Path, real: Real, classifier: Classifier) -> None:
    """Keep a data set's moments as an .npz file; a covariance is symmetric, so its upper half is enough."""
    arrays: dict[str, NDArray[Any]] = {
        "data": np.asarray(real.name),
        "data_sha256": np.asarray(real.sha256),
        "classifier_sha256": np.asarray(classifier.sha256),
        "names": np.asarray(real.train.digits.names),
    }
    for part, measured in (("train", real.train), ("test", real.test)):
        if measured is not None:
            by_label = _by_label(measured)
            upper = np.triu_indices(len(by_label[0].mean))
            arrays[f"{part}_mean"] = np.stack([one.mean for one in by_label])
            arrays[f"{part}_covariance"] = np.stack([one.covariance[upper] for one in by_label])
            arrays[f"{part}_count"] = np.asarray([one.count for one in by_label])
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_whole(path, stream.getvalue())


def read_shipped(path: Path) -> Shipped | None:
    """The moments in a file; None if there is none that can be read, as the data set can be read instead."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts: dict[str, tuple[Moments, ...]] = {}
            for part in ("train", "test"):
                columns = (arrays[f"{part}_{column}"] for column in ("mean", "covariance", "count"))
                parts[part] = tuple(_unpack(*row) for row in zip(*columns, strict=True))
            return Shipped(
                data=str(arrays["data"]),
                data_sha256=str(arrays["data_sha256"]),
                classifier_sha256=str(arrays["classifier_sha256"]),
                names=tuple(str(name) for name in arrays["names"]),
                **parts,
            )
    except (OSError, KeyError, *DAMAGE):
        return None


def _by_label(measured: Measured) -> list[Moments]:
    return [moments(measured.only([label]).features) for label in range(len(measured.digits.names))]


def _unpack(mean: NDArray[Any], upper: NDArray[Any], count: np.int64) -> Moments:
    size = len(mean)
    covariance = np.zeros((size, size))
    covariance[np.triu_indices(size)] = upper
    return Moments(mean, np.triu(covariance) + np.triu(covariance, 1).T, int(count))


def main() -> int:
    """Make a file such as the package has, from MNIST and the pinned classifier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    path: Path = parser.parse_args().out
    try:
        classifier = Classifier.load()
        write_shipped(path, find_real(load_data("mnist"), classifier), classifier)
    except DigitforgeError as error:
        print(f"digitforge: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{path}: {path.stat().st_size:,} bytes, classifier {classifier.sha256}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

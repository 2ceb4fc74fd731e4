"""What generated digits are held against: the moments of real ones, label by label, kept so that they are taken once.

`python -m digitforge.metrics.reference` makes the file in the package, which spares `evaluate` the data set.
"""

from __future__ import annotations

import io
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digitforge.classifier import Classifier
from digitforge.data.catalogue import load_data
from digitforge.data.digits import DataSet, Digits
from digitforge.data.fetch import cache_folder
from digitforge.data.sources import Progress
from digitforge.errors import DataError, DigitforgeError, OutputError
from digitforge.files import make_folder, write_whole
from digitforge.metrics.frechet import Moments, merge, moments

SHIPPED = Path(__file__).parents[1] / "assets" / "reference-mnist.npz"
Notify = Callable[[str], None]  # hears, in one line, what takes its time


@dataclass(frozen=True)
class Reference:
    """The moments of a data set's features, one entry a label; a label without images has a count of 0.

    data: the data set's name. data_sha256: `Digits.sha256` of its training part.
    classifier_sha256: of the classifier whose features they are.
    test: empty where there is no test part.
    """

    data: str
    data_sha256: str
    classifier_sha256: str
    names: tuple[str, ...]
    train: tuple[Moments, ...]
    test: tuple[Moments, ...]

    def labels_of(self, names: Sequence[str]) -> list[int]:
        """The labels that have these names. Raises DataError if the data set lacks one."""
        lacking = [name for name in names if name not in self.names or not self.train[self.names.index(name)].count]
        if lacking:
            raise DataError(
                f"{self.data} holds no {lacking[0]!r}, which the model draws; name a data set that does with --data"
            )
        return [self.names.index(name) for name in names]


def measure_reference(data: DataSet, classifier: Classifier) -> Reference:
    """Read a whole data set (70,000 images of 28x28 take about half a minute on two cores).

    Raises ModelError if the classifier does not fit the images.
    """
    return Reference(
        data=data.name,
        data_sha256=data.train.sha256,
        classifier_sha256=classifier.sha256,
        names=data.train.names,
        train=_by_label(data.train, classifier),
        test=() if data.test is None else _by_label(data.test, classifier),
    )


def find_reference(
    name: str,
    sha256: str | None,
    classifier: Classifier,
    *,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Reference:
    """The reference for a data set: the package's, the cached one, or measured now and cached.

    sha256: of the training part, if it is known; a reference to other images under the name is then passed over, so
    far as there is a choice. progress: hears a download. Raises DataError if the data set is needed and can't be had.
    """
    shipped = read_reference(SHIPPED)
    if (
        shipped
        and shipped.classifier_sha256 == classifier.sha256
        and (sha256 == shipped.data_sha256 or (sha256 is None and name == shipped.data))
    ):
        return shipped
    if sha256 is not None and (kept := _cached(sha256, classifier)):
        return kept
    data = load_data(name, progress=progress)
    if kept := _cached(data.train.sha256, classifier):
        return kept
    if notify:
        notify(f"reading the {len(data.train) + len(data.test or ()):,} images of {data.name}, once")
    reference = measure_reference(data, classifier)
    _keep(reference)
    return reference


def merged(parts: Sequence[Moments], labels: Sequence[int]) -> Moments:
    """The moments of all images of some labels."""
    return merge([parts[label] for label in labels])


def _by_label(digits: Digits, classifier: Classifier) -> tuple[Moments, ...]:
    features = classifier.read(digits.images).features
    return tuple(moments(features[digits.labels == label]) for label in range(len(digits.names)))


def write_reference(path: Path, reference: Reference) -> None:
    """Keep a reference as an .npz file; a covariance is symmetric, so its upper half is enough."""
    arrays = {
        "data": np.asarray(reference.data),
        "data_sha256": np.asarray(reference.data_sha256),
        "classifier_sha256": np.asarray(reference.classifier_sha256),
        "names": np.asarray(reference.names),
    }
    for part, by_label in (("train", reference.train), ("test", reference.test)):
        if by_label:
            upper = np.triu_indices(len(by_label[0].mean))
            arrays[f"{part}_mean"] = np.stack([one.mean for one in by_label])
            arrays[f"{part}_covariance"] = np.stack([one.covariance[upper] for one in by_label])
            arrays[f"{part}_count"] = np.asarray([one.count for one in by_label])
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_whole(path, stream.getvalue())


def read_reference(path: Path) -> Reference | None:
    """The reference in a file; None if there is none that can be read, as it can be measured again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts: dict[str, tuple[Moments, ...]] = {}
            for part in ("train", "test"):
                parts[part] = ()
                if f"{part}_mean" in arrays:
                    columns = (arrays[f"{part}_{column}"] for column in ("mean", "covariance", "count"))
                    parts[part] = tuple(_unpack(*row) for row in zip(*columns, strict=True))
            return Reference(
                data=str(arrays["data"]),
                data_sha256=str(arrays["data_sha256"]),
                classifier_sha256=str(arrays["classifier_sha256"]),
                names=tuple(str(name) for name in arrays["names"]),
                **parts,
            )
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _unpack(mean: np.ndarray, upper: np.ndarray, count: np.int64) -> Moments:
    size = len(mean)
    covariance = np.zeros((size, size))
    covariance[np.triu_indices(size)] = upper
    return Moments(mean, np.triu(covariance) + np.triu(covariance, 1).T, int(count))


def _cache_path(data_sha256: str, classifier_sha256: str) -> Path:
    return cache_folder() / "references" / f"{data_sha256[:16]}-{classifier_sha256[:16]}.npz"


def _cached(data_sha256: str, classifier: Classifier) -> Reference | None:
    kept = read_reference(_cache_path(data_sha256, classifier.sha256))
    if kept and (kept.data_sha256, kept.classifier_sha256) == (data_sha256, classifier.sha256):
        return kept
    return None


def _keep(reference: Reference) -> None:
    """Put a reference into the cache; a cache that can't be written only costs the time to measure it again."""
    path = _cache_path(reference.data_sha256, reference.classifier_sha256)
    try:
        make_folder(path.parent)
        write_reference(path, reference)
    except OutputError:
        return


def main() -> int:
    """Make the reference file of the package from MNIST and the pinned classifier."""
    try:
        reference = measure_reference(load_data("mnist"), Classifier.load())
        write_reference(SHIPPED, reference)
    except DigitforgeError as error:
        print(f"digitforge: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{SHIPPED}: {SHIPPED.stat().st_size:,} bytes, classifier {reference.classifier_sha256}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

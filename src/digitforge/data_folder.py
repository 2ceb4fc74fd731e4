"""A whole data set as a folder of files that `--data` and other programs read by their usual names."""

from __future__ import annotations

import math
from pathlib import Path

from digitforge.data.digits import DIGIT_NAMES, DataSet, listed
from digitforge.data.mat import TEST_NAME, TRAIN_NAME
from digitforge.errors import OutputError
from digitforge.forge import Drawn
from digitforge.writing import MAX_IDX_LABELS, MAX_JOINED_BYTES, Order, check, write

IDX_NAMES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
MAT_NAMES = (TRAIN_NAME, TEST_NAME)
MAT_SIZE = (32, 32)  # height and width in pixels, as the files' names say


def write_data_folder(folder: Path, data: DataSet) -> tuple[Path, ...]:
    """Write a data set as others read it, and tell its files: grey images as idx files, colour ones as SVHN's .mat.

    All files appear whole or none does. Raises OutputError where they can't be.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists already; name a new or empty folder")
    channels, *size = data.train.shape
    if channels != 1 and tuple(size) != MAT_SIZE:
        raise OutputError(
            f"colour images are written as SVHN's files, whose images are 32x32 and not {size[0]}x{size[1]} "
            f"as those of {data.name}; name another data set"
        )
    if channels != 1 and set(data.train.names) - set(DIGIT_NAMES):
        raise OutputError(
            f"colour images are written as SVHN's files, which hold digits and not {listed(data.train.names)}; "
            "name another data set"
        )
    parts = [data.train] if data.test is None else [data.train, data.test]
    names = IDX_NAMES if channels == 1 else MAT_NAMES
    orders = [
        Order(folder / name, len(part), part.shape, part.names, seed=0)
        for name, part in zip(names, parts, strict=False)
    ]
    for order in orders:
        _check_size(data.name, order)
        check(order)
    written: list[Path] = []
    try:
        for order, part in zip(orders, parts, strict=True):
            written += write(order, [Drawn(part, len(part))]).paths
    except BaseException:  # half of it would be taken for a data set without a test part
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return tuple(written)


def _check_size(name: str, order: Order) -> None:
    """Refuse what a data set's files, which have no other form here, can't hold."""
    if len(order.names) > MAX_IDX_LABELS:
        raise OutputError(
            f"a data set is written as files that tell {MAX_IDX_LABELS} labels apart, and {name} has "
            f"{len(order.names):,}; name another data set"
        )
    most = MAX_JOINED_BYTES // math.prod(order.shape)
    if order.count > most:
        raise OutputError(
            f"a data set's files are written with at most {most:,} images of this size, and {name} has "
            f"{order.count:,}; name another data set"
        )

"""What digits are written to: a picture, a folder of pictures, an .npz or a .mat file, or a pair of idx files."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from digitforge.data.digits import DIGIT_NAMES, FEW_LABELS, UNLABELLED, Digits, Images, listed
from digitforge.data.idx import write_idx_files
from digitforge.data.mat import need_scipy, write_mat
from digitforge.errors import OutputError
from digitforge.files import write_whole, written_whole
from digitforge.forge import Drawn
from digitforge.places import (
    as_folder_names,
    check_is_no_runs,
    failures_named,
    folder_written_whole,
    nearest_folder,
    parents_made,
    try_place,
)
from digitforge.sheets import check_fits, enlarged, labelled_sheet, png_bytes, square_grid

MAX_FOLDER = 1_000_000  # files; beyond it, listing the folder takes longer than reading an .npz file
MAX_JOINED_BYTES = 1024**3  # idx and .mat files are put together in memory
MAX_IDX_LABELS = 256  # what one unsigned byte tells apart
_NOT_WRITTEN = {".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".zip", ".npy", ".csv", ".pdf"}
_WAYS = "name a .png, an .npz, a .mat, an .idx file or a folder"
_WAYS_UNLABELLED = "name a .png, an .npz or a folder"


@dataclass(frozen=True)
class Order:
    """What is going to be written, known before the first image is drawn.

    path: where to. count: images. shape: channels, height and width of one, in pixels. names: of the labels.
    seed: that they are drawn from.
    """

    path: Path
    count: int
    shape: tuple[int, int, int]
    names: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Written:
    """What was written where, and how many images were drawn for it."""

    paths: tuple[Path, ...]
    count: int
    drawn: int


def check(order: Order) -> None:
    """Raise OutputError if this can't be written there: too much for the format, taken, or no place to write to."""
    with failures_named(order.path):
        check_is_no_runs(order.path)
        try_place(order.path)
        _KINDS[_kind(order.path)].check(order)


def write(order: Order, batches: Iterable[Drawn]) -> Written:
    """Write the digits as they are drawn; none is there until all are. Raises OutputError where they can't be."""
    check(order)
    counted = _Counting(batches)
    with failures_named(order.path), parents_made(order.path):
        paths = _KINDS[_kind(order.path)].write(order, counted)
    return Written(tuple(paths), order.count, counted.drawn)


class _Counting:
    """Batches on their way, and how many images were drawn for those that have passed."""

    def __init__(self, batches: Iterable[Drawn]) -> None:
        self._batches = batches
        self.drawn = 0

    def __iter__(self) -> Iterator[Digits]:
        for batch in self._batches:
            self.drawn += batch.drawn
            yield batch.digits


@dataclass(frozen=True)
class _Kind:
    check: Callable[[Order], None]
    write: Callable[[Order, Iterable[Digits]], list[Path]]


def _kind(path: Path) -> str:
    """Which of _KINDS a path means."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return "folder"
    if suffix in (".png", ".npz", ".mat"):
        return suffix[1:]
    if suffix == ".idx" or re.search(r"idx[134]", path.name):
        return "idx"
    if suffix in _NOT_WRITTEN:
        raise OutputError(f"digits are not written as {suffix}, as {path} asks for; {_WAYS}")
    return "folder"


def _check_png(order: Order) -> None:
    check_fits(order.count, *order.shape[1:])


def _write_png(order: Order, parts: Iterable[Digits]) -> list[Path]:
    digits = _joined(order, parts)
    many = digits.names != UNLABELLED and 1 < np.count_nonzero(digits.counts) <= FEW_LABELS
    write_whole(order.path, png_bytes(labelled_sheet(digits) if many else enlarged(square_grid(digits.images))))
    return [order.path]


def _check_npz(order: Order) -> None:
    _check_room(order, order.count * (_image_bytes(order) + 8))


def _write_npz(order: Order, parts: Iterable[Digits]) -> list[Path]:
    """`images` uint8 [N, H, W] or [N, H, W, 3], `labels` int64 [N] (-1 where nobody told or read one), `seed` int64.

    Where the labels are not their own names, `label_names` [K] holds those of 0 to K - 1, in unicode. The images go
    straight to the file; equal digits give equal bytes.
    """
    channels, *side = order.shape
    sizes = (*side,) if channels == 1 else (*side, channels)
    labels = []
    with written_whole(order.path) as stream, zipfile.ZipFile(stream, "w") as archive:
        with _member(archive, "images", np.dtype(np.uint8), (order.count, *sizes)) as member:
            for digits in parts:
                member.write(_channels_last(digits.images).tobytes())
                unknown = digits.names == UNLABELLED
                labels.append(np.full(len(digits), -1, np.int64) if unknown else digits.labels)
        rest: dict[str, NDArray[Any]] = {"labels": np.concatenate(labels), "seed": np.asarray(order.seed, np.int64)}
        if numbering(order.names):
            rest["label_names"] = np.asarray(order.names)
        for name, array in rest.items():
            with _member(archive, name, array.dtype, array.shape) as member:
                member.write(array.tobytes())
    return [order.path]


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[BinaryIO]:
    """A stream for the content of one array of an .npz file, its header written."""
    info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that no clock is in the file
    with archive.open(info, "w", force_zip64=True) as stream:
        member = cast(BinaryIO, stream)
        header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(member, header)
        yield member


def _check_idx(order: Order) -> None:
    for path in _idx_paths(order):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; choose another name")
    if order.names == UNLABELLED:
        raise OutputError(f"idx files hold labels, and these images have none; {_WAYS_UNLABELLED}")
    if len(order.names) > MAX_IDX_LABELS:
        raise OutputError(f"idx files tell {MAX_IDX_LABELS} labels apart, not {len(order.names)}; write an .npz file")
    _check_joined(order)


def _write_idx_pair(order: Order, parts: Iterable[Digits]) -> list[Path]:
    images_path, labels_path = _idx_paths(order)
    digits = _joined(order, parts)
    # Together: labels without their images would pass for those of another set.
    write_idx_files({images_path: _channels_last(digits.images), labels_path: digits.labels.astype(np.uint8)})
    return [images_path, labels_path]


def _check_mat(order: Order) -> None:
    need_scipy()
    if order.names == UNLABELLED:
        raise OutputError(f"a .mat file holds labels, and these images have none; {_WAYS_UNLABELLED}")
    if not set(order.names) <= set(DIGIT_NAMES):
        raise OutputError(f"a .mat file in SVHN's layout holds digits, not {listed(order.names)}; write an .npz file")
    _check_joined(order)


def _write_mat(order: Order, parts: Iterable[Digits]) -> list[Path]:
    digits = _joined(order, parts)
    write_mat(order.path, digits.images, np.asarray(digits.names).astype(np.int64)[digits.labels])
    return [order.path]


def _check_joined(order: Order) -> None:
    """Refuse more than is put together in memory, or than the disk has room for."""
    if order.count * _image_bytes(order) > MAX_JOINED_BYTES:
        most = MAX_JOINED_BYTES // _image_bytes(order)
        raise OutputError(f"{order.path} is written with at most {most:,} images, not {order.count:,}; write .npz")
    _check_room(order, order.count * (_image_bytes(order) + 1))


def _idx_paths(order: Order) -> tuple[Path, Path]:
    """The files of images and labels: NAME-images-idx3-ubyte (idx4 in colour) and NAME-labels-idx1-ubyte."""
    path, axes = order.path, "idx3" if order.shape[0] == 1 else "idx4"
    if path.suffix.lower() == ".idx":
        return path.with_name(f"{path.stem}-images-{axes}-ubyte"), path.with_name(f"{path.stem}-labels-idx1-ubyte")
    if "images" not in path.name or axes not in path.name:
        raise OutputError(f"{path} is no name for idx images; write NAME-images-{axes}-ubyte or NAME.idx")
    return path, path.with_name(path.name.replace("images", "labels").replace(axes, "idx1"))


def _check_folder(order: Order) -> None:
    path = order.path
    if path.is_dir() and path.resolve() == Path.cwd():
        raise OutputError(f"{path} is the working folder; name a new folder")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{path} exists already; name a new or empty folder")
    if order.count > MAX_FOLDER:
        raise OutputError(f"{order.count:,} files are too many for one folder; write an .npz file")
    _check_room(order, order.count * _image_bytes(order) // 2)


def _write_folder(order: Order, parts: Iterable[Digits]) -> list[Path]:
    """One PNG an image, named by its number, in a folder of its label: `7/000000.png`; without labels in no other."""
    folders = ("",) if order.names == UNLABELLED else as_folder_names(order.names)
    with folder_written_whole(order.path) as whole:
        number = 0
        for digits in parts:
            for image, label in zip(_channels_last(digits.images), digits.labels, strict=True):
                folder = whole / folders[label]
                folder.mkdir(exist_ok=True)
                (folder / f"{number:06d}.png").write_bytes(png_bytes(image))
                number += 1
    return [order.path]


_KINDS = {
    "png": _Kind(_check_png, _write_png),
    "npz": _Kind(_check_npz, _write_npz),
    "mat": _Kind(_check_mat, _write_mat),
    "idx": _Kind(_check_idx, _write_idx_pair),
    "folder": _Kind(_check_folder, _write_folder),
}


def numbering(names: Sequence[str]) -> str:
    """What numbers from 0 stand for in a file of labels of these names, in words; "" where each is its own name."""
    if tuple(names) in (UNLABELLED, tuple(map(str, range(len(names))))):
        return ""
    shown = ", ".join(f"{number}: {name}" for number, name in enumerate(names[:FEW_LABELS]))
    return shown if len(names) <= FEW_LABELS else f"{shown}, ... {len(names) - 1}: {names[-1]}"


def _joined(order: Order, parts: Iterable[Digits]) -> Digits:
    """All parts in memory, for formats that are written in one piece."""
    whole = list(parts)
    images = np.concatenate([part.images for part in whole])
    return Digits(images, np.concatenate([part.labels for part in whole]), order.names)


def _channels_last(images: Images) -> NDArray[np.uint8]:
    """[N, C, H, W] as [N, H, W] or [N, H, W, 3]."""
    return images[:, 0] if images.shape[1] == 1 else np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def _image_bytes(order: Order) -> int:
    return order.shape[0] * order.shape[1] * order.shape[2]


def _check_room(order: Order, needed: int) -> None:
    if needed > (free := shutil.disk_usage(nearest_folder(order.path)).free):
        raise OutputError(f"{order.path} needs {needed:,} bytes and {free:,} are free there; ask for fewer images")

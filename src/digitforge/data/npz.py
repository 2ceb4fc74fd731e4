"""NumPy archives: `images`, `labels` (and `label_names`, `test_images`, `test_labels`) of an .npz, never unpickled."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from digitforge.data.digits import MAX_NAME, Images, is_name
from digitforge.data.raw import MAX_BYTES, RawPart, channels_first
from digitforge.data.unpacked import most_unpacked
from digitforge.errors import DataError

# What zipfile and NumPy's header parser raise on bytes that are no archive (found by mutating one in the tests).
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
LAYOUT = "images uint8 [N, H, W], [N, H, W, 3] or [N, C, H, W] and labels [N], integers or strings"
NAMES_LAYOUT = f"the names of the labels from 0 on, each once, in 1 to {MAX_NAME} printable characters of unicode"
_WAYS_ON = {"labels": '; for images without labels write labels=np.full(N, "all") and train express-untold'}
MAX_NAMES_BYTES = 16 * 1024**2  # 65,536 names of the greatest length


def read_npz(path: Path) -> tuple[RawPart, RawPart | None]:
    """The training part of an .npz, and its test part if it has one.

    Raises DataError if an array is missing, of another kind, pickled, or longer than its file can hold.
    """
    with _opened(path) as archive:
        train = _read_part(archive, path, "")
        has_test = bool({"test_images.npy", "test_labels.npy"} & set(archive.namelist()))
        return train, _read_part(archive, path, "test_") if has_test else None


def read_unlabelled(path: Path) -> list[RawPart]:
    """The parts of an .npz without labels, with "" as each image's; none where it has any.

    Raises DataError as read_npz() does.
    """
    with _opened(path) as archive:
        names = set(archive.namelist())
        if {"labels.npy", "test_labels.npy"} & names:
            return []
        parts = ["", *(["test_"] if "test_images.npy" in names else [])]
        found = [_read_images(archive, path, prefix) for prefix in parts]
    return [RawPart(images, np.full(len(images), ""), str(path)) for images in found]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; what is found wrong with it within the block is named."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DAMAGE as error:
        raise DataError(f"{path} is a damaged .npz ({error}); write or copy it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path and its rights") from error


def _read_images(archive: zipfile.ZipFile, path: Path, prefix: str) -> Images:
    images, where = _read_array(archive, path, f"{prefix}images"), f"{path} ({prefix}images)"
    if images.dtype != np.uint8:
        raise DataError(f"{where} holds {images.dtype}; expected uint8, 0 (no ink) to 255 (full ink)")
    return channels_first(images, where)


def _read_part(archive: zipfile.ZipFile, path: Path, prefix: str) -> RawPart:
    images = _read_images(archive, path, prefix)
    labels = _read_array(archive, path, f"{prefix}labels")
    names = _read_names(archive, path) if labels.dtype.kind in "iu" else ()
    if labels.dtype.kind not in "iuU" or labels.ndim != 1:
        raise DataError(f"{path} ({prefix}labels) holds {labels.dtype} {list(labels.shape)}; expected {LAYOUT}")
    if names and labels.size and not 0 <= labels.min() <= labels.max() < len(names):
        raise DataError(
            f"{path} ({prefix}labels) holds {labels.min()} to {labels.max()}, and `label_names` names 0 to "
            f"{len(names) - 1}; make them fit, or leave `label_names` out"
        )
    return RawPart(images, labels, f"{path} ({prefix}images)", names=names)


def _read_names(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...]:
    """What the archive calls the labels from 0 on; none where it has no `label_names`."""
    if "label_names.npy" not in archive.namelist():
        return ()
    if (size := archive.getinfo("label_names.npy").file_size) > MAX_NAMES_BYTES:
        raise DataError(
            f"{path} (label_names) takes {size:,} bytes; expected {NAMES_LAYOUT}, within {MAX_NAMES_BYTES:,}"
        )
    found = _read_array(archive, path, "label_names")
    names = tuple(found.tolist()) if found.dtype.kind == "U" and found.ndim == 1 else ()
    if not names or not all(map(is_name, names)) or len(set(names)) < len(names):
        raise DataError(f"{path} (label_names) holds {found.dtype} {list(found.shape)}; expected {NAMES_LAYOUT}")
    return names


def _read_array(archive: zipfile.ZipFile, path: Path, name: str) -> NDArray[Any]:
    """One array of the archive, after its header was held against its length."""
    member = f"{name}.npy"
    if member not in archive.namelist():
        found = ", ".join(sorted(archive.namelist())[:8]) or "nothing"
        raise DataError(f"{path} has no array '{name}' (found {found}); expected {LAYOUT}{_WAYS_ON.get(name, '')}")
    info = archive.getinfo(member)
    with archive.open(info) as stream:
        _check_header(cast(BinaryIO, stream), info, path.stat().st_size, f"{path} ({name})")
    with archive.open(info) as stream:
        return npy.read_array(cast(BinaryIO, stream), allow_pickle=False)


def _check_header(stream: BinaryIO, info: zipfile.ZipInfo, archive_bytes: int, where: str) -> None:
    """Refuse an array that is pickled, too large, or not as long as its header says, before memory is taken for it."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{where} is in .npy version {version}; expected 1.0 or 2.0, which numpy.savez writes")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        raise DataError(f"{where} holds Python objects, which are never loaded; expected {LAYOUT}")
    needed = math.prod(shape) * dtype.itemsize
    found = info.file_size - stream.tell()
    if needed != found:
        raise DataError(f"{where}: its header names {list(shape)} = {needed:,} bytes, found {found:,}; write it again")
    packed = min(info.compress_size, archive_bytes)  # as the archive's own list of files may lie
    if needed > min(MAX_BYTES, packed if info.compress_type == zipfile.ZIP_STORED else most_unpacked(packed)):
        raise DataError(
            f"{where} claims {needed:,} bytes, more than it can hold or than the {MAX_BYTES:,} read at most"
        )

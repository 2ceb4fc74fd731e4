"""idx files, MNIST's own format: reading them without trusting their headers, finding them by name, writing them."""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from digitforge.data.raw import MAX_BYTES, RawPart, channels_first
from digitforge.data.unpacked import GZIP_DAMAGE, opened_unpacked
from digitforge.errors import DataError, OutputError
from digitforge.files import all_written_whole

UNSIGNED_BYTE = 0x08  # the type code of every MNIST file
CHUNK = 1 << 20  # bytes read at once


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an idx file of unsigned bytes, plain or gzipped: uint8 with one to four axes.

    Raises DataError if the file is cut off, garbled, no idx file, or if its header does not fit its length.
    """
    try:
        with opened_unpacked(path) as (stream, most):
            shape = _read_header(stream, path)
            return _read_body(stream, shape, most, path)
    except GZIP_DAMAGE as error:
        raise DataError(f"{path} is a cut-off or garbled gzip file ({error}); fetch or copy it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path and its rights") from error


def _read_header(stream: BinaryIO, path: Path) -> tuple[int, ...]:
    """The sizes that an idx header names."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
        raise DataError(
            f"{path} is no idx file: expected it to begin with 00 00 08 and 1 to 4 axes, "
            f"found {magic.hex(' ') or 'nothing'}; give the unpacked or gzipped file as it was published"
        )
    if magic[2] != UNSIGNED_BYTE:
        raise DataError(f"{path} holds idx type {magic[2]:#04x}; expected unsigned bytes ({UNSIGNED_BYTE:#04x})")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path} is cut off in its header: expected {4 + 4 * magic[3]} bytes, found {4 + len(sizes)}")
    return tuple(int(size) for size in np.frombuffer(sizes, ">u4"))


def _read_body(stream: BinaryIO, shape: tuple[int, ...], most: int, path: Path) -> NDArray[np.uint8]:
    """The bytes behind the header, exactly as many as it names; memory is taken only as far as the file can fill it."""
    needed = math.prod(shape)
    claim = f"{path}: its header names {' x '.join(f'{size:,}' for size in shape)} = {needed:,} bytes"
    if needed > most:
        raise DataError(
            f"{claim}, but the file holds at most {most:,}; it is cut off or damaged, fetch or copy it again"
        )
    if needed > MAX_BYTES:
        raise DataError(f"{claim}, more than the {MAX_BYTES:,} that are read at most; give a smaller file")
    array = np.empty(needed, np.uint8)
    found = 0
    while found < needed:
        chunk = stream.read(min(CHUNK, needed - found))
        if not chunk:
            raise DataError(f"{claim}, but only {found:,} follow; it is cut off, fetch or copy it again")
        array[found : found + len(chunk)] = np.frombuffer(chunk, np.uint8)
        found += len(chunk)
    if stream.read(1):
        raise DataError(f"{claim}, but more follow; it is damaged, fetch or copy it again")
    return array.reshape(shape)


def write_idx(path: str | Path, array: NDArray[np.uint8]) -> None:
    """Write uint8 [N] labels, [N, H, W] grey or [N, H, W, 3] colour images as idx1, idx3 or idx4.

    A name that ends in .gz is gzipped. The file appears whole or not at all. Raises OutputError if it can't be written.
    """
    write_idx_files({Path(path): array})


def write_idx_files(arrays: Mapping[Path, NDArray[np.uint8]]) -> None:
    """Write several idx files as write_idx() does, such as a pair: where one can't be written, none is."""
    contents = {path: _content(path, array) for path, array in arrays.items()}
    try:
        with all_written_whole(list(contents)) as streams:
            for stream, content in zip(streams, contents.values(), strict=True):
                stream.write(content)
    except OSError as error:
        paths = " and ".join(map(str, contents))
        raise OutputError(f"{paths} cannot be written ({error.strerror or error}); choose another place") from error


def _content(path: Path, array: NDArray[np.uint8]) -> bytes:
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 4:
        raise ValueError(f"idx files hold uint8 with one to four axes, not {array.dtype} {array.shape}")
    header = bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    plain = header + np.ascontiguousarray(array).tobytes()
    # No clock in a gzipped file: equal digits give equal bytes.
    return gzip.compress(plain, mtime=0) if path.suffix == ".gz" else plain


def read_pair(images_path: Path, labels_path: Path) -> RawPart:
    """The images and labels of two idx files as one part."""
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim not in (3, 4):
        raise DataError(f"{images_path} has {images.ndim} axes; expected images with 3 (grey) or 4 (colour)")
    if labels.ndim != 1:
        raise DataError(f"{labels_path} has {labels.ndim} axes; expected labels with 1")
    return RawPart(channels_first(images, str(images_path)), labels, str(images_path))


def find_pair(folder: Path, part: str) -> tuple[Path, Path] | None:
    """The images and labels file of a part ("train" or "t10k") by their usual names; None without images."""
    images = _first_file(folder, f"{part}-images", ("idx3", "idx4"))
    if images is None:
        return None
    labels = _first_file(folder, f"{part}-labels", ("idx1",))
    if labels is None:
        raise DataError(f"{folder} has {images.name} but no {part}-labels-idx1-ubyte; put its labels beside it")
    return images, labels


def _first_file(folder: Path, stem: str, kinds: tuple[str, ...]) -> Path | None:
    """The first existing spelling of an idx file's name: a dash or a dot before the kind, plain or gzipped."""
    names = (f"{stem}{dash}{kind}-ubyte{end}" for kind in kinds for dash in "-." for end in ("", ".gz"))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def labels_beside(images_path: Path) -> Path:
    """The labels file that belongs to an images file: `labels` for `images` in the name, idx1 for its kind.

    Raises DataError if the name does not say `images`, or no such file is there.
    """
    name = images_path.name
    if "images" not in name:
        raise DataError(
            f"{images_path} does not have 'images' in its name, so that its labels cannot be found; "
            "name the pair like train-images-idx3-ubyte and train-labels-idx1-ubyte and give the first"
        )
    twin = name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    other = twin.removesuffix(".gz") if twin.endswith(".gz") else f"{twin}.gz"
    for candidate in (images_path.with_name(twin), images_path.with_name(other)):
        if candidate.is_file():
            return candidate
    raise DataError(f"{images_path} has no labels: expected {twin} (plain or .gz) beside it")

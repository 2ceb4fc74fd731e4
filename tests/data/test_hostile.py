"""Data sets that mean harm: small files that claim, or unpack to, more than anybody has, or start other programs."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge.data import load_data
from digitforge.data.raw import encode_labels
from digitforge.data.unpacked import LIKELY_RATIO, MAX_DEFLATE_RATIO, SMALL, most_unpacked
from digitforge.errors import DataError

from .conftest import idx_bytes

SIDE = 280
BOMB = np.zeros((900, SIDE, SIDE), np.uint8)  # 71 MB, of which every packer makes 70 kB
BOUND = 40 * 1024**2  # bytes, which reading a bomb may take


def idx_bomb(folder: Path) -> Path:
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(BOMB), 1))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(len(BOMB))))
    return folder / "train-images-idx3-ubyte.gz"


def npz_bomb(folder: Path) -> Path:
    np.savez_compressed(folder / "bomb.npz", images=BOMB, labels=np.zeros(len(BOMB), np.int64))
    return folder / "bomb.npz"


def npz_that_lists_more_than_it_has(folder: Path) -> Path:
    """An array of 3 GB by its header and by the archive's list of files, and few bytes behind it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**20, 56, 56)})
    with zipfile.ZipFile(folder / "lie.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header.getvalue() + b"few bytes")
    content = bytearray((folder / "lie.npz").read_bytes())
    listed = content.index(b"PK\x01\x02")
    struct.pack_into("<II", content, listed + 20, 2**31, len(header.getvalue()) + 2**20 * 56 * 56)  # packed, unpacked
    (folder / "lie.npz").write_bytes(content)
    return folder / "lie.npz"


SPECKS = np.zeros((6_000_000, 1, 1), np.uint8)  # 6 MB, which at 28x28 would be 4.7 GB


def idx_of_specks(folder: Path) -> Path:
    for name, array in (("images-idx3", SPECKS), ("labels-idx1", SPECKS[:, 0, 0])):
        (folder / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array), 1))
    return folder


def npz_of_specks(folder: Path) -> Path:
    np.savez_compressed(folder / "specks.npz", images=SPECKS, labels=SPECKS[:, 0, 0])
    return folder / "specks.npz"


def mat_bomb(folder: Path) -> Path:
    from scipy.io import savemat

    arrays = {"X": BOMB.transpose(1, 2, 0)[:, :, np.newaxis], "y": np.ones((len(BOMB), 1))}
    savemat(folder / "bomb.mat", arrays, do_compression=True)
    return folder / "bomb.mat"


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file with its length and its check sum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


SMALL_PICTURE = chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
PIXELS = chunk(b"IDAT", zlib.compress(bytes(29 * 28)))


def picture(folder: Path, content: bytes) -> Path:
    (folder / "0").mkdir()
    (folder / "0" / "a.png").write_bytes(content)
    return folder


def png_with_a_profile_bomb(folder: Path) -> Path:
    return picture(folder, png(SMALL_PICTURE, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(5 * 10**7))), PIXELS))


def png_with_a_text_bomb(folder: Path) -> Path:
    return picture(folder, png(SMALL_PICTURE, chunk(b"zTXt", b"t\0\0" + zlib.compress(bytes(5 * 10**7))), PIXELS))


def png_of_many_pixels(folder: Path) -> Path:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return picture(folder, png(header, chunk(b"IDAT", zlib.compress(bytes(10**6)))))


def postscript(folder: Path) -> Path:
    """What Pillow would hand to Ghostscript, whatever the file is called."""
    return picture(folder, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\nshowpage\n%%EOF\n")


@pytest.mark.parametrize(
    "make",
    [
        idx_bomb,
        npz_bomb,
        npz_that_lists_more_than_it_has,
        idx_of_specks,
        npz_of_specks,
        mat_bomb,
        png_with_a_profile_bomb,
        png_with_a_text_bomb,
        png_of_many_pixels,
        postscript,
    ],
)
def test_what_means_harm_is_refused_in_one_line_within_bounded_memory(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            load_data(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert peak < BOUND


def test_labels_are_counted_without_a_word_for_each() -> None:
    labels = np.full(10**6, 12)
    tracemalloc.start()
    try:
        encode_labels([labels])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 * len(labels)


def test_a_png_whose_pixels_were_changed_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(noise).save(folder / "a.png", compress_level=0)  # so that no packer notices
    content = bytearray((folder / "a.png").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png is a damaged image"):
        load_data(tmp_path)


def test_paper_without_ink_is_no_bomb_and_nothing_unpacks_further_than_it_can() -> None:
    assert most_unpacked(10) == 10 * MAX_DEFLATE_RATIO
    assert most_unpacked(SMALL // MAX_DEFLATE_RATIO) > SMALL * 0.99  # 80,000 blank digits
    assert most_unpacked(SMALL) == SMALL * LIKELY_RATIO

"""SVHN's .mat files: read as MATLAB and SciPy write them, in little more memory than they need, and never trusted."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from digitforge.data import read_path
from digitforge.data.mat import read_mat, write_mat
from digitforge.errors import DataError, OutputError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 3, 32, 32), np.uint8)
LABELS = (np.arange(20) % 10).astype(np.int64)
TENS = np.where(LABELS == 0, 10, LABELS)[:, None].astype(np.uint8)


def as_matlab(images: np.ndarray) -> np.ndarray:
    """[N, C, H, W] as X [H, W, C, N], pixel by pixel."""
    count, channels, height, width = images.shape
    made = np.zeros((height, width, channels, count), np.uint8)
    for n, c in np.ndindex(count, channels):
        made[:, :, c, n] = images[n, c]
    return made


def save(folder: Path, name: str = "own.mat", packed: bool = False, **arrays: Any) -> Path:
    savemat(folder / name, arrays, do_compression=packed)
    return folder / name


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("shape", [(20, 3, 32, 32), (20, 1, 28, 28), (20, 3, 12, 7)], ids=str)
def test_images_and_labels_are_read_as_they_are_meant(tmp_path: Path, packed: bool, shape: tuple[int, ...]) -> None:
    images = RNG.integers(0, 256, shape, np.uint8)
    part = read_mat(save(tmp_path, packed=packed, X=as_matlab(images), y=TENS))
    np.testing.assert_array_equal(part.images, images)
    assert part.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("chunk", [1, 3, 20, 50])
def test_images_keep_their_order_however_many_are_transposed_at_once(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitforge.data.mat.CHUNK", chunk)
    np.testing.assert_array_equal(read_mat(save(tmp_path, packed=True, X=as_matlab(COLOUR), y=TENS)).images, COLOUR)


def test_sizes_that_matlab_leaves_out_are_told_by_the_labels(tmp_path: Path) -> None:
    grey = RNG.integers(0, 256, (3, 1, 8, 8), np.uint8)
    three = read_mat(save(tmp_path, X=as_matlab(grey)[:, :, 0], y=TENS[:3])).images
    one_in_colour = read_mat(save(tmp_path, X=as_matlab(COLOUR)[..., 0], y=TENS[:1])).images
    one_in_grey = read_mat(save(tmp_path, X=as_matlab(grey)[:, :, 0, 0], y=TENS[:1])).images
    np.testing.assert_array_equal(three, grey)
    np.testing.assert_array_equal(one_in_colour, COLOUR[:1])
    np.testing.assert_array_equal(one_in_grey, grey[:1])


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ([10, 1, 9], [0, 1, 9]),
        ([1.0, 10.0, 2.0], [1, 0, 2]),
        ([0, 10, 9], [0, 10, 9]),
        ([10, 11, 12], [10, 11, 12]),
        ([300, 70_000, 5], [300, 70_000, 5]),
    ],
)
@pytest.mark.parametrize("as_row", [False, True])
def test_ten_is_the_digit_zero_only_where_labels_are_digits(
    tmp_path: Path, found: list[float], meant: list[int], as_row: bool
) -> None:
    y = np.asarray(found)[None] if as_row else np.asarray(found)[:, None]
    assert read_mat(save(tmp_path, X=as_matlab(COLOUR[:3]), y=y)).labels.tolist() == meant


def test_a_file_of_the_other_order_of_bytes_is_read(tmp_path: Path) -> None:
    """As MATLAB wrote it on machines that are big-endian, put together by hand."""

    def element(kind: int, content: bytes) -> bytes:
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    def array(name: bytes, shape: tuple[int, ...], numbers: bytes) -> bytes:
        sizes = element(5, struct.pack(f">{len(shape)}i", *shape))
        return element(14, element(6, struct.pack(">II", 9, 0)) + sizes + element(1, name) + element(2, numbers))

    image = np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3)
    X = array(b"X", (2, 3, 1, 1), as_matlab(image).tobytes("F"))  # noqa: N806
    header = b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    (tmp_path / "big.mat").write_bytes(header + X + array(b"y", (1, 1), b"\x07"))
    part = read_mat(tmp_path / "big.mat")
    np.testing.assert_array_equal(part.images, image)
    assert part.labels.tolist() == [7]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_reading_and_holding_out_take_less_than_twice_the_images_memory(tmp_path: Path, packed: bool) -> None:
    images = np.repeat(COLOUR, 1000, 0)
    path = save(tmp_path, packed=packed, X=images.transpose(2, 3, 1, 0), y=np.repeat(TENS, 1000, 0))
    tracemalloc.start()
    try:
        data = read_path(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data.test is not None
    assert len(data.train) + len(data.test) == len(images)
    assert peak < 1.5 * images.nbytes


def test_other_arrays_in_the_file_do_not_matter(tmp_path: Path) -> None:
    others = {"note": "words", "cells": np.array([1, "a"], object), "more": {"a": 1}, "z": np.zeros(3) + 1j}
    assert len(read_mat(save(tmp_path, packed=True, **others, X=as_matlab(COLOUR), y=TENS)).images) == 20


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no labels": ({"X": as_matlab(COLOUR)}, r"has no array y \(found X\); expected X uint8 \[H, W, 3, N\]"),
    "other names": ({"images": as_matlab(COLOUR), "y": TENS}, r"has no array X \(found images, y\)"),
    "float images": ({"X": as_matlab(COLOUR) / 255, "y": TENS}, "its X is of the kind double"),
    "cells": ({"X": np.array([COLOUR[0], "a"], object), "y": TENS}, "its X is of the kind cell"),
    "a struct": ({"X": {"a": 1}, "y": TENS}, "its X is of the kind struct"),
    "words for labels": ({"X": as_matlab(COLOUR), "y": np.array(["a", "b"])}, "its y is of the kind char"),
    "complex labels": ({"X": as_matlab(COLOUR), "y": TENS + 1j}, "its y is of the kind complex double"),
    "halves": ({"X": as_matlab(COLOUR), "y": TENS / 2}, "its y holds other things than whole numbers from 0"),
    "no numbers": ({"X": as_matlab(COLOUR), "y": TENS * np.nan}, "its y holds other things than whole numbers"),
    "minus": ({"X": as_matlab(COLOUR), "y": -TENS.astype(int)}, "its y holds other things than whole numbers"),
    "one-hot labels": ({"X": as_matlab(COLOUR), "y": np.eye(20)}, r"its y has the shape \[20, 20\]"),
    "fewer labels": ({"X": as_matlab(COLOUR), "y": TENS[:3]}, r"shape \[32, 32, 3, 20\], and y 3 labels"),
    "rows first": ({"X": COLOUR, "y": TENS}, r"its X has the shape \[20, 3, 32, 32\]"),
    "four channels": ({"X": np.zeros((8, 8, 4, 20), np.uint8), "y": TENS}, r"shape \[8, 8, 4, 20\]"),
    "no image": ({"X": np.zeros((8, 8, 3, 0), np.uint8), "y": np.zeros((0, 1))}, "holds no image"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_other_contents_are_refused_by_name(tmp_path: Path, arrays: dict[str, Any], message: str, packed: bool) -> None:
    path = save(tmp_path, packed=packed, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        read_path(path)
    assert str(path) in str(caught.value)


def written(packed: bool) -> bytearray:
    stream = io.BytesIO()
    savemat(stream, {"X": as_matlab(COLOUR[:2, :, :4, :4]), "y": TENS[:2]}, do_compression=packed)
    return bytearray(stream.getvalue())


SIZES_AT = 128 + 8 + 16 + 8  # file header, tag of X, its flags, tag of its sizes


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((2**31 - 1,) * 4, r"2,147,483,647 x .* bytes, and 96 are stored"),
        ((4, 4, 3, -2), r"the sizes \[4, 4, 3, -2\] of X"),
        ((4, 4, 3, 3), "= 144 bytes, and 96 are stored"),
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(
    tmp_path: Path, sizes: tuple[int, ...], message: str
) -> None:
    content = written(packed=False)
    struct.pack_into("<4i", content, SIZES_AT, *sizes)
    (tmp_path / "lie.mat").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_mat(tmp_path / "lie.mat")


def test_more_than_a_packed_file_can_hold_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    content = written(packed=False)
    (length,) = struct.unpack_from("<I", content, 132)
    X = content[128 : 136 + length]  # noqa: N806
    struct.pack_into("<4i", X, SIZES_AT - 128, 32, 32, 3, 2**20)
    struct.pack_into("<I", X, SIZES_AT - 128 + 16 + 8 + 4, 32 * 32 * 3 * 2**20)  # behind the sizes, the name and a type
    packed = zlib.compress(bytes(X))
    (tmp_path / "lie.mat").write_bytes(content[:128] + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(DataError, match=r"= 3,221,225,472 bytes, and the file holds at most \d{1,3},\d{3}"):
        read_mat(tmp_path / "lie.mat")


def test_more_than_is_read_at_most_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitforge.data.matlab.MAX_BYTES", 1000)
    with pytest.raises(DataError, match=r"= 61,440 bytes, more than the 1,000 that are read; give a smaller file"):
        read_mat(save(tmp_path, X=as_matlab(COLOUR), y=TENS))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("kept", [0, 100, 127, 130, 160, 250, -1])
def test_a_cut_off_file_is_refused(tmp_path: Path, packed: bool, kept: int) -> None:
    (tmp_path / "cut.mat").write_bytes(written(packed)[:kept])
    with pytest.raises(DataError, match=r"cut\.mat is (a cut-off or damaged|no) \.mat file"):
        read_mat(tmp_path / "cut.mat")


def test_a_packed_array_with_a_wrong_sum_or_more_than_its_header_says_is_refused(tmp_path: Path) -> None:
    content = written(packed=False)
    (length,) = struct.unpack_from("<I", content, 132)
    X, y = bytes(content[128 : 136 + length]), bytes(content[136 + length :])  # noqa: N806
    right = zlib.compress(X)
    for packed, is_right in ((right, True), (right[:-1] + b"?", False), (zlib.compress(X + bytes(8)), False)):
        (tmp_path / "own.mat").write_bytes(bytes(content[:128]) + struct.pack("<II", 15, len(packed)) + packed + y)
        if is_right:
            assert len(read_mat(tmp_path / "own.mat").images) == 2
            continue
        with pytest.raises(DataError, match=r"own\.mat is a cut-off or damaged \.mat file"):
            read_mat(tmp_path / "own.mat")


def test_other_versions_of_matlab_files_are_named(tmp_path: Path) -> None:
    content = written(packed=False)
    (tmp_path / "new.mat").write_bytes(content[:124] + struct.pack("<H", 0x0200) + b"IM" + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=r"is a MATLAB 7\.3 file \(HDF5\).*save it with '-v7'"):
        read_mat(tmp_path / "new.mat")
    savemat(tmp_path / "old.mat", {"X": np.zeros((100, 100)), "y": TENS}, format="4")
    with pytest.raises(DataError, match=r"is no \.mat file of MATLAB 5 to 7"):
        read_mat(tmp_path / "old.mat")


@given(data=st.data(), packed=st.booleans())
def test_mutated_bytes_are_read_or_refused(tmp_path: Path, data: st.DataObject, packed: bool) -> None:
    content = written(packed)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(120, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated.mat"
    path.write_bytes(content)
    try:
        read_mat(path)
    except DataError:
        return


def test_a_folder_with_svhns_files_has_both_parts(tmp_path: Path) -> None:
    save(tmp_path, "train_32x32.mat", packed=True, X=as_matlab(COLOUR), y=TENS)
    save(tmp_path, "test_32x32.mat", X=as_matlab(COLOUR[:6]), y=TENS[:6])
    data = read_path(tmp_path)
    assert data.test is not None
    np.testing.assert_array_equal(data.train.images, COLOUR)
    np.testing.assert_array_equal(data.test.images, COLOUR[:6])
    assert data.train.names == tuple("0123456789")
    assert data.train.labels.tolist() == LABELS.tolist()
    assert data.notes == ()


def test_ten_is_the_digit_zero_only_where_it_is_in_both_parts(tmp_path: Path) -> None:
    save(tmp_path, "train_32x32.mat", X=as_matlab(COLOUR[:4]), y=np.asarray([[0], [9], [10], [14]]))
    save(tmp_path, "test_32x32.mat", X=as_matlab(COLOUR[:2]), y=np.asarray([[9], [10]]))
    data = read_path(tmp_path)
    assert data.test is not None
    assert [data.test.names[label] for label in data.test.labels] == ["9", "10"]


def test_a_folder_with_the_test_file_alone_says_what_is_missing(tmp_path: Path) -> None:
    save(tmp_path, "test_32x32.mat", X=as_matlab(COLOUR), y=TENS)
    with pytest.raises(DataError, match=r"has test_32x32\.mat but no train_32x32\.mat"):
        read_path(tmp_path)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_what_scipy_and_we_read(tmp_path: Path, channels: int) -> None:
    images = COLOUR[:, :channels]
    write_mat(tmp_path / "made.mat", images, LABELS)
    arrays = loadmat(tmp_path / "made.mat")
    np.testing.assert_array_equal(arrays["X"], as_matlab(images))
    np.testing.assert_array_equal(arrays["y"], TENS)
    assert (arrays["X"].dtype, arrays["y"].dtype) == (np.uint8, np.uint8)
    part = read_mat(tmp_path / "made.mat")
    np.testing.assert_array_equal(part.images, images)
    assert part.labels.tolist() == LABELS.tolist()


def test_no_clock_is_in_a_written_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mat(tmp_path / "now.mat", COLOUR, LABELS)
    monkeypatch.setattr("time.asctime", lambda: "Thu Jan  1 00:00:00 1970")
    write_mat(tmp_path / "then.mat", COLOUR, LABELS)
    assert (tmp_path / "now.mat").read_bytes() == (tmp_path / "then.mat").read_bytes()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*choose another place"):
        write_mat(tmp_path / "nowhere" / "made.mat", COLOUR, LABELS)

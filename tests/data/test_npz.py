"""NumPy archives: the layouts that are read, and the many that are not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitforge.data import read_path
from digitforge.data.npz import read_npz
from digitforge.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 28, 28), np.uint8)
COLOUR = RNG.integers(0, 256, (20, 32, 32, 3), np.uint8)
LABELS = np.arange(20) % 10


def save(folder: Path, **arrays: Any) -> Path:
    np.savez_compressed(folder / "own.npz", **arrays)
    return folder / "own.npz"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (GREY, GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR.transpose(0, 3, 1, 2)),
    ],
    ids=["NHW", "NHW1", "N1HW", "NHW3", "N3HW"],
)
def test_every_layout_becomes_channels_first(tmp_path: Path, stored: np.ndarray, expected: np.ndarray) -> None:
    part, test = read_npz(save(tmp_path, images=stored, labels=LABELS))
    assert np.array_equal(part.images, expected)
    assert test is None


def test_test_part_is_read_where_there_is_one(tmp_path: Path) -> None:
    path = save(tmp_path, images=GREY, labels=LABELS, test_images=GREY[:5], test_labels=LABELS[:5])
    data = read_path(path)
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (20, 5)
    assert data.notes == ()


NAMES = np.asarray(["zebra", "T-shirt/top", "ant"])


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.uint64])
def test_labels_are_called_what_the_file_calls_them_and_keep_their_numbers(tmp_path: Path, kind: type) -> None:
    labels = (np.arange(20) % 2 * 2).astype(kind)  # none of them the shirt
    data = read_path(
        save(tmp_path, images=GREY, labels=labels, test_images=GREY[:3], test_labels=[1, 2, 0], label_names=NAMES)
    )
    assert data.test is not None
    assert data.train.names == data.test.names == ("zebra", "T-shirt/top", "ant")
    assert data.train.labels.tolist() == [0, 2] * 10
    assert data.test.labels.tolist() == [1, 2, 0]


def test_images_without_labels_are_read_by_the_way_that_their_error_names(tmp_path: Path) -> None:
    data = read_path(save(tmp_path, images=GREY, labels=np.full(len(GREY), "all")))
    assert data.train.names == ("all",)
    assert set(data.train.labels) == {0}


def test_names_that_are_digits_make_digits(tmp_path: Path) -> None:
    data = read_path(save(tmp_path, images=GREY[:4], labels=[0, 1, 1, 0], label_names=["8", "3"]))
    assert data.train.names == tuple("0123456789")
    assert data.train.labels.tolist() == [8, 3, 3, 8]


def test_labels_in_words_need_no_names(tmp_path: Path) -> None:
    data = read_path(save(tmp_path, images=GREY[:2], labels=["cow", "bee"], label_names=["a.png", "b.png"]))
    assert data.train.names == ("bee", "cow")


OBJECTS = np.array([{}] * 20, dtype=object)
NAMED = {"images": GREY, "labels": np.arange(20) % 2}
LONE_SURROGATE = np.frombuffer(np.asarray([0xD800, 0x41], "<u4").tobytes(), "<U1")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no labels": (
        {"images": GREY},
        r"no array 'labels' .* without labels write labels=np\.full\(N, \"all\"\) and train express-untold",
    ),
    "no images": ({"labels": LABELS}, r"no array 'images' .*integers or strings$"),
    "test images alone": ({"images": GREY, "labels": LABELS, "test_images": GREY}, "no array 'test_labels'"),
    "floats": ({"images": GREY / 255, "labels": LABELS}, "holds float64; expected uint8"),
    "float labels": ({"images": GREY, "labels": LABELS * 1.0}, "holds float64"),
    "one-hot labels": ({"images": GREY, "labels": np.eye(10, dtype=int)[LABELS]}, r"\[20, 10\]"),
    "fewer labels": ({"images": GREY, "labels": LABELS[:3]}, "20 images but 3 labels"),
    "flat images": ({"images": GREY.reshape(20, -1), "labels": LABELS}, r"shape \[20, 784\]"),
    "two channels": ({"images": GREY.reshape(20, 2, 14, 28), "labels": LABELS}, r"shape \[20, 2, 14, 28\]"),
    "no image": ({"images": GREY[:0], "labels": LABELS[:0]}, "holds no image"),
    "pickled labels": ({"images": GREY, "labels": OBJECTS}, "Python objects, which are never loaded"),
    "pickled names": ({**NAMED, "label_names": OBJECTS[:2]}, "Python objects, which are never loaded"),
    "names in bytes": (
        {**NAMED, "label_names": [b"cat", b"dog"]},
        r"\(label_names\) holds \|S3 \[2\]; expected the names",
    ),
    "names in a table": ({**NAMED, "label_names": [["cat", "dog"]]}, r"\(label_names\) holds <U3 \[1, 2\]"),
    "one name for all": ({**NAMED, "label_names": "cat"}, r"\(label_names\) holds <U3 \[\]"),
    "no names": ({**NAMED, "label_names": np.asarray([], "<U3")}, r"\(label_names\) holds <U3 \[0\]"),
    "a name twice": ({**NAMED, "label_names": ["cat", "cat"]}, r"\(label_names\) holds <U3 \[2\]"),
    "a name that clears the screen": (
        {**NAMED, "label_names": ["cat", "\x1b[2J"]},
        r"\(label_names\) .*printable characters",
    ),
    "a name over two lines": ({**NAMED, "label_names": ["cat", "a\nb"]}, r"\(label_names\) .*printable characters"),
    "an empty name": ({**NAMED, "label_names": ["cat", ""]}, r"\(label_names\) .*1 to 64"),
    "too long a name": ({**NAMED, "label_names": ["cat", "x" * 65]}, r"\(label_names\) .*1 to 64"),
    "half a character": ({**NAMED, "label_names": LONE_SURROGATE}, r"\(label_names\) .*printable characters"),
    "names without end": ({**NAMED, "label_names": np.full(10**6, "a" * 8)}, r"\(label_names\) takes 32,000,\d+ bytes"),
    "more labels than names": (
        {**NAMED, "label_names": ["cat"]},
        r"\(labels\) holds 0 to 1, and `label_names` names 0 to 0",
    ),
    "a label below the first name": (
        {**NAMED, "labels": -NAMED["labels"], "label_names": ["cat", "dog"]},
        r"\(labels\) holds -1 to 0, and `label_names` names 0 to 1; make them fit",
    ),
    "more test labels than names": (
        {**NAMED, "label_names": ["cat", "dog"], "test_images": GREY[:1], "test_labels": [2]},
        r"\(test_labels\) holds 2 to 2, and `label_names` names 0 to 1",
    ),
    "mixed channels": (
        {"images": GREY, "labels": LABELS, "test_images": COLOUR, "test_labels": LABELS},
        "mixes grey and colour",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_other_contents_are_refused_by_name(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        read_path(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()


def test_header_larger_than_its_file_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 28, 28)})
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + b"few bytes")
    with pytest.raises(DataError, match=r"784,000,000,000,000 bytes, found 9"):
        read_path(tmp_path / "lie.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.npz is a damaged \.npz"):
        read_path(tmp_path / "bad.npz")


@given(data=st.data())
def test_mutated_bytes_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, images=GREY[:1, :2, :2], labels=LABELS[:1], label_names=["cat"])
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated.npz"
    path.write_bytes(content)
    try:
        read_npz(path)
    except DataError:
        return

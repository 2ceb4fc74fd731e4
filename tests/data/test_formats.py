"""A path to the user's own data: how its kind is known, its labels named, its sizes settled, its tenth held out."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from digitforge.data import DataSet, Digits, read_path
from digitforge.data.formats import hold_out
from digitforge.data.raw import encode_labels
from digitforge.errors import DataError

from .conftest import idx_bytes

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 28, 28), np.uint8)
LABELS = (np.arange(40) % 10).astype(np.uint8)


def put(folder: Path, part: str, dash: str = "-", end: str = "", images: np.ndarray = IMAGES) -> None:
    pack = gzip.compress if end else bytes
    (folder / f"{part}-images{dash}idx{images.ndim}-ubyte{end}").write_bytes(pack(idx_bytes(images)))
    (folder / f"{part}-labels{dash}idx1-ubyte{end}").write_bytes(pack(idx_bytes(LABELS[: len(images)])))


@pytest.mark.parametrize("dash", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_folder_by_its_usual_names(tmp_path: Path, dash: str, end: str) -> None:
    put(tmp_path, "train", dash, end)
    put(tmp_path, "t10k", dash, end, IMAGES[:10])
    data = read_path(tmp_path)
    assert data.name == tmp_path.name
    assert np.array_equal(data.train.images, IMAGES[:, None])
    assert data.test is not None
    assert np.array_equal(data.test.images, IMAGES[:10, None])
    assert data.train.labels.tolist() == LABELS.tolist()
    assert data.notes == ()


def test_colour_idx_is_read(tmp_path: Path) -> None:
    colour = RNG.integers(0, 256, (10, 32, 32, 3), np.uint8)
    put(tmp_path, "train", images=colour)
    put(tmp_path, "t10k", images=colour)
    assert np.array_equal(read_path(tmp_path).train.images, colour.transpose(0, 3, 1, 2))


def test_one_idx_pair_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    put(tmp_path, "train", end=".gz")
    put(tmp_path, "t10k", images=IMAGES[:20])
    data = read_path(tmp_path / "t10k-images-idx3-ubyte")
    assert data.test is not None
    assert len(data.train) + len(data.test) == 20


def test_labels_are_found_beside_even_if_only_they_are_gzipped(tmp_path: Path) -> None:
    (tmp_path / "my-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "my-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(LABELS)))
    assert read_path(tmp_path / "my-images-idx3-ubyte").train.counts.sum() == 36


def test_missing_labels_are_named(tmp_path: Path) -> None:
    put(tmp_path, "train")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="no train-labels-idx1-ubyte"):
        read_path(tmp_path)
    with pytest.raises(DataError, match="expected train-labels-idx1-ubyte"):
        read_path(tmp_path / "train-images-idx3-ubyte")


def test_labels_file_alone_says_to_give_the_images(tmp_path: Path) -> None:
    put(tmp_path, "train")
    with pytest.raises(DataError, match="does not have 'images' in its name"):
        read_path(tmp_path / "train-labels-idx1-ubyte")


def test_swapped_files_are_named(tmp_path: Path) -> None:
    put(tmp_path, "train")
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    images.write_bytes(labels.read_bytes())
    with pytest.raises(DataError, match="train-images-idx3-ubyte has 1 axes; expected images"):
        read_path(tmp_path)


def test_test_images_without_training_images_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "t10k")
    with pytest.raises(DataError, match="no train-images-idx3-ubyte"):
        read_path(tmp_path)


def test_other_sizes_of_idx_and_npz_are_resized_with_a_note(tmp_path: Path) -> None:
    put(tmp_path, "train", images=np.full((3, 40, 20), 90, np.uint8))
    data = read_path(tmp_path)
    assert data.train.shape == (1, 28, 28)
    assert (data.train.images == 90).all()
    assert data.notes[0] == "3 images resized from 40x20 to 28x28 (height x width, in pixels)"


def test_a_resized_image_stands_as_it_did(tmp_path: Path) -> None:
    images = np.zeros((2, 1, 40, 20), np.uint8)
    images[0, :, :20] = 200
    images[1, :, :, :10] = 200
    np.savez(tmp_path / "halves.npz", images=images[:, 0], labels=[0, 1])
    halves = read_path(tmp_path / "halves.npz")
    assert halves.test is None
    upper, left = halves.train.images[:, 0].astype(int)
    for lit, dark in ((upper[:13], upper[15:]), (left[:, :13], left[:, 15:])):
        assert lit.min() > 150
        assert dark.max() < 50


def test_smooth_edges_stay_smooth_where_images_shrink(tmp_path: Path) -> None:
    """Every second column is lit: a filter leaves all of it half as bright, and one that picks pixels none or all."""
    images = np.zeros((1, 56, 56), np.uint8)
    images[:, :, ::2] = 200
    np.savez(tmp_path / "stripes.npz", images=images, labels=[0])
    inner = read_path(tmp_path / "stripes.npz").train.images[0, 0, 4:-4, 4:-4]
    assert inner.min() > 60
    assert inner.max() < 140


@pytest.mark.parametrize("name", ["DIGITS.NPZ", "digits.Npz"])
def test_a_kind_of_file_may_be_written_in_capitals(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as stream:
        np.savez(stream, images=np.zeros((3, 28, 28), np.uint8), labels=[0, 1, 2])
    assert len(read_path(tmp_path / name).train) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "there is no file or folder"),
        ("digits.csv", "is not among what can be read; give an idx"),
    ],
)
def test_what_cannot_be_read_says_what_can(tmp_path: Path, name: str, message: str) -> None:
    if name != "absent":
        (tmp_path / name).write_bytes(b"something")
    with pytest.raises(DataError, match=message) as caught:
        read_path(tmp_path / name)
    assert ".npz" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "names", "indices"),
    [
        (np.array([7, 0, 3]), tuple("0123456789"), [7, 0, 3]),
        (np.array(["7", "0"]), tuple("0123456789"), [7, 0]),
        (np.array([12, 9, 12]), ("9", "12"), [1, 0, 1]),
        (np.array([-1, 4], np.int8), ("-1", "4"), [0, 1]),
        (np.array(["cat", "ant", "cat"]), ("ant", "cat"), [1, 0, 1]),
        (np.array(["b", "10", "9"]), ("9", "10", "b"), [2, 1, 0]),
    ],
)
def test_labels_become_indices_into_names(labels: np.ndarray, names: tuple[str, ...], indices: list[int]) -> None:
    (encoded,), found = encode_labels([labels])
    assert found == names
    assert encoded.tolist() == indices
    assert encoded.dtype == np.int64


@pytest.mark.parametrize("name", ["\x1b[2J", "", "a\nb", "x" * 65])
def test_labels_that_no_model_could_name_are_refused_before_anything_is_trained(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "odd.npz", images=np.zeros((2, 28, 28), np.uint8), labels=np.asarray(["fine", name]))
    with pytest.raises(DataError, match=r"odd\.npz .*has the label .*1 to 64 printable characters") as caught:
        read_path(tmp_path / "odd.npz")
    assert str(caught.value).isprintable()


def test_parts_share_their_names() -> None:
    (train, test), names = encode_labels([np.array(["b", "c"]), np.array(["c", "a"])])
    assert names == ("a", "b", "c")
    assert (train.tolist(), test.tolist()) == ([1, 2], [2, 0])


def numbered(labels: np.ndarray) -> DataSet:
    """Images that carry their place in the data set."""
    places = np.arange(len(labels), dtype=np.uint16).view(np.uint8).reshape(-1, 1, 1, 2)
    return DataSet(
        "numbered", Digits(places.copy(), labels.astype(np.int64), tuple(map(str, range(labels.max() + 1)))), None
    )


def places(digits: Digits) -> list[int]:
    return [int(place) for place in np.ascontiguousarray(digits.images).reshape(-1, 2).view(np.uint16)[:, 0]]


def test_a_tenth_of_each_label_is_held_out_and_nothing_is_lost() -> None:
    data = hold_out(numbered(np.repeat(np.arange(10), 50)))
    assert data.test is not None
    assert data.test.counts.tolist() == [5] * 10
    assert sorted(places(data.train) + places(data.test)) == list(range(500))
    assert data.notes == ("no test part of its own: a fixed tenth (50 images) is held out",)


def test_images_keep_their_labels_where_they_move_up_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitforge.data.formats.MOVED_AT_ONCE", 7)
    data = hold_out(numbered(np.repeat(np.arange(10), 50)))
    assert data.test is not None
    assert sorted(places(data.train) + places(data.test)) == list(range(500))
    for part in (data.train, data.test):
        assert [place // 50 for place in places(part)] == part.labels.tolist()


def test_the_held_out_tenth_is_the_same_each_time_and_not_the_last_ones() -> None:
    first, again = (hold_out(numbered(np.arange(200) % 10)).test for _ in range(2))
    assert first is not None
    assert again is not None
    assert places(first) == places(again) != list(range(180, 200))


def test_the_only_image_of_a_label_is_trained_on() -> None:
    """Eleven labels, of which ten have one image: some of those would be held out if each tenth image were."""
    data = hold_out(numbered(np.concatenate([np.arange(10), np.full(30, 10)])))
    assert data.test is not None
    assert data.train.counts[:10].tolist() == [1] * 10
    assert data.test.counts[10] == 3


def test_labels_of_one_image_each_leave_nothing_to_hold_out() -> None:
    data = hold_out(numbered(np.arange(20)))
    assert data.test is None
    assert len(data.train) == 20
    assert data.notes == ("too few images share a label to hold out a tenth as a test part",)


@pytest.mark.parametrize(("count", "words"), [(1, "1 image"), (9, "9 images")])
def test_too_few_images_are_all_trained_on(count: int, words: str) -> None:
    data = hold_out(numbered(np.arange(count) % 2))
    assert data.test is None
    assert len(data.train) == count
    assert data.notes == (f"{words}: too few to hold out a tenth as a test part",)


def test_one_image_is_held_out_of_ten() -> None:
    assert hold_out(numbered(np.zeros(10, int))).notes == (
        "no test part of its own: a fixed tenth (1 image) is held out",
    )

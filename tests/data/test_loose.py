"""Images that are no data set: labelled or not, as they are, and what they can't be held against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge.data import DataSet, Digits
from digitforge.data.digits import UNLABELLED
from digitforge.data.loose import LooseImages, find_images, read_images
from digitforge.errors import DataError

LABELS = np.arange(40, dtype=np.int64) % 10
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28)).astype(np.uint8)
DATA = DataSet("some", Digits(IMAGES, LABELS), None)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def test_a_folder_without_sub_folders_has_no_labels(tmp_path: Path) -> None:
    for place in range(3):
        save(tmp_path / "drawn" / f"{place}.png", IMAGES[place, 0])
    found = read_images(tmp_path / "drawn")
    assert found.labels is None
    assert np.array_equal(found.images, IMAGES[:3])
    assert np.array_equal(found.as_digits(DATA).images, IMAGES[:3])


def test_sub_folders_are_labels(tmp_path: Path) -> None:
    for place in (7, 3):
        save(tmp_path / str(place) / "a.png", IMAGES[place, 0])
    digits = read_images(tmp_path).as_digits(DATA)
    assert digits.labels.tolist() == [3, 7]
    assert np.array_equal(digits.images, IMAGES[[3, 7]])


def test_grey_images_in_three_channels_are_grey(tmp_path: Path) -> None:
    for place in range(3):
        save(tmp_path / f"{place}.png", np.repeat(IMAGES[place].transpose(1, 2, 0), 3, 2))
    found = read_images(tmp_path)
    assert found.images.shape == (3, 3, 28, 28)
    assert np.array_equal(found.as_digits(DATA).images, IMAGES[:3])


def test_an_npz_has_labels_or_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", images=IMAGES)
    np.savez(tmp_path / "unknown.npz", images=IMAGES, labels=np.full(40, -1))
    assert read_images(tmp_path / "unknown.npz").labels is None
    np.savez(
        tmp_path / "told.npz", images=IMAGES[:30], labels=LABELS[:30], test_images=IMAGES[30:], test_labels=LABELS[30:]
    )
    bare, told = read_images(tmp_path / "bare.npz"), read_images(tmp_path / "told.npz")
    assert bare.labels is None
    assert np.array_equal(bare.images, IMAGES)
    assert np.array_equal(told.as_digits(DATA).labels, LABELS)
    assert np.array_equal(told.images, IMAGES)


def test_labels_go_by_name_and_not_by_place() -> None:
    animals = DataSet("animals", Digits(IMAGES, LABELS % 2, ("cat", "dog")), None)
    loose = LooseImages(IMAGES[:2], np.asarray(["dog", "cat"]), "drawn")
    assert loose.as_digits(animals).labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((2, 1, 32, 32), np.uint8), None, "the images in drawn are 1x32x32, and those of some are 1x28x28"),
        (IMAGES[:2].repeat(3, 1) // np.asarray([1, 2, 3]).reshape(3, 1, 1), None, "3x28x28"),
        (IMAGES[:2], np.asarray(["3", "cat"]), "a label in drawn is 'cat', which some lacks: it has 0, 1"),
    ],
)
def test_what_is_no_image_of_the_data_is_refused(images: np.ndarray, labels: np.ndarray | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        LooseImages(images.astype(np.uint8), labels, "drawn").as_digits(DATA)


def test_nothing_is_resized_in_the_parts_of_a_set(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save(tmp_path / part / "3" / "a.png", np.zeros((56, 56), np.uint8))
    found = read_images(tmp_path)
    assert found.images.shape == (2, 1, 56, 56)
    assert found.labels is not None
    assert found.labels.tolist() == ["3", "3"]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    save(tmp_path / "flat" / "a.png", IMAGES[0, 0])
    (tmp_path / "flat" / "b.heic").write_bytes(b"")
    assert read_images(tmp_path / "flat").notes == ("left out: 1 image of kinds that cannot be read (.heic)",)
    save(tmp_path / "sorted" / "0" / "a.png", IMAGES[0, 0])
    (tmp_path / "sorted" / "2").mkdir()
    (tmp_path / "sorted" / "2" / "b.avif").write_bytes(b"")
    assert "2 (no image of a kind that can be read)" in read_images(tmp_path / "sorted").notes[0]


def test_parts_without_labels_are_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", images=IMAGES[:30], test_images=IMAGES[30:])
    found = read_images(tmp_path / "bare.npz")
    assert found.labels is None
    assert np.array_equal(found.images, IMAGES)


def test_digits_that_nobody_labelled_have_no_labels() -> None:
    assert find_images(Digits(IMAGES, np.zeros(40, np.int64), UNLABELLED)).labels is None


def test_labels_that_the_data_have_no_image_of_are_refused() -> None:
    threes = DataSet("threes", DATA.train.only([3]), None)
    with pytest.raises(DataError, match="'4', which threes lacks: it has 3;"):
        LooseImages(IMAGES[:1], np.asarray(["4"]), "drawn").as_digits(threes)


def test_what_is_unclear_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", IMAGES[0, 0])
    save(tmp_path / "b.png", IMAGES[0, 0, :20])
    with pytest.raises(DataError, match=r"several sizes \(28x28, 20x28, height x width\)"):
        read_images(tmp_path)
    save(tmp_path / "3" / "c.png", IMAGES[3, 0])
    with pytest.raises(DataError, match="2 images beside its sub-folders"):
        read_images(tmp_path)
    with pytest.raises(DataError, match="nothing is not there; give a folder"):
        read_images(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no images that can be read"):
        read_images(tmp_path / "empty")


def test_an_array_of_numbers_that_are_no_grey_levels_is_refused() -> None:
    with pytest.raises(DataError, match="the array holds float32; expected uint8"):
        find_images(IMAGES.astype(np.float32) / 127.5 - 1)
    with pytest.raises(DataError, match="shape"):
        find_images(IMAGES[0, 0])

"""Writing: every format holds the digits that were drawn, whole or not at all, and what can't be is refused before."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat

from digitforge import writing
from digitforge.data import DIGIT_NAMES, Digits, read_idx, read_path
from digitforge.data.digits import UNLABELLED, is_name
from digitforge.errors import DataError, OutputError
from digitforge.forge import Drawn
from digitforge.places import as_file_name, as_folder_names
from digitforge.writing import Order, Written, check, write

RNG = np.random.default_rng(0)


def some_digits(count: int = 25, channels: int = 1, names: tuple[str, ...] = DIGIT_NAMES) -> Digits:
    side = 28 if channels == 1 else 32
    labels = np.arange(count) % 10 if len(names) == 10 else np.zeros(count, np.int64)
    return Digits(RNG.integers(0, 256, (count, channels, side, side), np.uint8), labels, names)


def save(path: Path, digits: Digits) -> Written:
    return write(Order(path, len(digits), digits.shape, digits.names, seed=7), batches(digits))


def batches(digits: Digits, size: int = 10) -> Iterator[Drawn]:
    for start in range(0, len(digits), size):
        part = digits.take(np.arange(start, min(start + size, len(digits))))
        yield Drawn(part, 2 * len(part))


def failing(digits: Digits) -> Iterator[Drawn]:
    yield from batches(digits.take(np.arange(10)))
    raise KeyboardInterrupt


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("channels", [1, 3])
def test_an_npz_holds_images_labels_and_the_seed(tmp_path: Path, channels: int) -> None:
    digits = some_digits(25, channels)
    written = save(tmp_path / "x.npz", digits)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"images", "labels", "seed"}
        expected = digits.images[:, 0] if channels == 1 else digits.images.transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(arrays["images"], expected)
        np.testing.assert_array_equal(arrays["labels"], digits.labels)
        assert arrays["images"].dtype == np.uint8
        assert arrays["labels"].dtype == np.int64
        assert arrays["seed"] == 7
    assert written == Written((tmp_path / "x.npz",), 25, 50)


def test_equal_digits_give_equal_npz_files(tmp_path: Path) -> None:
    digits = some_digits()
    hashes = set()
    for name in ("a.npz", "b.npz"):
        save(tmp_path / name, digits)
        hashes.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "names", [("zebra", "T-shirt/top", "night city"), ("000", "001"), ("3", "5"), ("é" * 64, "日本")]
)
def test_an_npz_brings_back_the_names_of_its_labels(tmp_path: Path, names: tuple[str, ...]) -> None:
    labels = np.arange(24) % len(names)
    digits = Digits(some_digits(24).images, labels, names)
    save(tmp_path / "x.npz", digits)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert arrays["label_names"].tolist() == list(names)
        assert arrays["labels"].tolist() == labels.tolist()
    data = read_path(tmp_path / "x.npz")
    assert data.test is not None
    called = {image.tobytes(): names[label] for image, label in zip(digits.images, labels, strict=True)}
    for part in (data.train, data.test):
        assert [part.names[label] for label in part.labels] == [called[image.tobytes()] for image in part.images]


def test_labels_that_are_their_own_names_need_none_beside(tmp_path: Path) -> None:
    for number, names in enumerate([DIGIT_NAMES, tuple(map(str, range(12))), UNLABELLED]):
        save(tmp_path / f"{number}.npz", some_digits(4, names=names))
        with np.load(tmp_path / f"{number}.npz") as arrays:
            assert set(arrays) == {"images", "labels", "seed"}


@pytest.mark.parametrize("name", ["x.npz", "x.mat", "x-images-idx3-ubyte", "x-images-idx3-ubyte.gz"])
def test_what_is_written_can_be_trained_on(tmp_path: Path, name: str) -> None:
    digits = some_digits(50)
    written = save(tmp_path / name, digits)
    data = read_path(written.paths[0])
    assert data.test is not None
    assert len(data.train) + len(data.test) == 50
    both = {image.tobytes() for part in (data.train, data.test) for image in part.images}
    assert both == {image.tobytes() for image in digits.images}


@pytest.mark.parametrize(
    ("name", "channels", "images", "labels"),
    [
        ("x.idx", 1, "x-images-idx3-ubyte", "x-labels-idx1-ubyte"),
        ("x.idx", 3, "x-images-idx4-ubyte", "x-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", 1, "train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ],
)
def test_idx_files_come_in_pairs(tmp_path: Path, name: str, channels: int, images: str, labels: str) -> None:
    digits = some_digits(12, channels)
    assert save(tmp_path / name, digits).paths == (tmp_path / images, tmp_path / labels)
    expected = digits.images[:, 0] if channels == 1 else digits.images.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(read_idx(tmp_path / images), expected)
    np.testing.assert_array_equal(read_idx(tmp_path / labels), digits.labels)


def test_a_mat_file_holds_digits_as_svhn_numbers_them(tmp_path: Path) -> None:
    digits = some_digits(30, channels=3).only([0, 4])
    save(tmp_path / "x.mat", digits)
    arrays = loadmat(tmp_path / "x.mat")
    assert arrays["X"].shape == (32, 32, 3, 6)
    assert arrays["y"].ravel().tolist() == [10, 4] * 3
    np.testing.assert_array_equal(arrays["X"][:, :, :, 2], digits.images[2].transpose(1, 2, 0))


def test_other_names_than_digits_have_no_place_in_a_mat_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"holds digits, not cat, dog; write an \.npz file"):
        save(tmp_path / "x.mat", some_digits(4, 3, ("cat", "dog")))


def test_without_scipy_a_mat_file_is_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)  # an import of it now fails
    with pytest.raises(
        DataError, match=r"takes SciPy, which is missing; pip install -c constraints\.txt '\.\[train\]'"
    ):
        check(Order(tmp_path / "x.mat", 5, (3, 32, 32), DIGIT_NAMES, seed=0))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_holds_one_png_an_image_named_by_its_number_in_a_folder_of_its_label(
    tmp_path: Path, channels: int
) -> None:
    digits = some_digits(25, channels)
    save(tmp_path / "new" / "digits", digits)
    assert len(pictures(tmp_path / "new" / "digits")) == 25
    for number, image in enumerate(digits.images):
        expected = image[0] if channels == 1 else image.transpose(1, 2, 0)
        path = tmp_path / "new" / "digits" / str(number % 10) / f"{number:06d}.png"
        np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)


@pytest.mark.parametrize(
    "names", [DIGIT_NAMES, ("night city", "zebra"), ("-1", "12"), ("Cat", "cats & dogs", "हिन्दी", "é")]
)
def test_a_folder_brings_back_every_image_with_its_label(tmp_path: Path, names: tuple[str, ...]) -> None:
    digits = Digits(some_digits(40).images, np.arange(40) % len(names), names)
    save(tmp_path / "digits", digits)
    data = read_path(tmp_path / "digits")
    assert data.test is not None
    called = {image.tobytes(): names[label] for image, label in zip(digits.images, digits.labels, strict=True)}
    assert len(data.train) + len(data.test) == 40
    for part in (data.train, data.test):
        assert [part.names[label] for label in part.labels] == [called[image.tobytes()] for image in part.images]


def test_labels_whose_folders_would_be_one_have_two(tmp_path: Path) -> None:
    digits = Digits(some_digits(30).images, np.arange(30) % 3, ("a/b", "a_b", "A_B"))
    save(tmp_path / "digits", digits)
    for name, first in (("a_b-3", 0), ("a_b", 1), ("A_B-2", 2)):
        paths = sorted((tmp_path / "digits" / name).iterdir())
        assert [path.name for path in paths] == [f"{number:06d}.png" for number in range(first, 30, 3)]


def pictures(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    before = (tmp_path / "digits").stat().st_ino
    save(tmp_path / "digits", some_digits(3))
    assert pictures(tmp_path / "digits") == ["0/000000.png", "1/000001.png", "2/000002.png"]
    assert leftovers(tmp_path / "digits") == ["0", "000000.png", "000001.png", "000002.png", "1", "2"]
    assert (tmp_path / "digits").stat().st_ino == before  # it may be another disk, which is no folder to replace


def test_an_empty_folder_behind_a_link_is_filled(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "digits")
    save(tmp_path / "link", some_digits(3))
    assert (tmp_path / "link").is_symlink()
    assert len(pictures(tmp_path / "digits")) == 3
    with pytest.raises(OutputError, match="exists already"):
        save(tmp_path / "link", some_digits(3))


def test_what_appears_in_a_folder_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digits").mkdir()
    png = writing.png_bytes

    def put_one(image: np.ndarray) -> bytes:
        (tmp_path / "digits" / "000000-0.png").write_bytes(b"mine")
        return png(image)

    monkeypatch.setattr(writing, "png_bytes", put_one)
    with pytest.raises(OutputError, match="put there in the meantime"):
        save(tmp_path / "digits", some_digits(3))
    assert leftovers(tmp_path / "digits") == ["000000-0.png"]
    assert (tmp_path / "digits" / "000000-0.png").read_bytes() == b"mine"


def test_an_empty_folder_stays_empty_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digits").mkdir()
    rename, calls = Path.rename, []

    def fail_at_last(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_at_last)
    with pytest.raises(OutputError, match="No space left on device"):
        save(tmp_path / "digits", some_digits(3))
    assert leftovers(tmp_path) == ["digits"]


def test_one_label_makes_a_grid_and_several_a_labelled_sheet(tmp_path: Path) -> None:
    digits = some_digits(20)
    save(tmp_path / "sheet.png", digits)
    save(tmp_path / "grid.png", digits.only([3]))
    assert Image.open(tmp_path / "grid.png").size == (2 * 28 * 2, 28 * 2)
    assert Image.open(tmp_path / "sheet.png").height > 10 * 28 * 2


def test_many_labels_make_a_grid(tmp_path: Path) -> None:
    images, names = np.zeros((36, 1, 28, 28), np.uint8), tuple(map(str, range(40)))
    save(tmp_path / "grid.png", Digits(images, np.arange(36), names))
    assert Image.open(tmp_path / "grid.png").size == (6 * 28 * 2, 6 * 28 * 2)


def test_images_without_labels_say_so(tmp_path: Path) -> None:
    digits = some_digits(4, 3, UNLABELLED)
    save(tmp_path / "x.npz", digits)
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["labels"].tolist() == [-1] * 4
    save(tmp_path / "folder", digits)
    assert leftovers(tmp_path / "folder") == [f"{number:06d}.png" for number in range(4)]
    with pytest.raises(OutputError, match="idx files hold labels"):
        save(tmp_path / "x.idx", digits)
    with pytest.raises(OutputError, match=r"a \.mat file holds labels, .* name a \.png, an \.npz or a folder"):
        save(tmp_path / "x.mat", digits)
    save(tmp_path / "x.png", digits)
    assert Image.open(tmp_path / "x.png").size == (128, 128)


@pytest.mark.parametrize(
    ("name", "file", "folder"),
    [
        ("7", "7", "7"),
        ("T-shirt/top", "T-shirt_top", "T-shirt_top"),
        ("../../etc", "_.._etc", "_.._etc"),
        ("..", "_", "_"),
        (".", "_", "_"),
        ("/", "_", "_"),
        (" ", "_", "_"),
        (".hidden", "hidden", "hidden"),
        ("a. ", "a._", "a"),
        ("a\\b c", "a_b_c", "a_b c"),
        ("C:\\x", "C__x", "C__x"),
        ("__MACOSX", "__MACOSX", "_MACOSX"),
        ("nul", "nul", "_nul"),
        ("Com1.txt", "Com1.txt", "_Com1.txt"),
        ("é", "é", "é"),
        ("\U00020000" * 64, "\U00020000" * 64, "\U00020000" * 50),
    ],
)
def test_a_labels_name_never_leaves_its_folder(tmp_path: Path, name: str, file: str, folder: str) -> None:
    assert as_file_name(name) == file
    save(tmp_path / "out", some_digits(1, names=(name,)))
    assert pictures(tmp_path / "out") == [f"{folder}/000000.png"]
    assert read_path(tmp_path / "out").train.counts.sum() == 1


@given(st.lists(st.text(min_size=1, max_size=64).filter(is_name), min_size=1, max_size=8, unique=True))
def test_every_label_has_a_folder_of_its_own_that_can_be_read(tmp_path: Path, names: list[str]) -> None:
    folders = as_folder_names(names)
    assert len({folder.casefold() for folder in folders}) == len(names)
    for folder in folders:
        assert folder == Path(folder).name == PureWindowsPath(folder).name
        assert is_name(folder)
        assert not folder.startswith((".", "__", " "))
        assert not folder.endswith((".", " "))
        (tmp_path / folder).mkdir(exist_ok=True)
        assert (tmp_path / folder).parent.resolve() == tmp_path.resolve()


@pytest.mark.parametrize(
    "name", ["x.png", "x.npz", "x.mat", "x.idx", "x-images-idx3-ubyte", "folder", "deep/er/x.npz", "deep/f"]
)
def test_nothing_is_left_behind_when_drawing_stops(tmp_path: Path, name: str) -> None:
    digits = some_digits()
    with pytest.raises(KeyboardInterrupt):
        write(Order(tmp_path / name, 25, digits.shape, digits.names, 0), failing(digits))
    assert leftovers(tmp_path) == []


def test_a_file_is_kept_when_its_replacement_fails(tmp_path: Path) -> None:
    digits = some_digits()
    save(tmp_path / "x.npz", digits)
    before = (tmp_path / "x.npz").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write(Order(tmp_path / "x.npz", 25, digits.shape, digits.names, 0), failing(digits))
    assert (tmp_path / "x.npz").read_bytes() == before


def order(path: Path, count: int = 10, names: tuple[str, ...] = DIGIT_NAMES) -> Order:
    return Order(path, count, (1, 28, 28), names, 0)


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("x.png", 10_000_000, "too many for one picture"),
        ("folder", 10_000_000, "too many for one folder"),
        ("x.idx", 10_000_000, "write .npz"),
        ("x.mat", 10_000_000, "write .npz"),
        ("x.npz", 10**12, "are free there"),
        ("x.jpg", 10, "not written as .jpg"),
        ("x-idx3-ubyte", 10, "no name for idx images"),
        ("x-labels-idx1-ubyte", 10, "no name for idx images"),
        ("file/x.png", 10, "cannot write"),
        ("file", 10, "exists already"),
        ("full", 10, "exists already"),
        ("n" * 300 + ".png", 10, "cannot write"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_drawn(
    tmp_path: Path, name: str, count: int, words: str
) -> None:
    (tmp_path / "file").write_text("taken")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("taken")
    before = leftovers(tmp_path)
    with pytest.raises(OutputError, match=words) as caught:
        check(order(tmp_path / name, count))
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == before


def test_a_place_that_takes_no_file_is_refused() -> None:
    with pytest.raises(OutputError, match="choose another place"):
        check(order(Path("/proc/x.png")))


def test_the_working_folder_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="working folder"):
        check(order(Path()))


def test_a_disk_that_fills_up_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "png_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save(tmp_path / "folder", some_digits(3))
    assert leftovers(tmp_path) == []


def test_labels_do_not_stay_without_their_images(tmp_path: Path) -> None:
    digits = some_digits(3)
    (tmp_path / "x-images-idx3-ubyte").mkdir()
    (tmp_path / "x-images-idx3-ubyte" / "taken").touch()
    with pytest.raises(OutputError):
        save(tmp_path / "x.idx", digits)
    assert "x-labels-idx1-ubyte" not in leftovers(tmp_path)


def test_a_full_disk_leaves_an_older_pair_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "x.idx", some_digits(3))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sync, calls = os.fsync, []

    def fill_up(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    with pytest.raises(OutputError, match="No space left on device"):
        save(tmp_path / "x.idx", some_digits(5))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

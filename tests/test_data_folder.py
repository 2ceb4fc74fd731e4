"""A whole data set as a folder: others' files by their usual names, which are read back as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digitforge.data import DataSet, Digits, read_path
from digitforge.data_folder import write_data_folder
from digitforge.errors import OutputError
from digitforge.forge import Drawn
from digitforge.writing import Order, Written, write

RNG = np.random.default_rng(0)


def some_digits(count: int, shape: tuple[int, int, int]) -> Digits:
    return Digits(RNG.integers(0, 256, (count, *shape), np.uint8), np.arange(count) % 10)


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((3, 32, 32), {"train_32x32.mat", "test_32x32.mat"}),
        (
            (1, 28, 28),
            {
                *("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
                *("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
            },
        ),
    ],
)
def test_both_parts_are_read_back(tmp_path: Path, shape: tuple[int, int, int], names: set[str]) -> None:
    data = DataSet("own", some_digits(30, shape), some_digits(12, shape))
    paths = write_data_folder(tmp_path / "new" / "set", data)
    assert (
        set(paths) == set((tmp_path / "new" / "set").iterdir()) == {tmp_path / "new" / "set" / name for name in names}
    )
    found = read_path(tmp_path / "new" / "set")
    assert found.test is not None and data.test is not None
    assert (found.train.sha256, found.test.sha256) == (data.train.sha256, data.test.sha256)


def test_a_set_without_a_test_part_is_its_training_file_alone(tmp_path: Path) -> None:
    paths = write_data_folder(tmp_path, DataSet("own", some_digits(30, (3, 32, 32)), None))
    assert paths == (tmp_path / "train_32x32.mat",)


def test_what_no_usual_name_fits_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="whose images are 32x32 and not 28x28 as those of own"):
        write_data_folder(tmp_path / "new", DataSet("own", some_digits(30, (3, 28, 28)), None))
    named = Digits(np.zeros((2, 3, 32, 32), np.uint8), np.arange(2), ("cat", "dog"))
    with pytest.raises(OutputError, match="hold digits and not cat, dog"):
        write_data_folder(tmp_path / "new", DataSet("own", named, None))
    assert not (tmp_path / "new").exists()


def test_what_its_files_cannot_hold_asks_for_another_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = replace(some_digits(300, (1, 28, 28)), names=tuple(map(str, range(257))))
    with pytest.raises(OutputError, match="tell 256 labels apart, and own has 257; name another data set"):
        write_data_folder(tmp_path / "new", DataSet("own", many, None))
    monkeypatch.setattr("digitforge.data_folder.MAX_JOINED_BYTES", 10 * 784)
    with pytest.raises(OutputError, match="at most 10 images of this size, and own has 30; name another data set"):
        write_data_folder(tmp_path / "new", DataSet("own", some_digits(30, (1, 28, 28)), None))
    assert not (tmp_path / "new").exists()


def test_a_part_that_cannot_be_written_leaves_none_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_first(order: Order, parts: list[Drawn]) -> Written:
        if order.path.name.startswith("t10k"):
            raise OutputError("no space is left")
        return write(order, parts)

    monkeypatch.setattr("digitforge.data_folder.write", write_first)
    with pytest.raises(OutputError, match="no space is left"):
        write_data_folder(tmp_path, DataSet("own", some_digits(30, (1, 28, 28)), some_digits(9, (1, 28, 28))))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """Above all the data set's own, whose training part would lose what is held out."""
    (tmp_path / "train_32x32.mat").write_bytes(b"the only copy")
    with pytest.raises(OutputError, match="exists already; name a new or empty folder"):
        write_data_folder(tmp_path, DataSet("own", some_digits(30, (3, 32, 32)), None))
    assert (tmp_path / "train_32x32.mat").read_bytes() == b"the only copy"

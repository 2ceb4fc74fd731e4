"""svhn and svhn-extra: fetched from their mirror as .mat files, checked, kept, and put together."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from digitforge.data import DataSet, load_data, load_digits, svhn
from digitforge.data.sources import Mirror
from digitforge.errors import DataError

from .conftest import MirrorServer, send

COUNTS = {"TRAIN": 200, "TEST": 80, "EXTRA": 600}


def images_of(part: str) -> np.ndarray:
    """Other images for each part: uint8 [N, 3, 32, 32]."""
    seed = list(COUNTS).index(part)
    return np.random.default_rng(seed).integers(0, 256, (COUNTS[part], 3, 32, 32), np.uint8)


def labels_of(part: str) -> np.ndarray:
    return np.arange(COUNTS[part]) % 10


@cache
def mat_bytes(part: str) -> bytes:
    """A part's file, always the same: SciPy writes the second of its making into the header."""
    stream = io.BytesIO()
    y = np.where(labels_of(part) == 0, 10, labels_of(part)).astype(np.uint8)[:, None]
    savemat(stream, {"X": images_of(part).transpose(2, 3, 1, 0), "y": y}, do_compression=True)
    return stream.getvalue()


@pytest.fixture
def published(mirror: MirrorServer, monkeypatch: pytest.MonkeyPatch) -> MirrorServer:
    """A mirror of small files, which are taken for SVHN's own."""
    for part, count in COUNTS.items():
        content = mat_bytes(part)
        sums = {"size": len(content), "checksum": f"md5:{hashlib.md5(content).hexdigest()}"}
        file = replace(getattr(svhn, part), **sums)
        monkeypatch.setattr(svhn, part, file)
        monkeypatch.setattr(svhn, f"{part}_COUNT", count)
        mirror.serve(file.name, content)
    monkeypatch.setattr(svhn, "SOURCES", (Mirror(mirror.url, suffix=""),))
    return mirror


def assert_both_parts(data: DataSet, train: list[str]) -> None:
    assert data.test is not None
    np.testing.assert_array_equal(data.train.images, np.concatenate([images_of(part) for part in train]))
    np.testing.assert_array_equal(data.train.labels, np.concatenate([labels_of(part) for part in train]))
    np.testing.assert_array_equal(data.test.images, images_of("TEST"))
    assert data.test.labels.tolist() == labels_of("TEST").tolist()


def test_svhn_is_its_training_and_test_file_without_the_extra_one(published: MirrorServer, cache: Path) -> None:
    assert_both_parts(load_data("svhn"), ["TRAIN"])
    assert published.asked == ["train_32x32.mat", "test_32x32.mat"]
    assert sorted(path.name for path in (cache / "svhn").iterdir()) == ["test_32x32.mat", "train_32x32.mat"]


def test_svhn_extra_puts_the_extra_part_behind_the_training_part(published: MirrorServer) -> None:
    load_data("svhn")
    data = load_data("svhn-extra")
    assert_both_parts(data, ["TRAIN", "EXTRA"])
    assert data.name == "svhn-extra"
    assert published.asked == ["train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"]


def test_the_cached_files_are_read_without_a_mirror(published: MirrorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    load_data("svhn")
    monkeypatch.setattr(svhn, "SOURCES", ())
    assert len(load_digits("svhn", "test")) == COUNTS["TEST"]


def test_the_cached_files_are_a_folder_that_can_be_given(published: MirrorServer, cache: Path) -> None:
    named = load_data("svhn")
    assert load_data(str(cache / "svhn")).train.sha256 == named.train.sha256


def test_an_interrupted_transfer_is_refused_and_fetched_anew(published: MirrorServer, cache: Path) -> None:
    content = mat_bytes("TRAIN")
    published.replies["train_32x32.mat"] = lambda handler: send(handler, content[:1000], promised=len(content))
    with pytest.raises(DataError, match=r"svhn could not be fetched: .*train_32x32\.mat") as caught:
        load_data("svhn")
    assert "--data street" in str(caught.value)
    assert not (cache / "svhn" / "train_32x32.mat").exists()
    published.serve("train_32x32.mat", content)
    assert_both_parts(load_data("svhn"), ["TRAIN"])


def test_a_file_with_other_content_is_named_and_never_kept(published: MirrorServer, cache: Path) -> None:
    content = bytearray(mat_bytes("TEST"))
    content[-5] ^= 1
    published.serve("test_32x32.mat", bytes(content))
    with pytest.raises(DataError, match=r"a wrong test_32x32\.mat: expected md5:[0-9a-f]{32}, found md5:[0-9a-f]{32}"):
        load_data("svhn")
    assert not (cache / "svhn" / "test_32x32.mat").exists()


def test_a_damaged_cached_file_is_fetched_again(published: MirrorServer, cache: Path) -> None:
    load_data("svhn")
    path = cache / "svhn" / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert_both_parts(load_data("svhn"), ["TRAIN"])


def test_without_a_network_the_ways_on_are_named(published: MirrorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    published.replies.clear()
    with pytest.raises(DataError, match=r"or one \.mat file \(--data PATH\), .* --data street") as caught:
        load_data("svhn-extra")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["svhn", "svhn-extra"])
def test_loading_takes_less_than_twice_the_images_memory(
    published: MirrorServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitforge.data.mat.CHUNK", 4)
    monkeypatch.setattr("digitforge.data.matlab.CHUNK", 1 << 12)
    load_data(name)  # files are in the cache, modules imported
    tracemalloc.start()
    try:
        data = load_data(name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data.test is not None
    assert peak < 2 * (data.train.images.nbytes + data.test.images.nbytes)


def test_the_published_files_are_those_that_other_programs_know() -> None:
    assert [(file.name, file.size, file.checksum) for file in (svhn.TRAIN, svhn.TEST, svhn.EXTRA)] == [
        ("train_32x32.mat", 182_040_794, "md5:e26dedcc434d2e4c54c9b2d4a06d8373"),
        ("test_32x32.mat", 64_275_384, "md5:eb5a983be6a315427106f1b164d9cef3"),
        ("extra_32x32.mat", 1_329_278_602, "md5:a93ce644f1a588dc4d68dda5feec44a7"),
    ]
    assert [str(source) for source in svhn.SOURCES] == ["http://ufldl.stanford.edu/housenumbers/"]

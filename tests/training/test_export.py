"""`export`: a snapshot becomes the model that the run had at that time, whether the run has ended or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from digitforge import classifier as classifier_module
from digitforge.errors import DataError, RunError
from digitforge.forge import Forge
from digitforge.metrics import reference as reference_module
from digitforge.runs import RunFolder
from digitforge.training.export import export, find_snapshot
from digitforge.training.train import train
from tiny_models import write_classifier, write_model
from tiny_runs import tiny_digits, tiny_recipe, write_npz

IMAGES = 320  # the run's; it leaves a snapshot after 0, 160 and 320


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunFolder]:
    """A run that has ended, on digits in a file; it is only read."""
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(folder / "cache"))
        patch.setattr(classifier_module, "PINNED", write_classifier(folder / "classifier.onnx"))
        patch.setattr(reference_module, "SHIPPED", folder / "shipped.npz")
        data = write_npz(folder / "digits.npz", tiny_digits(300, side=28))
        settings = {"data.name": str(data), "training.images": IMAGES, "data.digits": "0,1,2,4"}
        yield train(tiny_recipe(settings), out=folder / "run")


@pytest.fixture
def copied(finished: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the run, for a test to change."""
    return RunFolder(Path(shutil.copytree(finished.path, tmp_path / "run")))


def loaded(model: bytes, path: Path) -> Forge:
    path.write_bytes(model)
    return Forge.load(path)


def drawn(forge: Forge) -> np.ndarray:
    return forge.generate(count=60, seed=3).images


def test_the_newest_snapshot_of_a_finished_run_is_its_model(finished: RunFolder, tmp_path: Path) -> None:
    model, exported = Forge.load(finished.model), loaded(export(finished), tmp_path / "new.onnx")
    assert model.card.figures
    assert exported.card == replace(model.card, figures={})
    np.testing.assert_array_equal(drawn(exported), drawn(model))


def test_an_early_snapshot_is_another_model_whose_card_tells_its_images(finished: RunFolder, tmp_path: Path) -> None:
    model, early = Forge.load(finished.model), loaded(export(finished, 160), tmp_path / "early.onnx")
    untrained = loaded(export(finished, 0), tmp_path / "untrained.onnx")
    assert (untrained.card.images, early.card.images) == (0, 160)
    assert len({forge.card.weights_sha256 for forge in (untrained, early, model)}) == 3
    changes = {"images": 160, "weights_sha256": early.card.weights_sha256, "figures": {}}
    assert early.card == replace(model.card, **changes)
    for one, other in ((untrained, early), (early, model)):
        assert (drawn(one) != drawn(other)).mean() > 0.1


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    "change", [Path.unlink, spoil, write_model], ids=["unfinished", "damaged model file", "another's model file"]
)
def test_without_a_model_file_of_its_own_a_run_has_its_labels_from_its_data(
    finished: RunFolder, copied: RunFolder, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    copied.hashes.unlink()
    change(copied.model)
    exported = loaded(export(copied), tmp_path / "new.onnx")
    assert exported.card == replace(Forge.load(finished.model).card, figures={})
    assert exported.names == ("0", "1", "2", "4")


def test_a_finished_run_needs_no_data_and_an_unfinished_one_says_so(
    copied: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_data(name: str, progress: object) -> NoReturn:
        raise DataError(f"there is no {Path(name).name}")

    monkeypatch.setattr("digitforge.training.export.load_data", load_data)
    assert export(copied, 0)
    copied.model.unlink()
    with pytest.raises(DataError, match=r"no model\.onnx of its own.* can't be had here: there is no digits\.npz"):
        export(copied, 0)


def test_a_run_of_another_machines_device_can_be_exported(copied: RunFolder, tmp_path: Path) -> None:
    copied.create(copied.read_recipe().with_settings({"compute.device": "mps"}))
    copied.model.unlink()
    assert loaded(export(copied), tmp_path / "new.onnx").card.recipe["compute"]["device"] == "mps"


@pytest.mark.parametrize(
    ("at", "nearest"),
    [
        (159, "--at 0 or --at 160"),
        (161, "--at 160 or --at 320"),
        (321, "--at 320"),
        (-1, "--at 0"),
        (10**12, "--at 320"),
    ],
)
def test_a_count_without_a_snapshot_is_refused_with_the_nearest(finished: RunFolder, at: int, nearest: str) -> None:
    with pytest.raises(RunError, match=rf"no snapshot after {at:,} images; ask for the nearest, {nearest}$"):
        find_snapshot(finished, at)


def test_what_is_no_run_and_a_run_without_snapshots_are_told_apart(copied: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run folder: it holds no recipe\.toml"):
        export(RunFolder(tmp_path / "nowhere"))
    with pytest.raises(RunError, match=r"is no run folder"):
        export(RunFolder(copied.model))
    shutil.rmtree(copied.path / "snapshots")
    with pytest.raises(RunError, match="holds no snapshots; resume it"):
        export(copied)


def with_a_tensor(change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda weights: {**weights, (first := min(weights)): change(weights[first])}


def lose(tensor: Tensor) -> Tensor:
    tensor.view(-1)[0] = float("nan")
    return tensor


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_a_tensor(lambda tensor: tensor[1:].clone()), "holds other networks"),
        (with_a_tensor(lambda tensor: tensor.double()), "holds other networks"),
        (with_a_tensor(lose), "holds weights that are no numbers; export an earlier"),
        (lambda weights: {name: weights[name] for name in sorted(weights)[1:]}, "holds other networks"),
        (lambda weights: weights | {"more": torch.zeros(1)}, "holds other networks"),
        (lambda _: {}, "holds other networks"),
    ],
    ids=["shape", "precision", "NaN", "missing", "too many", "empty"],
)
def test_a_foreign_snapshot_is_refused(
    copied: RunFolder, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], words: str
) -> None:
    path = copied.snapshot(160)
    copied.hashes.unlink()
    safetensors.torch.save_file(change(safetensors.torch.load_file(path)), path)
    with pytest.raises(RunError, match=rf"0000000160\.safetensors {words}.* --at$"):
        export(copied, 160)


def test_a_changed_snapshot_is_refused_of_a_run_that_has_ended_or_not(copied: RunFolder) -> None:
    content = bytearray(copied.snapshot(IMAGES).read_bytes())
    content[-1] ^= 1  # the last bit of the last weight
    copied.snapshot(IMAGES).write_bytes(content)
    with pytest.raises(RunError, match="is not the file that the run left"):
        export(copied)
    copied.hashes.unlink()
    with pytest.raises(RunError, match="its content is not what was saved"):
        export(copied)


@pytest.mark.parametrize("content", [b"", b"a text, no weights", bytes(100)], ids=["empty", "text", "zeros"])
def test_a_damaged_snapshot_is_refused_and_the_others_are_there(copied: RunFolder, content: bytes) -> None:
    copied.hashes.unlink()
    copied.snapshot(IMAGES).write_bytes(content)
    with pytest.raises(RunError, match=r"0000000320\.safetensors is no snapshot .*export another one with --at"):
        export(copied)
    assert find_snapshot(copied, 160) == copied.snapshot(160)

"""Figures agree with the eye: of one training, what looks better measures better, by the public commands alone."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitforge import load_digits
from digitforge.cli import main
from digitforge.data import write_idx

EPOCH = 5_000  # images of mnist-5k
COUNT = 2_000  # images drawn from each model, and as many real ones held out to stand in their place
# Three epochs with few records on the way, which would take longer than the steps.
TRAIN = (
    f"train express --data mnist-5k --images {3 * EPOCH} --seed 0 --out run --set compute.threads=1 "
    f"--set record.snapshot='{EPOCH} images' "
    "--set record.accuracy='1/1 run' --set record.figures='1/1 run' --set record.sheet='1/1 run'"
)
ORDER = ("untrained", "one epoch", "three epochs", "pretrained")


def said(words: str) -> str:
    """What a command that ends well prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(shlex.split(words)) == 0
    return out.getvalue()


def write_halves(folder: Path) -> None:
    """The digits of mnist-5k as idx files, 3,000 to hold models against and 2,000 to stand in a model's place."""
    digits = load_digits("mnist-5k")
    shuffled = digits.take(np.random.default_rng(0).permutation(len(digits)))
    folder.mkdir()
    for part, where in (("t10k", slice(COUNT)), ("train", slice(COUNT, None))):
        write_idx(folder / f"{part}-images-idx3-ubyte", shuffled.images[where, 0])
        write_idx(folder / f"{part}-labels-idx1-ubyte", shuffled.labels[where].astype(np.uint8))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    """What `evaluate --json` tells of the models in ORDER."""
    folder = tmp_path_factory.mktemp("order")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        write_halves(Path("halves"))
        said(TRAIN)
        untrained, early, *_ = sorted(int(path.stem) for path in Path("run/snapshots").iterdir())
        assert (untrained, early // EPOCH) == (0, 1)
        for count in (untrained, early):
            said(f"export run --at {count} --out {count}.onnx")
        measure = f"--json --data ./halves --count {COUNT}"
        trained = json.loads(said(f"evaluate {untrained}.onnx {early}.onnx run {measure}"))
        (pretrained,) = json.loads(said(f"evaluate {measure}"))
    return dict(zip(ORDER, (*trained, pretrained), strict=True))


def values(found: Mapping[str, dict[str, Any]], name: str) -> list[float]:
    """One figure of the models in ORDER."""
    return [(one["frechet"] if name == "frechet" else one["details"][name])["value"] for one in found.values()]


@pytest.mark.parametrize("name", ["frechet", "kernel"])
def test_distances_fall_with_training_and_stay_above_that_of_real_digits(
    found: Mapping[str, dict[str, Any]], name: str
) -> None:
    distances = values(found, name)
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == len(ORDER)
    real = [one["floor"]["value"] if name == "frechet" else one["details"][name]["real"] for one in found.values()]
    assert max(real) < min(distances)
    assert distances[0] > 10 * distances[2]


@pytest.mark.parametrize("name", ["recall", "coverage"])
def test_shares_of_real_digits_that_are_drawn_rise_with_training(
    found: Mapping[str, dict[str, Any]], name: str
) -> None:
    shares = values(found, name)
    assert shares == sorted(shares)
    assert len(set(shares)) == len(ORDER)
    assert 0 <= shares[0] < 0.05


def test_digits_are_read_as_asked_more_often_with_training(found: Mapping[str, dict[str, Any]]) -> None:
    right = [one["accuracy"]["value"] for one in found.values()]
    assert right == sorted(right)
    assert right[0] < 0.2 < 0.9 < right[-1]

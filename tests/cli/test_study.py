"""`digitforge study`: what its words come to, what it refuses, and both studies in a still smaller form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from digitforge.cli import main
from digitforge.data import DataSet, Digits
from digitforge.metrics.evaluate import evaluate
from digitforge.studies.claims import FULL as ALL_CLAIMS
from digitforge.studies.one_digit import FULL
from digitforge.studies.study import Outcome
from digitforge.studies.worker import Task
from digitforge.training.train import train
from tiny_runs import tiny_digits, tiny_recipe, write_npz

pytestmark = pytest.mark.usefixtures("folder")

NOTHING = Outcome("one-digit", "One digit or all?", "Nobody knows.", (), (), {})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a study was called with, in the place of carrying it out."""
    given: dict[str, Any] = {}

    def study(out: Path, data: str, **options: Any) -> Outcome:
        given.update(options, out=out, data=data)
        return NOTHING

    monkeypatch.setattr("digitforge.studies.one_digit.study_one_digit", study)
    monkeypatch.setattr("digitforge.studies.claims.study_claims", study)
    return given


def test_the_options_of_one_digit_become_its_design(asked: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    words = "--digits 3,5 --recipes dcgan --seeds 4 --images 999 --quality 20 --out here --workers 3 --data mnist-5k"
    assert main(["study", "one-digit", *words.split()]) == 0
    design, how = asked["design"], asked["how"]
    assert (design.digits, design.recipes, design.seeds, design.quality) == (("3", "5"), ("dcgan",), 4, 20.0)
    assert (design.images, how.workers, how.cluster) == (999, 3, None)
    assert (asked["out"], asked["data"]) == (Path("here"), "mnist-5k")
    assert capfd.readouterr().out == "Nobody knows.\nhere/results.json\nhere/report.html\n"


def test_without_options_each_study_has_its_default_size(asked: dict[str, Any]) -> None:
    assert main(["study", "one-digit"]) == 0
    assert (asked["design"], asked["out"], asked["data"]) == (FULL, Path("runs/study-one-digit"), "mnist")
    assert main(["study", "claims"]) == 0
    assert (asked["extent"], asked["only"], asked["runs"]) == (ALL_CLAIMS, (), Path("runs/gallery"))
    assert main(["study", "claims", "--quick", "--only", "slow-d,stalemate", "--cluster", "auto"]) == 0
    assert asked["extent"].quick_images
    assert (asked["only"], asked["how"].cluster) == (("slow-d", "stalemate"), "auto")
    assert asked["out"] == Path("runs/study-claims-quick")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("one-digit --quality 0", "above zero"),
        ("one-digit --quality nan", "above zero, not nan"),
        ("one-digit --quality inf", "above zero, not inf"),
        ("one-digit --data few.npz", "holds out"),
        ("one-digit --data few.npz --digits x", 'no label "x"'),
        ("claims --only nothing --data few.npz", 'no claim "nothing"'),
        ("claims --data few.npz --runs nowhere", "no folder nowhere"),
        ("nothing", "No such command"),
    ],
)
def test_what_cannot_be_studied_is_one_line_and_code_2(
    folder: Path, capfd: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    write_npz(folder / "few.npz", tiny_digits(200, 0, 28))
    assert main(["study", *words.split()]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    *notes, error = err.splitlines()
    assert told.lower() in error.lower()
    assert all("a fixed tenth" in note for note in notes)
    assert not (folder / "runs").exists()


def two_labels(count: int) -> Digits:
    """Bright and dark images, read as whatever the pinned classifier takes them for."""
    digits = tiny_digits(count, 0, 28)
    labels = digits.labels % 2 * 2 + 1
    return Digits(digits.images, labels)


def train_here(tasks: Sequence[Task], data: DataSet, *_: Any) -> None:
    """One after another, without workers."""
    for task in tasks:
        assert task.recipe is not None
        train(task.recipe, data, out=task.folder.path, resume=True)


def test_both_studies_come_to_their_ends_in_a_tiny_form(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(folder / "two.npz", two_labels(2400))
    recipe = tiny_recipe({"networks.conditional": True})
    (folder / "tiny.toml").write_text(recipe.to_toml())
    few = "--quick --data ./two.npz"
    alone = f"study one-digit {few} --recipes tiny.toml --digits 1 --seeds 1 --images 160 --out one"
    with monkeypatch.context() as patch:  # the study of claims, below, has workers
        patch.setattr("digitforge.studies.trials._train", train_here)
        patch.setattr("digitforge.training.finish.evaluate", partial(evaluate, count=200))
        assert main(alone.split()) == 0
    assert "a fixed tenth (240 images) is held out" in capfd.readouterr().err
    assert main(alone.split()) == 0  # and again, which trains nothing anew
    found = json.loads((folder / "one" / "results.json").read_text())
    assert {finding["verdict"] for finding in found["findings"]} == {"cannot be told"}
    assert {run["name"] for run in found["runs"]} == {
        f"tiny-{kind}-0{length}" for kind in ("digit-1", "conditional", "unconditional") for length in ("", "-8")
    }
    for grown in found["curves"]["tiny.toml"].values():
        assert [one["images"] for one in grown["1"]["0"]] == [16, 160]  # whole batches
    assert main(f"study claims {few} --only good-after-30 --out two".split()) == 0
    (finding,) = json.loads((folder / "two" / "results.json").read_text())["findings"]
    assert finding["verdict"] == "cannot be told"
    assert "learned from ./two.npz, not from mnist" in finding["reasons"]
    assert [len(condition["values"]) for condition in finding["conditions"]] == [1, 1]
    assert "Verdicts" in (folder / "two" / "report.html").read_text()
    capfd.readouterr()
    assert main(f"study claims {few} --only good-after-30 --out one".split()) == 2
    assert "one holds the study one-digit" in capfd.readouterr().err
    assert (folder / "one" / "results.json").read_text() == json.dumps(found, indent=2, ensure_ascii=False)

"""`digitforge train`: what its words come to, and what it refuses before anything is trained."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from digitforge.classifier import Classifier
from digitforge.cli import main
from digitforge.cli.train import chosen_settings, parse_budget, report, summary
from digitforge.errors import RecipeError, UserError
from digitforge.recipe import Recipe, load_recipe, parse_recipe
from digitforge.runs import RunFolder
from digitforge.training.compute import resolve_compute
from tiny_models import HASH, card_table, write_classifier, write_model
from tiny_runs import tiny_digits, write_npz

pytestmark = pytest.mark.usefixtures("folder")

NO_LENGTH: dict[str, float | int | None] = {}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("60s", 60),
        ("60", 60),
        ("5m", 300),
        ("2h", 7200),
        ("1.5m", 90),
        ("0.25s", 0.25),
        (" 10 s ", 10),
    ],
)
def test_a_budget_is_read_in_seconds(text: str | None, seconds: float | None) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "0.0h", "-5s", "s", "5 days", "1e3", "60ss", "1:30", "nan", "inf"])
def test_what_is_no_time_above_zero_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UserError, match=r"such as 60s, 5m or 2h, not "):
        parse_budget(text)


def test_options_and_settings_become_dotted_keys() -> None:
    found = chosen_settings(
        ["batch_size=64", "objective.r1=0", "networks.latent=uniform"],
        {"training.seconds": None, "training.images": 500},
        {"training.seed": 0, "data.name": None},
    )
    assert found == {
        "training.seed": 0,
        "training.images": 500,
        "training.batch_size": 64,
        "objective.r1": 0,
        "networks.latent": "uniform",
    }


def test_an_option_and_a_setting_may_agree() -> None:
    assert chosen_settings(["seed=3"], NO_LENGTH, {"training.seed": 3}) == {"training.seed": 3}


@pytest.mark.parametrize("assignments", [["seed=4"], ["training.seed=4"], ["seed=3", "training.seed=4"]])
def test_an_option_and_a_setting_may_not_contradict_each_other(assignments: list[str]) -> None:
    with pytest.raises(RecipeError, match=r"training\.seed is given twice, as 3 and as 4"):
        chosen_settings(assignments, NO_LENGTH, {"training.seed": 3})


def test_a_run_has_one_length() -> None:
    with pytest.raises(UserError, match="a run has one length"):
        chosen_settings([], {"training.seconds": 60, "training.images": 500}, {})


def printed(command: str, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What a dry run prints, read as TOML."""
    assert main(["train", *command.split(), "--dry-run"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return tomllib.loads(out)


def decided(recipe: Recipe) -> Recipe:
    """The recipe with its device, precision and threads decided for this machine."""
    compute = resolve_compute(recipe.compute)
    assert "auto" not in (compute.device, compute.precision)
    assert compute.threads > 0
    return recipe.model_copy(update={"compute": compute})


def test_a_dry_run_prints_a_recipe_that_loads_back_and_writes_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert parse_recipe(printed("", capfd), "printed") == decided(load_recipe("express"))
    table = printed("dcgan --digits 3,5 --budget 2m --seed 7 --out there --set networks.dropout=0.1", capfd)
    expected = load_recipe("dcgan").with_settings(
        {"data.digits": ["3", "5"], "training.seconds": 120, "training.seed": 7, "networks.dropout": 0.1}
    )
    assert parse_recipe(table, "printed") == decided(expected)
    assert list(folder.iterdir()) == []


def test_a_dry_run_of_what_cannot_be_trained_prints_no_recipe(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_npz(folder / "own.npz", tiny_digits(40, side=28))
    assert main(["train", "--data", "own.npz", "--digits", "11", "--dry-run"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert 'there is no label "11" in this data set' in err


def test_a_printed_recipe_is_a_recipe_to_train(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "express", "--seed", "3", "--dry-run"]) == 0
    Path("own.toml").write_text(capfd.readouterr().out)
    assert printed("own.toml", capfd) == printed("express --seed 3", capfd)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("nothing-such", 'no recipe "nothing-such".*the recipes are express'),
        ("expres", 'did you mean "express"'),
        ("mnist --dry-run", '"mnist" is a data set, no recipe: train on it with --data mnist'),
        ("full", 'no recipe "full", but a folder of that name: train on it with --data full'),
        ("nowhere.toml", r"cannot read the recipe nowhere\.toml: .*`digitforge recipes` lists them"),
        ("--set batchsize=3", 'no recipe has a key "batchsize" .did you mean "training.batch_size"'),
        ("--set rate=1", "ambiguous"),
        ("--set seed", "write KEY=VALUE"),
        ("--set batch_size=0", r"training\.batch_size.*greater than 0"),
        ("--set batch_size=many", r"training\.batch_size"),
        ("--set loss=least-squares", r"objective\.loss.*relativistic"),
        ("--set family=gpt --images 32 --data mnist-5k", 'no family "gpt".*dcgan'),
        ("--set tick=often", "is no interval"),
        ("--data nothing-such", "no data set 'nothing-such'.*mnist-5k"),
        ("--data ./nowhere", "nowhere"),
        ("--data nothing-such --dry-run", "no data set 'nothing-such'"),
        ("--data mnist-5k --digits 12", 'no label "12".*it has 0, 1'),
        ("--data mnist-5k --set data.count=6000", "6,000 images, and there are 5,000; set data.count"),
        ("--budget 0", "above zero"),
        ("--budget -5s", "above zero"),
        ("--budget soon", "above zero"),
        ("--budget 60s --epochs 2", "one length"),
        ("--images 100 --set training.epochs=1", "one of seconds, images and epochs"),
        ("--images 0", r"training\.images.*greater than 0"),
        ("--images -3", r"training\.images"),
        ("--epochs 0", r"training\.epochs"),
        ("--epochs nan", r"training\.epochs"),
        ("--seed -1", r"training\.seed"),
        ("--seed 4294967296", r"training\.seed"),
        ("--seed 1 --set seed=2", "given twice"),
        ("--device tpu", "'--device': 'tpu' is not one of 'auto', 'cpu', 'cuda', 'mps'"),
        ("--precision 16", "'--precision': '16' is not one of 'auto', 'bf16', '32'"),
        ("--resume", "name its folder with --out"),
        ("--data mnist-5k --out full", "full holds other files; choose another --out"),
        ("--data mnist-5k --out full/taken", "full/taken is a file; choose another --out"),
        ("--data mnist-5k --out full --resume", r"is no run folder: it holds no recipe\.toml"),
        ("--data mnist-5k --images 32 --out full/taken/run", "cannot make the folder"),
        ("--data mnist-5k --images 32 --out /proc/run", "cannot make the folder /proc/run"),
    ],
)
def test_what_cannot_be_trained_is_one_line_code_2_and_nothing_left_behind(
    folder: Path, capfd: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "taken").touch()
    assert main(["train", *command.split()]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(r"digitforge: [^\n]{10,400}\n", err)
    assert re.search(words, err)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == ["full", "full/taken"]


@pytest.mark.parametrize("missing", ["torch", "tensorboard", "jinja2"])
def test_without_the_extra_the_command_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], missing: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    assert main(["train", "--images", "32"]) == 2
    err = capfd.readouterr().err
    assert f"training needs {missing}, " in err
    assert "pip install -c constraints.txt '.[train]'" in err
    assert err.count("\n") == 1
    assert list(folder.iterdir()) == []


CLASSES = ["cat", "dog"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"name": "own", "sha256": HASH, "count": 1}}, "no figures: they are held against 2 training images"),
        ({}, "no figures: tiny-data is gone or holds other images now; once it is back, digitforge evaluate run takes"),
        (
            {"names": CLASSES, "frequencies": [5, 5]},
            "no figures yet: digitforge evaluate run trains a classifier on these images first",
        ),
        ({"shape": [1, 32, 32]}, "no figures yet: digitforge evaluate run trains a classifier on these images first"),
        (
            {"names": ["all"], "frequencies": [9]},
            "no figures: they come from a classifier, which learns from images of two labels or more",
        ),
    ],
)
def test_the_end_of_a_run_without_figures_says_why(
    folder: Path, capfd: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    card = card_table(**changes)
    run = RunFolder(Path("run"))
    run.path.mkdir()
    write_model(run.model, card=card, shape=tuple(card["shape"]))
    report(run)
    assert capfd.readouterr().out.startswith(f"run: 6,400 images\n  {said}")


def test_a_classifier_that_is_trained_already_is_not_announced(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(Path("run"))
    run.path.mkdir()
    write_model(run.model, card=card_table(names=CLASSES, frequencies=[5, 5]))
    own = Classifier.load(write_classifier(folder / "own.onnx", names=[*CLASSES, *"23456789"]))
    monkeypatch.setattr("digitforge.classifier.cached_classifier", lambda data_sha256: own)
    report(run)
    assert "\n  no figures yet: digitforge evaluate run takes them\n" in capfd.readouterr().out


def test_figures_are_told_with_their_counts_and_the_floor() -> None:
    figures = {
        "frechet": {"value": 1.25, "n": 10_000, "reference_n": 60_000},
        "floor": {"value": 0.5, "n": 10_000, "reference_n": 60_000},
        "ratio": {"value": 2.5, "n": 10_000},
        "accuracy": {"value": 0.985, "n": 10_000},
    }
    assert summary(figures) == [
        "Frechet distance 1.250 (n = 10,000 against 60,000 real): 2.5 F, where F = 0.500 is that of real test images",
        "read as the digit asked for: 98.50% (n = 10,000)",
    ]
    fewer = summary(figures | {"ratio": {"value": 3.5, "n": 1_028}})
    assert ": 3.5 F (n = 1,028, as few images raise both), where F = 0.500" in fewer[0]
    larger = summary(figures | {"ratio": {"value": 3.5, "n": 10_000, "real_n": 9_000}})
    assert larger[0].endswith(": 3.5 F, where F is that of 9,000 real test images")
    assert summary(figures | {"floor": None, "ratio": None, "accuracy": None}) == [
        "Frechet distance 1.250 (n = 10,000 against 60,000 real)"
    ]
    few, many = ({"histogram": {"modes": 9, "modes_in_data": count}} for count in (10, 1000))
    assert summary(figures | few) == summary(figures)
    assert summary(figures | many) == [*summary(figures), "labels drawn: 9 of 1,000"]
    noted = figures | {"notes": ["the classifier reads 11% right"]}
    assert summary(noted) == [*summary(figures), "the classifier reads 11% right"]

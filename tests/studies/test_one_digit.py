"""`one-digit`: which trainings it compares, and what it refuses to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from digitforge.data import DataSet, Digits
from digitforge.errors import DataError, UserError
from digitforge.recipe import recipe_names
from digitforge.runs import RunFolder
from digitforge.sections import Interval
from digitforge.studies.one_digit import FULL, QUICK, Design, stages_of, study_one_digit, trials_of
from tiny_runs import tiny_digits

DATA = DataSet("tiny", tiny_digits(200, 0, 28), tiny_digits(100, 1, 28))


def named(names: Sequence[str]) -> DataSet:
    """The same images under names of other things."""
    return DataSet(
        "tiny",
        *(Digits(part.images, part.labels % len(names), tuple(names)) for part in (DATA.train, DATA.test) if part),
    )


def test_specialists_and_both_models_of_all_digits_differ_in_nothing_else() -> None:
    trials = trials_of("express", "mnist", replace(FULL, digits=("3", "8")))
    assert set(trials) == {"3", "8", "unconditional", "conditional"}
    assert {len(some) for some in trials.values()} == {3}
    recipes = {kind: some[1][-1].recipe for kind, some in trials.items()}
    assert recipes["3"].data.digits == ("3",)
    assert recipes["conditional"].networks.conditional
    assert not any(recipes[kind].networks.conditional for kind in ("3", "8", "unconditional"))
    same = recipes["unconditional"].with_settings({"data.digits": ["3"]})
    assert recipes["3"] == same
    assert recipes["3"].training.seed == 1
    assert recipes["3"].compute.threads == 1


def test_a_recipe_that_is_told_clusters_is_told_labels_instead_in_one_of_the_models() -> None:
    trials = trials_of("express-untold", "mnist", replace(FULL, digits=("3",)))
    told = {kind: some[0][0].recipe.networks for kind, some in trials.items()}
    assert (told["unconditional"].conditional, told["unconditional"].clusters) == (False, 100)
    assert (told["conditional"].conditional, told["conditional"].clusters) == (True, 0)


def test_both_sizes_name_recipes_that_are_there_and_lengths_for_them() -> None:
    for design in (FULL, QUICK):
        assert set(design.recipes) <= set(recipe_names())
        for shares in (design.moments, design.lengths):
            assert shares[0] <= 0.05  # a tenth of the time is fewer images than a tenth where specialists are slower
            assert shares[-1] == 1.0
    assert FULL.seeds == 3


def test_a_recipe_with_a_schedule_is_trained_whole_at_several_lengths_and_another_once() -> None:
    express, raschka = (trials_of(name, "mnist", FULL)["3"][2] for name in ("express", "raschka"))
    assert [one.recipe.training.images for one in express] == [15_000, 30_000, 90_000, 300_000]
    assert [one.name for one in express][-2:] == ["express-digit-3-2-90000", "express-digit-3-2"]
    assert [one.recipe.training.images for one in raschka] == [300_000]
    assert Interval.parse(raschka[0].recipe.record.snapshot).count == FULL.moments[0]


def test_one_run_tells_of_growth_at_its_snapshots_and_several_at_their_ends(tmp_path: Path) -> None:
    def run(name: str, *counts: int) -> RunFolder:
        found = RunFolder(tmp_path / name)
        for count in counts:
            found.snapshot(count).parent.mkdir(parents=True, exist_ok=True)
            found.snapshot(count).touch()
        return found

    long, short = run("long", 0, 32, 320, 640), run("short", 0, 64)
    assert stages_of([long], (0.02, 0.04, 0.4, 1.0)) == {32: long, 320: long, 640: long}  # nothing has grown after 0
    assert stages_of([short, long], (0.02, 1.0)) == {64: short, 640: long}


@pytest.mark.parametrize(
    ("data", "design", "told"),
    [
        (DataSet("tiny", DATA.train, None), FULL, "no test part"),
        (DATA, FULL, "holds out 10 images of 1, and 500 are measured"),
        (DATA, Design(digits=("x",)), 'no label "x"'),
        (named(["T-shirt", "Dress"]), Design(digits=("Dress",), count=5), "no classifier here reads T-shirt"),
        (DataSet("tiny", tiny_digits(200, 0, 8), DATA.test), Design(count=5), "no classifier here reads"),
        (DATA, Design(digits=()), "at least one digit"),
        (DATA, Design(seeds=0), "at least one digit"),
        (DATA, Design(recipes=("exprss",), count=5), 'did you mean "express"'),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(
    data: DataSet, design: Design, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitforge.studies.study.load_data", lambda name, progress=None: data)
    with pytest.raises((DataError, UserError), match=told):
        study_one_digit(tmp_path / "study", design=design)
    assert not (tmp_path / "study").exists()

"""`one-digit`: which trainings it compares, and what it refuses to compare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from digitforge.data import DataSet
from digitforge.errors import DataError, UserError
from digitforge.recipe import recipe_names
from digitforge.studies import one_digit
from digitforge.studies.one_digit import FULL, QUICK, Design, study_one_digit, trials_of
from tiny_runs import tiny_digits

DATA = DataSet("tiny", tiny_digits(200, 0, 28), tiny_digits(100, 1, 28))


def test_specialists_and_both_models_of_all_digits_differ_in_nothing_else() -> None:
    trials = trials_of("express", "mnist", replace(FULL, digits=("3", "8")))
    assert set(trials) == {"3", "8", "unconditional", "conditional"}
    assert {len(some) for some in trials.values()} == {3}
    recipes = {kind: some[1].recipe for kind, some in trials.items()}
    assert recipes["3"].data.digits == ("3",)
    assert recipes["conditional"].networks.conditional
    assert not any(recipes[kind].networks.conditional for kind in ("3", "8", "unconditional"))
    same = recipes["unconditional"].with_settings({"data.digits": ["3"]})
    assert recipes["3"] == same
    assert recipes["3"].training.seed == 1
    assert recipes["3"].compute.threads == 1


def test_both_sizes_name_recipes_that_are_there_and_lengths_for_them() -> None:
    for design in (FULL, QUICK):
        assert set(design.recipes) <= set(recipe_names())
        assert design.moments[0] == 0.1  # what a tenth of the time reaches must be measured
        assert design.moments[-1] == 1.0
    assert FULL.seeds == 3
    assert FULL.images_of("some-other") == min(one_digit.IMAGES.values())


@pytest.mark.parametrize(
    ("data", "design", "told"),
    [
        (DataSet("tiny", DATA.train, None), FULL, "no test part"),
        (DATA, FULL, "holds out 10 images of 1, and 500 are measured"),
        (DATA, Design(digits=("x",)), 'no label "x"'),
        (DATA, Design(digits=()), "at least one digit"),
        (DATA, Design(seeds=0), "at least one digit"),
        (DATA, Design(recipes=("exprss",), count=5), 'did you mean "express"'),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(
    data: DataSet, design: Design, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_digit, "load_data", lambda name, progress=None: data)
    with pytest.raises((DataError, UserError), match=told):
        study_one_digit(tmp_path / "study", design=design)
    assert not (tmp_path / "study").exists()

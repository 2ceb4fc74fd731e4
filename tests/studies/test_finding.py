"""Findings: the verdict that follows from made-up figures, and what keeps a verdict from being one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from digitforge.report.quantities import number
from digitforge.studies.evidence import Evidence, MissingError
from digitforge.studies.finding import ABOVE, ALIKE, BETTER, SHARE, Claim, Condition, settle
from digitforge.studies.intervals import Region, Word

NOTHING = Evidence({}, {})
STILL = "all measured the same, so that the interval tells"


def claim(*conditions: Condition) -> Claim:
    return Claim("made-up", "002", "It is so.", "By looking.", (), lambda evidence: conditions)


@pytest.mark.parametrize(
    ("conditions", "word"),
    [
        ([Condition("a", (0.5, 0.52, 0.48), BETTER, is_ratio=True)], "holds"),
        ([Condition("a", (1.5, 1.52, 1.48), BETTER, is_ratio=True)], "does not hold"),
        ([Condition("a", (0.3, 0.9, 2.0), BETTER, is_ratio=True)], "cannot be told"),
        ([Condition("a", (2.0, 2.1, 1.9), ALIKE, (2.0, 1.95, 2.05), is_ratio=True)], "holds"),
        ([Condition("a", (5.0, 5.1, 4.9), ABOVE, (2.0, 2.1, 1.9))], "holds"),
        ([Condition("a", (1.0, 1.1, 0.9), ABOVE), Condition("b", (-1.0, -1.1, -0.9), ABOVE)], "does not hold"),
        ([Condition("a", (1.0,), ABOVE)], "cannot be told"),
    ],
)
def test_figures_decide_a_claim(conditions: Sequence[Condition], word: Word) -> None:
    found = settle(claim(*conditions), NOTHING)
    assert (found.word, found.by_itself, found.reasons) == (word, word, ())


def test_a_shortfall_takes_the_verdict_and_leaves_what_the_figures_say() -> None:
    found = settle(claim(Condition("a", (1.0, 1.1, 0.9), ABOVE)), NOTHING, ["learned from your data, not from mnist"])
    assert (found.word, found.by_itself) == ("cannot be told", "holds")
    assert found.sentence.startswith(
        "Cannot be told for document 002: learned from your data, not from mnist. A: 1.00,"
    )
    assert found.sentence.endswith("By these runs alone: holds.")


def test_what_is_missing_leaves_a_claim_open_and_says_what_it_is() -> None:
    def measure(evidence: Evidence) -> Sequence[Condition]:
        raise MissingError("there is no run of dcgan-svhn, a recipe that this release does not have")

    found = settle(Claim("a", "002", "It is so.", "By looking.", (), measure), NOTHING)
    assert (found.word, found.by_itself, found.conditions) == ("cannot be told", None, ())
    assert "dcgan-svhn" in found.sentence


def test_a_figure_that_has_no_ratio_leaves_a_claim_open() -> None:
    found = settle(claim(Condition("a", (0.0, 1.0, 1.0), BETTER, is_ratio=True)), NOTHING)
    assert (found.word, found.conditions) == ("cannot be told", ())
    assert "no ratio" in found.sentence


@pytest.mark.parametrize(
    ("may_diverge", "word", "reasons"),
    [((), "cannot be told", ("3 of 3 runs of wild diverged",)), (("wild",), "holds", ())],
)
def test_runs_that_diverged_count_where_a_claim_is_about_them(
    may_diverge: tuple[str, ...], word: Word, reasons: tuple[str, ...]
) -> None:
    about = Claim(
        "a",
        "004",
        "It collapses.",
        "By looking.",
        ("wild",),
        lambda evidence: [Condition("a", (1.0, 1.0, 1.0), ABOVE)],
        may_diverge=may_diverge,
    )
    found = settle(about, Evidence({}, {}, {"wild": 3}))
    assert (found.word, found.reasons) == (word, reasons)


@pytest.mark.parametrize(
    ("ratio", "bound", "word"),
    [
        (0.5, "at least", "cannot be told"),  # the truth may be above 1
        (2.0, "at least", "does not hold"),
        (0.5, "at most", "holds"),
        (2.0, "at most", "cannot be told"),
    ],
)
def test_a_bound_decides_only_where_the_truth_lies_no_nearer(ratio: float, bound: str, word: Word) -> None:
    values = (ratio, ratio * 1.01, ratio / 1.01)
    condition = Condition("a", values, Region(high=1.0), is_ratio=True, bound=bound)  # type: ignore[arg-type]
    assert condition.word == word
    assert f"{bound} {number(ratio)}" in condition.sentence


def test_a_bound_that_may_lie_on_the_other_side_decides_nothing_however_clear_the_other_seeds_are() -> None:
    values = (3.0, 3.1, 2.9, 3.0, 3.1, 0.95)  # of the last one it is known that it is at least as much
    condition = Condition("a", values, Region(high=1.0), is_ratio=True, bound="at least")
    assert condition.interval.low > 1
    assert condition.word == "cannot be told"


def test_a_claim_that_falls_with_one_part_says_what_the_other_leaves_open() -> None:
    found = settle(claim(Condition("a", (1.5, 1.52, 1.48), BETTER, is_ratio=True)), NOTHING)
    found = replace(found, reasons=("nothing was drawn",))
    assert found.sentence.startswith("Does not hold. A: 1.50")
    assert found.sentence.endswith("Left open: nothing was drawn.")


@pytest.mark.parametrize(
    ("values", "against", "runs"),
    [
        ((2.0, 2.1), (4.0, 4.1), "(2 runs against 2)"),
        ((2.0, 2.1), (4.0,), "(2 runs against 1)"),
        ((2.0, 2.1), (4.0, 4.0), f"the latter {STILL} the former's spread alone)"),
        ((2.0, 2.0), (4.0, 4.1), f"the former {STILL} the latter's spread alone)"),
        ((2.0, 2.0), (4.0, 4.0), "(2 runs against 2; in each group all measured the same)"),
    ],
)
def test_a_side_without_spread_is_named(values: tuple[float, ...], against: tuple[float, ...], runs: str) -> None:
    assert Condition("a", values, BETTER, against, is_ratio=True).sentence.endswith(runs)


def test_a_figure_that_stands_aside_decides_nothing() -> None:
    beside = Condition("b", (-1.0, -1.1, -0.9), ABOVE, is_aside=True)
    found = settle(claim(Condition("a", (1.0, 1.1, 0.9), ABOVE), beside), NOTHING)
    assert (beside.word, found.word, found.by_itself) == ("does not hold", "holds", "holds")
    assert "; beside it, b: -1.00" in found.sentence


def test_the_interval_of_a_share_ends_at_all_of_them() -> None:
    """Student's own would end at 1.10."""
    condition = Condition("a share", (0.96, 0.98), ABOVE, possible=SHARE)
    assert "0.970, 95% interval 0.843 to 1.00" in condition.sentence


def test_a_finding_is_plain_json_even_where_a_bound_is_infinite() -> None:
    found = settle(claim(Condition("a", (2.0,), ABOVE, n=100)), NOTHING)
    table = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    (condition,) = table["conditions"]
    assert (condition["interval"], condition["claimed"], condition["values"]) == ([None, None], [0.0, None], [2.0])

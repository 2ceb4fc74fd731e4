"""The page of a study: verdicts with their figures, drawn where they lie, and nothing from elsewhere."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from digitforge.report.growth import GrowthCurve, growth_figure
from digitforge.report.study_page import Bar, ShownFinding, StudiedTraining, StudyPart, study_page

BAR = Bar(
    "ratio of distances", 0.5, 0.25, 1.0, (-math.inf, 0.8), (0.4, 0.6), "0.400 · 0.600", "cannot be told", True, 50
)
FINDING = ShownFinding(
    "good", "It is <good> & true.", "By looking.", "does not hold", "Does not hold. So & so.", (BAR,), ()
)
TRAINING = StudiedTraining("dcgan-0", "dcgan-0-0123abcd", "dcgan", 0, 6000, 12.5, "mnist")


def page(*findings: ShownFinding) -> str:
    parts = [StudyPart("Document 002", findings)]
    return study_page("What the documents claim", "One claim.", ["By a rule."], parts, [TRAINING])


def test_a_page_shows_each_claim_with_its_verdict_and_stands_alone() -> None:
    shown = page(FINDING)
    assert "It is &lt;good&gt; &amp; true." in shown
    assert '<span class="badge does-not-hold">does not hold</span>' in shown
    assert 'href="#document-002"' in shown
    assert 'id="document-002"' in shown
    assert "6,000" in shown
    assert not re.search(r'(?:src|href)="(?!#|data:)', shown)
    assert "<script" not in shown


def test_equal_findings_give_an_equal_page() -> None:
    assert page(FINDING) == page(FINDING)


def test_a_study_without_findings_has_a_page() -> None:
    assert "By a rule." in page()


def test_numbers_lie_in_their_order_and_infinite_ones_at_the_edges() -> None:
    places = [BAR.place(value) for value in (-math.inf, 0.25, 0.4, 0.5, 0.8, 1.0, math.inf)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0.0, 100.0)
    # On logarithms a half lies in the middle of a quarter and one.
    assert BAR.place(0.5) == pytest.approx((BAR.place(0.25) + BAR.place(1.0)) / 2, abs=0.01)


def test_one_number_alone_lies_in_the_middle() -> None:
    alone = replace(BAR, low=-math.inf, high=math.inf, claimed=(-math.inf, math.inf), points=(0.5,))
    assert alone.place(0.5) == 50.0


def test_growth_is_drawn_over_images_and_seconds_for_every_digit() -> None:
    curve = GrowthCurve([10, 100], [1.0, 9.0], [50.0, 5.0])
    figure = growth_figure({"1": {"alone": [curve], "unconditional": [curve, curve]}, "3": {"alone": [curve]}})
    assert [len(axes.get_lines()) for axes in figure.axes] == [3, 1, 3, 1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one digit alone", "unconditional"]
    assert figure.axes[0].get_xscale() == "log"

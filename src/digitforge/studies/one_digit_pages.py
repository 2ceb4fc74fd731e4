"""What the page of `study one-digit` shows of a recipe besides findings: how each digit grew, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from digitforge.report.growth import GrowthCurve, growth_figure
from digitforge.report.plates import Plate, figure_plate
from digitforge.report.quantities import number
from digitforge.report.study_page import StudyPart
from digitforge.report.tables import NOTHING, Cell, Row, Table
from digitforge.studies.growth import Growth
from digitforge.studies.one_digit_findings import Group


def growth_part(group: Group) -> StudyPart:
    """A recipe's curves and its figures at the end, digit by digit."""
    kinds = group.kinds
    rows = tuple(
        Row(digit, tuple(_cell(grown[digit]) for grown in kinds.values()), better="lower") for digit in group.digits
    )
    table = Table(
        "Distance at the end, in each digit's floors, mean ± standard deviation over seeds", tuple(kinds), rows
    )
    curves = {
        digit: {kind: _curves(grown[digit]) for kind, grown in kinds.items() if _curves(grown[digit])}
        for digit in group.digits
    }
    lengths = " Each point is the end of a run that was made for its length." if group.has_schedule else ""
    return StudyPart(
        f"{group.recipe}: how digits grow",
        tables=(table,),
        plates=_plates(group.recipe, curves),
        note=f"Every seed is a curve; 1 is as near to real training images as held-out ones.{lengths}",
        heading="digit",
    )


def _plates(recipe: str, curves: Mapping[str, Mapping[str, Sequence[GrowthCurve]]]) -> tuple[Plate, ...]:
    known = {digit: kinds for digit, kinds in curves.items() if kinds}
    if not known:
        return ()
    alt = f"Curves of {recipe}: the distance of {', '.join(known)} over images and seconds, alone and with all digits."
    return (figure_plate(growth_figure(known), "", alt),)


def _curves(by_seed: Mapping[int, Growth]) -> list[GrowthCurve]:
    """The growths that have at least one distance."""
    found = []
    for growth in by_seed.values():
        known = [(one.images, one.seconds, one.floors) for one in growth.moments if one.floors is not None]
        if known:
            found.append(GrowthCurve(*map(list, zip(*known, strict=True))))
    return found


def _cell(by_seed: Mapping[int, Growth]) -> Cell:
    values = [growth.last.floors for growth in by_seed.values() if growth.last.floors is not None]
    if not values:
        return Cell(NOTHING, ("hardly drawn",))
    spread = f" ± {number(stdev(values))}" if len(values) > 1 else ""
    return Cell(f"{number(mean(values))}{spread}", (f"{len(values)} of {len(by_seed)} seeds",))

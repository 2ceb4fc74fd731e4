"""Tables of a page: the figures of several runs beside each other, runs of one recipe with other seeds put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

from digitforge.data.digits import FEW_LABELS
from digitforge.report.comparison import settings_of
from digitforge.report.quantities import Measured, Quantity, by_label, labels_of, measured, written, written_real
from digitforge.report.shown import ShownRun

NOTHING = "\N{EN DASH}"
_SEED = "training.seed"
_CHANCE = 0.05  # by which two groups of seeds that are alike may be taken for unlike ones
_NAMES_SAID = 3  # of runs put together; more are told by the first and the last
# What an evaluation was measured with and held against; values that were not measured alike are in no order.
_RULER = ("classifier_sha256", "data", "data_sha256")


@dataclass(frozen=True)
class Column:
    """A run, or runs that differ in their seed alone."""

    name: str
    runs: tuple[ShownRun, ...]


@dataclass(frozen=True)
class Cell:
    """A value in words. notes: what stands below it in small print. is_best: of its row."""

    text: str
    notes: tuple[str, ...] = ()
    is_best: bool = False


@dataclass(frozen=True)
class Row:
    """A quantity. real: what real images measure; "" where nothing is known, or it differs and stands in the cells."""

    title: str
    cells: tuple[Cell, ...]
    better: str = ""
    real: str = ""


@dataclass(frozen=True)
class Table:
    """columns: their heads. real: whether a column of real images belongs to it. better: which way is, in all rows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    real: bool = False
    better: str = ""


@dataclass(frozen=True)
class LabelCount:
    """How often a label was drawn, and how often it is in the data; shares in 0..1, widths of bars in percent."""

    label: str
    drawn: int
    drawn_share: float
    data_share: float
    drawn_width: float
    data_width: float


def single_columns(shown: Sequence[ShownRun]) -> list[Column]:
    """A column a run."""
    return [Column(run.name, (run,)) for run in shown]


def seed_columns(shown: Sequence[ShownRun]) -> list[Column]:
    """A column for all runs with a model that differ in nothing but their seed; one for each other run.

    A seed trained again says nothing of how seeds differ, and goes to a column apart.
    """
    together: dict[object, list[ShownRun]] = {}
    seeds: Counter[object] = Counter()
    for run in shown:
        settings = settings_of(run.recipe)
        seed = settings.pop(_SEED)
        alike = (run.recipe.name, run.data, *settings.items()) if run.card else run.name
        again = seeds[alike, seed]
        seeds[alike, seed] += 1
        together.setdefault((alike, again), []).append(run)
    return [Column(_joined([run.name for run in runs]), tuple(runs)) for runs in together.values()]


def figure_table(caption: str, quantities: Sequence[Quantity], columns: Sequence[Column]) -> Table:
    """A row for each quantity that any run measured."""
    ranked = len(columns) > 1 and are_comparable([run for column in columns for run in column.runs])
    rows = []
    for quantity in quantities:
        found = _found(quantity, columns)
        if any(found):
            rows.append(_row(quantity, found, ranked))
    return Table(caption, tuple(column.name for column in columns), tuple(rows), any(row.real for row in rows))


def measured_at_all(quantities: Sequence[Quantity], shown: Sequence[ShownRun]) -> list[Quantity]:
    """The quantities of which any run has a value."""
    return [quantity for quantity in quantities if any(measured(run.evaluation, quantity) for run in shown)]


def are_comparable(shown: Sequence[ShownRun]) -> bool:
    """Whether all runs that were measured were measured with the same classifier against the same data."""
    return len({_ruler(run.evaluation) for run in shown if run.evaluation}) <= 1


def _ruler(evaluation: Mapping[str, Any]) -> tuple[object, ...]:
    """What a run was measured with: classifier, data, and which of their labels, as a specialist's are fewer."""
    counts = _counts(evaluation.get("histogram"), "data")
    return (*(str(evaluation.get(key)) for key in _RULER), *(label for label, count in counts.items() if count))


def label_tables(columns: Sequence[Column]) -> list[Table]:
    """Figures by label: of one run a column a quantity, of several a table a quantity with a column a run.

    None where labels are too many for a table.
    """
    labels = labels_of([run.evaluation for column in columns for run in column.runs])
    if len(labels) > FEW_LABELS:
        return []
    tables = []
    for place, quantity in enumerate(by_label("")):
        rows = []
        for label in labels:
            own = by_label(label)[place]
            found = _found(own, columns)
            if any(found):
                rows.append(replace(_row(own, found, ranked=False), title=label, better=""))
        if rows:
            real = any(row.real for row in rows)
            heads = tuple(column.name for column in columns)
            tables.append(Table(quantity.title, heads, tuple(rows), real, quantity.better))
    return [_beside(tables)] if len(columns) == 1 and tables else tables


def label_counts(run: ShownRun) -> list[LabelCount]:
    """How often each label was drawn beside how often the data have it; empty where nobody counted, or of too many."""
    counted = run.evaluation.get("histogram")
    drawn, data = (_counts(counted, key) for key in ("drawn", "data"))
    drawn_total, data_total = sum(drawn.values()), sum(data.values())
    labels = dict.fromkeys([*data, *drawn])
    if not drawn_total or not data_total or len(labels) > FEW_LABELS:
        return []
    shares = {label: (drawn.get(label, 0) / drawn_total, data.get(label, 0) / data_total) for label in labels}
    widest = max(map(max, shares.values())) / 100
    return [
        LabelCount(label, drawn.get(label, 0), ours, theirs, ours / widest, theirs / widest)
        for label, (ours, theirs) in shares.items()
        if ours or theirs
    ]


def _found(quantity: Quantity, columns: Sequence[Column]) -> list[list[Measured]]:
    """What each column's runs measured of a quantity."""
    return [
        [value for run in column.runs if (value := measured(run.evaluation, quantity)) is not None]
        for column in columns
    ]


def _row(quantity: Quantity, found: Sequence[Sequence[Measured]], ranked: bool) -> Row:
    values = [value for column in found for value in column]
    reals = {written_real(value, quantity) for value in values if value.real is not None}
    real = reals.pop() if len(reals) == 1 else ""
    best = _best(quantity, found) if ranked and len({value.n for value in values}) == 1 else set()
    cells = tuple(_cell(quantity, column, real, place in best) for place, column in enumerate(found))
    return Row(quantity.title, cells, quantity.better, real)


def _cell(quantity: Quantity, values: Sequence[Measured], real: str, is_best: bool) -> Cell:
    """The mean of a column's values, with their spread where there are several."""
    if not values:
        return Cell(NOTHING)
    numbers, notes = [value.value for value in values], []
    spread = stdev(numbers) if len(numbers) > 1 else None
    if len(numbers) > 1:
        notes.append(f"{len(numbers)} seeds")
    if counts := sorted({value.n for value in values if value.n is not None}):
        notes.append(f"n {' and '.join(f'{count:,}' for count in counts)}")
    own_reals = [value.real for value in values if value.real is not None]
    if not real and own_reals:
        notes.append(f"real {written(mean(own_reals), quantity)}")
    return Cell(written(mean(numbers), quantity, spread), tuple(notes), is_best)


def _best(quantity: Quantity, found: Sequence[Sequence[Measured]]) -> set[int]:
    """The places of the best columns, with those that can't be told from it; none where there is nothing to choose."""
    ranks = {place: _rank(quantity, values) for place, values in enumerate(found) if values}
    known = {place: rank for place, rank in ranks.items() if rank is not None}
    if not known:
        return set()
    first = min(known, key=lambda place: known[place])
    best = {
        place for place in known if known[place] == known[first] or _may_be_alike(quantity, found[place], found[first])
    }
    return best if len(best) < len(known) else set()


def _may_be_alike(quantity: Quantity, *columns: Sequence[Measured]) -> bool:
    """Whether two groups of seeds can't be told apart in how good they are on average, by Welch's test (1947).

    A single run has no spread of its own: it is lent the other group's, as Student's test (1908) does. Two single runs
    are taken as they are.
    """
    groups = [_values(quantity, values) for values in columns]
    if not any(stdev(group) for group in groups if len(group) > 1):
        return False
    from scipy.stats import ttest_ind  # takes a second, and single runs need none of it

    return bool(ttest_ind(*groups, equal_var=min(map(len, groups)) == 1).pvalue >= _CHANCE)


def _rank(quantity: Quantity, values: Sequence[Measured]) -> float | None:
    """The lower the better; None where nobody knows what would be good."""
    ranked = _values(quantity, values)
    return mean(ranked) if ranked else None


def _values(quantity: Quantity, values: Sequence[Measured]) -> list[float]:
    """The values so that a lower mean is better; of "as real" how far they lie off, on the side of their mean."""
    plain = [value.value for value in values]
    if quantity.better == "as real":
        reals = [value.real for value in values if value.real is not None]
        off = [value - mean(reals) for value in plain] if reals else []
        return [-each for each in off] if off and mean(off) < 0 else off
    return plain if quantity.better == "lower" else [-each for each in plain]


def _beside(tables: Sequence[Table]) -> Table:
    """Tables of one column each as one, their captions as its heads."""
    labels = dict.fromkeys(row.title for table in tables for row in table.rows)
    rows = []
    for label in labels:
        own = [next((row for row in table.rows if row.title == label), None) for table in tables]
        rows.append(Row(label, tuple(_with_real(row) if row else Cell(NOTHING) for row in own)))
    return Table("Figures by label", tuple(table.caption for table in tables), tuple(rows))


def _with_real(row: Row) -> Cell:
    """A row's only cell, with what real images measure in its notes."""
    (cell,) = row.cells
    return Cell(cell.text, (*cell.notes, f"real {row.real}") if row.real else cell.notes)


def _counts(counted: object, key: str) -> dict[str, int]:
    table = counted.get(key) if isinstance(counted, Mapping) else None
    items = table.items() if isinstance(table, Mapping) else ()
    return {str(name): count for name, count in items if isinstance(count, int) and count >= 0}


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMES_SAID else f"{names[0]}, …, {names[-1]}"

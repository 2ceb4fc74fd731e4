"""Findings: what a claim asks of figures, and the verdict that follows from them by the rule of `intervals`."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from digitforge.errors import DigitforgeError
from digitforge.report.plates import Plate
from digitforge.report.quantities import number
from digitforge.sheets import PNG_DAMAGE
from digitforge.studies.evidence import SEEDS, Evidence, StudiedRun
from digitforge.studies.intervals import (
    ANYWHERE,
    LEVEL,
    Interval,
    Region,
    Word,
    join,
    judge,
    ratio_interval,
    share_interval,
    student_interval,
    welch_interval,
)

# How many times a distance must be another's to be told from it: three seeds of one short training lie about as far
# from their mean (the README's 2.3 to 3.2 F), and a smaller difference would not be seen in one's own run.
NOTICED = 1.25
BETTER = Region(high=1 / NOTICED)  # of a distance over another: notably lower, which is by more than a fifth
WORSE = Region(low=NOTICED)
NO_BETTER = Region(low=1 / NOTICED)
NO_WORSE = Region(high=NOTICED)
ALIKE = Region(1 / NOTICED, NOTICED)
AS_VARIED = Region(low=1 / NOTICED)  # of a spread over that of real images
BELOW, ABOVE = Region(high=0.0), Region(low=0.0)  # of a difference
SHARE = Region(0.0, 1.0)  # in which shares and probabilities lie

Bound = Literal["", "at least", "at most"]


@dataclass(frozen=True)
class Condition:
    """One thing that must be so if a claim holds.

    says: what is measured, so that its values read as it. values: one a run. claimed: where they must lie.
    against: a second group of runs, where runs do not go by pairs; then it is values over, or less, these.
    is_ratio: whether values are compared on logarithms. n: images behind each value, 0 where none were drawn.
    bound: whether values are only bounds, since training ended first: the truth is "at least", or "at most", as much.
    possible: where such values can lie at all, which no interval goes beyond. is_count: whether each value is 1 or 0,
    for something that a run did or did not. is_aside: whether it only stands beside the others, and decides nothing.
    """

    says: str
    values: tuple[float, ...]
    claimed: Region
    against: tuple[float, ...] | None = None
    is_ratio: bool = False
    n: int = 0
    bound: Bound = ""
    possible: Region = ANYWHERE
    is_count: bool = False
    is_aside: bool = False

    @property
    def interval(self) -> Interval:
        """Of the mean, or of the difference or ratio of the two groups."""
        if self.is_count:
            return share_interval(self.values)
        if self.is_ratio:
            return ratio_interval(self.values, self.against)
        if self.against is not None:
            return welch_interval(self.values, self.against)
        return student_interval(self.values).within(self.possible)

    @property
    def word(self) -> Word:
        """What the rule says; where some values are bounds, only if each by itself says so too, wherever it truly lies.

        A bound lies nearer to the other side than the truth does, so that the true mean lies further off; but the true
        values may spread more.
        """
        word = judge(self._beyond(self.interval), self.claimed)
        alone = {judge(self._beyond(Interval(value, value, value)), self.claimed) for value in self.values}
        return "cannot be told" if self.bound and alone != {word} else word

    def _beyond(self, interval: Interval) -> Interval:
        """An interval with all that may lie beyond it."""
        if self.bound == "at least":
            return replace(interval, high=sys.float_info.max)
        return replace(interval, low=-sys.float_info.max) if self.bound == "at most" else interval

    @property
    def sentence(self) -> str:
        """The figure with its uncertainty, in words."""
        found, count = self.interval, len(self.values)
        runs = f"{count} {'run' if count == 1 else 'runs'}"
        if self.against is not None:
            runs += f" against {len(self.against)}{self._still}"
        spread = "" if math.isinf(found.high) or count < 2 else f", {LEVEL:.0%} interval {_between(found)}"
        beside = "beside it, " if self.is_aside else ""
        return f"{beside}{self.says}: {self.bound + ' ' if self.bound else ''}{number(found.mean)}{spread} ({runs})"

    @property
    def _still(self) -> str:
        """Which of the two groups has no spread, in words, since the interval then tells the other's alone."""
        assert self.against is not None
        own, other = (len(group) > 1 and len(set(group)) == 1 for group in (self.values, self.against))
        if own and other:
            return "; in each group all measured the same"
        if own or other:
            still, moving = ("former", "latter") if own else ("latter", "former")
            return f"; the {still} all measured the same, so that the interval tells the {moving}'s spread alone"
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain types; a bound that is infinite as None."""
        found = self.interval
        return {
            "says": self.says,
            "values": list(self.values),
            "against": None if self.against is None else list(self.against),
            "is_ratio": self.is_ratio,
            "mean": found.mean,
            "interval": [_finite(found.low), _finite(found.high)],
            "claimed": [_finite(self.claimed.low), _finite(self.claimed.high)],
            "level": LEVEL,
            "n": self.n,
            "bound": self.bound,
            "word": self.word,
            "is_aside": self.is_aside,
        }


@dataclass(frozen=True)
class Claim:
    """Something that a document says, made measurable.

    key: its short name. says: the claim in our words. how: how it is measured. roles: of the runs that it rests on.
    seeds: the least number of them of each role. measure: what must be so, from the runs.
    pictures: what shows it besides the figures. may_diverge: those of its roles whose diverged runs count as evidence;
    of the others they are a shortfall.
    """

    key: str
    document: str
    says: str
    how: str
    roles: tuple[str, ...]
    measure: Callable[[Evidence], Sequence[Condition]]
    seeds: int = SEEDS
    pictures: Callable[[Evidence], Sequence[Plate]] = lambda evidence: ()
    may_diverge: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A claim with what was found.

    word: the verdict. by_itself: what the figures would say if their runs were what the claim asks for; None where
    there are no figures. reasons: why it cannot be told, each a few words. endings: what was wrong with some of the
    runs at their end, each a sentence without its full stop.
    """

    claim: Claim
    word: Word
    by_itself: Word | None
    reasons: tuple[str, ...]
    conditions: tuple[Condition, ...]
    plates: tuple[Plate, ...]
    endings: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The verdict in words, with what it rests on."""
        reasons, is_open = "; ".join(self.reasons), bool(self.reasons) and self.word == "cannot be told"
        where = f" for document {self.claim.document}" if is_open else ""
        parts = [f"{self.word.capitalize()}{where}"]
        if is_open:
            parts.append(reasons)
        figures = "; ".join(condition.sentence for condition in self.conditions)
        text = ": ".join(parts) + "."
        if figures:
            text += f" {figures[0].upper()}{figures[1:]}."
        if is_open and self.by_itself is not None:
            text += f" By these runs alone: {self.by_itself}."
        elif reasons and not is_open:  # it falls with one part, whatever the others say
            text += f" Left open: {reasons}."
        return text + "".join(f" {ending}." for ending in self.endings)

    def as_dict(self) -> dict[str, Any]:
        """Everything but pictures, as plain types."""
        claim = self.claim
        return {
            "key": claim.key,
            "document": claim.document,
            "claim": claim.says,
            "how": claim.how,
            "seeds_needed": claim.seeds,
            "verdict": self.word,
            "by_itself": self.by_itself,
            "reasons": list(self.reasons),
            "sentence": self.sentence,
            "conditions": [condition.as_dict() for condition in self.conditions],
            "endings": list(self.endings),
        }


def settle(claim: Claim, evidence: Evidence, shortfalls: Sequence[str] = ()) -> Finding:
    """Hold a claim against the evidence.

    Where runs are fewer than it asks, or others, it cannot be told for its document, whatever their figures say.
    shortfalls: in what the runs differ from what is asked for, besides what the evidence tells.
    """
    reasons = [*shortfalls, *evidence.shortfalls(claim.roles, claim.seeds, claim.may_diverge)]
    try:
        conditions = tuple(claim.measure(evidence))
        by_itself = join([condition.word for condition in conditions if not condition.is_aside])
    except DigitforgeError as error:  # a run, a snapshot or a reader is missing: the other claims go on
        return Finding(claim, "cannot be told", None, (*reasons, str(error)), (), ())
    word: Word = "cannot be told" if reasons else by_itself
    pictures, endings = _pictures(claim, evidence), _endings(claim, evidence)
    return Finding(claim, word, by_itself, tuple(reasons), conditions, pictures, endings)


def _endings(claim: Claim, evidence: Evidence) -> tuple[str, ...]:
    """What the last diagnosis of a claim's runs said, role by role: by how many runs, and what in its first words."""
    found = []
    for role in claim.roles:
        runs, diverged = evidence.runs.get(role, ()), evidence.diverged.get(role, 0)
        heads = Counter(sentence.partition(":")[0] for run in runs for sentence in _diagnosis(run))
        for head, count in heads.items():
            begun = len(runs) + diverged
            found.append(f"{count} of {begun} runs of {role} ended so: {head[:1].lower()}{head[1:]}")
    return tuple(found)


def _diagnosis(run: StudiedRun) -> tuple[str, ...]:
    try:
        return run.diagnosis
    except DigitforgeError:  # never measured, or not to be read: what it says besides is lost, and no claim
        return ()


def _pictures(claim: Claim, evidence: Evidence) -> tuple[Plate, ...]:
    try:
        return tuple(claim.pictures(evidence))
    except (DigitforgeError, *PNG_DAMAGE):  # a picture less, and no claim
        return ()


def _between(found: Interval) -> str:
    return f"{number(found.low)} to {number(found.high)}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

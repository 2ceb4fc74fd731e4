"""What document 003 claims: the discriminator wins at first, and both players reach a stalemate over 100 epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from digitforge.studies.claim_pictures import curves, over_training, together
from digitforge.studies.evidence import Evidence, Need, StudiedRun
from digitforge.studies.finding import ABOVE, NO_BETTER, SHARE, Claim, Condition
from digitforge.studies.intervals import Region
from digitforge.studies.statistics_of_runs import parts

_EPOCHS, _HALF = 100, 50
_WINS = Region(low=0.9)  # the share of images that a D which has "no trouble at all" is right about
_STILL = Region(-0.05, 0.05)  # by which a share may drift in a stalemate

NEEDS = {
    "baseline": Need("baseline", stages=(_HALF, _EPOCHS)),
    "baseline-first-epoch": Need(
        "baseline", {"record.tick": "1/10 run", "record.accuracy": "1/10 run"}, epochs=1, is_own=True
    ),
}


def _wins_at_first(evidence: Evidence) -> Sequence[Condition]:
    best = evidence.each("baseline-first-epoch", lambda run: max(_right(run)))
    first = evidence.each("baseline-first-epoch", lambda run: mean(_right(run)))
    late = evidence.each("baseline", lambda run: mean(_right(run, quarter=3)))
    count = evidence.judged("baseline-first-epoch")
    return [
        Condition("D's best accuracy on real and fake within the first epoch", best, _WINS, n=count, possible=SHARE),
        Condition("its mean within the first epoch less that in the last quarter", first, ABOVE, late, n=count),
    ]


def _stalemate(evidence: Evidence) -> Sequence[Condition]:
    kinds = {"real": "accuracy.real_train", "fake": "accuracy.fake"}
    conditions = [
        Condition(
            f"D's accuracy on {kind} images in the last quarter less that in the third",
            evidence.each("baseline", _drift(key)),
            _STILL,
            n=evidence.judged("baseline"),
        )
        for kind, key in kinds.items()
    ]
    gain = evidence.each("baseline", lambda run: run.distance(_EPOCHS) / run.distance(_HALF))
    says = f"distance after {_EPOCHS} epochs over that after {_HALF}"
    count = evidence.count("baseline")
    return [*conditions, Condition(says, gain, NO_BETTER, is_ratio=True, n=count)]


def _right(run: StudiedRun, quarter: int | None = None) -> list[float]:
    """D's accuracy at each time that it was measured, or in a quarter: the mean of those on real and fake images."""
    curves = [run.curve(f"accuracy.{kind}") for kind in ("real_train", "fake")]
    real, fake = (one.values if quarter is None else parts(one, 4, are_means=False)[quarter] for one in curves)
    return [float(value) for value in (real + fake) / 2]


def _drift(key: str) -> Callable[[StudiedRun], float]:
    """By how much a curve lies higher in its last quarter than in its third."""

    def measure(run: StudiedRun) -> float:
        third, last = parts(run.curve(key), 4, are_means=False)[2:]
        return float(last.mean() - third.mean())

    return measure


CLAIMS = (
    Claim(
        "d-wins-at-first",
        "003",
        "At first the discriminator has no trouble at all to tell real from fake; later it has.",
        "D's accuracy, the mean of those on real and on fake images, ten times within the first epoch. It holds if the "
        "best of them passes 90 % and their mean lies above that in the last quarter of all epochs.",
        ("baseline-first-epoch", "baseline"),
        _wins_at_first,
        pictures=together(curves("baseline-first-epoch"), curves("baseline")),
    ),
    Claim(
        "stalemate",
        "003",
        "In the end the players reach a stalemate: learning stalls on both sides.",
        "It holds if D's accuracies on real and on fake images move by less than five points from the third quarter of "
        "training to the last, and the second half of training lowers the distance to real images by less than a "
        "fifth.",
        ("baseline",),
        _stalemate,
        pictures=over_training("baseline", 10, _HALF, _EPOCHS),
    ),
)

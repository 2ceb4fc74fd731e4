"""What document 004 claims: from noise over blobs to digits, losses that settle, varied strokes, nothing memorised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from digitforge.studies.claim_pictures import copies, curves, models, over_training, together
from digitforge.studies.evidence import Evidence, MissingError, Need, StudiedRun
from digitforge.studies.finding import ABOVE, AS_VARIED, BELOW, BETTER, WORSE, Claim, Condition
from digitforge.studies.intervals import Region
from digitforge.studies.statistics_of_runs import parts, unrest
from digitforge.training.diagnosis import Kind, kind_of

_STAGES = (0, 0.25, 1)  # epochs after which noise, blobs and rough digits are looked for
_EARLY = 20  # epochs by which a collapse "too quickly" shows
_TOO_STRONG = 10  # times that a player's rate is raised
# What a diagnosis calls a training that came to nothing; one with too few data may yet draw well.
_COLLAPSES: tuple[Kind, ...] = ("discriminator-wins", "generator-wins", "collapse", "divergence")
_FIFTHS = 5
_COPIED = Region(high=0.005)  # of images, beyond those of real ones: one in two hundred

NEEDS = {
    "raschka": Need("raschka"),
    "raschka-first-epochs": Need("raschka", epochs=_EARLY),
    "raschka-early": Need(
        "raschka", {"record.snapshot": "1/4 run", "record.sheet": "1/4 run"}, epochs=1, stages=_STAGES, is_own=True
    ),
    "raschka-strong-d": Need("raschka", {"discriminator_optimiser.rate": 2e-4 * _TOO_STRONG}, epochs=_EARLY),
    "raschka-strong-g": Need("raschka", {"generator_optimiser.rate": 3e-4 * _TOO_STRONG}, epochs=_EARLY),
}


def _stages(evidence: Evidence) -> Sequence[Condition]:
    count = evidence.count("raschka")
    conditions = [
        Condition(
            f"distance after {late:g} epochs over that after {early:g}",
            evidence.each("raschka-early", _gain(early, late)),
            BETTER,
            is_ratio=True,
            n=count,
        )
        for early, late in pairwise(_STAGES)
    ]
    rough = evidence.each("raschka-early", lambda run: run.distance(_STAGES[-1]))
    end = evidence.each("raschka", lambda run: run.distance())
    says = f"distance at the end over that after {_STAGES[-1]} epoch"
    return [*conditions, Condition(says, end, BETTER, rough, is_ratio=True, n=count)]


def _gain(early: float, late: float) -> Callable[[StudiedRun], float]:
    return lambda run: run.distance(late) / run.distance(early)


def _collapse(role: str, player: str) -> Callable[[Evidence], Sequence[Condition]]:
    setting = f"with {player}'s rate {_TOO_STRONG} times as high"

    def measure(evidence: Evidence) -> Sequence[Condition]:
        described = "raschka-first-epochs"
        plain, count = evidence.each(described, lambda run: run.distance()), evidence.count(described)
        runs = evidence.runs.get(role, ())
        collapses = (*[1.0] * evidence.diverged.get(role, 0), *map(_collapsed, runs))
        if not collapses:
            evidence.of(role)  # raises
        says = f"share of runs that diverge, or end with a player that wins or a G that has collapsed, {setting}"
        conditions = [Condition(says, collapses, ABOVE, is_count=True)]
        if runs:
            says = f"distance after {_EARLY} epochs {setting} over that as described"
            strong = evidence.each(role, lambda run: run.distance())
            conditions.append(Condition(says, strong, WORSE, plain, is_ratio=True, n=count, is_aside=True))
        return conditions

    return measure


def _collapsed(run: StudiedRun) -> float:
    """1 where a run's diagnosis says at its end that training has collapsed, else 0."""
    return float(any(kind_of(sentence) in _COLLAPSES for sentence in run.diagnosis))


def _losses_settle(evidence: Evidence) -> Sequence[Condition]:
    conditions = []
    for player in ("discriminator", "generator"):
        fifths = [parts(run.curve(f"loss.{player}"), _FIFTHS) for run in evidence.of("raschka")]
        falls = tuple(float(found[-1].mean() - found[0].mean()) for found in fifths)
        calms = tuple(unrest(found[-1]) - unrest(found[0]) for found in fifths)
        conditions.append(Condition(f"the {player}'s loss in the last fifth less that in the first", falls, BELOW))
        conditions.append(
            Condition("its spread from tick to tick in the last fifth less that in the first", calms, BELOW)
        )
    return conditions


def _strokes(evidence: Evidence) -> Sequence[Condition]:
    return [
        Condition(
            f"spread of {words} over that of real images",
            evidence.each("raschka", _spread(key)),
            AS_VARIED,
            is_ratio=True,
            n=evidence.count("raschka"),
        )
        for key, words in (("stroke_width", "stroke widths"), ("slant", "slants"))
    ]


def _spread(key: str) -> Callable[[StudiedRun], float]:
    """The standard deviation of a property of strokes, drawn over real."""

    def measure(run: StudiedRun) -> float:
        strokes = run.figures(details=True)["details"][key]
        if not strokes:
            raise MissingError("the images have no strokes to be measured")
        return float(strokes["spread"]["value"] / strokes["spread"]["real"])

    return measure


def _copies(evidence: Evidence) -> Sequence[Condition]:
    shares = evidence.each("raschka", _copied)
    says = "share of drawn images that copy a training image, less that of held-out images"
    return [Condition(says, shares, _COPIED, n=evidence.count("raschka"))]


def _copied(run: StudiedRun) -> float:
    copies = run.figures(details=True)["details"]["copies"]
    if copies is None:
        raise MissingError("without held-out images nothing tells what a copy is")
    return float(copies["value"] - copies["real"])


CLAIMS = (
    Claim(
        "noise-to-digits",
        "004",
        "Noise becomes blobs, blobs become rough digits, and these become convincing ones.",
        "The distance to real images before the first step, after a quarter of an epoch, after one and at the end. It "
        "holds if each lies more than a fifth below the one before.",
        ("raschka-early", "raschka"),
        _stages,
        pictures=together(over_training("raschka-early", *_STAGES), models("raschka")),
    ),
    Claim(
        "strong-d",
        "004",
        "If the discriminator becomes too powerful too quickly, training can collapse.",
        f"D's learning rate {_TOO_STRONG} times as high, for {_EARLY} epochs. Runs are counted that collapsed: whose "
        "numbers ran away, or of which the last diagnosis says that a player wins or that G has collapsed. It holds if "
        "their share is above 0, of which one such run is proof; without one it cannot be told. How much farther from "
        "real images the runs end than as described stands beside, since a larger distance alone is no collapse.",
        ("raschka-strong-d", "raschka-first-epochs"),
        _collapse("raschka-strong-d", "D"),
        pictures=together(over_training("raschka-first-epochs", _EARLY), over_training("raschka-strong-d", _EARLY)),
        may_diverge=("raschka-strong-d",),
    ),
    Claim(
        "strong-g",
        "004",
        "If the generator becomes too powerful too quickly, training can collapse.",
        f"G's learning rate {_TOO_STRONG} times as high, for {_EARLY} epochs; as above.",
        ("raschka-strong-g", "raschka-first-epochs"),
        _collapse("raschka-strong-g", "G"),
        pictures=together(over_training("raschka-first-epochs", _EARLY), over_training("raschka-strong-g", _EARLY)),
        may_diverge=("raschka-strong-g",),
    ),
    Claim(
        "losses-settle",
        "004",
        "Ideally both losses fall and settle.",
        "Each player's loss, and its spread from tick to tick, in the last fifth of training and in the first. It "
        "holds if all four are lower in the last.",
        ("raschka",),
        _losses_settle,
        pictures=curves("raschka"),
    ),
    Claim(
        "varied-strokes",
        "004",
        "Bold digits, thin ones and slanted ones all appear, as in real writing.",
        "The spread of stroke widths and of slants, drawn over real. It holds if each is above 0.8.",
        ("raschka",),
        _strokes,
        pictures=models("raschka"),
    ),
    Claim(
        "not-memorised",
        "004",
        "The generator does not merely memorise its training images.",
        "The share of drawn images that lie as near to one training image as hardly any held-out one does. It holds if "
        "it passes that of held-out images by less than one in two hundred.",
        ("raschka",),
        _copies,
        pictures=copies("raschka"),
    ),
)

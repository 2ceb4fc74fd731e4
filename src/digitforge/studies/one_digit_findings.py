"""What `study one-digit` finds: specialists against one model, in images, in seconds, and for one total cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from digitforge.report.plates import Plate, png_plate
from digitforge.studies.evidence import SEEDS, Evidence, MissingError
from digitforge.studies.finding import Bound, Claim, Condition, Finding, settle
from digitforge.studies.growth import Growth
from digitforge.studies.intervals import Region

DOCUMENT = "000"
_LABELS = 10  # specialists that it takes to draw every digit
_READ = Region(low=0.9)  # of a specialist's images that must be read as its digit, where training works at all
_LESS, _MORE = Region(high=1.0), Region(low=1.0)
_SAME = Region(1 / 1.1, 1.1)  # of seconds an image: what a shared machine makes of one and the same work

Grown = Mapping[str, Sequence[Growth]]  # by digit, a growth a seed


@dataclass(frozen=True)
class Group:
    """All trainings of a recipe. alone: the specialists; untold, told: the models of all digits, without and with
    labels. sheets: what the first seed of each draws, as PNG files."""

    recipe: str
    alone: Grown
    untold: Grown
    told: Grown
    sheets: Mapping[str, bytes]

    @property
    def digits(self) -> list[str]:
        """Those that are compared."""
        return list(self.alone)

    def targets(self, quality: float | None) -> dict[str, float]:
        """The distance in floors that each digit is to reach. Raises MissingError where nothing tells one."""
        return {digit: quality or _end(self.untold[digit], digit) for digit in self.digits}


def findings_of(group: Group, quality: float | None, seeds: int) -> list[Finding]:
    """Every question about a recipe, answered."""
    short = [f"{seeds} of {SEEDS} seeds"] if seeds < SEEDS else []
    return [settle(claim, Evidence({}, {}), short) for claim in claims_of(group, quality)]


def claims_of(group: Group, quality: float | None) -> list[Claim]:
    """The document's answers and open questions, for a recipe."""

    def claim(key: str, says: str, how: str, measure: Callable[[], list[Condition]], *kinds: str) -> Claim:
        return Claim(
            f"{group.recipe}-{key}",
            DOCUMENT,
            says,
            how,
            roles=(),
            measure=lambda evidence: measure(),
            pictures=lambda evidence: _sheets(group, kinds),
        )

    return [
        claim(
            "feasible",
            "Training on one digit alone is feasible.",
            "The share of a specialist's images that the classifier reads as its digit, the mean over digits. It "
            "holds above 90 %.",
            lambda: _feasible(group),
            *group.digits,
        ),
        claim(
            "fewer-images",
            "A model for one digit needs fewer images to a given quality than a model for all digits.",
            "Images until a specialist reaches the quality, over those of the unconditional model, and of the "
            "conditional one; it holds if both are below 1.",
            lambda: _until(group, quality, "images"),
            "unconditional",
            "conditional",
        ),
        claim(
            "faster",
            "A model for one digit needs less time to a given quality than one for all digits (the open question).",
            "The same in seconds of training steps.",
            lambda: _until(group, quality, "seconds"),
        ),
        claim(
            "fewer-classes-help",
            "Fewer classes in training give better images after as many images seen.",
            "The distance of a digit at the end of training, in its own floor, a specialist's over the unconditional "
            "model's. It holds below 1. The kernel distance, which has no bias, must say the same.",
            lambda: _at_equal_images(group),
        ),
        claim(
            "equal-seconds",
            "After as many seconds a specialist draws its digit better than a model for all digits.",
            "The same after as many seconds of training steps as the shorter of both trainings took.",
            lambda: _at_equal_seconds(group),
        ),
        claim(
            "time-an-image",
            "Fitting time depends on the model and the number of epochs, not on how many classes there are.",
            "Seconds of training steps an image, a specialist's over the unconditional model's; at most a tenth off.",
            lambda: _time_an_image(group),
        ),
        claim(
            "ten-cost-more",
            "Specialists for all ten digits cost more time than one model of the same quality.",
            "Ten times a specialist's seconds to the quality, over the unconditional model's.",
            lambda: _until(group, quality, "seconds", _LABELS),
        ),
        claim(
            "equal-cost",
            "Ten specialists that share the time of one model draw better than it.",
            "The distance of a digit, in its own floor, after a tenth of the one model's seconds, a "
            "specialist's over the unconditional model's and the conditional one's; it holds if both are below 1.",
            lambda: _at_equal_cost(group),
        ),
    ]


def _feasible(group: Group) -> list[Condition]:
    reads = {digit: [growth.last.read for growth in group.alone[digit]] for digit in group.digits}
    seeds = _seeds(*group.alone.values())
    values = tuple(mean(reads[digit][seed] or 0.0 for digit in group.digits) for seed in range(seeds))
    return [Condition("share of specialists' images read as their digit", values, _READ)]


def _until(group: Group, quality: float | None, unit: str, times: int = 1) -> list[Condition]:
    """A specialist's images or seconds until the quality, `times` over, over those of one model."""
    targets = group.targets(quality)
    partners = {"unconditional": group.untold} | ({} if times > 1 else {"conditional": group.told})
    who = "a specialist's" if times == 1 else f"{times} specialists'"
    return [
        _ratio_until(f"{who} {unit} to the quality over the {name} model's", group, partner, targets, unit, times)
        for name, partner in partners.items()
    ]


def _ratio_until(
    says: str, group: Group, partner: Grown, targets: Mapping[str, float], unit: str, times: int
) -> Condition:
    values, late, early = [], False, False
    for seed in range(_seeds(*group.alone.values(), *partner.values())):
        ratios = []
        for digit in group.digits:
            mine, theirs = (grown[digit][seed].reaches(targets[digit]) for grown in (group.alone, partner))
            late, early = late or not mine.is_reached, early or not theirs.is_reached
            ratios.append(times * float(getattr(mine, unit)) / float(getattr(theirs, unit)))
        values.append(_geometric(ratios))
    if late and early:
        raise MissingError(
            "some specialist and some training of one model for all ended before the quality was reached"
        )
    claimed = _LESS if times == 1 else _MORE
    bound: Bound = "at least" if late else "at most" if early else ""
    return Condition(says, tuple(values), claimed, is_ratio=True, bound=bound)


def _at_equal_images(group: Group) -> list[Condition]:
    says = "a specialist's distance at the end over the unconditional model's"
    return [
        _compared(says, group, group.untold, lambda mine, theirs: (mine.last.images, mine.last.images)),
        _kernels(group),
    ]


def _kernels(group: Group) -> Condition:
    """The difference of kernel distances, which may be below 0 and has no ratio."""
    values = []
    for seed in range(_seeds(*group.alone.values(), *group.untold.values())):
        pairs = [[grown[digit][seed].last.kernel for grown in (group.alone, group.untold)] for digit in group.digits]
        known = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
        if len(known) < len(pairs):
            raise MissingError("a digit is hardly drawn at the end of a training")
        values.append(mean(mine - theirs for mine, theirs in known))
    says = "a specialist's kernel distance at the end less the unconditional model's"
    return Condition(says, tuple(values), Region(high=0.0))


def _at_equal_seconds(group: Group) -> list[Condition]:
    def moments(mine: Growth, theirs: Growth) -> tuple[float, float]:
        seconds = min(mine.last.seconds, theirs.last.seconds)
        return seconds / mine.seconds_an_image, seconds / theirs.seconds_an_image

    says = "a specialist's distance after as many seconds over the unconditional model's"
    return [_compared(says, group, group.untold, moments)]


def _at_equal_cost(group: Group) -> list[Condition]:
    def moments(mine: Growth, theirs: Growth) -> tuple[float, float]:
        seconds = min(theirs.last.seconds, _LABELS * mine.last.seconds)
        return seconds / _LABELS / mine.seconds_an_image, seconds / theirs.seconds_an_image

    says = "a specialist's distance after a tenth of the time over the {} model's"
    return [
        _compared(says.format("unconditional"), group, group.untold, moments),
        _compared(says.format("conditional"), group, group.told, moments),
    ]


def _compared(
    says: str, group: Group, partner: Grown, moments: Callable[[Growth, Growth], tuple[float, float]]
) -> Condition:
    """Ratios of distances at two moments, given in images of each, the geometric mean over digits a seed."""
    values = []
    for seed in range(_seeds(*group.alone.values(), *partner.values())):
        ratios = []
        for digit in group.digits:
            mine, theirs = group.alone[digit][seed], partner[digit][seed]
            places = moments(mine, theirs)
            own, other = mine.floors_after(places[0]), theirs.floors_after(places[1])
            if own is None or other is None:
                raise MissingError(f"{digit} is hardly drawn, or not measured, at that moment")
            ratios.append(own / other)
        values.append(_geometric(ratios))
    return Condition(says, tuple(values), _LESS, is_ratio=True)


def _time_an_image(group: Group) -> list[Condition]:
    values = [
        _geometric(
            [
                group.alone[digit][seed].seconds_an_image / group.untold[digit][seed].seconds_an_image
                for digit in group.digits
            ]
        )
        for seed in range(_seeds(*group.alone.values(), *group.untold.values()))
    ]
    says = "a specialist's seconds an image over the unconditional model's"
    return [Condition(says, tuple(values), _SAME, is_ratio=True)]


def _end(growths: Sequence[Growth], digit: str) -> float:
    """The distance in floors that all of some trainings reach by their ends."""
    known = [growth.last.floors for growth in growths if growth.last.floors is not None]
    if not known:
        raise MissingError(f"the unconditional model hardly draws {digit}, so that no quality of it can be aimed at")
    return max(known)


def _seeds(*growths: Sequence[Growth]) -> int:
    """How many seeds there are of everything. Raises MissingError where there are none."""
    count = min(map(len, growths))
    if not count:
        raise MissingError("a training came to no end")
    return count


def _geometric(values: Sequence[float]) -> float:
    return math.exp(mean(map(math.log, values)))


def _sheets(group: Group, kinds: Sequence[str]) -> list[Plate]:
    """What models draw at their end, the first seed of each."""
    plates = []
    for kind in kinds:
        if kind in group.sheets:
            what = f"{group.recipe}, {kind if kind in ('unconditional', 'conditional') else f'{kind} alone'}"
            plates.append(png_plate(group.sheets[kind], what, f"What {what} draws: rows of digits."))
    return plates

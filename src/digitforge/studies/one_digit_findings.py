"""What `study one-digit` finds: specialists against one model, in images, in seconds, and for one total cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from digitforge.report.growth import KINDS
from digitforge.report.plates import Plate, png_plate
from digitforge.studies.evidence import SEEDS, Evidence, MissingError
from digitforge.studies.finding import Claim, Condition, Finding, settle
from digitforge.studies.growth import Growth
from digitforge.studies.intervals import join
from digitforge.studies.one_digit_sides import (
    Grown,
    Sides,
    Unit,
    at_equal_cost,
    at_equal_images,
    at_equal_seconds,
    cost,
    kernels_at_equal_images,
    share_read,
    time_an_image,
    until,
)

DOCUMENT = "000"
UNTOLD, TOLD = "unconditional", "conditional"


@dataclass(frozen=True)
class Group:
    """All trainings of a recipe.

    alone: the specialists; untold, told: the models of all digits, without and with labels. count: images of a digit
    that are measured. labels: how many digits there are. has_schedule: whether moments are the ends of runs of several
    lengths. sheets: what the first seed of each draws, as PNG files.
    """

    recipe: str
    alone: Grown
    untold: Grown
    told: Grown
    count: int
    labels: int = 10
    has_schedule: bool = False
    sheets: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def digits(self) -> list[str]:
        """Those that are compared."""
        return list(self.alone)

    @property
    def kinds(self) -> dict[str, Grown]:
        """All of them, by what they were trained on."""
        return dict(zip(KINDS, (self.alone, self.untold, self.told), strict=True))

    def as_dict(self) -> dict[str, Any]:
        """All that was measured on the way, as plain types: by kind, digit and seed."""
        return {
            kind: {
                digit: {str(seed): [asdict(moment) for moment in growth.moments] for seed, growth in by_seed.items()}
                for digit, by_seed in grown.items()
            }
            for kind, grown in self.kinds.items()
        }

    @property
    def specialists(self) -> Sides:
        """By themselves."""
        return Sides(self.alone, self.count, self.labels)

    @property
    def beside_untold(self) -> Sides:
        """Specialists beside the model without labels."""
        return Sides(self.alone, self.count, self.labels, UNTOLD, self.untold)

    @property
    def beside_told(self) -> Sides:
        """Specialists beside the model with labels."""
        return Sides(self.alone, self.count, self.labels, TOLD, self.told)

    def targets(self, quality: float | None) -> dict[str, float]:
        """The distance in floors that each digit is to reach. Raises MissingError where nothing tells one."""
        return {digit: quality or _end(self.untold[digit], digit) for digit in self.digits}


@dataclass(frozen=True)
class Part:
    """One condition of a claim, and the sides that it compares."""

    sides: Sides
    measure: Callable[[Sides], Condition]


@dataclass(frozen=True)
class Question:
    """A claim of the document's, or its open question. kinds: of models whose images show the answer."""

    key: str
    says: str
    how: str
    parts: tuple[Part, ...]
    kinds: tuple[str, ...] = ()


def findings_of(group: Group, quality: float | None) -> list[Finding]:
    """Every question about a recipe, answered. quality: in floors, None for what the model without labels reaches."""
    return [_answer(group, question) for question in questions_of(group, quality)]


def questions_of(group: Group, quality: float | None) -> list[Question]:
    """The document's answers and open questions, for a recipe."""
    both = (group.beside_untold, group.beside_told)

    def until_quality(sides: Sides, unit: Unit) -> Condition:
        return until(sides, group.targets(quality), unit)

    def of_both(measure: Callable[[Sides], Condition]) -> tuple[Part, ...]:
        return tuple(Part(sides, measure) for sides in both)

    return [
        Question(
            "feasible",
            "Training on one digit alone is feasible.",
            "The share of a specialist's images that the classifier reads as its digit, the mean over digits. It "
            "holds above 90 %.",
            (Part(group.specialists, share_read),),
            tuple(group.digits),
        ),
        Question(
            "fewer-images",
            "A model for one digit needs fewer images to a given quality than a model for all digits.",
            "Images until a specialist reaches the quality, over those of the unconditional model, and of the "
            "conditional one; it holds if both are below 1.",
            of_both(partial(until_quality, unit="images")),
            (UNTOLD, TOLD),
        ),
        Question(
            "faster",
            "A model for one digit needs less time to a given quality than one for all digits (the open question).",
            "The same in seconds of training steps.",
            of_both(partial(until_quality, unit="seconds")),
        ),
        Question(
            "fewer-classes-help",
            "Fewer classes in training give better images after as many images seen.",
            "The distance of a digit at the end of training, in its own floor, a specialist's over the unconditional "
            "model's. It holds below 1. The kernel distance, which has no bias, must say the same.",
            (Part(group.beside_untold, at_equal_images), Part(group.beside_untold, kernels_at_equal_images)),
        ),
        Question(
            "equal-seconds",
            "After as many seconds a specialist draws its digit better than a model for all digits.",
            "The distance of a digit, in its own floor, after as many seconds of training steps as the shorter of both "
            "trainings took, a specialist's over the unconditional model's and the conditional one's; it holds if both "
            "are below 1.",
            of_both(at_equal_seconds),
        ),
        Question(
            "time-an-image",
            "Fitting time depends on the model and the number of epochs, not on how many classes there are.",
            "Seconds of training steps an image, a specialist's over the unconditional model's; at most a tenth off.",
            (Part(group.beside_untold, time_an_image),),
        ),
        Question(
            "ten-cost-more",
            "Specialists for all ten digits cost more time than one model of the same quality.",
            "The seconds to the quality of specialists for all digits together, their mean over the digits compared "
            "times the number of digits, over those until the unconditional model, and the conditional one, has it for "
            "all digits compared; it holds if both are above 1.",
            of_both(lambda sides: cost(sides, group.targets(quality))),
        ),
        Question(
            "equal-cost",
            "Ten specialists that share the time of one model draw better than it.",
            "The distance of a digit, in its own floor, after a specialist's share of the one model's seconds, a "
            "specialist's over the unconditional model's and the conditional one's; it holds if both are below 1.",
            of_both(at_equal_cost),
        ),
    ]


def _answer(group: Group, question: Question) -> Finding:
    """The verdicts of a question's parts as one: a part that cannot be told takes nothing from one that falls."""
    claim = Claim(f"{group.recipe}-{question.key}", DOCUMENT, question.says, question.how, (), lambda evidence: ())
    found = [_settled(claim, part) for part in question.parts]
    conditions = tuple(condition for one in found for condition in one.conditions)
    return Finding(
        claim,
        word=join([one.word for one in found]),
        by_itself=join([one.by_itself or "cannot be told" for one in found]) if conditions else None,
        reasons=tuple(dict.fromkeys(reason for one in found for reason in one.reasons)),
        conditions=conditions,
        plates=_sheets(group, question.kinds),
    )


def _settled(claim: Claim, part: Part) -> Finding:
    """The verdict of one part alone, which rests on the seeds that both of its sides have."""
    seeds = len(part.sides.seeds)
    short = [f"{seeds} of {SEEDS} seeds"] if seeds < SEEDS else []
    return settle(replace(claim, measure=lambda evidence: [part.measure(part.sides)]), Evidence({}, {}), short)


def _end(by_seed: Mapping[int, Growth], digit: str) -> float:
    """The distance in floors that all of some trainings reach by their ends."""
    known = [growth.last.floors for growth in by_seed.values() if growth.last.floors is not None]
    if not known:
        raise MissingError(f"the unconditional model hardly draws {digit}, so that no quality of it can be aimed at")
    return max(known)


def _sheets(group: Group, kinds: Sequence[str]) -> tuple[Plate, ...]:
    """What models draw at their end, the first seed of each."""
    plates = []
    for kind in kinds:
        if kind in group.sheets:
            what = f"{group.recipe}, {kind if kind in (UNTOLD, TOLD) else f'{kind} alone'}"
            plates.append(png_plate(group.sheets[kind], what, f"What {what} draws: rows of digits."))
    return tuple(plates)

"""The diagnosis of a run in words: from its lines of statistics to what is wrong, by which numbers, and what to change.

A sign has to last before it is spoken of, and early in a run nothing is: every generator begins far off, and every
discriminator begins by winning. The bounds were set on the finished runs of this package's recipes. Frechet distances
in the pinned classifier's features: 110 at the start of each run; 0.1 (express), 7 (dcgan) and 10 (upsample) where most
drawings are digits; 19 and 22 (wgan, wgan-gp) where half or a quarter are; 41 (baseline, begun) where they are blots.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from digitforge.recipe import Recipe

Kind = Literal["discriminator-wins", "generator-wins", "collapse", "divergence", "too-little-data"]
Line = Mapping[str, Any]  # of statistics, as `stats.jsonl` has it

_WARM_UP = 0.1  # share of the run of which nothing is said
_SPAN = 0.1  # share of the run that a sign lasts, however dense the measurements, ...
_ACCURACIES = 3  # ... and so many measurements of D in a row, which swings from one to the next, ...
_FIGURES = 2  # ... or so many of the figures: by default there are ten in a run, each from the same latents
_LINES = 3  # in a row for losses, means over a tick each: they run away faster than a tenth of a run

_NEAR_PERFECT = 0.95  # of each kind of image judged rightly; a D that teaches seldom stays above it for long
_GUESSING = 0.55  # separation up to which D may only guess: at 1,000 images of each kind, 1/2 and four errors of it
_FAR = 20.0  # Frechet distance above which few digits are to be read, see above
_FALL = 0.9  # of the first distance: what falls below is still learning
_SURE = math.log(100)  # a loss of G in nats at which D takes fakes for real with a chance of 1 in 100
_HARDLY = 0.2  # of a label's share among real images: what is read less often is hardly drawn
_CHANCE = 1e-3  # of so few images by chance alone, label by label: 1 in 100 over ten labels
_MOST = 0.5  # share of the data that must be lacking where no digit is to be read: blots are read as a few digits
_UNVARIED = 0.15  # of the spread of real images: all real images of one digit have 0.05 (of 1) to 0.145 (of 8)
_RUNAWAY = 100.0  # times its usual size: 1 for a loss in nats, else its lower quartile so far, since the median of
# what grows as a power of time is soon large itself; no run that went on well came to a tenth of this
_GAP = 0.2  # between D's accuracies on training and held-out images; whole MNIST comes to 0.1 after seven epochs
_ERRORS = 3.0  # standard errors that the gap must exceed
_NAMED = 10  # labels named at most

_TERMS = {"discriminator": "the discriminator's loss", "generator": "the generator's loss", "penalty": "the penalty"}


_HEADLINES: dict[Kind, str] = {
    "discriminator-wins": "The discriminator wins and the generator learns no more from it",
    "generator-wins": "The generator wins against a blind discriminator",
    "collapse": "The generator has collapsed and draws only a part of what there is",
    "divergence": "The numbers run away",
    "too-little-data": "The data are so few that the discriminator learns them by heart",
}


@dataclass(frozen=True)
class Finding:
    """Something wrong with a run.

    sentence: "what is wrong: by which numbers; what to change." The words before the colon are a kind's own and never
    change; what to change are recipe keys or options.
    """

    kind: Kind
    sentence: str


def diagnose(
    lines: Sequence[Line], frequencies: Mapping[str, int], recipe: Recipe, read: Mapping[str, int] | None = None
) -> list[Finding]:
    """What is wrong with a run by its statistics so far; nothing where all is well.

    lines: newest last. frequencies: how often each label occurs in training, by name. recipe: with its length in
    images. read: how often each is read among real images by what reads the figures'; None: as often as it occurs. A
    pure function, so that a resumed run says what an undisturbed one does.
    """
    run = _Run(lines, frequencies, recipe, read or frequencies)
    # Causes before what they lead to: a generator that is not taught draws few things too, and so on.
    outcome = _divergence(run) or _discriminator_wins(run) or _generator_wins(run) or _collapse(run)
    return [finding for finding in (outcome, _too_little_data(run)) if finding is not None]


def kind_of(sentence: str) -> Kind | None:
    """The kind of a finding whose sentence statistics kept; None for words that no release of today says."""
    return next((kind for kind, words in _HEADLINES.items() if sentence.startswith(f"{words}:")), None)


def is_early(lines: Sequence[Line], recipe: Recipe) -> bool:
    """Whether a run has been measured too little for most signs: they take D's accuracies and, where it has any, the
    figures."""
    run = _Run(lines, {}, recipe, {})
    return not run.accuracies or (run.has_figures and not run.figures)


@dataclass(frozen=True)
class _Run:
    """What the signs are read from."""

    lines: Sequence[Line]
    frequencies: Mapping[str, int]
    recipe: Recipe
    read: Mapping[str, int]

    @cached_property
    def accuracies(self) -> list[Line]:
        """The newest lines with D's accuracies that a sign must be seen in; none where it is too early."""
        return self._lately("accuracy", _ACCURACIES)

    @cached_property
    def figures(self) -> list[Mapping[str, Any]]:
        """The newest figures that a sign must be seen in, oldest first; none where it is too early."""
        return [line["figures"] for line in self._lately("figures", _FIGURES)]

    @cached_property
    def settled(self) -> list[Line]:
        """The lines after the warm-up."""
        start = self.recipe.training.pretrain_images
        return [line for line in self.lines if line["images"] >= start + _WARM_UP * self._length]

    @property
    def has_figures(self) -> bool:
        return any("figures" in line for line in self.lines)

    @property
    def is_wasserstein(self) -> bool:
        """Whether losses are on no scale of their own; those of the other objectives are in nats."""
        return self.recipe.objective.loss == "wasserstein"

    @property
    def is_stuck(self) -> bool:
        """Whether the images are far from real and come no nearer."""
        distances = [figures["frechet"] for figures in self.figures]
        return bool(distances) and min(distances) > _FAR and not self.is_learning

    @property
    def is_learning(self) -> bool:
        """Whether the distance still falls."""
        distances = [figures["frechet"] for figures in self.figures]
        return bool(distances) and min(distances) < _FALL * distances[0]

    @property
    def distance(self) -> str:
        """How the distance went, in words."""
        first, last = self.figures[0]["frechet"], self.figures[-1]["frechet"]
        return f"the Frechet distance to real images stays large ({last:.1f} after {first:.1f})"

    def now(self, key: str) -> str:
        """A recipe's key and what it is set to."""
        section, name = key.split(".")
        return f"{key} ({getattr(getattr(self.recipe, section), name):g} now)"

    @property
    def _length(self) -> int:
        """Images of the adversarial phase."""
        assert self.recipe.training.images is not None
        return self.recipe.training.images - self.recipe.training.pretrain_images

    def _lately(self, key: str, least: int) -> list[Line]:
        """The newest settled measurements: at least so many, over the span; none where there are fewer."""
        measured = [line for line in self.settled if key in line]
        for start in range(len(measured) - least, -1, -1):
            if measured[-1]["images"] - measured[start]["images"] >= _SPAN * self._length:
                return measured[start:]
        return []


def _discriminator_wins(run: _Run) -> Finding | None:
    """D is right on nearly everything, and G gets no better: its gradient has gone (Arjovsky and Bottou 2017).

    A D that is right is not enough: a critic or a relativistic D is meant to be, and raschka's is all along.
    """
    if not run.accuracies or min(_least_right(line["accuracy"]) for line in run.accuracies) < _NEAR_PERFECT:
        return None
    losses = [line["loss"]["generator"] for line in run.accuracies if "generator" in line["loss"]]
    if run.has_figures and run.is_stuck:
        evidence = run.distance
    elif not run.has_figures and not run.is_wasserstein and min(losses, default=0) > _SURE and losses[-1] >= losses[0]:
        evidence = f"the generator's loss does not fall ({losses[-1]:.1f} after {losses[0]:.1f})"
    else:
        return None
    accuracy = run.accuracies[-1]["accuracy"]
    shares = f"{_percent(accuracy['real_train'])} of real and {_percent(accuracy['fake'])} of generated images"
    changes = [f"lower {run.now('discriminator_optimiser.rate')}", f"raise {run.now('generator_optimiser.rate')}"]
    if run.recipe.training.critic_steps > 1:
        changes.append(f"lower {run.now('training.critic_steps')}")
    if not run.is_wasserstein:
        changes += [f"raise {run.now('networks.dropout')}", f"raise {run.now('objective.r1')}"]
    return _finding("discriminator-wins", f"it is right on {shares}, and {evidence}", changes)


def _generator_wins(run: _Run) -> Finding | None:
    """D guesses or is fooled by images that are far from real; at good images, guessing is the optimum."""
    if not run.accuracies or not run.is_stuck:
        return None
    newest = run.accuracies[-1]["accuracy"]
    if max(line["accuracy"]["separation"] for line in run.accuracies) <= _GUESSING:
        evidence = f"it finds the real one in {_percent(newest['separation'])} of pairs, where guessing finds half"
    elif max(line["accuracy"]["fake"] for line in run.accuracies) <= 1 - _NEAR_PERFECT:
        evidence = f"it takes {_percent(1 - newest['fake'])} of generated images for real"
    else:
        return None
    changes = [f"raise {run.now('discriminator_optimiser.rate')}", f"lower {run.now('generator_optimiser.rate')}"]
    brakes = {"networks.dropout": run.recipe.networks.dropout, "objective.r1": run.recipe.objective.r1}
    changes += [f"lower {run.now(key)}" for key, value in brakes.items() if value]
    return _finding("generator-wins", f"{evidence}, while {run.distance}", changes)


def _collapse(run: _Run) -> Finding | None:
    """G draws only a part of what there is to draw: labels are lacking, or all its images are alike."""
    if not run.figures or not run.accuracies:  # by those, neither player wins
        return None
    newest, is_far = run.figures[-1], run.figures[-1]["frechet"] > _FAR
    if is_far and run.is_learning:
        return None
    wanted = [name for name in run.read if run.frequencies.get(name)]  # not what real images are misread as
    lacking = [name for name in wanted if all(_hardly_draws(run, name, figures) for figures in run.figures)]
    share = sum(run.read[name] for name in lacking) / sum(run.read.values())
    if lacking and (share >= _MOST or not is_far):
        names = ", ".join(lacking[:_NAMED]) + (" and others" if len(lacking) > _NAMED else "")
        read = sum(newest["read"].get(name, 0) for name in lacking)
        evidence = f"{read:,} of {newest['n']:,} images are read as {names}, where {share * newest['n']:,.0f} should be"
    elif max(figures["spread"] for figures in run.figures) < _UNVARIED:
        evidence = f"{newest['n']:,} images vary {newest['spread']:.2g} times as much as real ones"
    else:
        return None
    changes = [f"lower {run.now('generator_optimiser.rate')}"]
    if not run.is_wasserstein:
        changes.append(f"raise {run.now('objective.r1')}")
    changes.append(f"raise {run.now('training.batch_size')}")
    if not run.recipe.networks.conditional and not run.recipe.networks.clusters:
        changes.append("set networks.conditional=true, which asks for every label, or networks.clusters above 0")
    return _finding("collapse", evidence, changes)


def _divergence(run: _Run) -> Finding | None:
    """A loss or the penalty grows without bound; once it is no number, the run ends with an error of its own."""
    recent = [line["loss"] for line in run.settled[-_LINES:]]
    for name, words in _TERMS.items():
        sizes = [abs(loss[name]) for loss in recent if name in loss]
        before = [abs(line["loss"][name]) for line in run.lines[:-_LINES] if name in line["loss"]]
        is_in_nats = name != "penalty" and not run.is_wasserstein
        if len(sizes) < _LINES or not (before or is_in_nats):
            continue
        usual = 1.0 if is_in_nats else max(1.0, sorted(before)[len(before) // 4])
        if min(sizes) > _RUNAWAY * usual:
            changes = [f"lower {run.now(f'{player}_optimiser.rate')}" for player in ("generator", "discriminator")]
            if run.recipe.compute.precision != "32":
                changes.append("train with --precision 32")
            evidence = f"{words} is {sizes[-1]:.2g} and was over {_RUNAWAY * usual:.2g} for {_LINES} ticks"
            return _finding("divergence", evidence, changes)
    return None


def _too_little_data(run: _Run) -> Finding | None:
    """D knows its training images by heart (Karras et al. 2020, "Training GANs with limited data", figure 1)."""
    if not run.accuracies or not all(_knows_by_heart(line["accuracy"]) for line in run.accuracies):
        return None
    newest = run.accuracies[-1]
    accuracy = newest["accuracy"]
    seen = f"{_percent(accuracy['real_train'])} of {accuracy['real_train_n']:,} training images"
    unseen = f"{_percent(accuracy['real_held_out'])} of {accuracy['real_held_out_n']:,} that it never saw"
    changes = [
        f"train on more images ({sum(run.frequencies.values()):,} now)",
        f"raise {run.now('networks.dropout')}",
        f"raise {run.now('objective.r1')}",
        f"stop after fewer epochs ({newest['epoch']:g} so far)",
    ]
    return _finding("too-little-data", f"it is right on {seen} and on {unseen}", changes)


def _finding(kind: Kind, evidence: str, changes: Sequence[str]) -> Finding:
    """A finding from its numbers and two or more things to change."""
    return Finding(kind, f"{_HEADLINES[kind]}: {evidence}; {', '.join(changes[:-1])} or {changes[-1]}.")


def _least_right(accuracy: Mapping[str, float]) -> float:
    """The lowest of D's accuracies; a D that is wrong on held-out images has learned by heart and does not win."""
    return min(accuracy[key] for key in ("separation", "real_train", "real_held_out", "fake") if key in accuracy)


def _knows_by_heart(accuracy: Mapping[str, float]) -> bool:
    """Whether D is right on training images clearly more often than on held-out ones."""
    if "real_held_out" not in accuracy:
        return False
    seen, unseen = accuracy["real_train"], accuracy["real_held_out"]
    # Both shares as if they were their mean, which is not 0 or 1 where they differ.
    mean = (seen + unseen) / 2
    error = math.sqrt(mean * (1 - mean) * (1 / accuracy["real_train_n"] + 1 / accuracy["real_held_out_n"]))
    return seen - unseen > max(_GAP, _ERRORS * error)


def _hardly_draws(run: _Run, name: str, figures: Mapping[str, Any]) -> bool:
    """Whether a label is read far more seldom than among real images, and not by chance; one that is trained alone has
    nothing beside it."""
    share = run.read[name] / sum(run.read.values())
    if not 0 < share < 1 or sum(map(bool, run.frequencies.values())) < 2:
        return False
    count, images = figures["read"].get(name, 0), figures["n"]
    return bool(count < _HARDLY * share * images) and chance_of_so_few(count, images, share) < _CHANCE


def chance_of_so_few(count: int, images: int, share: float) -> float:
    """No less than the chance of at most `count` of `images` where each is one with chance `share`, in 0..1 exclusive.

    The bound is exp(-images x KL), of the share found from the one expected (Hoeffding 1963, theorem 1).
    """
    found = count / images
    if found >= share:
        return 1.0
    divergence = sum(p * math.log(p / q) for p, q in ((found, share), (1 - found, 1 - share)) if p)
    return math.exp(-images * divergence)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"

"""The diagnosis: what is wrong is said with its numbers once it lasts, and of a run that learns nothing is said."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitforge.data import DataSet, load_data
from digitforge.errors import DivergenceError, InterruptionError
from digitforge.recipe import Recipe, recipe_keys
from digitforge.runs import RunFolder
from digitforge.training.diagnosis import Finding, chance_of_so_few, diagnose, kind_of
from digitforge.training.train import train
from tiny_runs import Listener, tiny_recipe

LENGTH = 1000
MNIST = {str(digit): 6000 for digit in range(10)}
EVEN = dict.fromkeys(MNIST, 100)
GOOD = {"separation": 0.75, "real_train": 0.7, "real_held_out": 0.68, "fake": 0.65}
PERFECT = dict.fromkeys(GOOD, 0.99)
LEARNED = {"frechet": 0.3, "spread": 1.0, "read": EVEN}
NOISE = {"frechet": 110.0, "spread": 0.5, "read": EVEN}

Values = Mapping[str, Any]


def recipe(settings: Values | None = None) -> Recipe:
    return tiny_recipe({"training.images": LENGTH, "objective.r1": 0.0, "networks.dropout": 0.0} | dict(settings or {}))


def lines(
    accuracy: Values | Sequence[Values] = GOOD,
    figures: Values | Sequence[Values] | None = LEARNED,
    loss: Sequence[Values] = ({"discriminator": 1.3, "generator": 0.9},),
    count: int = 10,
    n: int = 1000,
) -> list[dict[str, Any]]:
    """A made-up run told in so many lines, all measured; a sequence is gone through and stays at its last."""

    def at(values: Values | Sequence[Values], index: int) -> Values:
        return values if isinstance(values, Mapping) else values[min(index, len(values) - 1)]

    told = []
    for index in range(count):
        share = (index + 1) / count
        judged = dict(at(accuracy, index))
        judged |= {f"{kind}_n": n for kind in judged if kind != "separation"}
        line = {"images": round(LENGTH * share), "epoch": 8 * share, "loss": at(loss, index), "accuracy": judged}
        told.append(line if figures is None else line | {"figures": {"n": n} | dict(at(figures, index))})
    return told


def distances(*values: float) -> list[Values]:
    return [NOISE | {"frechet": value} for value in values]


def losses(*values: float) -> list[Values]:
    return [{"discriminator": 0.01, "generator": value} for value in values]


def found(told: list[dict[str, Any]], settings: Values | None = None, names: Values = MNIST) -> list[Finding]:
    """Everything that is said from line to line, in order."""
    return [finding for end in range(1, len(told) + 1) for finding in diagnose(told[:end], names, recipe(settings))]


def kinds(told: list[dict[str, Any]], settings: Values | None = None, names: Values = MNIST) -> set[str]:
    return {finding.kind for finding in found(told, settings, names)}


def newest(told: list[dict[str, Any]], settings: Values | None = None, names: Values = MNIST) -> str:
    (finding,) = diagnose(told, names, recipe(settings))
    return finding.sentence


def test_of_a_run_that_learns_nothing_is_said() -> None:
    assert kinds(lines(figures=distances(110, 40, 12, 3, 1, 0.5, 0.4, 0.3))) == set()
    assert kinds(lines(figures=None)) == set()
    assert diagnose([], MNIST, recipe()) == []


# The discriminator wins


def test_a_discriminator_that_wins_is_told_with_its_numbers_and_what_to_change() -> None:
    sentence = newest(lines(PERFECT, distances(110, 109, 111, 110, 112)))
    assert sentence == (
        "The discriminator wins and the generator learns no more from it: it is right on 99 % of real and 99 % of "
        "generated images, and the Frechet distance to real images stays large (112.0 after 112.0); lower "
        "discriminator_optimiser.rate (0.001 now), raise generator_optimiser.rate (0.001 now), raise "
        "networks.dropout (0 now) or raise objective.r1 (0 now)."
    )


@pytest.mark.parametrize(
    "told",
    [
        lines(PERFECT, distances(110, 90, 75, 60, 50, 42, 35, 30, 26, 22)),  # it teaches
        lines(PERFECT, LEARNED),  # a strong D beside good images
        lines(PERFECT | {"real_held_out": 0.9}, NOISE | {"frechet": 111.0}),
        lines([PERFECT, PERFECT, GOOD], NOISE),
    ],
    ids=["the distance falls", "the images are good", "wrong on held-out images", "it did not last"],
)
def test_a_discriminator_that_is_right_is_no_fault_by_itself(told: list[dict[str, Any]]) -> None:
    assert kinds(told) == set()


def test_without_figures_the_generators_loss_tells_whether_it_learns() -> None:
    stuck = lines(PERFECT, None, losses(6, 7, 8, 9))
    assert "the generator's loss does not fall (9.0 after 9.0)" in newest(stuck)
    assert kinds(stuck) == {"discriminator-wins"}
    assert kinds(lines(PERFECT, None, losses(9, 8.5, 8, 7.5, 7, 6.5, 6, 5.5, 5, 4.8))) == set()
    assert kinds(lines(PERFECT, None, losses(2.6))) == set()  # D is seldom wrong, not never
    assert kinds(stuck, {"objective.loss": "wasserstein"}) == set()  # whose losses are on no scale


def test_what_raschka_went_through_on_mnist_is_no_fault() -> None:
    loss = (4.2, 5.4, 5.0, 4.6, 4.3, 3.8, 3.4, 3.0, 2.9, 2.6)  # as measured, and D between 0.95 and 1.0
    distance = (36, 23, 19, 15, 11, 10, 8.4, 8.3, 7.9, 7.4)
    spread = (0.18, 0.26, 0.38, 0.42, 0.48, 0.49, 0.54, 0.54, 0.55, 0.57)
    figures = [{"frechet": a, "spread": b, "read": EVEN} for a, b in zip(distance, spread, strict=True)]
    assert kinds(lines(PERFECT, figures, losses(*loss))) == set()
    assert kinds(lines(PERFECT, None, losses(*loss))) == set()


def test_a_critic_is_given_fewer_turns_rather_than_a_penalty() -> None:
    wasserstein = {"objective.loss": "wasserstein", "training.critic_steps": 5, "training.update": "alternating"}
    sentence = newest(lines(PERFECT, NOISE), wasserstein)
    assert "or lower training.critic_steps (5 now)" in sentence
    assert "objective.r1" not in sentence


# The generator wins

BLIND = {"separation": 0.51, "real_train": 0.5, "real_held_out": 0.5, "fake": 0.5}
FOOLED = {"separation": 0.9, "real_train": 1.0, "real_held_out": 1.0, "fake": 0.02}


def test_a_blind_discriminator_beside_images_far_from_real_is_told() -> None:
    assert kinds(lines(BLIND, NOISE)) == {"generator-wins"}
    sentence = newest(lines(BLIND, NOISE), {"networks.dropout": 0.4})
    assert "finds the real one in 51 % of pairs" in sentence and "(110.0 after 110.0)" in sentence
    assert "raise discriminator_optimiser.rate (0.001 now)" in sentence
    assert "lower networks.dropout (0.4 now)" in sentence
    assert "it takes 98 % of generated images for real" in newest(lines(FOOLED, NOISE))


@pytest.mark.parametrize("accuracy", [BLIND, FOOLED])
def test_a_discriminator_that_can_only_guess_beside_good_images_is_the_optimum(accuracy: Values) -> None:
    assert kinds(lines(accuracy, LEARNED)) == set()
    assert kinds(lines(accuracy, distances(110, 90, 75, 60, 50, 42, 35, 30, 26, 22))) == set()
    assert kinds(lines(accuracy, None)) == set()


# The generator collapses


def without(*names: str, left: int = 0) -> dict[str, int]:
    """How 1,000 images are read where some labels are hardly drawn."""
    others = [name for name in EVEN if name not in names]
    share = (1000 - left * len(names)) // len(others)
    return dict.fromkeys(names, left) | dict.fromkeys(others, share)


def test_labels_that_are_hardly_drawn_are_named() -> None:
    told = lines(figures=LEARNED | {"frechet": 6.0, "read": without("4", "9", left=3)})
    assert kinds(told) == {"collapse"}
    sentence = newest(told, {"networks.conditional": False})
    assert "6 of 1,000 images are read as 4, 9, where 200 should be" in sentence
    assert "networks.conditional=true" in sentence
    assert "networks.conditional" not in newest(told, {"networks.conditional": True})


@pytest.mark.parametrize(
    "figures",
    [
        LEARNED | {"read": without("4", left=25)},
        [LEARNED, LEARNED | {"read": without("4")}, LEARNED, LEARNED | {"read": without("9")}, LEARNED],
        LEARNED | {"n": 20, "read": {"0": 20}},
        NOISE | {"frechet": 40.0, "read": without("4", "6", "9")},
        [NOISE | {"frechet": 1000 * 0.8**step, "spread": 0.01, "read": {"8": 1000}} for step in range(10)],
    ],
    ids=["a quarter of its share", "not for long", "too few images", "blots", "still learning"],
)
def test_what_chance_or_early_images_do_is_no_collapse(figures: Values) -> None:
    assert kinds(lines(figures=figures)) == set()


def test_labels_out_of_training_are_not_missed() -> None:
    threes_and_fives = {name: 6000 if name in "35" else 0 for name in MNIST}
    told = lines(figures=LEARNED | {"read": {"3": 500, "5": 500}})
    assert kinds(told, names=threes_and_fives) == set()
    assert kinds(told, names={"3": 6000, "5": 0}) == set()
    assert kinds(lines(figures=LEARNED | {"read": {"3": 1000}}), names=threes_and_fives) == {"collapse"}


def test_images_that_are_all_alike_are_told_whatever_they_are_read_as() -> None:
    told = lines(figures=NOISE | {"spread": 0.02})
    assert "1,000 images vary 0.02 times as much as real ones" in newest(told)
    assert kinds(lines(figures=NOISE | {"spread": 0.2})) == set()
    assert kinds(lines(figures=NOISE | {"read": {"8": 1000}})) == {"collapse"}


def test_what_a_classifier_misreads_in_real_images_too_is_no_collapse() -> None:
    read = {"2": 450, "3": 550}  # as it reads all ten kinds
    told = lines(figures=LEARNED | {"read": read})
    assert [finding.kind for finding in diagnose(told, MNIST, recipe())] == ["collapse"]
    assert diagnose(told, MNIST, recipe(), read) == []
    alone, read = MNIST | dict.fromkeys("012456789", 0), {"3": 5850, "8": 150}
    assert diagnose(lines(figures=LEARNED | {"read": {"3": 1000}}), alone, recipe(), read) == []
    assert diagnose(lines(figures=NOISE | {"read": {"1": 1000}}), alone, recipe(), read) == []


def test_a_generator_that_is_not_taught_is_not_called_collapsed() -> None:
    assert kinds(lines(PERFECT, NOISE | {"spread": 0.02})) == {"discriminator-wins"}
    assert kinds(lines(BLIND, NOISE | {"spread": 0.02})) == {"generator-wins"}
    assert kinds(lines(BLIND, NOISE | {"spread": 0.02}, losses(300))) == {"divergence"}


def test_at_most_ten_labels_are_named() -> None:
    names = {f"letter {index}": 100 for index in range(26)}
    sentence = newest(lines(figures=LEARNED | {"read": {"letter 25": 1000}}), names=names)
    assert "letter 9 and others" in sentence and "letter 10" not in sentence


@pytest.mark.parametrize(("count", "images", "share"), [(0, 50, 0.1), (3, 200, 0.1), (19, 1000, 0.1), (4, 100, 0.5)])
def test_the_chance_of_so_few_is_never_taken_too_low(count: int, images: int, share: float) -> None:
    exact = sum(math.comb(images, k) * share**k * (1 - share) ** (images - k) for k in range(count + 1))
    assert exact <= chance_of_so_few(count, images, share) * (1 + 1e-9) <= 30 * exact
    assert chance_of_so_few(images, images, share) == 1


# Numbers that run away


def test_a_loss_that_runs_away_is_told_before_it_is_no_number() -> None:
    told = lines(figures=None, loss=[{"discriminator": 1.3, "generator": 0.9}] * 20 + losses(*[500.0] * 30), count=50)
    assert kinds(told) == {"divergence"}
    assert "the generator's loss is 5e+02 and was over 1e+02 for 3 ticks" in newest(told)
    assert "--precision 32" not in newest(told)
    assert "or train with --precision 32" in newest(told, {"compute.precision": "bf16"})


def test_losses_without_a_scale_run_away_from_what_they_were() -> None:
    wasserstein = {"objective.loss": "wasserstein"}
    grown = [{"discriminator": -60.0, "generator": -100.0 - step} for step in range(50)]  # as wgan's were
    assert kinds(lines(figures=None, loss=grown, count=50), wasserstein) == set()
    power = [{"discriminator": -(float(step) ** 4), "generator": 0.0} for step in range(50)]
    told = lines(figures=None, loss=power, count=50)
    assert kinds(told, wasserstein) == {"divergence"}
    penalty = [{"discriminator": 1.0, "generator": 1.0, "penalty": 10.0 ** max(0, step - 10)} for step in range(20)]
    assert "the penalty is 1e+09" in newest(lines(figures=None, loss=penalty, count=20))


def test_a_spike_is_no_divergence() -> None:
    spikes = losses(*[500.0 if step % 3 else 1.0 for step in range(50)])
    assert kinds(lines(figures=None, loss=spikes, count=50)) == set()


# Too little data

BY_HEART = GOOD | {"real_train": 0.98, "real_held_out": 0.55}


def test_images_known_by_heart_are_told_with_their_counts() -> None:
    told = lines(BY_HEART)
    assert kinds(told) == {"too-little-data"}
    assert newest(told, names=dict.fromkeys(MNIST, 20)) == (
        "The data are so few that the discriminator learns them by heart: it is right on 98 % of 1,000 training images "
        "and on 55 % of 1,000 that it never saw; train on more images (200 now), raise networks.dropout (0 now), raise "
        "objective.r1 (0 now) or stop after fewer epochs (8 so far)."
    )


@pytest.mark.parametrize(
    "told",
    [
        lines(GOOD | {"real_train": 0.68, "real_held_out": 0.58}),  # express after seven epochs of MNIST
        lines(GOOD | {"real_train": 0.8, "real_held_out": 0.5}, n=20),
        lines([BY_HEART, BY_HEART, GOOD]),
        lines({kind: share for kind, share in BY_HEART.items() if kind != "real_held_out"}),
    ],
    ids=["a small gap", "few images", "not for long", "nothing held out"],
)
def test_a_gap_that_is_small_or_chance_is_no_lack_of_data(told: list[dict[str, Any]]) -> None:
    assert kinds(told) == set()


# When it is said


def first_said(told: list[dict[str, Any]], settings: Values | None = None) -> int:
    return next(line["images"] for end, line in enumerate(told, 1) if diagnose(told[:end], MNIST, recipe(settings)))


def test_a_sign_must_last_and_the_beginning_does_not_count() -> None:
    assert first_said(lines(PERFECT, None, losses(9))) == 300  # the third measurement
    assert first_said(lines(PERFECT, None, losses(9), count=100)) == 200  # dense ones: a tenth of the run after a tenth
    collapsed = lines(figures=NOISE | {"spread": 0.02})
    for line in collapsed[::2]:
        del line["figures"]
    assert first_said(collapsed) == 400  # the second of five figures


def test_the_run_begins_where_pretraining_ends() -> None:
    told = lines(PERFECT, None, [{"discriminator": 0.01}] * 50 + losses(9), count=100)
    assert first_said(told, {"training.pretrain_images": 500}) == 600


def test_what_is_wrong_beside_each_other_is_said_in_one_order_under_unchanging_headlines() -> None:
    told = lines(BY_HEART, NOISE | {"spread": 0.02})
    said = diagnose(told, MNIST, recipe())
    assert [finding.kind for finding in said] == ["collapse", "too-little-data"]
    assert all(finding.sentence.count(": ") == 1 and finding.sentence.endswith(".") for finding in said)
    earlier = diagnose(lines(BY_HEART, NOISE | {"spread": 0.03}), MNIST, recipe())
    assert [one.sentence.split(":")[0] for one in said] == [one.sentence.split(":")[0] for one in earlier]


def test_a_sentence_that_statistics_kept_tells_its_kind() -> None:
    sick = (lines(PERFECT, NOISE), lines(BLIND, NOISE), lines(figures=NOISE | {"spread": 0.0}), lines(BY_HEART))
    said = [finding for told in (*sick, lines(loss=losses(300))) for finding in found(told)]
    assert len({finding.kind for finding in said}) == 5
    assert all(kind_of(finding.sentence) == finding.kind for finding in said)
    assert kind_of("The generator is tired: it said so; let it rest.") is None


def test_every_key_that_is_named_is_one_of_a_recipe() -> None:
    sick = (lines(PERFECT, NOISE), lines(BLIND, NOISE), lines(figures=NOISE | {"spread": 0.0}), lines(BY_HEART))
    settings = {"networks.conditional": False, "networks.dropout": 0.1, "objective.r1": 0.1}
    text = " ".join(finding.sentence for told in (*sick, lines(loss=losses(300))) for finding in found(told, settings))
    keys = set(re.findall(r"[a-z_]+\.[a-z_]+[a-z0-9_]*", text))
    assert {"discriminator_optimiser.rate", "networks.conditional", "training.batch_size"} <= keys <= set(recipe_keys())


# Runs that are made to fail

_BATCH = 32
SMALL = {
    "training.batch_size": _BATCH,
    "training.images": 200 * _BATCH,
    "training.constant_until": 1.0,
    "training.ema_images": 0,
    "networks.conditional": False,
    "networks.latent_size": 16,
    "networks.generator_width": 8,
    "networks.discriminator_width": 8,
    "networks.dropout": 0.0,
    "objective.r1": 0.0,
    "record.tick": "1/50 run",
    "record.accuracy": "1/10 run",
    "record.accuracy_images": 200,
    "record.figures": "1/5 run",
    "record.figure_images": 200,
    "record.sheet": "1/1 run",
    "record.snapshot": "1/1 run",
}
G_RATE, D_RATE = "generator_optimiser.rate", "discriminator_optimiser.rate"


def digits(count: int) -> DataSet:
    """So many real digits to train on, and 300 others that are held out."""
    images = load_data("mnist-5k").train
    order = np.random.default_rng(0).permutation(len(images))
    return DataSet("few", images.take(order[1000 : 1000 + count]), images.take(order[:300]))


def said(folder: RunFolder) -> str:
    """All that a run says of itself, a sentence a line."""
    return "\n".join(sentence for line in folder.read_stats() for sentence in line.get("diagnosis", []))


@pytest.mark.parametrize(
    ("count", "settings", "words", "others"),
    [
        (500, {G_RATE: 1e-3, D_RATE: 1e-8}, "generator wins", "discriminator wins|by heart|run away|collapsed"),
        (500, {G_RATE: 0.3}, "collapsed", "by heart|run away"),
        (500, {D_RATE: 1e-2, "objective.loss": "wasserstein"}, "run away", "by heart"),
        (20, {G_RATE: 2e-3, D_RATE: 2e-3, "training.images": 400 * _BATCH}, "by heart", "wins|run away"),
    ],
    ids=["a discriminator that hardly learns", "a generator that leaps", "an unbounded critic", "twenty images"],
)
def test_a_run_that_is_made_to_fail_says_how(
    light_end: None, tmp_path: Path, count: int, settings: Values, words: str, others: str
) -> None:
    folder = train(tiny_recipe(SMALL | settings), digits(count), out=tmp_path / "run")
    assert re.search(words, said(folder))
    assert not re.search(others, said(folder))


def test_a_losing_generator_is_told_of_alike_when_its_run_was_stopped_and_resumed(
    light_end: None, tmp_path: Path
) -> None:
    data, losing = digits(500), tiny_recipe(SMALL | {G_RATE: 1e-7})
    listener = Listener()
    straight = train(losing, data, out=tmp_path / "straight", observers=[listener])
    assert set(re.findall("^The .* wins|collapsed|by heart|run away", said(straight), re.M)) == {
        "The discriminator wins"
    }
    told = [line.get("diagnosis", []) for line in straight.read_stats()]
    assert told == [[finding.sentence for finding in tick.findings or ()] for tick in listener.ticks if tick.line]
    measured = [tick for tick in listener.ticks if tick.line and "accuracy" in tick.line]
    assert measured[0].findings == () and measured[-1].findings
    stop = Listener(130 * _BATCH, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(InterruptionError):
        train(losing, data, out=tmp_path / "stopped", observers=[stop])
    resumed = train(data=data, out=tmp_path / "stopped", resume=True)
    assert [line.get("diagnosis", []) for line in resumed.read_stats()] == told


def test_rates_that_are_far_too_high_end_in_no_numbers(light_end: None, tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match=r"the losses, .* are no numbers any more"):
        train(tiny_recipe(SMALL | {G_RATE: 1e12, D_RATE: 1e12}), digits(100), out=tmp_path / "run")


def test_a_small_run_that_learns_says_nothing(light_end: None, tmp_path: Path) -> None:
    learning = {
        G_RATE: 2e-3,
        "objective.r1": 0.05,
        "networks.conditional": True,
        "training.images": 400 * _BATCH,
        "training.ema_images": 2000,
        "training.update": "alternating-same-fakes",
    }
    folder = train(tiny_recipe(SMALL | learning), digits(2000), out=tmp_path / "run")
    distances = [line["figures"]["frechet"] for line in folder.read_stats() if "figures" in line]
    assert len(distances) == 5 and distances[-1] < distances[0] / 2
    assert said(folder) == ""

"""From a time budget to an image count: throughput is probed on throw-away steps."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

from lightning_fabric import Fabric

from digitforge.recipe import Recipe

_SHARE = 0.07  # of the budget goes on probing, ...
_SHORTEST = 0.5  # ... but at least so many seconds, ...
_LONGEST = 4.0  # ... and at most so many
_ROUNDS = 5  # in which the batch sizes take turns, so that a slow moment of the machine hits them all alike
_WARM_UP = 8  # steps, at least, until memory is allocated and oneDNN's kernels are made


def images_in(recipe: Recipe, probe: Callable[[int], Callable[[], None]], fabric: Fabric) -> int:
    """How many images `training.seconds` of steps show D at the speed that this machine has now.

    probe: gives for a batch size what takes a step with it, on a state that is thrown away afterwards.
    """
    training = recipe.training
    assert training.seconds is not None
    allowed = min(max(_SHARE * training.seconds, _SHORTEST), _LONGEST)
    pace = seconds_an_image(recipe, probe, fabric, allowed)
    return max(training.batch_size, round(training.seconds / pace))


def seconds_an_image(
    recipe: Recipe, probe: Callable[[int], Callable[[], None]], fabric: Fabric, allowed: float
) -> float:
    """What an image takes of the steps of a run, told by throw-away steps of about `allowed` seconds.

    probe: as for images_in. Where the batch grows, each size is timed, since each serves for an equal share of the
    images. The median of the rounds counts, so that one that was disturbed does not; the steps of nine runs of
    `digitforge train express --budget 60s` took 0.71 to 1.17 times as long as throw-away ones, 0.95 on average. A round
    is of whole cycles; where these are long there are fewer rounds.
    """
    training, cycle = recipe.training, cycle_of(recipe)
    sizes = [training.batch_size * 2**doubling for doubling in range(training.batch_doublings + 1)]
    steps = [probe(size) for size in sizes]
    share = allowed / (len(sizes) * (1 + _ROUNDS))
    for take_step in steps:
        timed(take_step, share, fabric, cycle, at_least=_WARM_UP)
    rounds: list[list[tuple[float, int]]] = []
    while len(rounds) < _ROUNDS and sum(seconds for turns in rounds for seconds, _ in turns) < allowed:
        rounds.append([timed(take_step, share, fabric, cycle) for take_step in steps])
    pace = 0.0
    for size, turns in zip(sizes, zip(*rounds, strict=True), strict=True):
        pace += statistics.median(seconds / taken for seconds, taken in turns) / size / len(sizes)
    return pace


def cycle_of(recipe: Recipe) -> int:
    """Steps after which turns of G and penalties come again in the same order, so that so many take their true time."""
    objective = recipe.objective
    has_penalty = objective.r1 or objective.r2 or objective.gradient_penalty
    return math.lcm(recipe.training.critic_steps, objective.penalty_every if has_penalty else 1)


def timed(
    take_step: Callable[[], None], allowed: float, fabric: Fabric, cycle: int = 1, at_least: int = 1
) -> tuple[float, int]:
    """Take whole cycles of steps for `allowed` seconds; how long they took, and how many steps these were.

    The first process holds the clock.
    """
    start, taken, spent = time.perf_counter(), 0, 0.0
    while spent < allowed or taken < at_least or taken % cycle:
        take_step()
        taken += 1
        spent = float(fabric.broadcast(time.perf_counter() - start))
    return spent, taken

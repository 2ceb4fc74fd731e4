"""From a time budget to an image count: throughput is probed on throw-away steps."""

from __future__ import annotations

import time
from collections.abc import Callable

from lightning_fabric import Fabric

from digitforge.recipe import Training

_WARM_UP = 8  # steps until memory is allocated, oneDNN's kernels are made and the processor's clock has settled
_SHARE = 0.06  # of the budget goes on probing, ...
_SHORTEST = 0.5  # ... but at least so many seconds, ...
_LONGEST = 4.0  # ... and at most so many


def images_in(training: Training, probe: Callable[[int], Callable[[], None]], fabric: Fabric) -> int:
    """How many images `training.seconds` of steps show D at the speed that this machine has now.

    probe: gives for a batch size what takes a step with it, on a state that is thrown away afterwards. Where the
    batch grows, each size is timed, since each serves for an equal share of the images.
    """
    assert training.seconds is not None
    sizes = [training.batch_size * 2**doubling for doubling in range(training.batch_doublings + 1)]
    allowed = min(max(_SHARE * training.seconds, _SHORTEST), _LONGEST) / len(sizes)
    paces = [seconds_a_step(probe(size), allowed, fabric) / size for size in sizes]
    images: int = round(training.seconds * len(paces) / sum(paces))
    return max(training.batch_size, images)


def seconds_a_step(take_step: Callable[[], None], allowed: float, fabric: Fabric) -> float:
    """The mean time of a step, from `allowed` seconds of them; the first of several processes holds the clock."""
    for _ in range(_WARM_UP):
        take_step()
    start, steps, spent = time.perf_counter(), 0, 0.0
    while spent < allowed:
        take_step()
        steps += 1
        spent = float(fabric.broadcast(time.perf_counter() - start))
    return spent / steps

"""From a time budget to an image count: throughput is probed on throw-away steps."""

from __future__ import annotations

import time
from collections.abc import Callable

from lightning_fabric import Fabric

_WARM_UP = 10  # steps until memory is allocated, oneDNN's kernels are made and the processor's clock has settled
_SHARE = 0.05  # of the budget goes on probing, ...
_SHORTEST = 0.5  # ... but at least so many seconds, ...
_LONGEST = 4.0  # ... and at most so many


def images_in(seconds: float, batch_size: int, take_step: Callable[[], None], fabric: Fabric) -> int:
    """How many images `seconds` of steps show D at the speed that this machine has now.

    take_step: takes a step of a state that is thrown away afterwards. With several processes the first one's clock
    decides, so that all take the same steps.
    """
    for _ in range(_WARM_UP):
        take_step()
    allowed = min(max(_SHARE * seconds, _SHORTEST), _LONGEST)
    start, steps, spent = time.perf_counter(), 0, 0.0
    while spent < allowed:
        take_step()
        steps += 1
        spent = fabric.broadcast(time.perf_counter() - start)
    return max(batch_size, round(seconds * steps / spent) * batch_size)

"""The desk: one modest thread that draws one thing after another, so that trainings keep the cores."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from digitforge.errors import DigitforgeError

MAX_WAITING = 256  # requests: more than a flood of 200, each answered in milliseconds
_NICENESS = 10  # Linux then gives a training that wants the same core nine tenths of it, ...
# ... but, as desktops set it up, only within one session, which a training leaves; so the desk also rests by itself:
# nineteen times as long as it worked, while anybody trains. A training's threads wait for each other, so that what
# takes a core from one of them costs both; resting nine times as long, a flood took 28 % of its speed on two cores.
_REST = 19.0
_LONGEST_REST = 0.5  # seconds, so that nobody waits long for a small thing behind a large one
Result = TypeVar("Result")


class BusyError(DigitforgeError):
    """More is asked for than can wait in line."""


class Desk:
    """Draws what is asked for in the order of asking.

    is_training: whether somebody trains on this machine now, and needs its cores more.
    """

    def __init__(self, is_training: Callable[[], bool] = lambda: False) -> None:
        self._is_training = is_training
        self._rests_until = 0.0
        self._thread = ThreadPoolExecutor(1, "desk", initializer=_be_modest)
        self._waiting = 0  # counted in the event loop's thread alone

    async def do(self, work: Callable[[], Result]) -> Result:
        """The result of some work, when its turn has come. Raises BusyError at once where the line is full."""
        if self._waiting >= MAX_WAITING:
            raise BusyError("the studio has its hands full; try again in a moment")
        self._waiting += 1
        future = self._thread.submit(self._work, work)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._waiting -= 1

    def _work(self, work: Callable[[], Result]) -> Result:
        """Do some work, once the rest from the work before is over: the first in line need not wait for any."""
        rest = self._rests_until - time.monotonic()
        if rest > 0 and self._is_training():
            time.sleep(rest)
        start = time.thread_time()
        try:
            return work()
        finally:
            worked = time.thread_time() - start
            self._rests_until = time.monotonic() + min(_REST * worked, _LONGEST_REST)

    def close(self) -> None:
        """Let go of what still waits."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _be_modest() -> None:
    """Rank below trainings. Linux alone ranks a single thread; elsewhere the system shares the cores out."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

"""The desk: one modest thread that draws one thing after another, so that trainings keep the cores."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from digitforge.errors import DigitforgeError

MAX_WAITING = 256  # requests: more than a flood of 200, each answered in milliseconds
_NICENESS = 10  # Linux then gives a training that wants the same core nine tenths of it
Result = TypeVar("Result")


class BusyError(DigitforgeError):
    """More is asked for than can wait in line."""


class Desk:
    """Draws what is asked for in the order of asking."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "desk", initializer=_be_modest)
        self._waiting = 0  # counted in the event loop's thread alone

    async def do(self, work: Callable[[], Result]) -> Result:
        """The result of some work, when its turn has come. Raises BusyError at once where the line is full."""
        if self._waiting >= MAX_WAITING:
            raise BusyError("the studio has its hands full; try again in a moment")
        self._waiting += 1
        future = self._thread.submit(work)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let go of what still waits."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _be_modest() -> None:
    """Rank below trainings. Linux alone ranks a single thread; elsewhere the system shares the cores out."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

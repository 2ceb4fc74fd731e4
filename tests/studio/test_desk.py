"""The desk: one thing after another, modest, and rested while somebody trains."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

import pytest

from digitforge.studio import desk as desk_module
from digitforge.studio.desk import MAX_WAITING, BusyError, Desk

WORK = 0.02  # seconds of computing


def compute() -> None:
    """Compute for a while."""
    start = time.thread_time()
    while time.thread_time() - start < WORK:
        pass


def rests_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a desk rested between three works that were asked for at once."""
    rests: list[float] = []
    monkeypatch.setattr(desk_module.time, "sleep", rests.append)

    async def all_of_them() -> None:
        await asyncio.gather(*(desk.do(compute) for _ in range(3)))

    asyncio.run(all_of_them())
    return rests


def test_it_rests_between_two_works_while_somebody_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    rests = rests_of(Desk(lambda: True), monkeypatch)
    assert len(rests) == 2  # the first in line waits for nothing
    assert all(7 * WORK < rest <= 0.5 for rest in rests)


def test_it_does_not_rest_while_nobody_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rests_of(Desk(lambda: False), monkeypatch) == []


def test_everything_is_done_by_one_thread_of_low_rank() -> None:
    async def rank() -> tuple[int, int]:
        return await Desk().do(
            lambda: (threading.get_ident(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        )

    thread, niceness = asyncio.run(rank())
    assert thread != threading.get_ident()
    if sys.platform == "linux":
        assert niceness >= 10
        assert os.getpriority(os.PRIO_PROCESS, 0) < niceness  # the rest of the studio keeps its rank


def test_an_error_reaches_whoever_asked_and_the_next_is_served() -> None:
    desk = Desk()

    async def both() -> float:
        with pytest.raises(ZeroDivisionError):
            await desk.do(lambda: 1 / 0)
        return await desk.do(lambda: 7.0)

    assert asyncio.run(both()) == 7


def test_the_line_has_an_end() -> None:
    desk, gate = Desk(), threading.Event()

    async def crowd() -> int:
        waiting = [asyncio.ensure_future(desk.do(gate.wait)) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await desk.do(compute)
        gate.set()
        return len(await asyncio.gather(*waiting))

    assert asyncio.run(crowd()) == MAX_WAITING

"""Ctrl-C and SIGTERM while training, on Windows Ctrl-Break too: the step under way ends, the state is saved, and the
run says how to go on.
"""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType

from digitforge.errors import InterruptionError

SIGNALS = tuple(  # SIGBREAK is Windows' own, where SIGTERM from elsewhere just kills
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)


class Interruption:
    """While it is entered, the first such signal is remembered in `asked`; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        # Python lets the main thread alone handle signals; elsewhere a run simply is not interrupted.
        if threading.current_thread() is threading.main_thread():
            for each in SIGNALS:
                self._before[each] = signal.signal(each, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._restore()

    def error(self, folder: Path, verb: str = "train") -> InterruptionError:
        """What ends the run, or whatever a verb had under way, with the way on."""
        assert self.asked is not None
        place = shlex.quote(str(folder))
        return InterruptionError(
            f"stopped; everything so far is saved in {folder}: go on with `digitforge {verb} --out {place} --resume`",
            128 + self.asked,
        )

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)  # type: ignore[arg-type]
        self._before.clear()


@contextmanager
def ends_at_once(folder: Path) -> Iterator[None]:
    """Where a run has nothing to save, as before its first step and behind its last: a signal ends it where it is.

    Raises InterruptionError with the way on. The handlers of a program that has its own stay.
    """
    asked: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt  # which libraries let pass, while they take our errors for some of their own

    plain = (signal.SIG_DFL, signal.default_int_handler)
    is_heard = threading.current_thread() is threading.main_thread()
    before = {each: signal.getsignal(each) for each in SIGNALS if is_heard and signal.getsignal(each) in plain}
    for each in before:
        signal.signal(each, end)
    try:
        yield
    except BaseException:
        if not asked:
            raise
        place = shlex.quote(str(folder))
        raise InterruptionError(
            f"stopped; go on from what is saved in {folder} with `digitforge train --out {place} --resume`",
            128 + asked[0],
        ) from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

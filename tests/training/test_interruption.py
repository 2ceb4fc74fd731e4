"""Ctrl-C and SIGTERM: the first one is remembered, the second one is heeded at once, and old handlers come back."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from pathlib import Path

import pytest

from digitforge.errors import InterruptionError
from digitforge.training.interruption import SIGNALS, Interruption, ends_at_once


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_remembered_and_nothing_ends(number: signal.Signals) -> None:
    with Interruption() as interruption:
        assert interruption.asked is None
        os.kill(os.getpid(), number)
        assert interruption.asked == number


@pytest.mark.parametrize("first", SIGNALS)
def test_a_second_ctrl_c_ends_at_once(first: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), Interruption():
        os.kill(os.getpid(), first)
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("error", [None, ValueError()])
def test_the_handlers_from_before_come_back(error: Exception | None) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    try:
        with Interruption():
            assert [signal.getsignal(number) for number in SIGNALS] != before
            if error:
                raise error
    except ValueError:
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_outside_the_main_thread_a_run_is_simply_not_interrupted() -> None:
    handlers, failures = [], []

    def run() -> None:
        try:
            with Interruption():
                handlers.append(signal.getsignal(signal.SIGINT))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failures == []
    assert handlers == [signal.getsignal(signal.SIGINT)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_error_tells_the_way_on_and_the_shells_exit_code(number: signal.Signals, code: int) -> None:
    interruption = Interruption()
    interruption.asked = number
    error = interruption.error(Path("runs/mine"))
    assert isinstance(error, InterruptionError)
    assert "digitforge train --out runs/mine --resume" in str(error)
    assert error.exit_code == code


def test_the_error_comes_back_from_another_process_as_it_went() -> None:
    error = pickle.loads(pickle.dumps(InterruptionError("stopped", 130)))
    assert (type(error), str(error), error.exit_code) == (InterruptionError, "stopped", 130)


def test_another_verb_than_train_is_named_in_the_way_on() -> None:
    interruption = Interruption()
    interruption.asked = signal.SIGINT
    told = str(interruption.error(Path("runs/mine"), "specialists"))
    assert "`digitforge specialists --out runs/mine --resume`" in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_where_there_is_nothing_to_save_a_signal_ends_the_run_with_the_way_on(
    number: signal.Signals, code: int
) -> None:
    before = signal.getsignal(number)
    way_on = "`digitforge train --out runs/mine --resume`"
    with pytest.raises(InterruptionError, match=way_on) as stop, ends_at_once(Path("runs/mine")):
        os.kill(os.getpid(), number)
    assert stop.value.exit_code == code
    assert signal.getsignal(number) == before


def test_a_program_that_hears_signals_itself_goes_on_hearing_them() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with ends_at_once(Path("runs/mine")):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_libraries_that_take_every_error_for_their_own_hide_no_signal() -> None:
    with pytest.raises(InterruptionError, match="--resume"), ends_at_once(Path("runs/mine")):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:
            raise ValueError("the model cannot be exported") from None


def test_the_way_on_can_be_pasted_whatever_the_folder_is_called() -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert "--out 'my runs/a' --resume" in str(interruption.error(Path("my runs/a")))

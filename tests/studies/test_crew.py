"""A crew: tasks shared out, and no worker left behind, whatever becomes of it or of its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from digitforge.errors import DigitforgeError, DivergenceError
from digitforge.recipe import load_recipe
from digitforge.runs import RunFolder
from digitforge.sections import Compute
from digitforge.studies.crew import Crew, Work, train_all
from digitforge.studies.worker import Begun, Done, Job, Message, Moved, Noted, Ready, Stopped, Task
from digitforge.training.interruption import Interruption
from tiny_workers import CPU, early_gone, together, willing

JOB = Job(load_recipe("express").with_settings({"compute.threads": 1}))
LAUNCH = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import tiny_workers
from digitforge.runs import RunFolder
from digitforge.studies.crew import Crew, train_all
from digitforge.studies.worker import Job, Task
from digitforge.training.interruption import Interruption
from digitforge.recipe import load_recipe
tasks = [Task(name, RunFolder(Path(name))) for name in ("a", "b")]
with Interruption() as interruption, Crew(tiny_workers.{work}, Job(load_recipe("express")), 2) as crew:
    train_all(crew, tasks, lambda message: None, interruption)
"""


def hear_all(names: Sequence[str], workers: int, work: Work = willing, stop_at: str = "") -> list[Message]:
    """What a crew tells that is handed tasks of these names; a signal comes when the one named `stop_at` begins."""
    heard: list[Message] = []

    def hear(message: Message) -> None:
        heard.append(message)
        if message == Begun(stop_at, 0, 10):
            os.kill(os.getpid(), signal.SIGINT)

    with Interruption() as interruption, Crew(work, JOB, workers) as crew:
        train_all(crew, [Task(name, RunFolder(Path(name))) for name in names], hear, interruption)
        assert (interruption.asked is not None) == bool(stop_at)
    return heard


def test_every_task_is_done_once_with_one_thread_a_worker() -> None:
    before = dict(os.environ)
    heard = hear_all(list("0123456"), workers=2)
    assert {message.name for message in heard if isinstance(message, Done)} == set("0123456")
    assert len(heard) == 2 + 7 + 7
    assert sum(isinstance(message, Ready) for message in heard) == 2
    assert {message.seconds for message in heard if isinstance(message, Done)} == {1.0}
    assert dict(os.environ) == before


def test_the_error_of_one_names_its_label_and_stops_the_others_in_peace() -> None:
    heard: list[Message] = []
    tasks = [Task(name, RunFolder(Path(name))) for name in ("wait", "diverge", "2")]
    with (
        pytest.raises(DivergenceError, match=r"^specialist diverge: the losses are no numbers any more") as caught,
        Interruption() as interruption,
        Crew(willing, JOB, 2) as crew,
    ):
        train_all(crew, tasks, heard.append, interruption)
    assert caught.value.__notes__ == ["a trace"]
    assert Moved("wait", 5) in heard  # it had the time to say how far it was
    assert Stopped() in heard
    assert Begun("2", 0, 10) not in heard


def test_a_worker_is_handed_as_many_tasks_at_once_as_it_takes() -> None:
    heard: list[Message] = []
    asked: list[Compute] = []

    def at_once(compute: Compute) -> int:
        asked.append(compute)
        return 3

    tasks = [Task(name, RunFolder(Path(name))) for name in "01234567"]
    with Interruption() as interruption, Crew(together, JOB, 1) as crew:
        train_all(crew, tasks, heard.append, interruption, at_once)
    assert asked == [CPU]
    assert [message.sentence for message in heard if isinstance(message, Noted)] == ["0 1 2", "3 4 5", "6 7"]
    assert [message.name for message in heard if isinstance(message, Done)] == list("01234567")


def test_a_worker_that_dies_is_missed() -> None:
    with pytest.raises(DigitforgeError, match=r"^specialist die: its worker was ended by SIGKILL; go on with --resume"):
        hear_all(["wait", "die"], workers=2)
    with pytest.raises(DigitforgeError, match=r"^its worker ended with exit code 3"):
        hear_all(["0"], workers=1, work=early_gone)


def test_a_signal_stops_every_worker_in_peace() -> None:
    heard = hear_all(["wait", "1", "wait too", "2"], workers=2, stop_at="wait")
    assert Stopped() in heard
    assert Done("2", 10, 1.0) not in heard


def test_a_crew_works_outside_the_main_thread() -> None:
    heard: list[Message] = []
    thread = threading.Thread(target=lambda: heard.extend(hear_all(["0"], workers=1)))
    thread.start()
    thread.join()
    assert Done("0", 10, 1.0) in heard


def launch(work: str, folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A process with two workers that have begun, as leader of a group of its own, and the workers' numbers."""
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH.format(tests=str(Path(__file__).parents[1]), work=work)],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    numbers = [folder / name / "number" for name in "ab"]
    wait_for(lambda: all(number.exists() for number in numbers))
    return process, [int(number.read_text()) for number in numbers]


def wait_for(is_so: object, seconds: float = 20) -> None:
    assert callable(is_so)
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(number: int) -> bool:
    """Whether a process runs; one whose parent has gone may wait to be buried for ever where nobody does it."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_workers_whose_parent_was_killed_save_their_state_and_end(tmp_path: Path) -> None:
    process, workers = launch("watched", tmp_path)
    process.kill()
    process.wait()
    wait_for(lambda: not any(map(is_alive, workers)))
    assert [(tmp_path / name / "farewell").read_text() for name in "ab"] == ["saved", "saved"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_second_ctrl_c_ends_everybody_at_once(tmp_path: Path) -> None:
    process, workers = launch("deaf", tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    time.sleep(0.6)
    assert process.poll() is None
    assert all(map(is_alive, workers))
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in err
    assert err.count("Traceback") == 1  # the workers say nothing
    assert not any(map(is_alive, workers))

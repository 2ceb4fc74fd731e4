"""What all commands share: one line for an error, the right exit code, nothing half written."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from digitforge import cli
from digitforge.cli import main
from digitforge.errors import DataError, DigitforgeError
from digitforge.recipe import load_recipe
from tiny_models import card_table, write_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: three models, and things that are none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    write_model(tmp_path / "model.onnx")
    write_model(tmp_path / "three.onnx", card=card_table(frequencies=[0, 0, 0, 9, 0, 0, 0, 0, 0, 0]))
    write_model(tmp_path / "colour.onnx", shape=(3, 32, 32))
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "taken").touch()
    return tmp_path


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "command",
    [
        "generate missing.onnx",
        "generate text.onnx",
        "generate empty",
        "generate full",
        "generate /dev/null",
        "generate model.onnx --digit 12",
        "generate model.onnx --digit -1",
        "generate model.onnx --digit seven",
        "generate three.onnx --digit 7",
        "generate model.onnx --count 0",
        "generate model.onnx --count -5",
        "generate model.onnx --count 1.5",
        "generate model.onnx --count many",
        "generate model.onnx --count 99999999999",
        "generate model.onnx --count 10001",
        "generate model.onnx --count 10000000 --out all.png",
        "generate model.onnx --count 10000000 --out folder",
        "generate model.onnx --count 10000000 --out all.idx",
        "generate model.onnx --seed -1",
        "generate model.onnx --seed 4294967296",
        "generate model.onnx --seed x",
        "generate model.onnx --out full",
        "generate model.onnx --out .",
        "generate model.onnx --out text.onnx/digits.png",
        "generate model.onnx --out digits.jpg",
        "generate model.onnx --out /proc/digits.png",
        "generate model.onnx --out",
        "generate model.onnx three.onnx",
        "generate model.onnx --colour red",
        "evaluate missing.onnx",
        "evaluate text.onnx",
        "evaluate model.onnx missing.onnx",
        "evaluate colour.onnx",
        "evaluate model.onnx --count 1",
        "evaluate model.onnx --count 0",
        "evaluate model.onnx --data nothing-such",
        "evaluate model.onnx --data ./nowhere",
        "evaluate model.onnx",
        "recipes nothing-such",
        "recipes nowhere.toml",
        "recipes a b",
        "data nothing-such",
        "data ./nowhere",
        "data empty",
        "generat",
        "--colour",
    ],
)
def test_a_wrong_command_is_one_line_and_code_2(folder: Path, capfd: pytest.CaptureFixture[str], command: str) -> None:
    before = contents(folder)
    assert main(command.split()) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(r"digitforge: [^\n]{10,400}\n", err)
    assert "Traceback" not in err
    assert contents(folder) == before


@pytest.mark.parametrize("command", ["evaluate {} --count 10", "export {}", "animate {}", "train --data ./{}"])
def test_a_name_that_no_disk_takes_is_the_users_mistake(
    folder: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    name = "x" * 300
    assert main(command.format(name).split()) == 2
    err = capfd.readouterr().err
    assert "unexpected" not in err and name in err and "name too long" in err.lower()


@pytest.mark.parametrize(("command", "word"), [("generat", "generate"), ("generate --digits 3", "--digit")])
def test_a_misspelt_word_is_met_with_the_right_one(capfd: pytest.CaptureFixture[str], command: str, word: str) -> None:
    assert main(command.split()) == 2
    assert word in capfd.readouterr().err


def test_what_a_file_holds_moves_no_cursor(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.toml").write_text('"\\u001b]0;mine\\u0007" = 1\n' + load_recipe("express").to_toml())
    assert main(["train", "odd.toml", "--dry-run"]) == 2
    said = capfd.readouterr().err
    assert said.rstrip("\n").isprintable()
    assert r"\x1b]0;mine" in said


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory")],
)
def test_too_little_memory_is_said_in_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def ask_for_too_much(**_options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", ask_for_too_much)
    assert main(["recipes"]) == 1
    assert capfd.readouterr().err == (
        "digitforge: there is too little memory for this; ask for less at once (in training: a smaller "
        "training.batch_size, or smaller networks), or give smaller files\n"
    )


@pytest.mark.parametrize("command", ["--help", "", "generate --help", "evaluate --help", "train --help", "data --help"])
def test_help_is_no_error(capfd: pytest.CaptureFixture[str], command: str) -> None:
    assert main(command.split()) == 0
    out, err = capfd.readouterr()
    assert "--help" in out
    assert err == ""


@pytest.mark.parametrize("command", ["train", "specialists"])
def test_help_names_what_holds_where_nothing_is_said(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main([command, "--help"]) == 0
    out = capfd.readouterr().out
    assert "[default: (express)]" in out
    assert "[default: (runs/NAME-" in out
    assert out.count("[default: (the recipe's)]") == 5  # data, digits, seed, device, precision


def test_the_version_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"digitforge \S+\n", capfd.readouterr().out)


class _Failing:
    """Stands in for the typer application."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, **_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError("no such data"), 2, "digitforge: no such data\n"),
        (DigitforgeError("our fault"), 1, "digitforge: our fault\n"),
        (DataError("first\nsecond"), 2, "digitforge: first second\n"),
        (KeyboardInterrupt(), 130, "digitforge: interrupted\n"),
    ],
)
def test_each_error_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr(cli, "app", _Failing(error))
    assert main([]) == code
    assert capfd.readouterr().err == words


def test_what_nobody_expected_asks_for_debug_and_debug_shows_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", _Failing(ZeroDivisionError("division by zero")))
    assert main([]) == 1
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError" in err
    assert "--debug" in err
    assert main(["--debug"]) == 1
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["--debug generate missing.onnx", "generate missing.onnx --debug"])
def test_debug_goes_anywhere(capfd: pytest.CaptureFixture[str], command: str) -> None:
    assert main(command.split()) == 2
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("digitforge: there is no model file")


def test_a_reader_that_goes_away_is_no_noise(folder: Path) -> None:
    shell = f"{sys.executable} -m digitforge recipes express | true"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=folder, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (">&-", 0, ""),
        (">/dev/full", 1, "digitforge: cannot print what there is to say (No space left on device); send it where"),
    ],
)
def test_output_that_goes_nowhere_is_told_in_a_line(folder: Path, command: str, code: int, words: str) -> None:
    shell = f"{sys.executable} -m digitforge recipes express {command}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(words) and done.stderr.count("\n") == len(words[:1])


def test_spaces_of_a_path_stay_in_what_is_said_of_it(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "my  run\u00a0here"]) == 2
    assert "my  run" in capfd.readouterr().err


def test_ctrl_c_ends_with_130_and_leaves_nothing(folder: Path) -> None:
    before = contents(folder)
    command = [sys.executable, "-m", "digitforge", "generate", "model.onnx", "--count", "900000", "--out", "out.npz"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=dict(os.environ))
    deadline = time.monotonic() + 10
    while contents(folder) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err == "digitforge: interrupted\n"
    assert contents(folder) == before

"""`digitforge animate`: a run's sheets lie as an animation where they were asked for."""

from __future__ import annotations

import re
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from digitforge.cli import main
from digitforge.runs import RunFolder
from digitforge.sheets import png_bytes
from tiny_runs import tiny_recipe


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A finished run with three sheets in the working folder, and one with a single sheet."""
    monkeypatch.chdir(tmp_path)
    made, young = RunFolder(tmp_path / "tiny-5"), RunFolder(tmp_path / "young")
    for folder, counts in ((made, (0, 800, 1600)), (young, (0,))):
        folder.create(tiny_recipe())
        for number, images in enumerate(counts):
            folder.sample(images).write_bytes(png_bytes(np.full((30, 30), 60 * number, np.uint8)))
    made.write_hashes()
    (tmp_path / "empty").mkdir()
    return made


def test_by_default_a_numbered_gif_lies_in_the_working_folder_and_the_run_is_as_it_was(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(run.path.rglob("*"))
    for _ in range(2):
        assert main(["animate", "tiny-5"]) == 0
    assert capsys.readouterr().out == "tiny-5.gif: 3 sheets in 7.5 s\ntiny-5-2.gif: 3 sheets in 7.5 s\n"
    assert sorted(run.path.rglob("*")) == before
    with Image.open("tiny-5.gif") as image:
        assert image.n_frames == 3
        levels = []
        for place in range(3):
            image.seek(place)
            levels.append(image.convert("L").getpixel((5, 5)))
        assert levels == [0, 60, 120]


def test_the_runs_own_folder_can_be_the_working_folder(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.path)
    assert main(["animate", ".", "--out", "../x.gif"]) == 0
    assert (run.path.parent / "x.gif").is_file()


def test_an_mp4_plays_as_long_as_asked(run: RunFolder) -> None:
    assert main(["animate", "tiny-5", "--seconds", "2.5", "--caption", "none", "--out", "film.mp4"]) == 0
    with imageio.get_reader("film.mp4", format="FFMPEG") as reader:
        assert len(list(reader.iter_data())) == (2.5 + 1.5) * 25


def test_a_run_that_goes_on_can_be_shown(run: RunFolder) -> None:
    run.hashes.unlink()
    assert main(["animate", "tiny-5"]) == 0


@pytest.mark.parametrize(
    "command",
    [
        "animate",
        "animate nothing-such",
        "animate empty",
        "animate young",
        "animate tiny-5/recipe.toml",
        "animate tiny-5 --out x.webp",
        "animate tiny-5 --out x.png",
        "animate tiny-5 --out empty",
        "animate tiny-5 --out /proc/x.gif",
        "animate tiny-5 --caption epoch",
        "animate tiny-5 --caption time",
        "animate tiny-5 --seconds 0",
        "animate tiny-5 --seconds soon",
    ],
)
def test_a_wrong_command_is_one_line_and_leaves_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert main(command.split()) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(r"digitforge: [^\n]{10,400}\n", err)
    assert sorted(tmp_path.rglob("*")) == before

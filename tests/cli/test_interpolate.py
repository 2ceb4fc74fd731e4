"""`digitforge interpolate`: a morph lies where it was asked for, as a GIF, an MP4 or a strip."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from digitforge import classifier as classifier_module
from digitforge.cli import main
from tiny_models import LEVEL, write_classifier, write_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classifier_module, "PINNED", write_classifier(tmp_path / "classifier.onnx"))
    write_model(tmp_path / "model.onnx", blends=True)
    write_model(tmp_path / "older.onnx")
    write_model(tmp_path / "free.onnx", conditional=False)
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_by_default_a_gif_named_by_its_digits_lies_in_the_working_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = ["--from", "3", "--to", "8", "--frames", "10"]
    for arguments in (digits, digits, ["--frames", "20"]):
        assert main(["interpolate", "model.onnx", *arguments]) == 0
    assert capsys.readouterr().out == (
        "3-to-8.gif: 16 paths, 10 frames, 0.8 s\n"
        "3-to-8-2.gif: 16 paths, 10 frames, 0.8 s\n"
        "interpolation.gif: 16 paths, 20 frames, 1.6 s\n"
    )
    with Image.open("3-to-8.gif") as image:
        assert image.size == (448, 448)
        assert image.n_frames == 10
        for place, digit in ((0, 3), (5, 8)):
            image.seek(place)
            assert round(np.asarray(image.convert("L")).mean() / LEVEL) == digit


def test_one_seed_gives_one_file(folder: Path) -> None:
    for name, seed in (("a.gif", "1"), ("b.gif", "1"), ("c.gif", "2")):
        assert main(["interpolate", "model.onnx", "--frames", "4", "--seed", seed, "--out", name]) == 0
    a, b, c = (Path(name).read_bytes() for name in ("a.gif", "b.gif", "c.gif"))
    assert a == b != c


def test_an_mp4_has_all_frames(folder: Path) -> None:
    assert main(["interpolate", "model.onnx", "--from", "1", "--to", "2", "--frames", "6", "--out", "x.mp4"]) == 0
    with imageio.get_reader("x.mp4", format="FFMPEG") as reader:
        assert len(list(reader.iter_data())) == 12  # 80 ms each, at 25 a second


def test_a_strip_is_for_paper(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["interpolate", "model.onnx", "--from", "3", "--to", "8", "--count", "1", "--out", "x.png"]) == 0
    assert capsys.readouterr().out == "x.png: 1 path\n"
    with Image.open("x.png") as image:
        assert image.size == (12 * 56, 56)


def test_an_older_file_moves_within_one_digit(folder: Path) -> None:
    assert main(["interpolate", "older.onnx", "--from", "3", "--to", "3", "--out", "x.png"]) == 0


def test_an_unconditional_model_goes_between_digits_that_are_found(folder: Path) -> None:
    assert main(["interpolate", "free.onnx", "--from", "3", "--to", "6", "--count", "2", "--out", "x.png"]) == 0
    with Image.open("x.png") as image:
        strip = np.asarray(image)
    assert [round(strip[:, part].mean() / LEVEL) for part in (slice(0, 56), slice(-56, None))] == [3, 6]


@pytest.mark.parametrize(
    "command",
    [
        "missing.onnx",
        "empty",
        "model.onnx --from 3",
        "model.onnx --to 3",
        "model.onnx --from 3 --to 12",
        "model.onnx --from x --to 3",
        "model.onnx --count 0",
        "model.onnx --frames 30 --out x.png",
        "model.onnx --count 101",
        "model.onnx --frames 1",
        "model.onnx --frames 1001",
        "model.onnx --frames many",
        "model.onnx --seed -1",
        "model.onnx --out x.webp",
        "model.onnx --out x",
        "model.onnx --out empty",
        "model.onnx --out older.onnx/x.gif",
        "model.onnx --out /proc/x.png",
        "older.onnx",
        "older.onnx --from 3 --to 8",
    ],
)
def test_a_wrong_command_is_one_line_and_leaves_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["interpolate", *command.split()]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(r"digitforge: [^\n]{10,400}\n", err)
    assert sorted(folder.rglob("*")) == before


def test_a_gif_needs_nothing_that_only_training_needs(folder: Path) -> None:
    code = (
        "import sys; from digitforge.cli import main; main('interpolate model.onnx --frames 2'.split()); "
        "print([name for name in ('torch', 'imageio', 'matplotlib', 'scipy', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    assert done.stdout.splitlines()[-1] == "[]"

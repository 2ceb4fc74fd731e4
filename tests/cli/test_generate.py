"""`digitforge generate`: what is asked for lies where it was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge import classifier as classifier_module
from digitforge.cli import main
from digitforge.data import read_idx
from tiny_models import LEVEL, write_classifier, write_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classifier_module, "PINNED", write_classifier(tmp_path / "classifier.onnx"))
    write_model(tmp_path / "model.onnx")
    write_model(tmp_path / "free.onnx", conditional=False)
    return tmp_path


def test_by_default_a_numbered_picture_lies_in_the_working_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["generate", "model.onnx", "--digit", "7"]) == 0
    assert main(["generate", "model.onnx"]) == 0
    assert capsys.readouterr().out == "digit-7.png: 64 images\ndigit-7-2.png: 64 images\ndigits.png: 64 images\n"
    assert Image.open("digit-7.png").size == (448, 448)
    assert Path("digit-7.png").read_bytes() == Path("digit-7-2.png").read_bytes()


def test_a_run_folder_is_a_model(folder: Path) -> None:
    assert main(["generate", ".", "--count", "3", "--out", "x.npz"]) == 0
    assert len(np.load("x.npz")["labels"]) == 3


def test_variety_is_passed_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "model.onnx", "--digit", "3", "--variety", "0", "--out", "x.npz"]) == 0
    with np.load(folder / "x.npz") as arrays:
        assert (arrays["images"] == arrays["images"][0]).all()
    assert main(["generate", "model.onnx", "--variety", "2"]) == 2
    assert "variety lies in 0 to 1.5" in capsys.readouterr().err


def test_an_npz_holds_the_digit_the_count_and_the_seed(folder: Path) -> None:
    assert main(["generate", "model.onnx", "--digit", "3", "--count", "1200", "--seed", "5", "--out", "x.npz"]) == 0
    with np.load("x.npz") as arrays:
        assert arrays["images"].shape == (1200, 28, 28)
        assert np.unique(arrays["labels"]).tolist() == [3]
        assert np.rint(arrays["images"].mean((1, 2)) / LEVEL).tolist() == [3] * 1200
        assert arrays["seed"] == 5


def test_idx_files_and_folders_are_written_and_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "model.onnx", "--count", "20", "--out", "x.idx"]) == 0
    assert main(["generate", "model.onnx", "--count", "20", "--out", "digits"]) == 0
    out = capsys.readouterr().out
    assert out == "x-images-idx3-ubyte and x-labels-idx1-ubyte: 20 images\ndigits: 20 images\n"
    assert sorted(read_idx(Path("x-labels-idx1-ubyte")).tolist()) == sorted([*range(10), *range(10)])
    assert sorted(path.name for path in Path("digits").iterdir()) == list("0123456789")
    assert len(list(Path("digits").glob("*/*.png"))) == 20


def test_a_filtered_digit_tells_its_yield(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "free.onnx", "--digit", "4", "--count", "50", "--out", "x.npz"]) == 0
    words = capsys.readouterr().out
    assert words.startswith("x.npz: 50 images; of ")
    assert "were read as 4 and kept" in words
    assert np.rint(np.load("x.npz")["images"].mean((1, 2)) / LEVEL).tolist() == [4] * 50


def test_a_balanced_set_has_equally_many_of_each_digit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("model.onnx", "free.onnx"):
        assert main(["generate", model, "--balanced", "--count", "32", "--out", f"{model}.npz"]) == 0
        with np.load(f"{model}.npz") as arrays:
            assert np.bincount(arrays["labels"]).tolist() == [4, 4, *[3] * 8]
            assert np.rint(arrays["images"].mean((1, 2)) / LEVEL).tolist() == arrays["labels"].tolist()
    told, free = capsys.readouterr().out.splitlines()
    assert told == "model.onnx.npz: 32 images"
    assert free.endswith("% were kept, equally many of every digit")


def test_a_balanced_set_of_one_digit_is_refused_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "model.onnx", "--balanced", "--digit", "7", "--out", "x.npz"]) == 2
    said = capsys.readouterr().err
    assert said == (
        "digitforge: a balanced set has equally many of every digit, not '7' alone; leave out one of them\n"
    )
    assert not (folder / "x.npz").exists()


def test_a_hopeless_digit_leaves_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model(folder / "narrow.onnx", conditional=False, spread=0.1)
    assert main(["generate", "narrow.onnx", "--digit", "9", "--out", "new/x.npz"]) == 2
    assert "0 of 20,000" in capsys.readouterr().err
    assert not (folder / "new").exists()


def test_one_image_is_one_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "model.onnx", "--count", "1", "--out", "x.png"]) == 0
    assert capsys.readouterr().out == "x.png: 1 image\n"


def test_generating_starts_without_what_training_needs(folder: Path) -> None:
    code = (
        "import sys; from digitforge.cli import main; main(['generate', 'model.onnx', '--out', 'x.png']); "
        "print([name for name in ('torch', 'pooch', 'requests', 'rich', 'scipy', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    assert done.stdout.splitlines()[-1] == "[]"

"""The user's own pictures by the public commands: colour, three named classes, mixed sizes; drawn and measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from digitforge.cli import main
from digitforge.data import load_data
from digitforge.forge import Forge
from digitforge.judges import own_classifier
from digitforge.runs import RunFolder

CLASSES = ("beach", "forest", "night city")
A_CLASS = 40  # pictures
SKIES = {"beach": (150, 200, 240), "forest": (60, 110, 60), "night city": (15, 15, 45)}
SIZES = ((40, 30), (32, 32), (61, 47), (24, 36))  # width and height in pixels


def photograph(name: str, rng: np.random.Generator) -> Image.Image:
    """A picture somewhat like a photograph: a sky, what stands before it, blur and grain."""
    width, height = SIZES[rng.integers(len(SIZES))]
    picture = Image.new("RGB", (width, height), SKIES[name])
    draw = ImageDraw.Draw(picture)
    if name == "beach":
        draw.rectangle((0, height * 2 // 3, width, height), fill=(220, 190, 130))
    for _ in range(6):
        x, top = int(rng.integers(width)), int(rng.integers(height // 4, height * 3 // 4))
        if name == "forest":
            draw.polygon([(x, top), (x - 6, height), (x + 6, height)], fill=(20, int(rng.integers(60, 160)), 30))
        elif name == "night city":
            draw.rectangle((x, top, x + 6, height), fill=(90, 80, 100), outline=(250, 220, 90))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)), np.int64)
    grain = rng.integers(-12, 13, blurred.shape)
    return Image.fromarray((blurred + grain).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder, with a cache of its own and the pictures in `photographs`, as PNG and JPEG."""
    path = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (path / "photographs" / name).mkdir(parents=True)
        for number in range(A_CLASS):
            suffix = "jpg" if number % 2 else "png"
            photograph(name, rng).save(path / "photographs" / name / f"{number:03}.{suffix}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(path / "cache"))
        patch.setattr(own_classifier, "FEWEST_STEPS", 40)  # its own tests let it learn; here it has to serve
        patch.setattr(own_classifier, "MOST_STEPS", 40)
        patch.chdir(path)
        yield path


@pytest.fixture(scope="module")
def run(shop: Path) -> RunFolder:
    words = ["train", "express", "--data", "photographs", "--images", "2304", "--seed", "1", "--out", "run"]
    for setting in ("compute.threads=1", "record.tick=1/2 run", "record.sheet=1/2 run", "record.snapshot=1/2 run"):
        words += ["--set", setting]
    assert main(words) == 0
    return RunFolder(shop / "run")


def test_the_pictures_are_counted_by_name_and_their_sizes_are_told(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "photographs"]) == 0
    out = capsys.readouterr().out
    assert "108 training images of 32x32x3 (beach: 36, forest: 36, night city: 36)" in out
    assert "images resized from" in out
    assert "to 32x32" in out


def test_a_finished_run_keeps_its_length_whatever_the_budget(run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--out", "run", "--budget", "60s", "--resume"]) == 0
    said = capfd.readouterr()
    assert "had finished already" in said.out
    assert "keeps its length of 2,304 images, whatever the time; to train longer, train anew" in said.err


def test_the_run_knows_the_names_and_draws_each_class_by_its_name(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    forge = Forge.load(run.model)
    assert forge.names == CLASSES
    assert forge.card.shape == (3, 32, 32)
    greenness = []
    for name in CLASSES:
        assert main(["generate", "run", "--digit", name, "--count", "40", "--out", f"{name}.npz"]) == 0
        assert "it holds labels as numbers: 0: beach, 1: forest, 2: night city" in capsys.readouterr().out
        with np.load(f"{name}.npz") as arrays:
            assert arrays["images"].shape == (40, 32, 32, 3)
            assert set(arrays["labels"].tolist()) == {CLASSES.index(name)}
            assert arrays["label_names"].tolist() == list(CLASSES)
            red, green, _ = arrays["images"].mean((0, 1, 2))
            greenness.append(green - red)
    assert greenness[1] > max(greenness[0], greenness[2]) + 20  # the forest, of 255 levels; 68 against 9 and -6


def test_pictures_and_folders_carry_the_names(run: RunFolder, shop: Path) -> None:
    assert main(["generate", "run", "--count", "12", "--out", "drawn"]) == 0
    assert {path.name for path in (shop / "drawn").iterdir()} == set(CLASSES)
    data = load_data(shop / "drawn")
    assert data.train.names == CLASSES
    assert data.test is not None
    assert len(data.train) + len(data.test) == 12
    assert main(["generate", "run", "--digit", "night city", "--count", "4"]) == 0
    assert (shop / "digit-night_city.png").is_file()


def test_a_name_that_there_is_not_is_answered_with_those_that_there_are(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "run", "--digit", "beech"]) == 2
    assert "knows beach, forest and night city, not 'beech'" in capsys.readouterr().err


def test_it_is_measured_by_a_classifier_of_the_pictures_themselves(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "run", "--count", "60", "--json"]) == 0
    captured = capsys.readouterr()
    assert "training a classifier of 108 images of photographs, once" in captured.err
    (found,) = json.loads(captured.out)
    assert found["data"] == "photographs"
    assert found["count"] == 60
    assert found["frechet"]["value"] > 0
    assert set(found["accuracy_by_label"]) == set(CLASSES)

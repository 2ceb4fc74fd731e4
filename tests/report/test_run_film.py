"""A run as a film: all its sheets, in the order of training, each with the right words under it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from digitforge.errors import RunError, UserError
from digitforge.report.run_film import HOLD, film_of_run
from digitforge.runs import RunFolder
from digitforge.sheets import png_bytes
from tiny_runs import tiny_recipe


def write_sheet(folder: RunFolder, name: str, level: int, side: int = 30) -> None:
    (folder.path / "samples" / f"{name}.png").write_bytes(png_bytes(np.full((side, side), level, np.uint8)))


def write_stats(folder: RunFolder, epochs: dict[int, float]) -> None:
    told = {"loss": {"discriminator": 0.7}, "clock": {"seconds": 1.0}}
    lines = [{"images": images, "epoch": epoch, **told} for images, epoch in epochs.items()]
    folder.stats.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that goes on, with sheets after 0, 960 and 12,288 images; as text their names sort otherwise."""
    made = RunFolder(tmp_path / "run")
    made.create(tiny_recipe())
    for name, level in (("0", 10), ("960", 20), ("12288", 30)):
        write_sheet(made, name, level)
    return made


def levels(folder: RunFolder, seconds: float = 6.0) -> list[int]:
    return [int(frame[0, 0]) for frame in film_of_run(folder, seconds=seconds).frames]


def test_frames_come_in_the_order_of_image_counts(folder: RunFolder) -> None:
    assert levels(folder) == [10, 20, 30]


def test_names_of_any_length_mix(folder: RunFolder) -> None:
    write_sheet(folder, "0000001000", 25)
    write_sheet(folder, "99", 15)
    assert levels(folder) == [10, 15, 20, 25, 30]


def test_training_takes_the_time_asked_for_and_the_end_is_held(folder: RunFolder) -> None:
    film = film_of_run(folder, seconds=9)
    assert film.step == 3
    assert film.hold == HOLD
    assert film.seconds == 9 + HOLD


def test_a_caption_tells_images_or_nothing(folder: RunFolder) -> None:
    assert film_of_run(folder).captions == ["0 images", "960 images", "12,288 images"]
    assert not film_of_run(folder, "none").captions


@pytest.mark.parametrize(
    ("epoch_images", "captions"),
    [
        (1000, ["epoch 0", "epoch 1", "epoch 12"]),
        (6000, ["epoch 0.0", "epoch 0.2", "epoch 2.0"]),
        (60_000, ["epoch 0.00", "epoch 0.02", "epoch 0.20"]),
    ],
)
def test_an_epoch_is_read_between_and_beyond_the_ticks(
    folder: RunFolder, epoch_images: int, captions: list[str]
) -> None:
    write_stats(folder, {images: images / epoch_images for images in (500, 2000, 8000)})
    assert film_of_run(folder, "epoch").captions == captions


def test_a_time_in_which_d_learned_alone_is_no_epoch(folder: RunFolder) -> None:
    write_stats(folder, {500: 0.0, 2288: 0.0, 3288: 1.0, 8288: 6.0})
    assert film_of_run(folder, "epoch").captions == ["epoch 0", "epoch 0", "epoch 10"]


def test_without_statistics_there_is_no_epoch_to_tell(folder: RunFolder) -> None:
    with pytest.raises(RunError, match="no line of statistics yet"):
        film_of_run(folder, "epoch")
    assert len(film_of_run(folder, "images").frames) == 3


def test_of_more_sheets_than_can_be_seen_the_first_and_last_stay(folder: RunFolder) -> None:
    for images in range(1000, 12_000, 200):
        write_sheet(folder, str(images), 20 + images // 2000)
    shown = levels(folder, seconds=1)
    assert len(shown) == 25
    assert (shown[0], shown[-1]) == (10, 30)
    assert shown == sorted(shown)


def test_one_sheet_is_no_animation(folder: RunFolder) -> None:
    for name in ("960", "12288"):
        (folder.path / "samples" / f"{name}.png").unlink()
    with pytest.raises(RunError, match="has one sheet so far, and an animation needs two"):
        film_of_run(folder)


def test_a_sheet_of_another_size_is_named(folder: RunFolder) -> None:
    write_sheet(folder, "5000", 40, side=32)
    with pytest.raises(RunError, match=r"5000\.png is 32x32 grey, and 0\.png is 30x30 grey"):
        film_of_run(folder)


def test_a_damaged_sheet_is_named(folder: RunFolder) -> None:
    (folder.path / "samples" / "5000.png").write_bytes(b"no picture")
    with pytest.raises(RunError, match=r"5000\.png can't be read"):
        film_of_run(folder)


@pytest.mark.parametrize("seconds", [0, -1, 0.4, 121, float("nan"), float("inf")])
def test_a_time_out_of_range_is_refused(folder: RunFolder, seconds: float) -> None:
    with pytest.raises(UserError, match="seconds"):
        film_of_run(folder, seconds=seconds)

"""What a run would take, told before it begins."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from digitforge.errors import DataError
from digitforge.training import forecast as room
from digitforge.training.forecast import Forecast, forecast
from digitforge.training.train import train
from tiny_runs import tiny_data, tiny_recipe


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PROBED", 0.1)


def test_it_tells_the_length_that_the_run_then_has(tmp_path: Path) -> None:
    recipe, data = tiny_recipe({"training.images": 640, "training.batch_size": 16}), tiny_data()
    told = forecast(recipe, data)
    assert (told.images, told.steps, told.train_images) == (640, 40, len(data.train))
    assert told.shape == data.train.shape
    start = time.perf_counter()
    run = train(recipe, data, out=tmp_path / "run")
    assert run.read_stats()[-1]["images"] == told.images
    assert 0 < told.seconds < 20 * (time.perf_counter() - start)


def test_a_budget_is_the_time_that_is_told() -> None:
    told = forecast(tiny_recipe({"training.seconds": 2}), tiny_data())
    assert told.seconds == 2
    assert told.images >= told.steps > 0


def test_more_images_take_longer_in_proportion() -> None:
    short, long = (forecast(tiny_recipe({"training.images": count}), tiny_data()) for count in (1_000, 1_000_000))
    assert long.seconds > 100 * short.seconds


def test_it_raises_what_training_would() -> None:
    with pytest.raises(DataError, match="there is no label"):
        forecast(tiny_recipe({"data.digits": ["eleven"]}), tiny_data())


@pytest.mark.parametrize(
    ("seconds", "words"), [(45.2, "45 s"), (150, "2 min"), (7_000, "117 min"), (9_000, "2 h 30 min")]
)
def test_it_says_times_that_nobody_needs_to_the_second(seconds: float, words: str) -> None:
    told = Forecast((3, 32, 32), 73_257, 2_700_352, 1_033_345, 256_000, 1_000, seconds, 1_500_000_000)
    assert list(told.sentences()) == [
        "73,257 images of 32x32 (colour) to learn from",
        "weights: 2,700,352 of the generator, 1,033,345 of the discriminator",
        f"256,000 images in 1,000 steps: about {words} on this machine",
        "about 1.5 GB of memory",
    ]

"""Batches: what a step sees is a function of seed and step alone, and every image comes once an epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from digitforge.data import Digits
from digitforge.networks.pixels import to_network
from digitforge.sections import Networks, Training
from digitforge.training import batches as batches_module
from digitforge.training.batches import Batches
from digitforge.training.schedule import Timetable, timetable


def numbered(count: int) -> Digits:
    """Images that carry their number in their first two pixels, and its last digit as label."""
    images = np.zeros((count, 1, 4, 4), np.uint8)
    numbers = np.arange(count)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = numbers % 256, numbers // 256
    return Digits(images, numbers % 10)


def steady(batch_size: int, doublings: int = 0, images: int = 10_000) -> Timetable:
    training = Training(images=images, batch_size=batch_size, batch_doublings=doublings)
    return timetable(training, images)


def walk(count: int = 10, size: int = 4, seed: int = 0, **networks: object) -> Batches:
    settings = {"family": "dcgan", "latent_size": 5, **networks}
    return Batches(numbered(count), Networks(**settings), steady(size), seed, torch.device("cpu"))


def test_each_epoch_shows_each_image_once_in_an_order_of_its_own() -> None:
    batches = walk(count=10, size=4)  # 5 batches make 2 epochs, and the third crosses their border
    places = np.concatenate([batches.indices(step) for step in range(10)])
    epochs = places.reshape(4, 10)
    for epoch in epochs:
        assert sorted(epoch) == list(range(10))
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_batch_larger_than_the_data_set_goes_round_it() -> None:
    places = walk(count=3, size=8).indices(0)
    assert sorted(places[:3]) == sorted(places[3:6]) == [0, 1, 2]
    assert len(places) == 8


def test_a_batch_that_grows_leaves_no_image_out() -> None:
    times = steady(2, doublings=2, images=36)  # 12 images each in batches of 2, 4 and 8
    batches = Batches(numbered(6), Networks(family="dcgan", latent_size=5), times, 0, torch.device("cpu"))
    sizes = [len(batches.indices(step)) for step in range(times.steps)]
    assert sizes == [2] * 6 + [4] * 3 + [8] * 2
    places = np.concatenate([batches.indices(step) for step in range(times.steps)])
    for epoch in places[:36].reshape(6, 6):
        assert sorted(epoch) == list(range(6))
    assert [len(batches.batch(step).latents) for step in range(times.steps)] == sizes


def test_steps_can_be_asked_for_in_any_order() -> None:
    forward, backward = walk(), walk()
    seen = [forward.indices(step) for step in range(12)]
    for step in reversed(range(12)):
        np.testing.assert_array_equal(backward.indices(step), seen[step])


def test_a_batch_comes_from_seed_and_step_alone() -> None:
    first, again = walk(count=500, size=16).batch(7), walk(count=500, size=16).batch(7)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert torch.equal(first.latents, again.latents)
    for other in (walk(count=500, size=16).batch(8), walk(count=500, size=16, seed=1).batch(7)):
        assert not torch.equal(first.images, other.images)
        assert not torch.equal(first.latents, other.latents)


@pytest.mark.parametrize("pixels", ["signed", "unit"])
def test_images_come_with_their_labels_in_the_recipes_pixel_range(pixels: str) -> None:
    batches = walk(count=500, size=16, pixels=pixels)
    batch = batches.batch(3)
    chosen = batches.indices(3)
    torch.testing.assert_close(batch.images, to_network(torch.from_numpy(numbered(500).images[chosen]), pixels))
    assert batch.images[:, 0, 3, 3].tolist() == [-1.0 if pixels == "signed" else 0.0] * 16
    assert batch.labels.tolist() == [place % 10 for place in chosen]


def test_the_players_turns_have_latents_of_their_own() -> None:
    batches = walk()
    assert torch.equal(batches.batch(2).latents, batches.latents(2, "discriminator"))
    assert not torch.equal(batches.latents(2, "generator"), batches.latents(2, "discriminator"))


def test_latents_follow_the_recipes_distribution() -> None:
    normal = walk(size=4000, latent="normal").latents(0, "generator")
    uniform = walk(size=4000, latent="uniform").latents(0, "generator")
    assert normal.shape == uniform.shape == (4000, 5)
    assert normal.dtype == uniform.dtype == torch.float32
    for drawn, deviation in ((normal, 1), (uniform, 3**-0.5)):
        assert float(drawn.mean()) == pytest.approx(0, abs=0.03)
        assert float(drawn.std()) == pytest.approx(deviation, abs=0.02)
        assert torch.corrcoef(drawn.T).fill_diagonal_(0).abs().max() < 0.06
    assert float(uniform.min()) == pytest.approx(-1, abs=0.01)
    assert float(uniform.max()) == pytest.approx(1, abs=0.01)
    assert normal.abs().max() > 3


@pytest.mark.parametrize("world", [2, 3])
def test_the_slices_of_all_processes_tile_the_global_batch(world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, whole_noise = walk(size=12).batch(4), walk(size=12).noise(4)
    monkeypatch.setattr(batches_module, "processes", lambda: world)
    slices, noises = [], []
    for rank in range(world):
        monkeypatch.setattr(batches_module, "this_process", lambda rank=rank: rank)
        slices.append(walk(size=12).batch(4))
        noises.append(walk(size=12).noise(4))
    for name in ("images", "labels", "latents"):
        parts = [getattr(batch, name) for batch in slices]
        assert {len(part) for part in parts} == {12 // world}
        assert torch.equal(torch.cat(parts), getattr(whole, name))
    assert torch.equal(torch.cat(noises), whole_noise)

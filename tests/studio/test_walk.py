"""A walk stays where the generator learned to draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digitforge.forge import Forge
from digitforge.randomness import draw_latents, stream
from digitforge.studio.bounds import WalkWish
from digitforge.studio.walk import SIDE, latents_around, surroundings
from tiny_models import LATENT, card_table, write_model

MIDDLE = SIDE * SIDE // 2


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_the_walker_stands_in_the_middle_at_first(distribution: str) -> None:
    start = draw_latents(stream(0, "test"), 1, 16, distribution)[0]
    assert np.allclose(surroundings(start, WalkWish(), distribution)[MIDDLE], start, atol=1e-6)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_a_step_to_a_neighbour_moves_it_into_the_middle(distribution: str) -> None:
    start = draw_latents(stream(0, "test"), 1, 16, distribution)[0]
    here = surroundings(start, WalkWish(x=4, y=-2), distribution)
    there = surroundings(start, WalkWish(x=5, y=-1), distribution)
    assert np.allclose(here[MIDDLE + SIDE + 1], there[MIDDLE], atol=1e-6)


def test_a_walk_stays_within_one_cluster(tmp_path: Path) -> None:
    card = card_table(conditional=False, latent={"size": LATENT, "distribution": "normal", "choosers": 2})
    forge = Forge.load(write_model(tmp_path / "model.onnx", conditional=False, card=card))
    latents = latents_around(forge, WalkWish(x=9))
    assert (latents[:, LATENT - 2 :] == forge.latents(count=1)[:, LATENT - 2 :]).all()
    assert len(np.unique(latents[:, : LATENT - 2], axis=0)) == SIDE * SIDE


def test_normal_latents_keep_their_length_however_far_one_goes() -> None:
    start = draw_latents(stream(0, "test"), 1, 16, "normal")[0]
    lengths = np.linalg.norm(surroundings(start, WalkWish(x=50, y=-50, stride=1), "normal"), axis=1)
    assert np.allclose(lengths, np.linalg.norm(start), rtol=1e-5)


def test_uniform_latents_stay_in_their_cube() -> None:
    start = draw_latents(stream(0, "test"), 1, 16, "uniform")[0]
    assert np.abs(surroundings(start, WalkWish(x=50, y=-50, stride=1), "uniform")).max() <= 1


@pytest.mark.parametrize(("distribution", "wall"), [("normal", 3.0), ("uniform", 1.0)])
@pytest.mark.parametrize("size", [1, 2])
def test_a_latent_of_one_or_two_numbers_is_a_line_or_a_plane(distribution: str, wall: float, size: int) -> None:
    start = np.full(size, 0.25, np.float32)
    for far in (start, np.full(size, 1.1 * wall if distribution == "normal" else wall, np.float32)):
        assert np.allclose(surroundings(far, WalkWish(), distribution)[MIDDLE], far)
    around = surroundings(start, WalkWish(stride=0.1), distribution).reshape(SIDE, SIDE, size)
    assert np.allclose(around[SIDE // 2, SIDE // 2], start)
    assert np.allclose(np.diff(around[..., 0], axis=1), 0.1)
    assert np.allclose(np.diff(around[..., -1], axis=0), 0.1 if size == 2 else 0)
    assert np.abs(surroundings(start, WalkWish(x=50, y=50, stride=1), distribution)).max() <= wall


def test_each_seed_has_directions_of_its_own() -> None:
    start = draw_latents(stream(0, "test"), 1, 16, "normal")[0]
    one, other = (surroundings(start, WalkWish(seed=seed), "normal") for seed in (1, 2))
    assert not np.allclose(one[0], other[0])

"""The checkpoint: what is loaded goes on bit for bit as what was saved, and nothing else is taken for one."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from digitforge.data import Digits
from digitforge.errors import RunError
from digitforge.networks.build import build
from digitforge.sections import Networks, Objective, Training
from digitforge.training.batches import Batches
from digitforge.training.checkpoint import (
    State,
    create_moments,
    generator_weights,
    load_checkpoint,
    named_tensors,
    save_checkpoint,
)
from digitforge.training.ema import Average
from digitforge.training.schedule import timetable
from digitforge.training.step import Game, simultaneous_step

SHAPE = (1, 8, 8)


def networks(width: int = 2) -> Networks:
    return Networks(family="dcgan", latent_size=5, generator_width=width, discriminator_width=2, dropout=0.3)


def begun(seed: int = 0, width: int = 2, averaged: bool = True) -> State:
    """A run before its first step; the seed decides its weights."""
    pair = build(networks(width), SHAPE, classes=10, seed=seed)
    game = Game(
        generator=pair.generator,
        discriminator=pair.discriminator,
        generator_optimiser=torch.optim.Adam(pair.generator.parameters(), lr=1e-2, fused=True),
        discriminator_optimiser=torch.optim.Adam(pair.discriminator.parameters(), lr=1e-2, fused=True),
        objective=Objective(loss="non-saturating"),
        seed=3,
        critic_steps=1,
        generator_batches=1,
        autocast=nullcontext,
    )
    create_moments(game)
    average = Average(pair.generator, half_life=100) if averaged else None
    return State(game, average, torch.zeros(6, dtype=torch.float64))


def play(state: State, steps: int) -> None:
    rng = np.random.default_rng(4)
    digits = Digits(rng.integers(0, 256, (30, *SHAPE), dtype=np.uint8), rng.integers(0, 10, 30))
    times = timetable(Training(images=1000, batch_size=8), 1000)
    batches = Batches(digits, networks(), times, seed=3, device=torch.device("cpu"))
    for _ in range(steps):
        outcome = simultaneous_step(state.game, batches, state.step)
        state.sums[0] += outcome.discriminator_loss
        state.step += 1
        if state.average is not None:
            state.average.update(8 * state.step, 8)


def assert_equal(first: State, second: State) -> None:
    one, other = dict(named_tensors(first)), dict(named_tensors(second))
    assert first.step == second.step
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("averaged", [True, False])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_loaded_run_goes_on_bit_for_bit_as_the_saved_one(tmp_path: Path, steps: int, averaged: bool) -> None:
    saved, loaded = begun(seed=0, averaged=averaged), begun(seed=1, averaged=averaged)
    play(saved, steps)
    save_checkpoint(tmp_path / "state.safetensors", saved)
    load_checkpoint(tmp_path / "state.safetensors", loaded)
    assert loaded.step == steps
    assert_equal(loaded, saved)
    for state in (saved, loaded):
        play(state, 2)
    assert_equal(loaded, saved)


def test_every_weight_moment_average_and_sum_is_in_it(tmp_path: Path) -> None:
    state = begun()
    play(state, 2)
    save_checkpoint(tmp_path / "state.safetensors", state)
    names = safetensors.torch.load_file(tmp_path / "state.safetensors").keys()
    game = state.game
    assert {"tick.sums", "generator.layers.1.running_mean", "average.layers.0.weight"} <= names
    for player, network in (("generator", game.generator), ("discriminator", game.discriminator)):
        count = len(list(network.parameters()))
        for moment in ("exp_avg", "exp_avg_sq", "step"):
            assert {f"{player}_optimiser.{index}.{moment}" for index in range(count)} <= names


def without(path: Path, *left_out: str) -> None:
    """Have a file lack the tensors whose names begin so, as those of older versions do; they have no hash."""
    tensors = safetensors.torch.load_file(path)
    kept = {name: value for name, value in tensors.items() if not name.startswith(left_out)}
    safetensors.torch.save_file(kept, path, metadata={"step": "1"})


def test_a_player_whose_moments_an_older_version_left_out_has_had_no_turn(tmp_path: Path) -> None:
    path, saved, loaded = tmp_path / "state.safetensors", begun(), begun(seed=1)
    saved.step = 1
    save_checkpoint(path, saved)
    without(path, "generator_optimiser.")
    play(loaded, 1)  # which leaves moments behind
    load_checkpoint(path, loaded)
    assert_equal(loaded, saved)


def test_single_moments_that_lack_are_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, begun())
    without(path, "generator_optimiser.0.")
    with pytest.raises(RunError, match="holds other networks"):
        load_checkpoint(path, begun())


def test_moments_of_none_change_no_bit_of_what_is_trained() -> None:
    early, late = begun(), begun()
    for optimiser in (late.game.generator_optimiser, late.game.discriminator_optimiser):
        optimiser.state.clear()
    for state in (early, late):
        play(state, 2)
    assert_equal(early, late)


def test_a_run_in_full_swing_can_be_set_back(tmp_path: Path) -> None:
    saved, later = begun(), begun()
    for state in (saved, later):
        play(state, 1)
    save_checkpoint(tmp_path / "state.safetensors", saved)
    play(later, 3)
    load_checkpoint(tmp_path / "state.safetensors", later)
    assert_equal(later, saved)


@pytest.mark.parametrize("other", [{"width": 3}, {"averaged": False}], ids=["other widths", "no average"])
def test_a_checkpoint_of_other_networks_is_refused_and_leaves_the_run_as_it_was(
    tmp_path: Path, other: dict[str, int]
) -> None:
    saved, state, untouched = begun(**other), begun(seed=1), begun(seed=1)
    play(saved, 2)
    save_checkpoint(tmp_path / "state.safetensors", saved)
    with pytest.raises(RunError, match=r"state\.safetensors holds other networks"):
        load_checkpoint(tmp_path / "state.safetensors", state)
    for each in (state, untouched):
        play(each, 2)
    assert_equal(state, untouched)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:5],
        lambda whole: b"",
        lambda whole: b"\x80\x04" * 50,
        lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
        lambda whole: whole.replace(rb"\"step\": \"1\"", rb"\"step\": \"3\""),
    ],
    ids=["cut in half", "five bytes", "empty", "a pickle", "a changed bit", "another step"],
)
def test_a_damaged_file_is_named_and_nothing_is_loaded(tmp_path: Path, damage: object) -> None:
    path, state = tmp_path / "state.safetensors", begun()
    play(state, 1)
    save_checkpoint(path, state)
    path.write_bytes(damage(path.read_bytes()))
    other, untouched = begun(seed=1), begun(seed=1)
    with pytest.raises(RunError, match=r"state\.safetensors is no checkpoint"):
        load_checkpoint(path, other)
    assert_equal(other, untouched)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere\.safetensors is no checkpoint"):
        load_checkpoint(tmp_path / "nowhere.safetensors", begun())


def test_tensors_without_a_step_are_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(generator_weights(begun().game.generator))
    with pytest.raises(RunError, match="is no checkpoint"):
        load_checkpoint(path, begun())


def test_a_checkpoint_replaces_the_old_one_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, state = tmp_path / "state.safetensors", begun()
    save_checkpoint(path, state)
    before = path.read_bytes()
    play(state, 1)

    def fail(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Exception, match="cannot write"):
        save_checkpoint(path, state)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_snapshot_holds_the_generators_weights_and_moments() -> None:
    generator = begun().game.generator
    weights = safetensors.torch.load(generator_weights(generator))
    state = generator.state_dict()
    assert weights.keys() == state.keys()
    for name, value in weights.items():
        assert torch.equal(value, state[name])

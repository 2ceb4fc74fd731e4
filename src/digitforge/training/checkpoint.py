"""The checkpoint a run resumes from: every tensor that decides how it goes on, in one safetensors file.

It holds a hash over its tensors, as a snapshot does, since safetensors has none: one changed bit would be trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from digitforge.errors import RunError
from digitforge.files import write_whole
from digitforge.networks.players import Generator
from digitforge.training.ema import Average
from digitforge.training.numbers import all_finite
from digitforge.training.step import Game

# What a file says besides its tensors; files of older versions tell no seconds and have no hash, ...
_STEP, _SECONDS, _HASH = "step", "seconds", "sha256"
_ABOUT = "about"  # ... and lack this one key of the metadata, as JSON: safetensors writes several in any order
_PLAYERS = ("generator", "discriminator")
# What reading a damaged file raises.
DAMAGE = (OSError, KeyError, TypeError, AttributeError, ValueError, safetensors.SafetensorError)


@dataclass
class State:
    """A run in the middle: the game, the average of the generator (None without one) and the tick that is under way.

    sums: float [6], since the last tick: sums of D's loss, G's loss and the penalty, then how many of each.
    step: how many steps were taken. seconds: spent in those since the last tick.
    """

    game: Game
    average: Average | None
    sums: Tensor
    step: int = 0
    seconds: float = 0.0


def named_tensors(state: State) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that decides how a run goes on, by name, in place."""
    game = state.game
    yield "tick.sums", state.sums
    players = {"generator": game.generator, "discriminator": game.discriminator}
    if state.average is not None:
        players["average"] = state.average.generator
    for name, player in players.items():
        yield from ((f"{name}.{key}", value) for key, value in player.state_dict(keep_vars=True).items())
    optimisers = {"generator": game.generator_optimiser, "discriminator": game.discriminator_optimiser}
    for name, optimiser in optimisers.items():
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        for index, parameter in enumerate(parameters):
            for key, value in sorted(optimiser.state[parameter].items()):
                yield f"{name}_optimiser.{index}.{key}", value


def save_checkpoint(path: Path, state: State) -> None:
    """Write the state, whole or not at all."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in named_tensors(state)}
    write_whole(path, _sealed(tensors, {_STEP: str(state.step), _SECONDS: repr(state.seconds)}))


def load_checkpoint(path: Path, state: State) -> None:
    """Put a saved state in the place of `state`."""
    try:
        saved, about = read_tensors(path)
        step, seconds = int(about[_STEP]), float(about.get(_SECONDS, 0.0))
    except DAMAGE as error:
        raise RunError(f"{path} is no checkpoint ({error})") from None
    wanted = dict(named_tensors(state))
    saved = _moments_of_none(saved, wanted) | saved
    if not _alike(saved, wanted):
        raise RunError(f"{path} holds other networks than its run's recipe; the folder mixes two runs")
    if not all_finite(saved[name].to(tensor.dtype) for name, tensor in wanted.items()):
        raise RunError(f"{path} holds numbers that are none")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(saved[name])
    state.step, state.seconds = step, seconds


def generator_weights(generator: Generator) -> bytes:
    """A generator's weights as safetensors, for a snapshot."""
    return _sealed({key: value.cpu().contiguous() for key, value in generator.state_dict().items()}, {})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a checkpoint or a snapshot by name, and what else it says.

    Raises one of DAMAGE where it is no such file, or its content is another than was saved.
    """
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        about: dict[str, str] = json.loads(metadata[_ABOUT]) if _ABOUT in metadata else dict(metadata)
        saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if about.pop(_HASH, None) not in (None, _hash(saved, about)):
        raise ValueError("its content is not what was saved")
    return saved, about


def create_moments(game: Game) -> None:
    """Give both optimisers the moments that they have before their first step, by a step that changes nothing.

    A run may be saved before a player's first turn, and a checkpoint holds the same names whenever it is made.
    """
    for optimiser in (game.generator_optimiser, game.discriminator_optimiser):
        rates = [group["lr"] for group in optimiser.param_groups]
        for group in optimiser.param_groups:
            group["lr"] = 0.0
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate
        for moments in optimiser.state.values():
            for moment in moments.values():
                moment.zero_()


def _sealed(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> bytes:
    """Tensors as a safetensors file, with what else is said of them and the hash over all of it."""
    sealed = {**about, _HASH: _hash(tensors, about)}
    return safetensors.torch.save(dict(tensors), metadata={_ABOUT: json.dumps(sealed)})


def _hash(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    """SHA-256 over tensors by name, kind, shape and bytes, and what else is said of them."""
    digest = hashlib.sha256(f"{sorted(about.items())}\n".encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _moments_of_none(saved: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The moments of a player that had no turn yet, which older versions left out of a file: all zero."""
    waiting = [f"{player}_optimiser." for player in _PLAYERS]
    waiting = [prefix for prefix in waiting if not any(name.startswith(prefix) for name in saved)]
    return {name: torch.zeros_like(value) for name, value in wanted.items() if name.startswith(tuple(waiting))}


def _alike(saved: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    """Whether two sets of tensors have the same names and shapes."""
    return saved.keys() == wanted.keys() and all(saved[name].shape == wanted[name].shape for name in saved)

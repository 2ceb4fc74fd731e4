"""Numbers that are none, NaN or infinite: looked for in all that a run goes on from, and told with what to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from digitforge.errors import enumerated
from digitforge.recipe import Recipe

_PENALTIES = ("r1", "r2", "gradient_penalty")


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether tensors of one device hold no NaN and no infinity; the device is asked once, however many they are.

    Left out are whole numbers and those that stand alone, such as how many steps an optimiser took, which some keep on
    the CPU.
    """
    floating = [tensor.detach() for tensor in tensors if tensor.is_floating_point() and tensor.dim()]
    # No sum hides a NaN or an infinity, and sums take a twentieth of the time of looking at each number, for which
    # there is time enough where a sum alone is too large.
    sums = [tensor.sum().float() for tensor in floating]
    if not sums or bool(torch.stack(sums).isfinite().all()):
        return True
    return all(bool(tensor.isfinite().all()) for tensor in floating)


def lost_among(tensors: Mapping[str, Tensor]) -> list[str]:
    """Where numbers are none, in words, from tensors by their names in a checkpoint."""
    lost = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    return list(dict.fromkeys(_in_words(name) for name in lost))


def divergence(lost: Sequence[str], images: int, recipe: Recipe) -> str:
    """What to say of a run in which something is no number any more: where, what is kept, and what to change."""
    rates = [_lower(recipe, f"{player}_optimiser", "rate") for player in ("generator", "discriminator")]
    penalties = [_lower(recipe, "objective", name) for name in _PENALTIES if getattr(recipe.objective, name)]
    ways = [" and ".join(rates), *penalties]
    if recipe.compute.precision != "32":
        ways.append("--precision 32")
    return (
        f"{enumerated(lost)} are no numbers any more after {images:,} images; the checkpoint before is kept, but goes "
        f"on to the same: start anew from the run's recipe.toml with {' or '.join(ways)}"
    )


def _lower(recipe: Recipe, section: str, name: str) -> str:
    return f"a lower {section}.{name} ({getattr(getattr(recipe, section), name):g} now)"


def _in_words(name: str) -> str:
    owner = name.partition(".")[0]
    if owner == "tick":
        return "the losses"
    player, _, is_optimiser = owner.partition("_")
    return f"the {player}'s moments" if is_optimiser else f"the {player}'s weights"

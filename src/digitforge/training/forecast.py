"""What a run would take on this machine, told before it begins: its length, its time and its memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from digitforge.data import DataSet
from digitforge.recipe import Recipe
from digitforge.training.budget import seconds_an_image
from digitforge.training.compute import start_fabric
from digitforge.training.plan import make_plan
from digitforge.training.setup import new_state
from digitforge.training.train import set_length, throw_away
from digitforge.training.trainer import Trainer

_PROBED = 3.0  # seconds of steps, beyond those that warm up


@dataclass(frozen=True)
class Forecast:
    """What a run would take.

    shape: of an image: channels, height, width. train_images: that there are to learn from.
    generator, discriminator: how many weights each learns.
    images: real images shown to D; steps: of the optimisers. seconds: of training steps, at the speed of a few now.
    memory: bytes that this process held at most, the data and those steps included; None where no one tells.
    """

    shape: tuple[int, int, int]
    train_images: int
    generator: int
    discriminator: int
    images: int
    steps: int
    seconds: float
    memory: int | None

    def sentences(self) -> Iterator[str]:
        """The same in words."""
        channels, height, width = self.shape
        kind = "grey" if channels == 1 else "colour" if channels == 3 else f"{channels} channels"
        yield f"{self.train_images:,} images of {height}x{width} ({kind}) to learn from"
        yield f"weights: {self.generator:,} of the generator, {self.discriminator:,} of the discriminator"
        yield f"{self.images:,} images in {self.steps:,} steps: about {in_words(self.seconds)} on this machine"
        if self.memory is not None:
            yield f"about {self.memory / 1e9:.1f} GB of memory"


def forecast(recipe: Recipe, data: DataSet) -> Forecast:
    """Take a few steps of a run that is then thrown away. Raises as train() does for what can't be trained."""
    plan = make_plan(recipe, data)
    fabric = start_fabric(plan.recipe)

    def probe(batch_size: int) -> Callable[[], None]:
        return Trainer(throw_away(plan, batch_size), fabric).step

    settled = set_length(plan, fabric)
    seconds = plan.recipe.training.seconds
    if seconds is None:
        seconds = settled.times.images * seconds_an_image(plan.recipe, probe, fabric, _PROBED)
    game = new_state(plan, fabric).game
    return Forecast(
        shape=data.train.shape,
        train_images=len(plan.train),
        generator=_weights(game.generator),
        discriminator=_weights(game.discriminator),
        images=settled.times.images,
        steps=settled.times.steps,
        seconds=seconds,
        memory=_peak_memory(),
    )


def _weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _peak_memory() -> int | None:
    """The most memory that this process has held so far, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def in_words(seconds: float) -> str:
    """A time that nobody needs to the second."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"

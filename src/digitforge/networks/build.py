"""From a recipe's networks and a picture's shape to the two players."""

import math
from collections.abc import Callable

import torch

from digitforge.errors import RecipeError
from digitforge.networks import baseline, dcgan, express, r3gan, raschka, upsample
from digitforge.networks.clusters import ClusterChoice, NearestCluster
from digitforge.networks.players import Outline, Pair
from digitforge.randomness import stream
from digitforge.recipe import nearest
from digitforge.sections import Networks

FAMILIES: dict[str, Callable[[Outline], Pair]] = {
    "baseline": baseline.build,
    "dcgan": dcgan.build,
    "express": express.build,
    "r3gan": r3gan.build,
    "raschka": raschka.build,
    "upsample": upsample.build,
}


def build(networks: Networks, shape: tuple[int, int, int], classes: int, seed: int) -> Pair:
    """Both players on the CPU, their first weights drawn from `seed`.

    shape: channels, height and width of an image; classes: how many labels the data set has. What tells clusters is to
    be filled with those of the images.
    """
    if networks.family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise RecipeError(
            f'there is no family "{networks.family}"{nearest(networks.family, FAMILIES)}; the families are {known}'
        )
    if shape[1] % 4 or shape[2] % 4:
        raise RecipeError(
            f"the networks of this recipe double their size twice, so an image's sides must divide by 4, "
            f"and these are {shape[2]}x{shape[1]}; resize them to 28x28 or 32x32"
        )
    outline = Outline(
        shape=shape,
        latent_size=networks.latent_size,
        classes=classes if networks.conditional else networks.clusters,
        pixels=networks.pixels,
        generator_width=networks.generator_width,
        discriminator_width=networks.discriminator_width,
        leaky_slope=networks.leaky_slope,
        dropout=networks.dropout,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, "weights").integers(2**63)))
        pair = FAMILIES[networks.family](outline)
    if networks.clusters:
        pair.generator.choice = ClusterChoice(networks.clusters, networks.latent)
        pair.discriminator.clusters = NearestCluster(networks.clusters, math.prod(shape))
    pair.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pair.discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return pair

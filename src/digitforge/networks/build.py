"""From a recipe's networks and a picture's shape to the two players."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from digitforge.errors import RecipeError
from digitforge.networks import baseline, dcgan, express, r3gan, raschka, upsample
from digitforge.networks.clusters import ClusterChoice, NearestCluster
from digitforge.networks.layers import BatchNorm
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
    be filled with those of the images. Raises RecipeError for a family that there is not, a shape that networks here
    cannot draw, and a family with a layer that would train wrongly.
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
    _check_layers("generator", pair.generator, networks.family)
    _check_layers("discriminator", pair.discriminator, networks.family)
    if networks.clusters:
        pair.generator.choice = ClusterChoice(networks.clusters, networks.latent)
        pair.discriminator.clusters = NearestCluster(networks.clusters, math.prod(shape))
    pair.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pair.discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return pair


def _check_layers(player: str, network: nn.Module, family: str) -> None:
    """Raise RecipeError for the first layer that would train wrongly.

    Training knows normalisation and dropout by the package's own types; others would get wrong gradients, leave the
    average their first statistics, or draw masks that no resumed run draws again.
    """
    for name, layer in network.named_modules():
        if instead := _instead_of(layer):
            raise RecipeError(
                f'the {player} of the family "{family}" has a layer {type(layer).__name__} ({name}), which training '
                f"here would treat wrongly; use {instead}"
            )


def _instead_of(layer: nn.Module) -> str:
    """What to use in the place of a layer that would train wrongly; "" where it is as good as any."""
    if isinstance(layer, _BatchNorm) and not isinstance(layer, BatchNorm):
        return "digitforge.networks.layers.BatchNorm"
    if isinstance(layer, _InstanceNorm) and layer.track_running_stats:
        return "it with track_running_stats=False"
    if isinstance(layer, _DropoutNd) and layer.p:
        return "digitforge.networks.layers.Dropout"
    return "torch.nn.LeakyReLU" if isinstance(layer, nn.RReLU) else ""  # slopes by chance, from hidden state too

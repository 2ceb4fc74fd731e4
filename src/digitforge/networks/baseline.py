"""Document 003's GAN: small convolutions that stride down and up, dropout in D, no normalisation at all."""

from torch import nn

from digitforge.networks.layers import (
    Dropout,
    Flatten,
    Logit,
    SameConv,
    SameConvTranspose,
    ToMap,
    initialise_as_keras,
)
from digitforge.networks.players import Discriminator, Generator, Outline, Pair, last_activation


def build(outline: Outline) -> Pair:
    """Both players; at widths 128 and 64 and 28x28x1 they have 1,164,289 and 40,705 parameters."""
    pair = Pair(_generator(outline), _discriminator(outline))
    initialise_as_keras(pair.generator)
    initialise_as_keras(pair.discriminator)
    return pair


def _generator(outline: Outline) -> Generator:
    channels, height, width = outline.shape
    maps = outline.generator_width
    layers = nn.Sequential(
        nn.Linear(outline.latent_size + outline.classes, maps * (height // 4) * (width // 4)),
        nn.LeakyReLU(outline.leaky_slope),
        ToMap(maps, height // 4, width // 4),
        SameConvTranspose(maps, maps, kernel=4, stride=2),
        nn.LeakyReLU(outline.leaky_slope),
        SameConvTranspose(maps, maps, kernel=4, stride=2),
        nn.LeakyReLU(outline.leaky_slope),
        SameConv(maps, channels, kernel=7, stride=1),
        last_activation(outline.pixels),
    )
    return Generator(layers, outline.classes)


def _discriminator(outline: Outline) -> Discriminator:
    channels, height, width = outline.shape
    maps = outline.discriminator_width
    layers = nn.Sequential(
        SameConv(channels, maps, kernel=3, stride=2),
        nn.LeakyReLU(outline.leaky_slope),
        Dropout(outline.dropout),
        SameConv(maps, maps, kernel=3, stride=2),
        nn.LeakyReLU(outline.leaky_slope),
        Dropout(outline.dropout),
        Flatten(),
    )
    return Discriminator(layers, Logit(maps * (height // 4) * (width // 4), outline.classes))

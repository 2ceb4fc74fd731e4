"""DCGAN on digits as document 002 lays it out (after Radford et al. 2016), for images whose sides divide by 4."""

from torch import nn

from digitforge.networks.layers import (
    BatchNorm,
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
    """Both players; at width 64 and 28x28x1 they have 2,305,472 and 1,030,145 parameters."""
    pair = Pair(_generator(outline), _discriminator(outline))
    initialise_as_keras(pair.generator)
    initialise_as_keras(pair.discriminator)
    return pair


def _generator(outline: Outline) -> Generator:
    channels, height, width = outline.shape
    narrow = outline.generator_width
    features = 4 * narrow * (height // 4) * (width // 4)
    layers = nn.Sequential(
        nn.Linear(outline.latent_size + outline.classes, features, bias=False),
        _norm(features),
        nn.LeakyReLU(outline.leaky_slope),
        ToMap(4 * narrow, height // 4, width // 4),
        SameConvTranspose(4 * narrow, 2 * narrow, kernel=5, stride=1, bias=False),
        _norm(2 * narrow),
        nn.LeakyReLU(outline.leaky_slope),
        SameConvTranspose(2 * narrow, narrow, kernel=5, stride=2, bias=False),
        _norm(narrow),
        nn.LeakyReLU(outline.leaky_slope),
        SameConvTranspose(narrow, channels, kernel=5, stride=2, bias=False),
        last_activation(outline.pixels),
    )
    return Generator(layers, outline.classes)


def _discriminator(outline: Outline) -> Discriminator:
    channels, height, width = outline.shape
    narrow = outline.discriminator_width
    layers: list[nn.Module] = []
    for inputs, outputs in ((channels, narrow), (narrow, 2 * narrow), (2 * narrow, 4 * narrow)):
        layers += [
            SameConv(inputs, outputs, kernel=5, stride=2),
            nn.LeakyReLU(outline.leaky_slope),
            Dropout(outline.dropout),
        ]
        height, width = (height + 1) // 2, (width + 1) // 2
    logit = Logit(4 * narrow * height * width, outline.classes)
    return Discriminator(nn.Sequential(*layers, Flatten()), logit)


def _norm(channels: int) -> BatchNorm:
    """Keras' batch normalisation: epsilon 1e-3, and a running average that takes 1 % of each batch."""
    return BatchNorm(channels, eps=1e-3, momentum=0.01)

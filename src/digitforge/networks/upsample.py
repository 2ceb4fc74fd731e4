"""Document 001's GAN: a dense layer of many low-resolution images, then (upsample, convolve) twice.

The document gives the layers in words alone; kernels and the number of channels are ours.
"""

from torch import nn

from digitforge.networks.layers import Dropout, Flatten, Logit, SameConv, ToMap, initialise_as_keras
from digitforge.networks.players import Discriminator, Generator, Outline, Pair, last_activation


def build(outline: Outline) -> Pair:
    """Both players; at widths 256 and 64 and 28x28x1 they have 2,089,473 and 212,865 parameters."""
    pair = Pair(_generator(outline), _discriminator(outline))
    initialise_as_keras(pair.generator)
    initialise_as_keras(pair.discriminator)
    return pair


def _generator(outline: Outline) -> Generator:
    """The width counts the dense layer's low-resolution images, a quarter of the whole one's sides each."""
    channels, height, width = outline.shape
    many = outline.generator_width
    fewer = max(1, many // 2)
    layers = nn.Sequential(
        nn.Linear(outline.latent_size + outline.classes, many * (height // 4) * (width // 4)),
        nn.LeakyReLU(outline.leaky_slope),
        ToMap(many, height // 4, width // 4),
        nn.Upsample(scale_factor=2, mode="nearest"),
        SameConv(many, fewer, kernel=5, stride=1),
        nn.LeakyReLU(outline.leaky_slope),
        nn.Upsample(scale_factor=2, mode="nearest"),
        SameConv(fewer, channels, kernel=5, stride=1),
        last_activation(outline.pixels),
    )
    return Generator(layers, outline.classes)


def _discriminator(outline: Outline) -> Discriminator:
    channels, height, width = outline.shape
    narrow = outline.discriminator_width
    layers = nn.Sequential(
        SameConv(channels, narrow, kernel=5, stride=2),
        nn.LeakyReLU(outline.leaky_slope),
        Dropout(outline.dropout),
        SameConv(narrow, 2 * narrow, kernel=5, stride=2),
        nn.LeakyReLU(outline.leaky_slope),
        Dropout(outline.dropout),
        Flatten(),
    )
    return Discriminator(layers, Logit(2 * narrow * (height // 4) * (width // 4), outline.classes))

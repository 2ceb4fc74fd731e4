"""Express: a small pair made for CPUs, whose convolutions run at a half and a quarter of the image's sides.

Pixel shuffles (Shi et al. 2016) move between resolutions without arithmetic, so that every convolution is a 3x3 one
on a map that lies channels last: the shape that oneDNN multiplies fastest in bf16.
"""

from torch import nn

from digitforge.networks.layers import BatchNorm, Dropout, Flatten, Logit, ToMap
from digitforge.networks.players import Discriminator, Generator, Outline, Pair, last_activation

_LOGIT_FEATURES = 128  # what the discriminator's label projection sees


def build(outline: Outline) -> Pair:
    """Both players, for images whose sides divide by 4."""
    return Pair(_generator(outline), _discriminator(outline))


def _generator(outline: Outline) -> Generator:
    channels, height, width = outline.shape
    narrow = outline.generator_width
    layers = nn.Sequential(
        nn.Linear(outline.latent_size + outline.classes, 2 * narrow * (height // 4) * (width // 4)),
        ToMap(2 * narrow, height // 4, width // 4),
        BatchNorm(2 * narrow),
        nn.ReLU(),
        nn.Conv2d(2 * narrow, 4 * narrow, 3, padding=1, bias=False),
        nn.PixelShuffle(2),
        BatchNorm(narrow),
        nn.ReLU(),
        nn.Conv2d(narrow, narrow, 3, padding=1, bias=False),
        BatchNorm(narrow),
        nn.ReLU(),
        nn.Conv2d(narrow, 4 * channels, 3, padding=1),
        nn.PixelShuffle(2),
        last_activation(outline.pixels),
    )
    return Generator(layers, outline.classes)


def _discriminator(outline: Outline) -> Discriminator:
    channels, height, width = outline.shape
    narrow = outline.discriminator_width
    first = max(1, narrow // 2)
    area = (height // 4) * (width // 4)
    layers = nn.Sequential(
        nn.PixelUnshuffle(2),
        *_convolve(outline, 4 * channels, first),
        nn.PixelUnshuffle(2),
        *_convolve(outline, 4 * first, 2 * narrow),
        *_convolve(outline, 2 * narrow, 2 * narrow),
        Flatten(),
        nn.Linear(2 * narrow * area, _LOGIT_FEATURES),
        nn.LeakyReLU(outline.leaky_slope),
    )
    return Discriminator(layers, Logit(_LOGIT_FEATURES, outline.classes))


def _convolve(outline: Outline, inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.LeakyReLU(outline.leaky_slope),
        Dropout(outline.dropout),
    ]

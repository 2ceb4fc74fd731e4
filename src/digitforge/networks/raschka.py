"""Document 004's DCGAN, after Raschka, Liu and Mirjalili, "Machine Learning with PyTorch and Scikit-Learn", chapter 17.

No biases, batch normalisation in both players, PyTorch's own first weights and settings throughout.
"""

from torch import nn

from digitforge.networks.layers import BatchNorm, Dropout, Flatten, Logit, ToMap
from digitforge.networks.players import Discriminator, Generator, Outline, Pair, last_activation


def build(outline: Outline) -> Pair:
    """Both players; at width 32 and 28x28x1 they have 312,256 and 109,440 parameters."""
    return Pair(_generator(outline), _discriminator(outline))


def _generator(outline: Outline) -> Generator:
    channels, height, width = outline.shape
    narrow = outline.generator_width
    inputs = outline.latent_size + outline.classes
    start = (_half(height // 4), _half(width // 4))
    kernel = (_doubling_kernel(height // 4), _doubling_kernel(width // 4))
    layers = nn.Sequential(
        ToMap(inputs, 1, 1),
        *_grow(outline, nn.ConvTranspose2d(inputs, 4 * narrow, start, bias=False)),
        *_grow(outline, nn.ConvTranspose2d(4 * narrow, 2 * narrow, kernel, stride=2, padding=1, bias=False)),
        *_grow(outline, nn.ConvTranspose2d(2 * narrow, narrow, 4, stride=2, padding=1, bias=False)),
        nn.ConvTranspose2d(narrow, channels, 4, stride=2, padding=1, bias=False),
        last_activation(outline.pixels),
    )
    return Generator(layers, outline.classes)


def _discriminator(outline: Outline) -> Discriminator:
    channels, height, width = outline.shape
    narrow = outline.discriminator_width
    layers = nn.Sequential(
        nn.Conv2d(channels, narrow, 4, stride=2, padding=1, bias=False),
        nn.LeakyReLU(outline.leaky_slope),
        Dropout(outline.dropout),
        *_shrink(outline, nn.Conv2d(narrow, 2 * narrow, 4, stride=2, padding=1, bias=False)),
        *_shrink(outline, nn.Conv2d(2 * narrow, 4 * narrow, 3, stride=2, padding=1, bias=False)),
        Flatten(),
    )
    # The last convolution's kernel covers the whole map (4x4 for 28x28), so that it is a dense layer with as many
    # inputs a node; PyTorch draws both within 1 / sqrt(inputs).
    features = 4 * narrow * _half(height // 4) * _half(width // 4)
    return Discriminator(layers, Logit(features, outline.classes, bias=False))


def _grow(outline: Outline, convolution: nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, BatchNorm(convolution.out_channels), nn.LeakyReLU(outline.leaky_slope)]


def _shrink(outline: Outline, convolution: nn.Conv2d) -> list[nn.Module]:
    norm = BatchNorm(convolution.out_channels)
    return [convolution, norm, nn.LeakyReLU(outline.leaky_slope), Dropout(outline.dropout)]


def _half(quarter: int) -> int:
    """The side of the smallest maps, rounded up: 4 for the document's 7."""
    return (quarter + 1) // 2


def _doubling_kernel(quarter: int) -> int:
    """The kernel that takes a side of `_half(quarter)` to `quarter`, at stride 2 and padding 1: 3 for the document's 7.

    A transposed convolution makes 2 * side + kernel - 4 of a side.
    """
    return 3 if quarter % 2 else 4

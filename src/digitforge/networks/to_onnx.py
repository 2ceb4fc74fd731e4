"""From a trained network to one ONNX file, its card in the metadata."""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from digitforge.networks.pixels import Range, to_network, to_uint8
from digitforge.networks.players import Discriminator, Generator
from digitforge.onnx_file import BLEND, CARD_KEY
from digitforge.seal import sealed

_OPSET = 18
_EXAMPLES = 2  # images that the exporter traces; the batch axis stays free


class _Drawing(nn.Module):
    def __init__(self, generator: Generator, pixels: Range) -> None:
        super().__init__()
        self.generator = generator
        self.pixels = pixels

    def forward(self, latent: Tensor, label: Tensor | None = None, blend: Tensor | None = None) -> Tensor:
        if label is None or blend is None:
            return to_uint8(self.generator(latent), self.pixels)
        condition = F.one_hot(label, self.generator.classes).to(latent.dtype) + blend
        return to_uint8(self.generator.conditioned(latent, condition), self.pixels)


class _Judging(nn.Module):
    def __init__(self, discriminator: Discriminator, pixels: Range) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.pixels = pixels

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        logits: Tensor = self.discriminator(to_network(images, self.pixels), label)
        return logits


def generator_to_onnx(generator: Generator, latent_size: int, pixels: Range, card: str) -> bytes:
    """A model file: `latent` float32 [N, Z] and, if told labels, `label` int64 [N] to `images` uint8 [N, C, H, W].

    A model that is told labels also has `blend` float32 [M, classes], M being 1 or N, which is added to the label's
    one-hot vector; it is 0 unless it is given, so nobody needs to know of it.
    card: the JSON to keep under the metadata key `digitforge`.
    """
    inputs = {"latent": torch.zeros(_EXAMPLES, latent_size)} | _example_labels(generator.classes)
    if not generator.classes:
        return _export(_Drawing(generator, pixels), inputs, ["images"], card)
    inputs |= {BLEND: torch.zeros(_EXAMPLES, generator.classes)}
    model = _export(_Drawing(generator, pixels), inputs, ["images"], card)
    return with_card(_with_default(model, BLEND, np.zeros((1, generator.classes), np.float32)), card)


def discriminator_to_onnx(
    discriminator: Discriminator, classes: int, shape: tuple[int, int, int], pixels: Range, card: str
) -> bytes:
    """The discriminator: `images` uint8 [N, C, H, W] and, if told labels, `label` int64 [N] to `logit` float32 [N]."""
    inputs = {"images": torch.zeros(_EXAMPLES, *shape, dtype=torch.uint8)} | _example_labels(classes)
    return _export(_Judging(discriminator, pixels), inputs, ["logit"], card)


def classifier_to_onnx(
    classifier: nn.Module, shape: tuple[int, int, int], card: str, *, tells_crowded: bool = False
) -> bytes:
    """A classifier: `images` uint8 [N, C, H, W] to `features` float32 [N, F] and `logits` float32 [N, classes].

    tells_crowded: whether it also gives `crowded` float32 [N], a logit, which its card must say.
    """
    inputs = {"images": torch.zeros(_EXAMPLES, *shape, dtype=torch.uint8)}
    outputs = ["features", "logits", *(["crowded"] if tells_crowded else [])]
    return _export(classifier, inputs, outputs, card)


def weights_sha256(network: nn.Module) -> str:
    """A hash over a network's weights and statistics, by name, shape and bytes."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(f"{name} {list(value.shape)} {value.dtype}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def with_card(model: bytes, card: str) -> bytes:
    """The same model file with another card, sealed anew."""
    import onnx

    proto = onnx.load_model_from_string(model)
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {CARD_KEY: card})
    return sealed(proto.SerializeToString(deterministic=True))


def _with_default(model: bytes, name: str, value: NDArray[np.float32]) -> bytes:
    """The same model, unsealed, with a value for one input, which so becomes optional; its first axis is free."""
    import onnx

    proto = onnx.load_model_from_string(model)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    port = next(port for port in proto.graph.input if port.name == name)
    port.type.tensor_type.shape.dim[0].dim_param = "M"
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _example_labels(classes: int) -> dict[str, Tensor]:
    return {"label": torch.zeros(_EXAMPLES, dtype=torch.int64)} if classes else {}


def _export(network: nn.Module, inputs: dict[str, Tensor], outputs: list[str], card: str) -> bytes:
    """Trace `network` in evaluation mode on the CPU, every input's first axis free."""
    batch = torch.export.Dim("N", min=1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # The exporter reports its progress on the terminal, which belongs to whoever called.
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.eval().cpu(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            opset_version=_OPSET,
            dynamo=True,
        )
    assert program is not None
    return with_card(program.model_proto.SerializeToString(), card)

"""From a trained network to one ONNX file, its card in the metadata.

Tracing a network takes seconds, and what comes of it depends on its settings alone. So the graph of each pair is traced
once a process, unoptimised and without weights; a model is the graph with weights, optimised.
"""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from digitforge.networks.build import build
from digitforge.networks.pixels import Range, to_network, to_uint8
from digitforge.networks.players import Discriminator, Generator
from digitforge.onnx_file import BLEND, CARD_KEY
from digitforge.seal import sealed
from digitforge.sections import Networks

Shape = tuple[int, int, int]  # of an image: channels, height, width

_OPSET = 18
_GRAPHS = 16  # that are kept, some kB each
_EXAMPLES = 2  # images that the exporter traces; the batch axis stays free


class _Drawing(nn.Module):
    def __init__(self, generator: Generator, pixels: Range) -> None:
        super().__init__()
        self.generator = generator
        self.pixels = pixels

    def forward(self, latent: Tensor, label: Tensor | None = None, blend: Tensor | None = None) -> Tensor:
        if label is None or blend is None:
            return to_uint8(self.generator.drawn(latent), self.pixels)
        condition = F.one_hot(label, self.generator.classes).to(latent.dtype) + blend
        return to_uint8(self.generator.conditioned(latent, condition), self.pixels)


class _Judging(nn.Module):
    def __init__(self, discriminator: Discriminator, pixels: Range) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.pixels = pixels

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        shown = to_network(images, self.pixels)
        logits: Tensor = self.discriminator(shown, self.discriminator.told(shown, label))
        return logits


def generator_to_onnx(generator: Generator, networks: Networks, shape: Shape, card: str) -> bytes:
    """A model file: `latent` float32 [N, Z] and, if told labels, `label` int64 [N] to `images` uint8 [N, C, H, W].

    A model that is told labels also has `blend` float32 [M, classes], M being 1 or N, which is added to the label's
    one-hot vector; it is 0 unless it is given, so nobody needs to know of it.
    networks, shape: what the generator was built by. card: the JSON to keep under the metadata key `digitforge`.
    """
    model = _with_weights(_generator_graph(networks, shape, generator.label_count), _weights(generator, "generator"))
    if generator.label_count:
        model = _with_default(model, BLEND, np.zeros((1, generator.label_count), np.float32))
    return with_card(model, card)


def discriminator_to_onnx(
    discriminator: Discriminator, networks: Networks, shape: Shape, classes: int, card: str
) -> bytes:
    """The discriminator: `images` uint8 [N, C, H, W] and, if told labels, `label` int64 [N] to `logit` float32 [N].

    networks, shape, classes: what it was built by.
    """
    told = classes if networks.conditional else 0
    model = _with_weights(_discriminator_graph(networks, shape, told), _weights(discriminator, "discriminator"))
    return with_card(model, card)


def classifier_to_onnx(classifier: nn.Module, shape: Shape, card: str, *, tells_crowded: bool = False) -> bytes:
    """A classifier: `images` uint8 [N, C, H, W] to `features` float32 [N, F] and `logits` float32 [N, classes].

    tells_crowded: whether it also gives `crowded` float32 [N], a logit, which its card must say.
    """
    inputs = {"images": torch.zeros(_EXAMPLES, *shape, dtype=torch.uint8)}
    outputs = ["features", "logits", *(["crowded"] if tells_crowded else [])]
    return with_card(_with_weights(_traced(classifier, inputs, outputs), _weights(classifier)), card)


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


@lru_cache(_GRAPHS)
def _generator_graph(networks: Networks, shape: Shape, classes: int) -> bytes:
    generator = build(networks, shape, classes, seed=0).generator
    inputs = {"latent": torch.zeros(_EXAMPLES, networks.drawing_size)} | _example_labels(classes)
    if classes:
        inputs |= {BLEND: torch.zeros(_EXAMPLES, classes)}
    return _traced(_Drawing(generator, networks.pixels), inputs, ["images"])


@lru_cache(_GRAPHS)
def _discriminator_graph(networks: Networks, shape: Shape, classes: int) -> bytes:
    discriminator = build(networks, shape, classes, seed=0).discriminator
    inputs = {"images": torch.zeros(_EXAMPLES, *shape, dtype=torch.uint8)} | _example_labels(classes)
    return _traced(_Judging(discriminator, networks.pixels), inputs, ["logit"])


def _example_labels(classes: int) -> dict[str, Tensor]:
    return {"label": torch.zeros(_EXAMPLES, dtype=torch.int64)} if classes else {}


def _weights(network: nn.Module, within: str = "") -> dict[str, NDArray[Any]]:
    """A network's weights and statistics by the names that they have in a graph."""
    prefix = f"{within}." if within else ""
    return {f"{prefix}{name}": value.detach().cpu().numpy() for name, value in network.state_dict().items()}


def _traced(network: nn.Module, inputs: dict[str, Tensor], outputs: list[str]) -> bytes:
    """The graph of `network` in evaluation mode, every input's first axis free; its weights are empty."""
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
            optimize=False,
        )
    assert program is not None
    proto = program.model_proto
    _forget_origins(proto)
    weights = network.state_dict().keys()
    for initializer in proto.graph.initializer:
        if initializer.name in weights:
            initializer.raw_data = b""
    content: bytes = proto.SerializeToString()
    return content


def _forget_origins(proto: Any) -> None:
    """Drop what the exporter notes on each node and value: line by line of our code, with the paths of this machine."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _with_weights(graph: bytes, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """A graph with its weights in place, optimised."""
    import onnx
    from onnxscript import optimizer

    proto = onnx.load_model_from_string(graph)
    for initializer in proto.graph.initializer:
        if initializer.name in weights:
            initializer.CopyFrom(onnx.numpy_helper.from_array(weights[initializer.name], initializer.name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proto = optimizer.optimize(proto)
    _forget_origins(proto)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content

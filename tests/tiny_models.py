"""Tiny ONNX models for tests, made without the code under test: grey levels stand for digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

LEVEL = 25  # a picture of the digit d has the mean grey level 25 d
LATENT = 4
FEATURES = 6
CROWDED = 100  # the mean grey level above which images are crowded to the tiny classifier
HASH = "ab" * 32


def card_table(**changes: Any) -> dict[str, Any]:
    """A right card as JSON has it; changes replace single entries."""
    return {
        "format": 1,
        "version": "0.1.0",
        "recipe": {"name": "tiny"},
        "data": {"name": "tiny-data", "sha256": HASH, "count": 100},
        "seed": 3,
        "images": 6400,
        "names": list("0123456789"),
        "frequencies": [10] * 10,
        "conditional": True,
        "latent": {"size": LATENT, "distribution": "normal", "choosers": 0},
        "weights": "average",
        "shape": [1, 28, 28],
        "weights_sha256": HASH,
        "figures": {},
        **changes,
    }


def stacked_card(**changes: Any) -> dict[str, Any]:
    """A right card of a model of stacked digits."""
    names = [f"{number:03}" for number in range(1000)]
    return card_table(**{"names": names, "frequencies": [10] * 1000, "shape": [3, 28, 28], **changes})


def write_model(
    path: Path,
    *,
    card: dict[str, Any] | str | None = None,
    conditional: bool = True,
    shape: tuple[int, int, int] = (1, 28, 28),
    spread: float = 1.5,
    blends: bool = False,
) -> Path:
    """A model file whose images are 25 times their digit and a little noise from the latent.

    An unconditional one draws the digit floor(4.5 + spread * latent[0]). One that blends has the optional input
    `blend`, and between two digits draws the level between theirs. A card in words goes in as it is.
    """
    pixels = int(np.prod(shape))
    noise = np.random.default_rng(0).uniform(-3, 3, (LATENT, pixels)).astype(np.float32)
    constants = {
        "noise": noise - noise.mean(1, keepdims=True),
        "level": np.float32(LEVEL),
        "low": np.float32(0),
        "nine": np.float32(9),
        "high": np.float32(255),
        "half": np.float32(0.5),
        "shape": np.asarray([-1, *shape], np.int64),
        "column": np.asarray([-1, 1], np.int64),
        "first": np.eye(LATENT, 1, dtype=np.float32) * np.float32(spread),
        "centre": np.float32(4.5),
        "blend": np.zeros((1, 10), np.float32),
        "classes": np.asarray(10, np.int64),
        "off and on": np.asarray([0, 1], np.float32),
        "digits": np.arange(10, dtype=np.float32)[:, None],
    }
    if conditional and blends:
        digit = [
            helper.make_node("OneHot", ["label", "classes", "off and on"], ["one hot"]),
            helper.make_node("Add", ["one hot", "blend"], ["shares"]),
            _node("MatMul", "shares digits", "digit"),
        ]
    elif conditional:
        digit = [_node("Cast", "label", "float", to=TensorProto.FLOAT), _node("Reshape", "float column", "digit")]
    else:
        digit = [
            _node("MatMul", "latent first", "shift"),
            _node("Add", "shift centre", "place"),
            _node("Floor", "place", "floor"),
            _node("Clip", "floor low nine", "digit"),
        ]
    drawing = [
        _node("MatMul", "latent noise", "wobble"),
        _node("Mul", "digit level", "base"),
        _node("Add", "base wobble", "flat"),
        _node("Add", "flat half", "rounded"),
        _node("Clip", "rounded low high", "clipped"),
        _node("Reshape", "clipped shape", "pixels"),
        _node("Cast", "pixels", "images", to=TensorProto.UINT8),
    ]
    inputs = [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", LATENT])]
    if conditional:
        inputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]))
    if conditional and blends:
        inputs.append(helper.make_tensor_value_info("blend", TensorProto.FLOAT, ["M", 10]))
    outputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *shape])]
    if card is None:
        card = card_table(conditional=conditional, shape=list(shape))
    return _write(path, [*digit, *drawing], inputs, outputs, constants, card)


def write_stacked_model(path: Path, *, card: dict[str, Any], last: int = 999) -> Path:
    """A conditional model of three digits in three channels, each 25 times its digit and a little noise.

    last: the last label that it draws; it stays there for those after it.
    """
    noise = np.random.default_rng(0).uniform(-3, 3, (LATENT, 3 * 784)).astype(np.float32)
    constants = {
        "noise": noise,
        "column": np.asarray([-1, 1], np.int64),
        "low": np.float32(0),
        "last": np.float32(last),
        "places": np.asarray([[100, 10, 1]], np.float32),
        "ten": np.float32(10),
        "level": np.float32(LEVEL),
        "channels": np.asarray([-1, 3, 1, 1], np.int64),
        "shape": np.asarray([-1, 3, 28, 28], np.int64),
        "high": np.float32(255),
    }
    nodes = [
        _node("Cast", "label", "float", to=TensorProto.FLOAT),
        _node("Clip", "float low last", "kept"),
        _node("Reshape", "kept column", "number"),
        _node("Div", "number places", "tens"),
        _node("Floor", "tens", "whole"),
        _node("Mod", "whole ten", "digits", fmod=1),
        _node("Mul", "digits level", "levels"),
        _node("Reshape", "levels channels", "base"),
        _node("MatMul", "latent noise", "flat"),
        _node("Reshape", "flat shape", "wobble"),
        _node("Add", "base wobble", "pixels"),
        _node("Clip", "pixels low high", "clipped"),
        _node("Cast", "clipped", "images", to=TensorProto.UINT8),
    ]
    inputs = [
        helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", LATENT]),
        helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
    ]
    outputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 3, 28, 28])]
    return _write(path, nodes, inputs, outputs, constants, card)


def write_classifier(
    path: Path, *, reads: tuple[int, int, int] = (1, 28, 28), crowded: bool = False, **changes: Any
) -> Path:
    """A classifier that reads the mean grey level; its features are means of parts of the picture.

    reads: the shape of its images. crowded: whether it also tells crowded images, which to it are those of a mean level
    above CROWDED. changes: entries of its card.
    """
    pixels = int(np.prod(reads))
    parts = np.random.default_rng(1).uniform(0, 2 / pixels, (pixels, FEATURES)).astype(np.float32)
    constants = {
        "flat": np.asarray([-1, pixels], np.int64),
        "parts": parts,
        "mean": np.full((pixels, 1), 1 / pixels, np.float32),
        "levels": (np.arange(10) * LEVEL).astype(np.float32)[None],
        "limit": np.float32(CROWDED),
        "line": np.asarray([-1], np.int64),
    }
    nodes = [
        _node("Cast", "images", "wide", to=TensorProto.FLOAT),
        _node("Reshape", "wide flat", "row"),
        _node("MatMul", "row parts", "features"),
        _node("MatMul", "row mean", "grey"),
        _node("Sub", "grey levels", "distance"),
        _node("Mul", "distance distance", "square"),
        _node("Neg", "square", "logits"),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *reads])]
    outputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", FEATURES]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10]),
    ]
    card = {"kind": "classifier", "names": list("0123456789"), "shape": list(reads)}
    if crowded:
        nodes += [_node("Sub", "grey limit", "excess"), _node("Reshape", "excess line", "crowded")]
        outputs.append(helper.make_tensor_value_info("crowded", TensorProto.FLOAT, ["N"]))
        card["tells_crowded"] = True
    return _write(path, nodes, inputs, outputs, constants, {**card, **changes})


def write_judge(path: Path) -> Path:
    """A discriminator whose logit for a grey image of 28x28 is its mean brightness."""
    nodes = [
        _node("Cast", "images", "float", to=TensorProto.FLOAT),
        _node("ReduceMean", "float axes", "logit", keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 1, 28, 28])]
    outputs = [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["N"])]
    return _write(path, nodes, inputs, outputs, {"axes": np.asarray([1, 2, 3], np.int64)}, {"kind": "discriminator"})


def _node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def _write(path: Path, nodes: Any, inputs: Any, outputs: Any, constants: dict[str, Any], card: Any) -> Path:
    used = {name for node in nodes for name in node.input}
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if card != "":
        helper.set_model_props(model, {"digitforge": card if isinstance(card, str) else json.dumps(card)})
    path.write_bytes(model.SerializeToString())
    return path

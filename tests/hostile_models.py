"""ONNX files that mean harm, a few hundred bytes each: made for tests, without the code under test."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tiny_models import LATENT, card_table

HUGE = 15_000  # a side of what is asked for: 900 MB in float32, just below what ONNX Runtime would fold by itself


def _model(nodes: Sequence[Any], constants: dict[str, np.ndarray] | Sequence[TensorProto], **changes: Any) -> bytes:
    """A file of these operations and constants; changes are made to its card."""
    if isinstance(constants, dict):
        constants = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    latent = helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", LATENT])
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 1, 28, 28])
    graph = helper.make_graph(nodes, "hostile", [latent], [images], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"digitforge": json.dumps(card_table(conditional=False, **changes))})
    content: bytes = model.SerializeToString()
    return content


def _filled(sides: Sequence[int], value: float) -> tuple[Any, dict[str, np.ndarray]]:
    node = helper.make_node(
        "ConstantOfShape", ["sides"], ["filled"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [value])
    )
    return node, {"sides": np.asarray(sides, np.int64)}


def fills_memory() -> bytes:
    """Six constants of 900 MB and what comes of them, all known before the first run."""
    filled, constants = _filled([1, 1, HUGE, HUGE], 2.0)
    powers = [helper.make_node("Pow", ["filled", f"power {each}"], [f"big {each}"]) for each in range(6)]
    constants |= {f"power {each}": np.float32(each) for each in range(6)}
    total = helper.make_node("Sum", [f"big {each}" for each in range(6)], ["total"])
    return _model([filled, *powers, total, helper.make_node("Cast", ["total"], ["images"], to=2)], constants)


def loops_for_ever() -> bytes:
    """A loop of 2^62 rounds."""
    port = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go on"], ["goes on"]), helper.make_node("Identity", ["in"], ["out"])],
        "body",
        [
            port("round", TensorProto.INT64, []),
            port("go on", TensorProto.BOOL, []),
            port("in", TensorProto.FLOAT, None),
        ],
        [port("goes on", TensorProto.BOOL, []), port("out", TensorProto.FLOAT, None)],
    )
    loop = helper.make_node("Loop", ["rounds", "yes", "latent"], ["end"], body=body)
    constants = {"rounds": np.asarray(2**62, np.int64), "yes": np.asarray(True)}
    return _model([loop, helper.make_node("Cast", ["end"], ["images"], to=2)], constants)


def multiplies_for_long() -> bytes:
    """Two hundred products of matrices, seconds each, all known before the first run."""
    filled, constants = _filled([4000, 4000], 1e-4)
    products = [helper.make_node("MatMul", ["filled", "filled"], ["product 0"])]
    products += [
        helper.make_node("MatMul", [f"product {each}", "filled"], [f"product {each + 1}"]) for each in range(200)
    ]
    return _model([filled, *products, helper.make_node("Cast", ["product 200"], ["images"], to=2)], constants)


def draws_huge_images() -> bytes:
    """Images of another size than the card promises: 12 GB of them."""
    sizes = {"sizes": np.asarray([2, 1, 80_000, 80_000], np.int64), "one": np.zeros((1, 1, 1, 1), np.uint8)}
    return _model([helper.make_node("Expand", ["one", "sizes"], ["images"])], sizes)


def _lying_constant(dims: Sequence[int], content: bytes) -> bytes:
    """A constant of other sizes than its content has."""
    tensor = TensorProto(name="constant", data_type=TensorProto.FLOAT, dims=dims, raw_data=content)
    return _model([helper.make_node("Cast", ["constant"], ["images"], to=2)], [tensor])


def _constant_elsewhere() -> bytes:
    """A constant that is to be read from a file of the system."""
    tensor = TensorProto(
        name="constant", data_type=TensorProto.UINT8, dims=[2, 1, 28, 28], data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", "../../../../etc/passwd"), ("offset", "0"), ("length", "1568")):
        tensor.external_data.add(key=key, value=value)
    return _model([helper.make_node("Identity", ["constant"], ["images"])], [tensor])


def _one(kind: str, port: str = "latent", **more: Any) -> bytes:
    """A single operation."""
    return _model([helper.make_node(kind, [port], ["images"], **more)], {})


def _drawing_card(**changes: Any) -> bytes:
    """A harmless operation under a card that promises too much."""
    return _model([helper.make_node("Cast", ["latent"], ["images"], to=2)], {}, **changes)


# What each file does, and its maker.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "fills memory": fills_memory,
    "loops for ever": loops_for_ever,
    "multiplies for long": multiplies_for_long,
    "draws huge images": draws_huge_images,
    "declares an enormous tensor": lambda: _lying_constant([2**31, 2**31], b"few"),
    "declares negative sizes": lambda: _lying_constant([-1, 28], bytes(112)),
    "declares sizes that overflow": lambda: _lying_constant([2**40, 2**40, 2**40], b""),
    "reads another file": _constant_elsewhere,
    "has an unknown operator": lambda: _one("Conjure"),
    "has an operator of another maker": lambda: _one("Conjure", domain="com.example"),
    "has other names": lambda: _one("Cast", "other", to=2),
    "promises sides without end": lambda: _drawing_card(shape=[1, 10**9, 10**9]),
    "promises a latent without end": lambda: _drawing_card(latent={"size": 10**12, "distribution": "normal"}),
    "is of ONNX Runtime's own format": lambda: b"\x10\0\0\0ORTM" + bytes(200),
}


def write_hostile(folder: Path) -> dict[str, Path]:
    """All of them as files, by what they do."""
    paths = {}
    for number, (name, make) in enumerate(HOSTILE.items()):
        paths[name] = folder / f"hostile-{number}.onnx"
        paths[name].write_bytes(make())
    return paths

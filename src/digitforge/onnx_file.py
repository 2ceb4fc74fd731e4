"""An ONNX file, opened with care: size, memory and time are bounded, no second file is read, errors are named.

ONNX Runtime would compute while it opens a file: it folds constants, so that a kilobyte fills any memory and takes any
time before a limit of ours could hold. Folding is switched off; express and both classifiers draw and read as fast
without it, and the same bits (ONNX Runtime 1.31).
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from digitforge.errors import ModelError
from digitforge.seal import is_broken

CARD_KEY = "digitforge"  # the metadata key that the card stands under
BLEND = "blend"  # a generator's optional input: what is added to the labels' one-hot vectors
MAX_BYTES = 512 * 1024**2  # a thousand times our largest model
MAX_MEMORY = 4 * 1024**3  # bytes that all networks of a process compute in; 500 images of SVHN's size take a tenth
MAX_SECONDS = 300.0  # for one batch, which takes our largest recipe a second on two cores
WAY_ON = "name a run folder, or a model file such as the model.onnx in it"  # where a file is no model
_NO_ONNX = "InvalidProtobuf"  # ONNX Runtime's name for bytes that are of another kind of file, or cut off
_CODE = re.compile(r"(\[ONNXRuntimeError\] : )?\d+ : [A-Z_]+ : ")  # before what it says
_FATAL = 4  # ONNX Runtime logs nothing below this; what goes wrong is raised, and shown once
# External tensors are looked for here, where nothing can be: a model is one file and reads no other.
_NOWHERE = f"{os.devnull}/none"


@dataclass(frozen=True)
class Port:
    """An input or output as the file declares it.

    kind: such as "float" or "uint8".
    shape: a number for an axis that is fixed, else None.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.kind} [{sizes}]"


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file that is ready to compute.

    path: where it was read from, for messages.
    sha256: of the whole file.
    card: the text under the metadata key `digitforge`.
    """

    path: Path
    sha256: str
    card: str
    session: Any

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What it takes."""
        return tuple(_port(argument) for argument in self.session.get_inputs())

    @property
    def options(self) -> tuple[Port, ...]:
        """What it may be given besides: inputs that have a value of their own."""
        return tuple(_port(argument) for argument in self.session.get_overridable_initializers())

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it gives."""
        return tuple(_port(argument) for argument in self.session.get_outputs())

    def expect(self, inputs: Mapping[str, tuple[str, list[int | None]]], outputs: Mapping[str, str]) -> None:
        """Raise ModelError unless the file takes just these inputs (kind and shape, None a free axis) and gives these
        outputs (kind)."""
        wanted = {Port(name, kind, tuple(shape)) for name, (kind, shape) in inputs.items()}
        if set(self.inputs) != wanted:
            raise ModelError(f"{self.path} takes {_list(self.inputs)}, but its card promises {_list(tuple(wanted))}")
        given = {port.name: port.kind for port in self.outputs}
        if given != dict(outputs):
            promised = " and ".join(f"{name} {kind}" for name, kind in outputs.items())
            raise ModelError(f"{self.path} gives {_list(self.outputs)}, but its card promises {promised}")

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output by name. Raises ModelError if the file fails on these inputs."""
        names = [port.name for port in self.outputs]
        with _deadline() as limits:
            try:
                values = self.session.run(names, dict(feeds), limits)
            except Exception as error:  # ONNX Runtime's errors share no other class
                why = f"took longer than {MAX_SECONDS:g} s" if limits.terminate else _first_line(error)
                raise ModelError(f"{self.path} fails when it is run ({why}); make the file again") from None
        return dict(zip(names, values, strict=True))


def open_onnx(path: Path) -> OnnxFile:
    """Open an ONNX file that has a card. Raises ModelError that names the file if it is missing or is none."""
    return read_onnx(_read(path), path)


def read_onnx(content: bytes, path: Path) -> OnnxFile:
    """As open_onnx(), from the content of a file; path: what messages call it."""
    if is_broken(content):
        raise ModelError(
            f"{path} is damaged or was changed, since its bytes do not have the SHA-256 that stands at their end; "
            "copy or make it again"
        )
    _limit_memory()
    try:
        session = ort.InferenceSession(
            content, _options(), providers=["CPUExecutionProvider"], disabled_optimizers=["ConstantFolding"]
        )
        metadata = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # ONNX Runtime's errors share no other class
        why = "" if type(error).__name__ == _NO_ONNX else f" ({_first_line(error)})"
        raise ModelError(f"{path} is no ONNX file that can be run, or a damaged one{why}; {WAY_ON}") from None
    if CARD_KEY not in metadata:
        raise ModelError(f"{path} is an ONNX file without digitforge's card; give a file that digitforge wrote")
    return OnnxFile(path, hashlib.sha256(content).hexdigest(), metadata[CARD_KEY], session)


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """How many threads to compute with: one a core, or fewer where OMP_NUM_THREADS says so, as it does to PyTorch."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(asked), available_cores()) if asked.isdecimal() and int(asked) else available_cores()


def _read(path: Path) -> bytes:
    try:
        if not path.exists():
            raise ModelError(f"there is no model file {path}; check the path")
        if not path.is_file():
            raise ModelError(f"{path} is no file; give a model file or a run folder")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{path} has {size:,} bytes, more than the {MAX_BYTES:,} that a model file may have")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the model file {path}: {getattr(error, 'strerror', None) or error}") from None
    if not content:
        raise ModelError(f"{path} is empty, no model file; make or copy it again")
    return content


def _options() -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    # Spinning threads take the cores from whatever runs beside this, such as training.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not its own format, whatever the bytes say
    options.add_session_config_entry("session.use_env_allocators", "1")  # those that _limit_memory() made
    options.log_severity_level = _FATAL
    return options


@cache
def _limit_memory() -> None:
    """Have all networks of this process compute in one bounded memory."""
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    as_usual = (0, -1, -1)  # how it grows, and what it keeps
    ort.create_and_register_allocator(place, ort.OrtArenaCfg(MAX_MEMORY, *as_usual))


@contextmanager
def _deadline() -> Iterator[Any]:
    """ONNX Runtime's options of one run, which end it, a loop too, between two operations once its time is over."""
    options = ort.RunOptions()
    options.log_severity_level = _FATAL
    timer = threading.Timer(MAX_SECONDS, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


def _port(argument: Any) -> Port:
    sizes = tuple(size if isinstance(size, int) else None for size in argument.shape)
    return Port(argument.name, argument.type.removeprefix("tensor(").removesuffix(")"), sizes)


def _list(ports: tuple[Port, ...]) -> str:
    return " and ".join(sorted(map(str, ports))) or "nothing"


def _first_line(error: Exception) -> str:
    """ONNX Runtime's message, its code left out, in one line of bounded length."""
    text = "".join(letter for letter in str(error).split("\n")[0] if letter.isprintable())
    text = text[code.end() :] if (code := _CODE.match(text)) else text
    return text if len(text) <= 200 else f"{text[:197]}..."

"""A hash within what it is of, so that one changed byte is noticed: at the end of an ONNX file, of a recipe, of a line.

What was written before there were seals has none, and is taken as it is; so is what a damaged seal no longer looks
like, since nothing but the seal is damaged then.
"""

from __future__ import annotations

import hashlib
import re
import zlib

_HEX = 64  # digits of a SHA-256

# An entry of ModelProto.metadata_props (onnx.proto: field 14, its key 1, its value 2), as Protocol Buffers write it. A
# message may be followed by more of its fields, so that bytes can be added to a file without reading it.
_KEY = b"digitforge.sha256"
_ENTRY = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([_HEX])
_START = b"\x72" + bytes([len(_ENTRY) + _HEX]) + _ENTRY

_COMMENT = "# sha256 of the lines above: "
_LAST_LINE = re.compile(re.escape(_COMMENT) + rf"([0-9a-f]{{{_HEX}}})\n\Z")
_SUM = re.compile(r', "crc32": "([0-9a-f]{8})"\}\Z')


def sealed(onnx: bytes) -> bytes:
    """An ONNX file with its hash as the last entry of its metadata."""
    return onnx + _START + hashlib.sha256(onnx).hexdigest().encode()


def is_broken(onnx: bytes) -> bool:
    """Whether an ONNX file has a seal, and other bytes before it than it had."""
    before, seal = onnx[: -len(_START) - _HEX], onnx[-len(_START) - _HEX :]
    return seal.startswith(_START) and seal[-_HEX:] != hashlib.sha256(before).hexdigest().encode()


def sealed_text(text: str) -> str:
    """Lines of TOML with their hash as a comment below them."""
    return f"{text}{_COMMENT}{hashlib.sha256(text.encode()).hexdigest()}\n"


def is_broken_text(text: str) -> bool:
    """Whether lines of TOML have a seal, and are others than those that it was made for."""
    seal = _LAST_LINE.search(text)
    return seal is not None and seal[1] != hashlib.sha256(text[: seal.start()].encode()).hexdigest()


def sealed_line(table: str) -> str:
    """A table of JSON, which is not empty, on a line, with a check sum as its last entry."""
    return f'{table[:-1]}, "crc32": "{zlib.crc32(table.encode()):08x}"}}'


def unsealed_line(line: str) -> str | None:
    """The table that was sealed, or the line as it is where it has no seal; None where the seal is broken."""
    seal = _SUM.search(line)
    if seal is None:
        return line
    table = line[: seal.start()] + "}"
    return table if seal[1] == f"{zlib.crc32(table.encode()):08x}" else None

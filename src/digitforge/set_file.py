"""A set of specialists: one uncompressed zip of ONNX model files, each drawing one label, and the card of them all."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from digitforge.card import MAX_LABELS, Card, CardData
from digitforge.errors import ModelError
from digitforge.files import sha256_of, write_whole
from digitforge.onnx_file import MAX_BYTES, WAY_ON, OnnxFile, Port, open_onnx, read_onnx

CARD_NAME = "card.json"
MEMBERS = "members"  # the key of the card's table under which each member's hash stands, by label
MAX_CARD_BYTES = 4 * 1024**2  # a card with the most and longest names has a tenth
_MAGIC = b"PK\x03\x04"  # what every zip that holds something begins with, and no ONNX file
_ZIP, _ONNX = ".zip", ".onnx"  # what files of the two kinds are called; other names may hold either
_ARRAY = ".npy"  # how the names of what is in an .npz end
_HASH = re.compile(r"[0-9a-f]{64}")

# The last bytes of a zip without a comment (APPNOTE 4.3.16): signature, disk numbers, entries here and in all, the size
# and place of the list of entries, the comment's length. Before them stands, in archives of 4 GB and more, a signature
# (4.3.15) whose record would overrule them.
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_LARGE_SIGNATURE, _LARGE_SIZE = b"PK\x06\x07", 20
_MAX_ENTRY = 256  # bytes of an entry in that list; ours have about 60

# What zipfile raises on bytes that are no archive.
_DAMAGE = (zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError)


class ModelFile(Protocol):
    """What Forge draws with: an ONNX file, or a set of them."""

    @property
    def path(self) -> Path:
        """Where it was read from."""

    @property
    def sha256(self) -> str:
        """The hash of the whole file."""

    @property
    def card(self) -> str:
        """Its card as JSON."""

    @property
    def options(self) -> tuple[Port, ...]:
        """What it may be given besides its inputs."""

    def expect(self, inputs: Mapping[str, tuple[str, list[int | None]]], outputs: Mapping[str, str]) -> None:
        """Raise ModelError unless the file takes just these inputs and gives these outputs."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output by name."""


@dataclass(frozen=True)
class SetFile:
    """A set that is ready to draw; a member is opened, and held against the set's card, when it first draws.

    path: where it was read from. card: as JSON. about: the same, read. hashes: each member's SHA-256, by its label.
    """

    path: Path
    card: str
    about: Card
    hashes: Mapping[int, str]
    _members: dict[int, OnnxFile] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """The hash of the whole file."""
        return sha256_of(self.path)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What it takes, as a conditional model does."""
        return Port("latent", "float", (None, self.about.latent.size)), Port("label", "int64", (None,))

    @property
    def options(self) -> tuple[Port, ...]:
        """Nothing: no network of a set knows two labels, so that there is nothing between them to draw."""
        return ()

    def expect(self, inputs: Mapping[str, tuple[str, list[int | None]]], outputs: Mapping[str, str]) -> None:
        """Raise ModelError unless the set takes just these inputs (kind and shape) and gives these outputs (kind)."""
        own = {port.name: (port.kind, list(port.shape)) for port in self.inputs}
        if dict(inputs) != own or dict(outputs) != {"images": "uint8"}:
            raise ModelError(f"{self.path} is a set, told a label for each image, but its card promises otherwise")

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """`images` uint8 [N, C, H, W] from `latent` float32 [N, Z] and `label` int64 [N], each by its label's member.

        Raises ModelError if a member is damaged, not what the card says, or fails.
        """
        latents, labels = feeds["latent"], feeds["label"]
        images = np.empty((len(latents), *self.about.shape), np.uint8)
        for label in np.unique(labels).tolist():
            rows = labels == label
            images[rows] = self._draw(label, latents[rows])
        return {"images": images}

    def _draw(self, label: int, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        member = self._member(label)
        feeds: dict[str, NDArray[Any]] = {"latent": latents, "label": np.full(len(latents), label, np.int64)}
        images = member.run({port.name: feeds[port.name] for port in member.inputs})["images"]
        if images.shape != (len(latents), *self.about.shape):
            raise ModelError(f"{member.path} draws images of another shape than its set's card promises; make it again")
        return images

    def _member(self, label: int) -> OnnxFile:
        """The ONNX file that draws a label, opened once."""
        if label not in self._members:
            if label not in self.hashes:
                raise ModelError(f"{self.path} holds no model for the label {label}; ask for one that its card names")
            self._members[label] = self._open(label)
        return self._members[label]

    def _open(self, label: int) -> OnnxFile:
        path = self.path / member_name(label)  # for messages
        with _opened(self.path) as archive:
            content = _read(archive, member_name(label), MAX_BYTES, self.path)
        if hashlib.sha256(content).hexdigest() != self.hashes[label]:
            raise ModelError(f"{path} is not the file that its set's card lists; copy or make {self.path.name} again")
        file = read_onnx(content, path)
        try:
            card = Card.from_json(file.card)
        except ModelError as error:
            raise ModelError(f"{path} is no model file that can be used: {error}") from None
        own, ours = ((one.names, one.latent, one.shape) for one in (card, self.about))
        if own != ours or label not in card.trained:
            raise ModelError(f"{path} draws something else than its set's card says; make {self.path.name} again")
        wanted: dict[str, tuple[str, list[int | None]]] = {"latent": ("float", [None, card.latent.size])}
        if card.conditional:
            wanted["label"] = ("int64", [None])
        file.expect(wanted, {"images": "uint8"})
        return file


def open_model(path: Path) -> ModelFile:
    """Open a model file of either kind. Raises ModelError that names the file if it is missing or is none."""
    try:
        is_there = path.is_file()
        is_set = is_there and _first_bytes(path) == _MAGIC
    except OSError:  # opening it says what is wrong
        is_there = is_set = False
    if is_there and path.suffix == (_ONNX if is_set else _ZIP):
        kind = "a set of specialists" if is_set else "no set of specialists"
        raise ModelError(f"{path} is {kind}, other than its name says; copy it again, or give it its right name")
    return open_set(path) if is_set else open_onnx(path)


def open_set(path: Path) -> SetFile:
    """Open a set and read its card. Raises ModelError that names the file if it is none, damaged or too large."""
    with _opened(path) as archive:
        content = _read(archive, CARD_NAME, MAX_CARD_BYTES, path)
        names = sorted(archive.namelist())
    try:
        text = content.decode()
        about = Card.from_json(text)
        hashes = _hashes(json.loads(text), about)
    except (ModelError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is no set that can be used: {error}") from None
    if names != sorted([CARD_NAME, *map(member_name, hashes)]):
        raise ModelError(f"{path} does not hold just the files that its card lists; copy or make it again")
    return SetFile(path, text, about, hashes)


def write_set(path: Path, card: Card, members: Mapping[int, bytes]) -> None:
    """Write ONNX model files, by their labels, and the card of them all as one file; equal content, equal bytes."""
    hashes = {str(label): hashlib.sha256(content).hexdigest() for label, content in members.items()}
    table = json.loads(card.to_json()) | {MEMBERS: hashes}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        _add(archive, CARD_NAME, json.dumps(table, ensure_ascii=False).encode())
        for label in sorted(members):
            _add(archive, member_name(label), members[label])
    write_whole(path, stream.getvalue())


def member_name(label: int) -> str:
    """What a label's file in the zip is called: its number, since its name may hold anything."""
    return f"{label}.onnx"


def set_card(members: Mapping[int, Card], recipe: Mapping[str, Any]) -> Card:
    """The card of a set of specialists, by their labels; recipe: what they have in common. It has no figures yet."""
    cards = [members[label] for label in sorted(members)]
    first = cards[0]
    weights = "".join(f"{label} {members[label].weights_sha256}\n" for label in sorted(members))
    return Card(
        version=first.version,
        recipe=recipe,
        data=CardData(first.data.name, first.data.sha256, sum(card.data.count for card in cards)),
        seed=first.seed,
        images=sum(card.images for card in cards),
        names=first.names,
        frequencies=tuple(map(sum, zip(*(card.frequencies for card in cards), strict=True))),
        conditional=True,
        latent=first.latent,
        weights=first.weights,
        shape=first.shape,
        weights_sha256=hashlib.sha256(weights.encode()).hexdigest(),
    )


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC))


def _hashes(table: Mapping[str, Any], card: Card) -> dict[int, str]:
    """Each member's hash by its label; there is one for every label that the set draws, and for no other."""
    hashes = table.get(MEMBERS)
    if not isinstance(hashes, dict) or set(hashes) != set(map(str, card.trained)):
        raise ModelError(f'the card\'s "{MEMBERS}" must have one entry for each label that was trained on')
    if not all(isinstance(value, str) and _HASH.fullmatch(value) for value in hashes.values()):
        raise ModelError(f'the card\'s "{MEMBERS}" must be hashes of 64 hexadecimal digits')
    return {int(label): value for label, value in hashes.items()}


def _opened(path: Path) -> zipfile.ZipFile:
    """The archive, after its list of entries was found short enough to read."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, io.SEEK_END)
            stream.seek(max(0, size - _END.size - _LARGE_SIZE))
            tail = stream.read()
        if not _is_short(tail):
            raise ModelError(f"{path} is a zip, but no set of specialists, or a damaged one; copy or make it again")
        return zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror or error}") from None


def _is_short(tail: bytes) -> bool:
    """Whether an archive that ends with these bytes lists no more than a set can hold."""
    if len(tail) < _END.size:
        return False
    signature, _, _, _, entries, size, _, _ = _END.unpack(tail[-_END.size :])
    is_large = tail.startswith(_LARGE_SIGNATURE)
    return signature == _END_SIGNATURE and not is_large and entries <= MAX_LABELS + 1 and size <= entries * _MAX_ENTRY


def _read(archive: zipfile.ZipFile, name: str, most: int, path: Path) -> bytes:
    """One file of the archive, at most so many bytes."""
    try:
        entry = archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ModelError(f"{path} is compressed, and a set of specialists never is; zip it again with -0")
        if entry.file_size > most:
            raise ModelError(f"{path} holds {name} of {entry.file_size:,} bytes, more than the {most:,} it may have")
        return archive.read(entry)
    except KeyError:
        if any(each.endswith(_ARRAY) for each in archive.namelist()):
            raise ModelError(f"{path} holds arrays, such as images, and no model; {WAY_ON}") from None
        raise ModelError(f"{path} is a zip without {name}, so no set of specialists; {WAY_ON}") from None
    except _DAMAGE as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror or error}") from None


def _damaged(path: Path, error: Exception) -> ModelError:
    text = "".join(letter for letter in str(error) if letter.isprintable())
    return ModelError(f"{path} is a damaged set of specialists ({text[:100]}); copy or make it again")


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name)  # dated 1980, so that no clock is in the file
    entry.create_system = 3  # Unix, wherever it is written
    archive.writestr(entry, content)

"""What is taken away from the studio: digits as a picture, as arrays, or as a zip of pictures."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digitforge.data.digits import Digits
from digitforge.forge import Drawn, Forge
from digitforge.places import as_file_name
from digitforge.sheets import enlarged, grid, png_bytes
from digitforge.studio.bounds import FileKind, NumberWish
from digitforge.writing import Order, write

_MEDIA = {"png": "image/png", "npz": "application/octet-stream", "zip": "application/zip"}
_NUMBER_SCALE = 4  # pixels for each pixel of a number's digits: fit to be pasted into a text


@dataclass(frozen=True)
class Takeaway:
    """A file to download."""

    name: str
    media: str
    content: bytes


def pack(digits: Digits, seed: int, kind: FileKind, stem: str) -> Takeaway:
    """Digits as a file of a kind: a labelled sheet, an .npz or a zipped folder as `generate` writes them."""
    name, suffix = as_file_name(stem), "" if kind == "zip" else f".{kind}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}{suffix}"
        order = Order(path, len(digits), digits.shape, digits.names, seed)
        write(order, [Drawn(digits, len(digits))])
        content = _zipped(path) if kind == "zip" else path.read_bytes()
    return Takeaway(f"{name}.{kind}", _MEDIA[kind], content)


def pack_number(digits: Digits, wish: NumberWish) -> Takeaway:
    """A number's digits side by side in one picture."""
    picture = enlarged(grid(digits.images, len(digits)), _NUMBER_SCALE)
    return Takeaway(f"number-{wish.text}-seed-{wish.seed}.png", _MEDIA["png"], png_bytes(picture))


def write_number(forge: Forge, wish: NumberWish) -> Digits:
    """The digits of a number in their order; a digit that comes again is drawn anew. Raises ModelError for what the
    model does not know."""
    supply = {
        name: iter(forge.generate(name, wish.text.count(name), wish.seed, wish.variety).images)
        for name in sorted(set(wish.text))
    }
    images = np.stack([next(supply[name]) for name in wish.text])
    labels = np.asarray([forge.label_of(name) for name in wish.text], np.int64)
    return Digits(images, labels, forge.card.names)


def _zipped(folder: Path) -> bytes:
    """The files below a folder; PNG is packed already, and a date would make equal digits unequal."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
    return stream.getvalue()

"""The card of a model file: what it draws and where it comes from, as JSON in the file's own metadata."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from digitforge.data.digits import MAX_NAME, is_name
from digitforge.errors import ModelError

FORMAT = 1  # raised when an older digitforge could no longer read a card
MAX_SIDE = 256  # pixels; so that one batch of images stays below 100 MB whatever a card claims
MAX_LATENT = 4096  # numbers
MAX_LABELS = 1000

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CardData:
    """What a model was trained on.

    name: the data set's name or path, as `load_data` takes it.
    sha256: `Digits.sha256` of the data set's whole training part, before digits or a count were chosen from it.
    count: images that were trained on.
    """

    name: str
    sha256: str
    count: int


@dataclass(frozen=True)
class CardLatent:
    """What a model draws from: `size` numbers, "normal" from N(0, 1) or "uniform" from -1..1.

    choosers: how many of them, the last ones, choose a cluster; older cards don't name it, and mean 0.
    """

    size: int
    distribution: Literal["normal", "uniform"]
    choosers: int = 0

    @property
    def free(self) -> int:
        """How many numbers, the first ones, vary what is drawn rather than choose it."""
        return self.size - self.choosers


@dataclass(frozen=True)
class Card:
    """What a model file says of itself; the values are checked when it is made, with ModelError.

    version: of the digitforge that wrote it.
    recipe: the resolved recipe, as a table.
    seed: of the run.
    images: real images shown to the discriminator in training.
    names: what each label is called.
    frequencies: training images of each label, 0 for a label that was not trained on.
    conditional: whether the model is told the label.
    weights: the generator's running average, or its plain weights.
    shape: channels, height and width of an image, in pixels.
    weights_sha256: a hash over the weights.
    figures: what was measured on the model, by name; may be empty.
    """

    version: str
    recipe: Mapping[str, Any]
    data: CardData
    seed: int
    images: int
    names: tuple[str, ...]
    frequencies: tuple[int, ...]
    conditional: bool
    latent: CardLatent
    weights: Literal["average", "plain"]
    shape: tuple[int, int, int]
    weights_sha256: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def __post_init__(self) -> None:
        for key, (is_right, wanted) in _RULES.items():
            value = _value(self, key)
            if not is_right(value):
                raise ModelError(f'the card\'s "{key}" must be {wanted}, not {_short(value)}')
        if len(self.frequencies) != len(self.names):
            raise ModelError(f"the card names {len(self.names)} labels but has {len(self.frequencies)} frequencies")
        if self.latent.choosers >= self.latent.size:
            raise ModelError(f"all {self.latent.size} numbers of the card's latent choose, and none is left to draw by")

    @property
    def trained(self) -> tuple[int, ...]:
        """The labels that the model was trained on, in order."""
        return tuple(label for label, frequency in enumerate(self.frequencies) if frequency)

    def to_json(self) -> str:
        """The card as JSON, which from_json reads back to an equal card."""
        table = asdict(self) | {"recipe": dict(self.recipe), "figures": dict(self.figures)}
        return json.dumps(table, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card, ignoring keys that it does not know. Raises ModelError that says what is wrong with it."""
        table = _parse(text)
        if table.get("format") != FORMAT:
            raise ModelError(
                f"the card has format {_short(table.get('format'))}, and this digitforge reads {FORMAT}; upgrade it"
            )
        data, latent = _table(table, "data"), _table(table, "latent")
        values = {key: _take(table, key) for key in _PLAIN_KEYS}
        for key in ("names", "frequencies", "shape"):
            if not isinstance(values[key], list):
                raise ModelError(f'the card\'s "{key}" must be a list, not {_short(values[key])}')
            values[key] = tuple(values[key])
        return cls(
            **values,
            data=CardData(*(_take(data, key, "data.") for key in ("name", "sha256", "count"))),
            latent=CardLatent(
                size=_take(latent, "size", "latent."),
                distribution=_take(latent, "distribution", "latent."),
                choosers=latent.get("choosers", 0),
            ),
        )


_PLAIN_KEYS = (
    "version",
    "recipe",
    "seed",
    "images",
    "names",
    "frequencies",
    "conditional",
    "weights",
    "shape",
    "weights_sha256",
    "figures",
    "format",
)


def is_count(value: object) -> bool:
    """Whether a value is a whole number of at least 0 (True is none)."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_place(value: object) -> bool:
    """Whether a value can be a data set's name or path: it may hold spaces of all scripts, and nothing that moves a
    terminal's cursor, since cards come from anywhere and are shown everywhere.
    """
    return isinstance(value, str) and value != "" and all(map(_is_visible, value))


def _is_visible(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _are_names(value: object) -> bool:
    names = cast(tuple[object, ...], value)
    return 0 < len(names) <= MAX_LABELS and all(map(is_name, names)) and len(set(names)) == len(names)


def _are_frequencies(value: object) -> bool:
    counts = cast(tuple[object, ...], value)
    return all(map(is_count, counts)) and any(counts)


def _is_shape(value: object) -> bool:
    sizes = cast(tuple[Any, ...], value)
    return (
        len(sizes) == 3
        and all(map(is_count, sizes))
        and sizes[0] in (1, 3)
        and math.prod(sizes[1:]) > 0
        and max(sizes[1:]) <= MAX_SIDE
    )


def _is_seed(value: object) -> bool:
    return is_count(value) and cast(int, value) < 2**32


def _is_latent_size(value: object) -> bool:
    return is_count(value) and 0 < cast(int, value) <= MAX_LATENT


# What each key must be: a test, and the same in words.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "format": (lambda value: value == FORMAT, str(FORMAT)),
    "version": (is_name, "a version"),
    "recipe": (lambda value: isinstance(value, Mapping), "a table"),
    "data.name": (_is_place, "a name or path without control characters"),
    "data.sha256": (_is_hash, "64 hexadecimal digits"),
    "data.count": (is_count, "a count"),
    "seed": (_is_seed, "a seed from 0 to 2**32 - 1"),
    "images": (is_count, "a count"),
    "names": (_are_names, f"1 to {MAX_LABELS} different, printable names of at most {MAX_NAME} characters"),
    "frequencies": (_are_frequencies, "counts that are not all 0"),
    "conditional": (lambda value: isinstance(value, bool), "true or false"),
    "latent.size": (_is_latent_size, f"1 to {MAX_LATENT}"),
    "latent.distribution": (lambda value: value in ("normal", "uniform"), '"normal" or "uniform"'),
    "latent.choosers": (is_count, "a count"),
    "weights": (lambda value: value in ("average", "plain"), '"average" or "plain"'),
    "shape": (_is_shape, f"[1 or 3, height, width] with sides of 1 to {MAX_SIDE} pixels"),
    "weights_sha256": (_is_hash, "64 hexadecimal digits"),
    "figures": (lambda value: isinstance(value, Mapping), "a table"),
}


def _value(card: Card, key: str) -> object:
    value: object = card
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _parse(text: str) -> dict[str, Any]:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the card is no JSON ({error})") from None
    if not isinstance(table, dict):
        raise ModelError(f"the card must be a table, not {_short(table)}")
    return table


def _table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = _take(table, key)
    if not isinstance(value, dict):
        raise ModelError(f'the card\'s "{key}" must be a table, not {_short(value)}')
    return value


def _take(table: Mapping[str, Any], key: str, prefix: str = "") -> Any:
    if key not in table:
        raise ModelError(f'the card has no "{prefix}{key}"')
    return table[key]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""The recipe: every setting of a run, typed and validated; the named ones lie as commented TOML in `recipes/`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from digitforge.errors import RecipeError

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A table of a recipe: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Interval(Section):
    """How often something happens: every so many images or epochs, or so many times a run."""

    count: float = Field(gt=0)
    unit: Literal["images", "epochs", "run"]

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read "5000 images", "10 epochs" or "1/12 run"."""
        match = re.fullmatch(r"\s*(?:1/(\d{1,9})\s+run|(\d{1,12}(?:\.\d{1,9})?)\s+(image|epoch)s?)\s*", text)
        parts, count, unit = match.groups() if match else (None, None, None)
        size = float(parts or count or 0)
        if size == 0:
            raise ValueError(f'"{text}" is no interval; write "5000 images", "10 epochs" or "1/12 run"')
        if parts:
            return cls(count=1 / size, unit="run")
        return cls(count=size, unit="images" if unit == "image" else "epochs")

    def in_images(self, run_images: int, epoch_images: int) -> int:
        """The interval in images, at least one."""
        size = {"images": 1, "epochs": epoch_images, "run": run_images}[self.unit]
        return max(1, round(self.count * size))


class Data(Section):
    """What the discriminator takes for real."""

    name: str = Field(default="mnist", min_length=1)  # a data set's name, or a path
    digits: tuple[str, ...] = ()  # the labels to train on, by name; none: all of them
    count: int = Field(default=0, ge=0)  # how many training images, an equal number a label; 0: all of them

    @field_validator("digits", mode="before")
    @classmethod
    def _as_names(cls, value: object) -> object:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif isinstance(value, int):
            value = [value]
        return [str(label) for label in value] if isinstance(value, list | tuple) else value


class Networks(Section):
    """Two networks of one family, and what goes in."""

    family: str
    conditional: bool = False  # whether both networks are told the label
    latent_size: Positive = 100  # numbers a latent has
    latent: Literal["normal", "uniform"] = "normal"  # N(0, 1), or uniform in -1..1
    pixels: Literal["signed", "unit"] = "signed"  # images in -1..1 (the generator ends in tanh) or 0..1 (sigmoid)
    generator_width: Positive = 64  # channels of the narrowest hidden layer
    discriminator_width: Positive = 64
    leaky_slope: Fraction = 0.2
    dropout: Fraction = 0.0  # share of D's activations dropped


class Objective(Section):
    """What each player minimises."""

    loss: Literal["non-saturating", "relativistic"]
    r1: float = Field(default=0.0, ge=0)  # gamma of the gradient penalty on real images
    r2: float = Field(default=0.0, ge=0)  # gamma of the gradient penalty on fake images
    penalty_every: Positive = 1  # steps between penalties; each counts that many times


class Optimiser(Section):
    """Adam's settings (Kingma and Ba 2015) for one player."""

    rate: float = Field(gt=0)  # step size at its highest
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: float = Field(default=1e-7, gt=0)


class Training(Section):
    """How long, in what order and at what rates."""

    seconds: float | None = Field(default=None, gt=0)  # time in training steps; becomes `images` once speed is known
    images: Positive | None = None  # real images shown to D
    epochs: float | None = Field(default=None, gt=0)  # passes over the data set
    seed: int = Field(default=0, ge=0, lt=2**32)
    batch_size: Positive = 128  # images in one global batch
    batch_doublings: int = Field(default=0, ge=0, le=8)  # times that it doubles, at equal distances in images seen
    # Both players from the same fakes and the same D; or D first, then G against the new D, from fresh fakes or from
    # those that D has just learned from.
    update: Literal["simultaneous", "alternating", "alternating-same-fakes"] = "simultaneous"
    constant_until: float = Field(default=1.0, ge=0, le=1)  # share of the run after which rates fall to zero, linearly
    warmup_images: int = Field(default=0, ge=0)  # images over which rates rise from zero
    ema_images: int = Field(default=0, ge=0)  # half-life of the generator's weight average, in images; 0: no average

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        given = [key for key in ("seconds", "images", "epochs") if getattr(self, key) is not None]
        if len(given) != 1:
            said = " and ".join(given) if given else "none of them"
            raise ValueError(f"a run's length is one of seconds, images and epochs, and this recipe gives {said}")
        return self


class Record(Section):
    """What a run writes while it trains, and how often."""

    tick: str = "1/50 run"  # a line of statistics
    accuracy: str = "1/10 run"  # D's accuracy, measured at a tick
    accuracy_images: Positive = 2000  # at most so many images of each kind
    sheet: str = "1/12 run"  # a grid of the same latents
    snapshot: str = "1/6 run"  # the generator's weights
    checkpoint_seconds: float = Field(default=30.0, gt=0)  # least time between checkpoints to resume from

    @field_validator("tick", "accuracy", "sheet", "snapshot")
    @classmethod
    def _is_interval(cls, value: str) -> str:
        Interval.parse(value)
        return value


class Compute(Section):
    """What a run computes with; resolved when it starts, since it decides the last bits."""

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda|mps)$")
    precision: Literal["auto", "bf16", "32"] = "auto"  # auto: bf16 where the processor multiplies it natively
    threads: int = Field(default=0, ge=0)  # threads a process; 0: one a core


class Recipe(Section):
    """The single source of every setting of a run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    document: str  # which document describes it, or "ours"
    summary: str
    data: Data = Data()
    networks: Networks
    objective: Objective
    generator_optimiser: Optimiser
    discriminator_optimiser: Optimiser
    training: Training
    record: Record = Record()
    compute: Compute = Compute()

    def to_toml(self) -> str:
        """The whole recipe as TOML, every default written out."""
        return tomli_w.dumps(self.model_dump(exclude_none=True, mode="json"))

    def with_settings(self, settings: Mapping[str, object]) -> Recipe:
        """This recipe with some dotted keys changed: {"training.seed": 1}.

        A new length (`training.seconds`, `.images` or `.epochs`) takes the place of the old one.
        """
        table = self.model_dump(exclude_none=True, mode="json")
        settings = {full_key(key): value for key, value in settings.items()}
        lengths = {"training.seconds", "training.images", "training.epochs"}
        if lengths & settings.keys():
            for key in lengths:
                table["training"].pop(key.split(".")[1], None)
        for key, value in settings.items():
            _place(table, key, value)
        return parse_recipe(table, origin=f"recipe {self.name}")

    @property
    def has_schedule(self) -> bool:
        """Whether rates or batches depend on the run's length, so that a finished run cannot simply go on."""
        return self.training.constant_until < 1 or self.training.batch_doublings > 0


def recipe_keys() -> dict[str, type[Section]]:
    """Every dotted key that a recipe knows, with the section it stands in."""
    keys: dict[str, type[Section]] = {}
    for name, field in Recipe.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            keys.update({f"{name}.{key}": section for key in section.model_fields})
    return keys


def full_key(key: str) -> str:
    """A key as `--set` takes it, in full: "seed" stands for "training.seed" where only one section has it."""
    known = recipe_keys()
    if key in known:
        return key
    matches = [full for full in known if full.split(".")[1] == key]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RecipeError(f'the key "{key}" is ambiguous: write {" or ".join(matches)}')
    raise RecipeError(f'no recipe has a key "{key}"{nearest(key, known)}; `digitforge recipes NAME` lists the keys')


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word most like `word`, or nothing."""
    names = list(known)
    close = difflib.get_close_matches(word, names, 1, 0.5)
    if not close:
        short = {name.rsplit(".", 1)[-1]: name for name in names}
        close = [short[match] for match in difflib.get_close_matches(word.rsplit(".", 1)[-1], list(short), 1, 0.5)]
    return f'; did you mean "{close[0]}"?' if close else ""


def parse_setting(text: str) -> tuple[str, object]:
    """Read `KEY=VALUE` as `--set` takes it; the value is TOML, or a bare word."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f'"{text}" is no setting; write KEY=VALUE, such as training.batch_size=64')
    try:
        table = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):  # not TOML; Python also refuses endless numbers and bottomless lists
        table = {}
    parsed = table["value"] if len(table) == 1 else value.strip()
    return full_key(key.strip()), parsed


def parse_recipe(table: Mapping[str, Any], origin: str) -> Recipe:
    """Validate a table of settings; `origin` says in errors where it came from."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise RecipeError(f"{origin}: {_explain(error)}") from None


def load_recipe(name: str) -> Recipe:
    """A recipe by its name, or from a `.toml` file by its path."""
    if name.endswith(".toml"):
        return read_recipe(Path(name))
    names = recipe_names()
    if name not in names:
        raise RecipeError(f'there is no recipe "{name}"{nearest(name, names)}; the recipes are {", ".join(names)}')
    text = (resources.files("digitforge") / "recipes" / f"{name}.toml").read_text("utf-8")
    return parse_recipe(tomllib.loads(text), origin=f"recipe {name}")


def read_recipe(path: Path) -> Recipe:
    """A recipe from a TOML file."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path} is no recipe: {error}") from None
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror or error}") from None
    return parse_recipe(table, origin=str(path))


def recipe_names() -> list[str]:
    """The names of the recipes in the package, the default first."""
    folder = resources.files("digitforge") / "recipes"
    names = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return sorted(names, key=lambda name: name != "express")


def _place(table: dict[str, Any], key: str, value: object) -> None:
    section, _, name = key.partition(".")
    table.setdefault(section, {})[name] = value


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong, in one sentence."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = [*recipe_keys(), *Recipe.model_fields]
        return f'unknown key "{key}"{nearest(key, known)}; `digitforge recipes NAME` lists the keys'
    if first["type"] == "missing":
        return f'the key "{key}" is missing'
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given = "" if isinstance(first["input"], dict) else f", not {first['input']!r}"
    return f"{key}: {message}{given}" if key else message

"""The recipe: every setting of a run, validated as a whole; the named ones lie as commented TOML in `recipes/`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field, ValidationError

from digitforge.errors import RecipeError, plain
from digitforge.sections import Compute, Data, Networks, Objective, Optimiser, Record, Section, Training

DEFAULT_RECIPE = "express"
LENGTHS = ("training.seconds", "training.images", "training.epochs")  # the keys of which a recipe has one


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

        A new length (`training.seconds`, `.images` or `.epochs`) takes the place of the old one; other data have
        another hash.
        """
        table = self.model_dump(exclude_none=True, mode="json")
        settings = {full_key(key): value for key, value in settings.items()}
        if settings.keys() & set(LENGTHS):
            for key in LENGTHS:
                table["training"].pop(key.split(".")[1], None)
        if settings.get("data.name", self.data.name) != self.data.name:
            table["data"]["sha256"] = ""
        for key, value in settings.items():
            _place(table, key, value)
        return parse_recipe(table, origin=f"recipe {self.name}")

    def setting(self, key: str) -> object:
        """The value of a dotted key, written in full."""
        section, name = key.split(".")
        value: object = getattr(getattr(self, section), name)
        return value

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
    return f' (did you mean "{close[0]}"?)' if close else ""


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
        raise RecipeError(
            f"cannot read the recipe {path}: {error.strerror or error}; check the path, or name a recipe of the "
            "package, as `digitforge recipes` lists them"
        ) from None
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
    message = plain(first["msg"])
    message = message[0].lower() + message[1:]
    given = "" if isinstance(first["input"], dict) else f", not {first['input']!r}"
    return f"{key}: {message}{given}" if key else message

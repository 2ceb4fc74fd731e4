"""Comparison: what several runs reached, and in which settings they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digitforge.errors import printable
from digitforge.recipe import Recipe
from digitforge.report.history import History
from digitforge.report.quantities import value_of

# Keys that say what a recipe is about and how often a run is recorded, and change nothing that it trains.
_UNSAID = ("document", "summary", "record.")


@dataclass(frozen=True)
class Reached:
    """What one run came to; the figures are its model's own, None while there is none.

    images, seconds: real images shown to D and time in training steps so far. images_asked: how many it is to be shown.
    frechet: distance to real training images. ratio: the same in F, the distance of real test images. accuracy: share
    of images read as the label asked for, 0..1.
    """

    name: str
    images: int
    images_asked: int
    seconds: float
    frechet: float | None
    ratio: float | None
    accuracy: float | None

    @property
    def is_on_its_way(self) -> bool:
        """Whether it is still to be shown images."""
        return self.images < self.images_asked


def reached(recipe: Recipe, history: History, figures: Mapping[str, Any]) -> Reached:
    """What a run has come to; figures: of its model, as its card has them, empty while there is none."""
    return Reached(
        name=history.name,
        images=history.images,
        images_asked=recipe.training.images or history.images,
        seconds=history.seconds,
        frechet=value_of(figures.get("frechet")),
        ratio=value_of(figures.get("ratio")),
        accuracy=value_of(figures.get("accuracy")),
    )


def differing_settings(recipes: Sequence[Recipe]) -> dict[str, list[str]]:
    """The settings that are not the same in all recipes, by dotted key, each with its value in every recipe.

    What only describes or records a run is left out; "-" stands where a setting is not given.
    """
    tables = [settings_of(recipe) for recipe in recipes]
    return {key: [table[key] for table in tables] for key in tables[0] if len({table[key] for table in tables}) > 1}


def settings_of(recipe: Recipe) -> dict[str, str]:
    """Every setting that changes what is trained, by dotted key, in a table's words."""
    flat = _flat(recipe.model_dump(mode="json"))
    return {key: value for key, value in flat.items() if not key.startswith(_UNSAID)}


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = _said(value)
    return flat


def _said(value: object) -> str:
    """A setting in a table's words."""
    if isinstance(value, list):
        return printable(",".join(map(str, value))) or "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else printable(str(value))

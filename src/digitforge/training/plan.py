"""The plan of a run: its recipe with everything resolved, and the images that it trains on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from digitforge.data import DataSet, Digits
from digitforge.errors import DataError
from digitforge.randomness import stream
from digitforge.recipe import Interval, Recipe, nearest
from digitforge.training.compute import resolve_compute

_INTERVALS = ("tick", "accuracy", "sheet", "snapshot")


@dataclass(frozen=True)
class Plan:
    """What a run is going to do.

    recipe: resolved but for `training.seconds`, where the length is a time.
    train, held_out: the images that D takes for real, and those that nobody trains on (None where there are none).
    """

    recipe: Recipe
    data_name: str
    data_sha256: str
    train: Digits
    held_out: Digits | None

    @property
    def classes(self) -> int:
        """How many labels the data set has."""
        return len(self.train.names)

    @property
    def frequencies(self) -> Tensor:
        """How often each label occurs in training: int64 [classes]."""
        return torch.from_numpy(self.train.counts)

    @property
    def steps(self) -> int:
        """How many steps show D `training.images` real images."""
        assert self.recipe.training.images is not None
        return -(-self.recipe.training.images // self.recipe.training.batch_size)

    @property
    def is_resolved(self) -> bool:
        """Whether the length and the intervals are those that the run will have."""
        intervals = [Interval.parse(getattr(self.recipe.record, key)) for key in _INTERVALS]
        return self.recipe.training.images is not None and all(each.unit == "images" for each in intervals)

    def with_recipe(self, recipe: Recipe) -> Plan:
        """The same images under another recipe."""
        return replace(self, recipe=recipe)

    def every(self, key: str) -> int:
        """An interval of the resolved recipe's record, in steps."""
        return max(1, int(Interval.parse(getattr(self.recipe.record, key)).count) // self.recipe.training.batch_size)


def make_plan(recipe: Recipe, data: DataSet) -> Plan:
    """Resolve a recipe for a data set and this machine."""
    train, held_out = data.train, data.test
    if recipe.data.digits:
        labels = [_label(name, train.names) for name in recipe.data.digits]
        train = train.only(labels)
        held_out = held_out.only(labels) if held_out is not None else None
    if recipe.data.count:
        if recipe.data.count > len(train):
            raise DataError(f"data.count asks for {recipe.data.count} images, and there are {len(train)}")
        train = train.subset(recipe.data.count, stream(recipe.training.seed, "subset"))
    compute = resolve_compute(recipe.compute)
    resolved = recipe.model_copy(update={"compute": compute})
    plan = Plan(resolved, data.name, data.train.sha256, train, held_out)
    epochs = recipe.training.epochs
    return with_images(plan, round(epochs * len(train))) if epochs is not None else plan


def with_images(plan: Plan, images: int) -> Plan:
    """The plan with its length set in images, and the intervals of what it records with it, in whole steps."""
    recipe = plan.recipe
    batch = recipe.training.batch_size
    images = max(images, batch)
    settings: dict[str, object] = {"training.images": images}
    for key in _INTERVALS:
        interval = Interval.parse(getattr(recipe.record, key)).in_images(images, len(plan.train))
        settings[f"record.{key}"] = f"{max(1, round(interval / batch)) * batch} images"
    return plan.with_recipe(recipe.with_settings(settings))


def _label(name: str, names: tuple[str, ...]) -> int:
    if name not in names:
        raise DataError(f'there is no label "{name}" in this data set{nearest(name, names)}; it has {", ".join(names)}')
    return names.index(name)

"""The plan of a run: its recipe with everything resolved, and the images that it trains on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from digitforge import __version__
from digitforge.card import Card, CardData, CardLatent
from digitforge.data import DataSet, Digits
from digitforge.errors import DataError, ModelError, RecipeError
from digitforge.randomness import stream
from digitforge.recipe import Recipe
from digitforge.sections import Interval
from digitforge.training.clusters import check_enough
from digitforge.training.compute import resolve_compute
from digitforge.training.schedule import Timetable, timetable

RECORDS = ("tick", "accuracy", "figures", "sheet", "snapshot")
INTERVALS = tuple(f"record.{key}" for key in RECORDS)  # the dotted keys of a recipe that hold how often
_AT_TICKS = ("accuracy", "figures")


@dataclass(frozen=True)
class Plan:
    """What a run is going to do.

    recipe: resolved but for `training.seconds`, where the length is a time.
    data_name: as `load_data` takes it, so that it can be had again.
    train, held_out: the images that D takes for real, and those that nobody trains on (None where there are none).
    notes: what was done to the images when they were read, in sentences.
    """

    recipe: Recipe
    data_name: str
    data_sha256: str
    train: Digits
    held_out: Digits | None
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """How many labels the data set has."""
        return len(self.train.names)

    @property
    def trained_names(self) -> tuple[str, ...]:
        """The names of the labels that are trained on."""
        return tuple(self.train.names[label] for label in np.flatnonzero(self.train.counts))

    @property
    def frequencies(self) -> Tensor:
        """How often each label occurs in training: int64 [classes]."""
        return torch.from_numpy(self.train.counts)

    @cached_property
    def times(self) -> Timetable:
        """Which images each step shows, once the length is known."""
        assert self.recipe.training.images is not None
        return timetable(self.recipe.training, self.recipe.training.images)

    def card(self, weights_sha256: str, images: int) -> Card:
        """The card of a model that this run makes, without figures. Raises ModelError for what no card may say.

        images: real images shown to the discriminator. weights_sha256: a hash over the generator's weights.
        """
        recipe = self.recipe
        return Card(
            version=__version__,
            recipe=recipe.model_dump(mode="json", exclude_none=True),
            data=CardData(self.data_name, self.data_sha256, len(self.train)),
            seed=recipe.training.seed,
            images=images,
            names=self.train.names,
            frequencies=tuple(int(count) for count in self.train.counts),
            conditional=recipe.networks.conditional,
            latent=CardLatent(recipe.networks.drawing_size, recipe.networks.latent, recipe.networks.clusters),
            weights="average" if recipe.training.ema_images else "plain",
            shape=self.train.shape,
            weights_sha256=weights_sha256,
        )

    def with_recipe(self, recipe: Recipe) -> Plan:
        """The same images under another recipe."""
        return replace(self, recipe=recipe)

    @cached_property
    def intervals(self) -> dict[str, int]:
        """How many images lie between two records of each kind, once the length is known."""
        return {key: int(Interval.parse(getattr(self.recipe.record, key)).count) for key in RECORDS}

    @property
    def epoch_images(self) -> int:
        """Real images that an epoch shows to D."""
        return self.recipe.training.epoch_images(len(self.train))

    def epochs_after(self, images: int) -> float:
        """Epochs of the adversarial phase after so many images; pretraining comes before them."""
        return max(0, images - self.recipe.training.pretrain_images) / self.epoch_images

    def is_due(self, key: str, steps: int) -> bool:
        """Whether what is recorded at an interval is due after so many steps; at the end everything is."""
        interval, pretraining = self.intervals[key], self.recipe.training.pretrain_images
        before, after = (self.times.images_after(count) - pretraining for count in (steps - 1, steps))
        return steps == self.times.steps or before // interval < after // interval


def make_plan(recipe: Recipe, data: DataSet) -> Plan:
    """Resolve a recipe for a data set and this machine."""
    train, held_out = data.train, data.test
    if recipe.data.sha256 not in ("", train.sha256):
        raise DataError(
            f"{data.name} holds other images or labels than this recipe was made for (data.sha256 is "
            f"{recipe.data.sha256[:12]}..., and theirs is {train.sha256[:12]}...); bring the old ones back, "
            "or start a new run"
        )
    if recipe.data.digits:
        labels = [train.label_of(name) for name in recipe.data.digits]
        train = train.only(labels)
        held_out = held_out.only(labels) if held_out is not None and held_out.counts[labels].any() else None
    if recipe.data.count:
        if recipe.data.count > len(train):
            raise DataError(
                f"data.count asks for {recipe.data.count:,} images, and there are {len(train):,}; set data.count to as "
                "many or fewer, or to 0 for all"
            )
        train = train.subset(recipe.data.count, stream(recipe.training.seed, "subset"))
    compute = resolve_compute(recipe.compute)
    settled = recipe.data.model_copy(update={"sha256": data.train.sha256})
    resolved = recipe.model_copy(update={"compute": compute, "data": settled})
    check_enough(len(train), recipe.networks.clusters)
    plan = Plan(resolved, recipe.data.name, data.train.sha256, train, held_out, data.notes)
    _check_model_can_be(plan)
    images = recipe.training.length(len(train))
    if recipe.training.epochs is None or images is None:
        return plan
    return with_images(plan, images)


def _check_model_can_be(plan: Plan) -> None:
    """Raise DataError now for what no model file can say of its data, rather than once all is trained."""
    try:
        plan.card(weights_sha256=plan.data_sha256, images=0)  # any hash will do
    except ModelError as error:
        raise DataError(f"no model can be kept of {plan.data_name}: {error}; train on other data") from None


def with_images(plan: Plan, images: int) -> Plan:
    """The plan with its length set in images, and the intervals of what it records with it.

    Accuracies and figures come with every so many ticks, so that no tick is cut short by them.
    """
    recipe = plan.recipe
    images, alone = max(images, recipe.training.batch_size), recipe.training.pretrain_images
    if images <= alone:
        raise RecipeError(
            f"all {images:,} images would be D's first phase (training.pretrain_images = {alone:,}), and G would never "
            "learn; ask for more images, or set training.pretrain_images=0"
        )
    intervals = {
        key: Interval.parse(getattr(recipe.record, key)).in_images(images, plan.epoch_images) for key in RECORDS
    }
    for key in _AT_TICKS:
        intervals[key] = max(1, round(intervals[key] / intervals["tick"])) * intervals["tick"]
    settings: dict[str, object] = {f"record.{key}": f"{interval} images" for key, interval in intervals.items()}
    return plan.with_recipe(recipe.with_settings(settings | {"training.images": images}))

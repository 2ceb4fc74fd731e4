"""Models and discriminators by name, read from their files once and kept while they are used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from digitforge.errors import DigitforgeError, RunError
from digitforge.forge import PRETRAINED as PRETRAINED_PATH
from digitforge.forge import Forge
from digitforge.report.quantities import value_of
from digitforge.studio.bounds import PRETRAINED
from digitforge.studio.drawing import DRAWING_SHAPE
from digitforge.studio.opinion import Judge, load_judge
from digitforge.studio.shelf import Shelf

_KEPT = 8  # files in memory, some ten MB each
Loaded = TypeVar("Loaded", Forge, Judge)


class Models:
    """What draws and what judges, for one thread."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kept: OrderedDict[tuple[Path, float], Forge | Judge] = OrderedDict()

    def forge(self, name: str) -> Forge:
        """The model of a name. Raises RunError where there is none, ModelError where it is damaged."""
        path = PRETRAINED_PATH if name == PRETRAINED else self._shelf.model(name)
        return self._kept_or_new(path, Forge.load)

    def judge(self, name: str) -> Judge:
        """The discriminator of a run. Raises RunError where it left none."""
        if name == PRETRAINED:
            raise RunError("the model in the package comes without its discriminator; train a run to have one")
        if not self._shelf.is_judged(name):
            raise RunError(f"{name} has no discriminator yet: a run leaves it when it has finished")
        folder = self._shelf.run(name)
        recipe = folder.read_recipe()
        return self._kept_or_new(folder.discriminator, partial(load_judge, recipe=recipe, forge=self.forge(name)))

    def has_judge(self, name: str) -> bool:
        """Whether a model's discriminator can be asked."""
        try:
            self.judge(name)
        except DigitforgeError:  # damaged, or of another version: the model itself is no worse for that
            return False
        return True

    def newest_judge(self) -> str:
        """The newest run whose discriminator can be asked about a digit drawn by hand, "" where there is none."""
        return next(filter(self._judges_drawings, self._shelf.judged()), "")

    def _judges_drawings(self, name: str) -> bool:
        try:
            return self.forge(name).card.shape == DRAWING_SHAPE and self.has_judge(name)
        except DigitforgeError:
            return False

    def describe(self, name: str) -> dict[str, Any]:
        """What the page needs to know of a model; its figures as its card has them, None where it was not measured."""
        forge = self.forge(name)
        figures = forge.card.figures
        return {
            "name": name,
            "recipe": forge.card.recipe.get("name", ""),
            "data": forge.card.data.name,
            "images": forge.card.images,
            "floors": value_of(figures.get("ratio")),
            "read_as_asked": value_of(figures.get("accuracy")),
            "labels": list(forge.names),
            "is_told": forge.is_told,
            "can_blend": forge.can_blend,
            "can_choose": forge.is_told or forge.classifier is not None,
            "judges_drawings": self._judges_drawings(name),
        }

    def _kept_or_new(self, path: Path, load: Callable[[Path], Loaded]) -> Loaded:
        key = path, path.stat().st_mtime
        if key not in self._kept:
            self._kept[key] = load(path)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]  # type: ignore[return-value]  # a path is loaded by one kind of loader alone

"""`export`: from a snapshot of a run, finished or not, to a model file: the model as it was after so many images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from digitforge import __version__
from digitforge.card import Card
from digitforge.data import Progress, load_data
from digitforge.errors import DataError, ModelError, RecipeError, RunError
from digitforge.forge import Forge
from digitforge.networks.build import build
from digitforge.networks.players import Generator
from digitforge.networks.to_onnx import generator_to_onnx, weights_sha256
from digitforge.recipe import Recipe, parse_recipe
from digitforge.runs import RunFolder, count_of
from digitforge.training.checkpoint import DAMAGE, read_tensors
from digitforge.training.plan import make_plan


def export(folder: RunFolder, at: int | None = None, *, progress: Progress | None = None) -> bytes:
    """A model file of the snapshot after `at` images, of the newest one by default; its card has no figures.

    progress: hears a download, where the run has no model file yet and its data set is not in the cache.
    Raises RunError for what is no run, an image count without a snapshot, and a snapshot that is damaged or of other
    networks; DataError where the data set is needed and can't be had.
    """
    recipe = folder.read_recipe()
    path = find_snapshot(folder, at)
    card = _finished_card(folder, recipe) or _new_card(folder, recipe, progress)
    generator = build(recipe.networks, card.shape, len(card.names), card.seed).generator.eval()
    _load_weights(folder, path, generator)
    card = replace(
        card,
        version=__version__,
        recipe=recipe.model_dump(mode="json", exclude_none=True),
        images=count_of(path),
        weights_sha256=weights_sha256(generator),
        figures={},
    )
    return generator_to_onnx(generator, recipe.networks, card.shape, card.to_json())


def find_snapshot(folder: RunFolder, at: int | None = None) -> Path:
    """The snapshot after `at` images, or the newest one. Raises RunError that names the nearest if there is none."""
    folder.read_recipe()  # raises where this is no run
    snapshots = {count_of(path): path for path in folder.snapshots()}
    if not snapshots:
        raise RunError(f"the run in {folder.path} holds no snapshots; resume it, or name another run")
    wanted = max(snapshots) if at is None else at
    if wanted not in snapshots:
        before = [count for count in snapshots if count < wanted][-1:]
        after = [count for count in snapshots if count > wanted][:1]
        nearest = " or ".join(f"--at {count}" for count in before + after)
        raise RunError(
            f"the run in {folder.path} has no snapshot after {wanted:,} images; ask for the nearest, {nearest}"
        )
    return snapshots[wanted]


def _finished_card(folder: RunFolder, recipe: Recipe) -> Card | None:
    """The card of the run's own model file; None where there is no such file, or one of other networks or data."""
    try:
        card = Forge.load(folder.model).card
        written = parse_recipe(card.recipe, str(folder.model))
    except (ModelError, RecipeError):
        return None
    is_own = (written.networks, written.data, card.seed) == (recipe.networks, recipe.data, recipe.training.seed)
    return card if is_own else None


def _new_card(folder: RunFolder, recipe: Recipe, progress: Progress | None) -> Card:
    """The card of the run's model before its first image, made from its data set."""
    try:
        data = load_data(recipe.data.name, progress=progress)
        # The run may come from a machine with another device.
        plan = make_plan(recipe.with_settings({"compute.device": "cpu"}), data)
    except DataError as error:
        raise DataError(
            f"the run in {folder.path} has no {folder.model.name} of its own, so that its labels are read from its "
            f"data, which can't be had here: {error}"
        ) from None
    return plan.card(weights_sha256=plan.data_sha256, images=0)  # any hash: that of the snapshot's weights is to come


def _load_weights(folder: RunFolder, path: Path, generator: Generator) -> None:
    """Put a snapshot's weights in the place of the generator's."""
    try:
        saved, _ = read_tensors(folder.intact(path))
    except DAMAGE as error:
        raise RunError(f"{path} is no snapshot ({error}); export another one with --at") from None
    if _outline(saved) != _outline(generator.state_dict()):
        raise RunError(
            f"{path} holds other networks than its run's recipe, or labels other than its data's: the folder mixes two "
            "runs; export another snapshot with --at"
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in saved.values()):
        raise RunError(f"{path} holds weights that are no numbers; export an earlier snapshot with --at")
    generator.load_state_dict(saved)


def _outline(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """What tensors must have in common to take each other's place."""
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}

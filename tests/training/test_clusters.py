"""Clusters of a data set: found from the images alone, told to both players, kept in what a run leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from digitforge.data import DataSet, Digits
from digitforge.errors import DataError
from digitforge.forge import Forge
from digitforge.networks.build import build
from digitforge.networks.pixels import to_network
from digitforge.networks.players import Discriminator
from digitforge.runs import RunFolder
from digitforge.sections import Networks
from digitforge.training.accuracy import discriminator_accuracy
from digitforge.training.clusters import Clusters, find_clusters
from digitforge.training.compute import start_fabric
from digitforge.training.drawing import draw
from digitforge.training.export import export
from digitforge.training.plan import make_plan
from digitforge.training.train import train
from digitforge.training.trainer import Trainer
from tiny_runs import BATCH, tiny_data, tiny_digits, tiny_recipe

UNTOLD = {"networks.conditional": False, "networks.clusters": 5}


def heaps(*sizes: int) -> Digits:
    """Images near one of some very different ones, so many of each; their labels say which."""
    rng = np.random.default_rng(0)
    centres = rng.integers(30, 226, (len(sizes), 1, 8, 8))
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    images = centres[labels] + rng.integers(-20, 21, (len(labels), 1, 8, 8))
    return Digits(images.astype(np.uint8), labels)


def told(clusters: Clusters, images: np.ndarray, pixels: str) -> np.ndarray:
    """What a discriminator with these clusters tells of images."""
    networks = Networks(family="express", clusters=len(clusters.shares), generator_width=4, discriminator_width=4)
    pair = build(networks, images.shape[1:], 10, 0)
    clusters.put_into(pair.discriminator, pair.generator)
    return pair.discriminator.clusters(to_network(torch.from_numpy(images), pixels)).numpy()


@pytest.mark.parametrize("pixels", ["signed", "unit"])
def test_images_of_one_heap_are_one_cluster(pixels: str) -> None:
    digits = heaps(150, 60, 30)
    found = find_clusters(digits, tiny_recipe({**UNTOLD, "networks.clusters": 3, "networks.pixels": pixels}))
    np.testing.assert_allclose(sorted(found.shares), [30 / 240, 60 / 240, 150 / 240], atol=1e-6)
    assert len(set(zip(told(found, digits.images, pixels), digits.labels, strict=True))) == 3


def test_clusters_come_from_the_seed() -> None:
    digits = tiny_digits(300)
    first, again = (find_clusters(digits, tiny_recipe(UNTOLD)) for _ in range(2))
    other = find_clusters(digits, tiny_recipe({**UNTOLD, "training.seed": 6}))
    np.testing.assert_array_equal(first.weight, again.weight)
    assert not np.array_equal(first.weight, other.weight)


def test_equal_images_make_clusters_that_are_never_told(tmp_path: Path) -> None:
    digits = Digits(np.full((60, 1, 8, 8), 99, np.uint8), np.zeros(60, np.int64))
    found = find_clusters(digits, tiny_recipe(UNTOLD))
    assert sorted(found.shares) == [0, 0, 0, 0, 1]
    run = train(tiny_recipe({**UNTOLD, "training.images": 10 * BATCH}), DataSet("alike", digits, None), out=tmp_path)
    assert Forge.load(run.model).generate(count=5).images.shape == (5, 1, 8, 8)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (49, "5 clusters need 50 images, and there are 49; set networks.clusters=4 or fewer, or 0, "),
        (9, "5 clusters need 50 images, and there are 9; set networks.clusters=0, "),
    ],
)
def test_too_few_images_are_refused_with_what_fits(count: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        make_plan(tiny_recipe(UNTOLD), DataSet("few", tiny_digits(count), None))


def test_several_processes_tell_the_clusters_that_the_first_one_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(tiny_recipe(UNTOLD), tiny_data())
    found = find_clusters(plan.train, tiny_recipe({**UNTOLD, "training.seed": 8}))
    trainer, sent = Trainer(plan, start_fabric(plan.recipe)), []
    monkeypatch.setattr(type(trainer.fabric), "is_global_zero", property(lambda _: False))
    monkeypatch.setattr(trainer.fabric, "broadcast", lambda own: sent.append(own) or found)
    trainer.begin([])
    assert sent == [None]
    game, average = trainer.state.game, trainer.state.average
    assert torch.equal(game.discriminator.clusters.weight, found.weight)
    for generator in (game.generator, average.generator):
        assert torch.equal(generator.choice.shares, found.shares)


def test_labels_are_told_to_nobody() -> None:
    data = tiny_data()
    shuffled = Digits(data.train.images, np.random.default_rng(0).permutation(data.train.labels))
    weights = []
    for digits in (data.train, shuffled):
        plan = make_plan(tiny_recipe(UNTOLD), DataSet("tiny", digits, None))
        trainer = Trainer(plan, start_fabric(plan.recipe))
        trainer.begin([])
        for _ in range(5):
            trainer.step()
        weights.append(trainer.state.game.generator.state_dict())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    settings = {**UNTOLD, "training.images": 20 * BATCH}
    return train(tiny_recipe(settings), tiny_data(), out=tmp_path_factory.mktemp("clusters") / "run")


def test_the_model_file_draws_by_latents_alone_what_the_weights_in_memory_draw(finished: RunFolder) -> None:
    forge = Forge.load(finished.model)
    assert not forge.card.conditional and not forge.is_told
    assert (forge.card.latent.size, forge.card.latent.choosers) == (6 + 5, 5)
    plan = make_plan(tiny_recipe({**UNTOLD, "training.images": 20 * BATCH}), tiny_data())
    trainer = Trainer(plan, start_fabric(plan.recipe))
    trainer.resume(finished)
    latents, unheard = forge.latents(count=60), np.zeros(60, np.int64)
    in_memory = draw(trainer.generator(), latents, unheard, plan.recipe.networks.pixels)
    from_file = forge.draw(latents)
    assert np.abs(in_memory.astype(int) - from_file).max() <= 1  # another order of sums rounds the other way
    assert (in_memory != from_file).mean() <= 0.01


def test_a_snapshot_brings_its_clusters_along(finished: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(export(finished))
    again, forge = Forge.load(tmp_path / "model.onnx"), Forge.load(finished.model)
    assert again.card.weights_sha256 == forge.card.weights_sha256
    np.testing.assert_array_equal(again.generate(count=60).images, forge.generate(count=60).images)


def test_the_discriminator_is_asked_with_the_clusters_that_it_learned_by_whatever_the_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = make_plan(tiny_recipe({**UNTOLD, "networks.clusters": 20, "compute.precision": "bf16"}), tiny_data())
    trainer = Trainer(plan, start_fabric(plan.recipe))
    trainer.begin([])
    game, heard = trainer.state.game, []
    forward = Discriminator.forward

    def hear(self: Discriminator, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        heard.append((images, labels))
        return forward(self, images, labels)

    monkeypatch.setattr(Discriminator, "forward", hear)
    with trainer.fabric.autocast():
        discriminator_accuracy((game.generator, game.discriminator), plan.recipe, plan.train, None, 0)
    (real, told), (_, asked) = heard
    assert torch.equal(told, game.discriminator.clusters(real))
    assert len(asked.unique()) > 1

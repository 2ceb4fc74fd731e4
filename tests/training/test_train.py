"""`train`: one seed makes one run, whatever interrupts it, and a finished run holds what it promises."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from digitforge import classifier as classifier_module
from digitforge.data import DataSet, Digits
from digitforge.errors import DataError, DivergenceError, InterruptionError, RecipeError, RunError
from digitforge.forge import Forge
from digitforge.metrics import reference as reference_module
from digitforge.metrics.evaluate import evaluate
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.networks.pixels import to_network
from digitforge.networks.to_onnx import weights_sha256
from digitforge.onnx_file import open_onnx
from digitforge.randomness import draw_latents, spread_labels, stream
from digitforge.recipe import Recipe
from digitforge.runs import RunFolder
from digitforge.training import budget as budget_module
from digitforge.training.checkpoint import named_tensors
from digitforge.training.compute import start_fabric
from digitforge.training.drawing import draw
from digitforge.training.ema import measured
from digitforge.training.plan import make_plan
from digitforge.training.setup import sums_type
from digitforge.training.step import STEPS, Game, Outcome
from digitforge.training.train import train
from digitforge.training.trainer import Trainer
from tiny_models import write_classifier
from tiny_runs import BATCH, IMAGES, Listener, tiny_data, tiny_digits, tiny_recipe, what_must_repeat, write_npz

DATA = tiny_data()
LIGHT = {"record.checkpoint_seconds": 1e-9}  # a checkpoint at every tick
CONSTANT = {"training.constant_until": 1.0}


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with digits in a file, an own cache, and a classifier that reads at once."""
    folder = tmp_path_factory.mktemp("pinned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(folder / "cache"))
        patch.setattr(classifier_module, "PINNED", write_classifier(folder / "classifier.onnx"))
        patch.setattr(reference_module, "SHIPPED", folder / "shipped.npz")
        write_npz(folder / "digits.npz", tiny_digits(300, side=28))
        yield folder


@dataclass
class Finished:
    """A run that was heard to its end."""

    folder: RunFolder
    listener: Listener


@pytest.fixture(scope="module")
def finished(pinned: Path) -> Finished:
    """A run of conditional 28x28 networks with an average, from a file, with figures."""
    listener = Listener()
    settings = {"data.name": str(pinned / "digits.npz"), "networks.pixels": "unit"}
    return Finished(train(tiny_recipe(settings), out=pinned / "run", observers=[listener]), listener)


def short(out: Path, changes: dict[str, object] | None = None, **options: object) -> RunFolder:
    return train(tiny_recipe(changes), DATA, out=out, **options)


@pytest.fixture
def undisturbed(light_end: None, tmp_path: Path) -> dict[str, object]:
    return what_must_repeat(short(tmp_path / "undisturbed"))


def weights_of(model: Path) -> dict[str, np.ndarray]:
    graph = onnx.load(model).graph
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


# What a finished run holds


def test_the_saved_recipe_makes_the_same_model_again_bit_for_bit(pinned: Path, finished: Finished) -> None:
    again = train(str(finished.folder.recipe), out=pinned / "again")
    first, second = (Forge.load(folder.model).card for folder in (finished.folder, again))
    assert first.weights_sha256 == second.weights_sha256
    assert first.figures == second.figures
    for path in ("model", "discriminator"):
        before, after = (weights_of(getattr(folder, path)) for folder in (finished.folder, again))
        assert before.keys() == after.keys()
        assert len(before) > 5
        for name, tensor in before.items():
            assert tensor.tobytes() == after[name].tobytes(), name
    assert what_must_repeat(again) == what_must_repeat(finished.folder)


def test_another_seed_makes_another_model(light_end: None, tmp_path: Path) -> None:
    folders = [short(tmp_path / str(seed), {"training.seed": seed}) for seed in (5, 6)]
    first, second = (folder.snapshot(IMAGES).read_bytes() for folder in folders)
    assert first != second


def test_the_cards_figures_are_what_evaluate_finds_afresh(finished: Finished) -> None:
    fresh = evaluate(finished.folder.model, details=False).as_dict()
    figures = dict(Forge.load(finished.folder.model).card.figures)
    assert figures == {key: value for key, value in fresh.items() if key not in ("model", "model_sha256")}
    assert figures["frechet"]["n"] == 10_000


def test_the_card_tells_what_was_trained(finished: Finished) -> None:
    card = Forge.load(finished.folder.path).card
    plan = finished.listener.plan
    assert (card.images, card.seed, card.conditional, card.weights) == (IMAGES, 5, True, "average")
    assert card.recipe == finished.folder.read_recipe().model_dump(mode="json", exclude_none=True)
    assert card.frequencies == tuple(plan.train.counts)
    assert (card.data.sha256, card.data.count) == (plan.data_sha256, len(plan.train))


def test_a_run_leaves_its_averaged_generator_and_its_discriminator_as_it_learned(finished: Finished) -> None:
    plan, folder = finished.listener.plan, finished.folder
    trainer = Trainer(plan, start_fabric(plan.recipe))
    trainer.resume(folder)
    state = trainer.state
    assert state.average is not None
    averaged = measured(state.average.generator, plan.recipe.networks, plan.frequencies).state_dict()
    kept = safetensors.torch.load_file(folder.snapshot(IMAGES))
    assert kept.keys() == averaged.keys()
    assert all(torch.equal(kept[name], tensor) for name, tensor in averaged.items())
    plain = dict(state.game.generator.named_parameters())
    assert not any(torch.equal(kept[name], tensor) for name, tensor in plain.items())
    digits = plan.train.take(np.arange(20))
    images = to_network(torch.from_numpy(digits.images), plan.recipe.networks.pixels)
    with torch.no_grad():
        logits = state.game.discriminator.eval()(images, torch.from_numpy(digits.labels))
    judged = open_onnx(folder.discriminator).run({"images": digits.images, "label": digits.labels})
    np.testing.assert_allclose(judged["logit"], logits.numpy(), rtol=1e-3, atol=1e-5)


def test_images_drawn_in_memory_are_those_of_the_model_file(finished: Finished) -> None:
    plan = finished.listener.plan
    trainer = Trainer(plan, start_fabric(plan.recipe))
    assert trainer.resume(finished.folder) == IMAGES
    generator = trainer.generator()
    forge = Forge.load(finished.folder.model)
    assert weights_sha256(generator) == forge.card.weights_sha256
    latents, labels = np.random.default_rng(0).standard_normal((60, 6), dtype=np.float32), np.arange(60) % 10
    in_memory = draw(generator, latents, labels, plan.recipe.networks.pixels)
    from_file = forge.draw(latents, labels)
    assert in_memory.dtype == from_file.dtype == np.uint8
    # onnxruntime sums in another order, which may round a pixel that lies between two levels to the other one.
    assert np.abs(in_memory.astype(int) - from_file).max() <= 1
    assert (in_memory != from_file).mean() <= 0.01


def test_figures_on_the_way_come_from_weights_in_memory_and_are_those_of_the_model_file(finished: Finished) -> None:
    told = {line["images"]: line["figures"] for line in finished.folder.read_stats() if "figures" in line}
    assert sorted(told) == [240, 480, 640]
    forge, last = Forge.load(finished.folder.model), told[640]
    labels = spread_labels(stream(0, "figures' labels"), forge.card.frequencies, 50)
    images = forge.draw(draw_latents(stream(0, "figures"), 50, 6, "normal"), labels)
    assert forge.classifier is not None
    reading = forge.classifier.read(images)
    real = forge.classifier.read(finished.listener.plan.train.images).features
    assert last["frechet"] == pytest.approx(frechet_distance(moments(reading.features), moments(real)), rel=0.02)
    assert last["spread"] == pytest.approx(np.trace(np.cov(reading.features.T)) / np.trace(np.cov(real.T)), rel=0.02)
    assert last["accuracy"] == pytest.approx((reading.labels == labels).mean(), abs=0.02)
    assert sum(last["read"].values()) == last["n"] == 50
    assert max(abs(last["read"].get(str(digit), 0) - (reading.labels == digit).sum()) for digit in range(10)) <= 1
    assert told[240] != last


def test_what_no_classifier_reads_has_no_figures_on_the_way(light_end: None, tmp_path: Path) -> None:
    assert not any("figures" in line for line in short(tmp_path / "run").read_stats())


def test_the_last_snapshot_holds_the_weights_of_the_model_file(finished: Finished) -> None:
    plan, folder = finished.listener.plan, finished.folder
    trainer = Trainer(plan, start_fabric(plan.recipe))
    generator = trainer.generator()
    generator.load_state_dict(safetensors.torch.load_file(folder.snapshot(IMAGES)))
    assert weights_sha256(generator) == Forge.load(folder.model).card.weights_sha256


def test_there_is_a_frame_at_image_0_and_one_at_the_end(finished: Finished) -> None:
    samples = finished.folder.samples()
    assert [int(path.stem) for path in samples] == [*range(0, IMAGES, 112), IMAGES]
    first, last = (np.asarray(Image.open(path)) for path in (samples[0], samples[-1]))
    assert first.shape == last.shape
    assert (first != last).mean() > 0.1
    assert finished.folder.snapshot(0).exists()


def test_saved_sheets_are_those_that_observers_and_tensorboard_were_given(finished: Finished) -> None:
    folder = finished.folder
    given = {tick.images: tick.sheet for tick in finished.listener.ticks if tick.sheet is not None}
    events = EventAccumulator(str(folder.tensorboard), size_guidance={"images": 0}).Reload().Images("samples")
    logged = {event.step: event.encoded_image_string for event in events}
    assert [folder.sample(images) for images in given] == folder.samples()
    assert given.keys() == logged.keys()
    (folder.path / "logged.png").write_bytes(logged[IMAGES])
    for images, sheet in given.items():
        np.testing.assert_array_equal(np.asarray(Image.open(folder.sample(images))), sheet)
    np.testing.assert_array_equal(np.asarray(Image.open(folder.path / "logged.png").convert("L")), given[IMAGES])
    (folder.path / "logged.png").unlink()


def test_statistics_come_tick_by_tick_with_accuracies_now_and_then(finished: Finished) -> None:
    lines = finished.folder.read_stats()
    assert [line["images"] for line in lines] == list(range(80, IMAGES + 1, 80))
    assert [line["images"] for line in lines if "accuracy" in line] == [320, 640]
    assert {"real_train", "real_held_out", "fake", "separation"} <= lines[-1]["accuracy"].keys()
    assert lines[0]["rate"] == {"generator": 1e-3, "discriminator": 1e-3}
    assert lines[-1]["rate"]["generator"] == pytest.approx(1e-3 * 2 * BATCH / IMAGES)
    assert all(line["loss"].keys() == {"discriminator", "generator", "penalty"} for line in lines)
    assert lines[-1]["epoch"] == round(IMAGES / len(finished.listener.plan.train), 4)


def test_the_mean_loss_of_a_tick_is_that_of_its_steps(
    light_end: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        STEPS, "simultaneous", played(lambda step, outcome: replace(outcome, generator_loss=torch.tensor(float(step))))
    )
    lines = short(tmp_path / "run").read_stats()
    assert [line["loss"]["generator"] for line in lines] == [2, 7, 12, 17, 22, 27, 32, 37]


def test_plain_weights_are_called_plain_and_used_as_they_are(pinned: Path, tmp_path: Path) -> None:
    settings = {
        "training.ema_images": 0,
        "networks.conditional": False,
        "networks.family": "dcgan",
        "training.images": 5 * BATCH,
        "data.digits": "3,5",
    }
    listener = Listener()
    folder = train(tiny_recipe(settings), DATA, out=tmp_path / "run", observers=[listener])
    card = Forge.load(folder.model).card
    assert card.weights == "plain"
    assert card.trained == (3, 5)
    assert dict(card.figures) == {}
    trainer = Trainer(listener.plan, start_fabric(listener.plan.recipe))
    trainer.resume(folder)
    assert weights_sha256(trainer.state.game.generator) == card.weights_sha256
    assert folder.is_finished and folder.final_sheet.exists() and folder.discriminator.exists()


def test_images_that_only_the_caller_has_are_trained_on_without_figures(pinned: Path, tmp_path: Path) -> None:
    data = DataSet("in-memory", tiny_digits(100, side=28), None)
    folder = train(tiny_recipe({"training.images": 2 * BATCH}), data, out=tmp_path / "run")
    assert folder.is_finished
    assert dict(Forge.load(folder.model).card.figures) == {}


@pytest.mark.parametrize("size", [(64, 64), (40, 128)], ids=str)
def test_images_of_the_callers_are_learned_and_drawn_at_their_own_size(tmp_path: Path, size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 3, *size), np.uint8)
    data = DataSet("own", Digits(images, np.arange(60) % 2, ("cat", "dog")), None)
    run = train(tiny_recipe(), data, out=tmp_path / "run")
    assert Forge.load(run.path).generate("dog", 3).images.shape == (3, 3, *size)


def test_images_of_the_callers_under_the_name_of_others_have_no_figures(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, others = (DataSet("named", tiny_digits(count, side=28), None) for count in (100, 120))
    loaded = [others, DataSet("named", tiny_digits(100, side=32), None)]  # those of another size can't even be read
    monkeypatch.setattr("digitforge.metrics.evaluate.load_data", lambda name, progress: loaded[0])
    folder = train(tiny_recipe({"training.images": 2 * BATCH}), own, out=tmp_path / "run")
    assert dict(Forge.load(folder.model).card.figures) == {}
    told = train(tiny_recipe({"training.images": 2 * BATCH}), others, out=tmp_path / "told")
    assert dict(Forge.load(told.model).card.figures) != {}
    loaded.reverse()
    unread = train(tiny_recipe({"training.images": 2 * BATCH}), own, out=tmp_path / "unread")
    assert dict(Forge.load(unread.model).card.figures) == {}


def test_a_path_of_a_data_sets_name_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mnist").mkdir()
    with pytest.raises(DataError, match="neither idx files"):  # of an empty folder, whose name would be fetched
        train(data=Path("mnist"), settings={"training.images": BATCH})


def test_data_that_have_moved_go_by_their_new_place(light_end: None, tmp_path: Path) -> None:
    places = [tmp_path / "old.npz", tmp_path / "new.npz"]
    write_npz(places[0], tiny_digits(100))
    recipe = tiny_recipe({"training.images": 20 * BATCH})
    with pytest.raises(InterruptionError):
        train(recipe, places[0], out=tmp_path / "run", observers=[interrupted_at(3)])
    write_npz(places[0], tiny_digits(90))
    with pytest.raises(DataError, match="holds other images or labels"):
        train(data=places[0], out=tmp_path / "run", resume=True)
    write_npz(places[1], tiny_digits(90))
    with pytest.raises(DataError, match="holds other images or labels"):
        train(data=places[1], out=tmp_path / "run", resume=True)
    with pytest.raises(RunError, match=r"has data\.name = .*old\.npz, not .*new\.npz"):
        train(recipe.with_settings({"data.name": str(places[1])}), out=tmp_path / "run", resume=True)
    write_npz(places[1], tiny_digits(100))
    folder = train(data=places[1], out=tmp_path / "run", resume=True)
    assert folder.is_finished
    assert folder.read_recipe().data.name == str(places[1])
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    write_npz(tmp_path / "newest.npz", tiny_digits(100))
    assert train(data=tmp_path / "newest.npz", out=tmp_path / "run", resume=True) == folder
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


def test_a_single_image_is_trained_on_without_figures(pinned: Path, tmp_path: Path) -> None:
    write_npz(tmp_path / "one.npz", tiny_digits(1, side=28))
    recipe = tiny_recipe({"data.name": str(tmp_path / "one.npz"), "training.images": 10 * BATCH})
    folder = train(recipe, out=tmp_path / "run")
    assert dict(Forge.load(folder.model).card.figures) == {}
    assert not any("figures" in line for line in folder.read_stats())


# Interrupted, resumed


def interrupted_at(step: int, number: signal.Signals = signal.SIGINT) -> Listener:
    return Listener(step * BATCH, lambda: os.kill(os.getpid(), number))


@pytest.mark.parametrize(
    ("step", "number"),
    [(1, signal.SIGINT), (7, signal.SIGTERM), (20, signal.SIGINT), (33, signal.SIGTERM), (40, signal.SIGINT)],
)
def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_been(
    undisturbed: dict[str, object], tmp_path: Path, step: int, number: signal.Signals
) -> None:
    out = tmp_path / "stopped"
    with pytest.raises(InterruptionError, match="--resume") as stop:
        short(out, observers=[interrupted_at(step, number)])
    assert stop.value.exit_code == 128 + number
    assert not RunFolder(out).is_finished
    later = Listener()
    folder = train(data=DATA, out=out, resume=True, observers=[later])
    assert later.first == step * BATCH
    assert folder.is_finished
    assert what_must_repeat(folder) == undisturbed


def test_a_signal_in_the_last_save_is_heard_after_it(undisturbed: dict[str, object], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        save = Trainer.save

        def save_and_hear(trainer: Trainer, folder: RunFolder) -> None:
            if trainer.images == IMAGES:
                os.kill(os.getpid(), signal.SIGTERM)
            save(trainer, folder)

        patch.setattr(Trainer, "save", save_and_hear)
        with pytest.raises(InterruptionError) as stop:
            short(tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert stop.value.exit_code == 143
    assert folder.checkpoints()[0] == folder.checkpoint(40) and not folder.is_finished
    assert what_must_repeat(short(folder.path, resume=True)) == undisturbed


def test_a_signal_while_the_files_of_the_end_are_written_loses_nothing(
    undisturbed: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("digitforge.training.train.finish", lambda *of: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(InterruptionError, match="--resume") as stop:
            short(tmp_path / "run")
    assert stop.value.exit_code == 130
    assert what_must_repeat(short(tmp_path / "run", resume=True)) == undisturbed


def test_a_run_does_not_go_on_with_other_images(tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        short(tmp_path / "run", observers=[interrupted_at(7)])
    with pytest.raises(DataError, match="tiny holds other images or labels"):
        train(data=tiny_data(210), out=tmp_path / "run", resume=True)


def test_a_run_whose_recipe_an_older_version_saved_goes_on(undisturbed: dict[str, object], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(InterruptionError):
        short(folder.path, observers=[interrupted_at(7)])
    lines = folder.recipe.read_text().splitlines(keepends=True)
    folder.recipe.write_text("".join(line for line in lines if not line.startswith(("sha256", "figure", "#"))))
    resumed = train(data=DATA, out=folder.path, resume=True)
    assert resumed.read_recipe().data.sha256 == DATA.train.sha256
    recipe = str(resumed.recipe.relative_to(resumed.path))
    assert what_must_repeat(resumed) | {recipe: None} == undisturbed | {recipe: None}


def test_a_run_can_be_stopped_again_and_again(undisturbed: dict[str, object], tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    for step in (3, 4, 21):
        with pytest.raises(InterruptionError):
            short(out, resume=True, observers=[interrupted_at(step)])
    assert what_must_repeat(short(out, resume=True)) == undisturbed


def test_a_resumed_run_counts_the_seconds_of_all_its_steps(
    light_end: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(perf_counter=itertools.count().__next__, monotonic=time.monotonic)  # a step takes 1 s
    monkeypatch.setattr("digitforge.training.trainer.time", clock)
    for step in (3, 20, 31):  # the second one at a tick
        with pytest.raises(InterruptionError):
            short(tmp_path / "run", resume=True, observers=[interrupted_at(step)])
    lines = short(tmp_path / "run", resume=True).read_stats()
    assert {line["clock"]["images_per_second"] for line in lines} == {BATCH}
    assert [line["clock"]["seconds"] for line in lines] == [line["images"] / BATCH for line in lines]


def crash() -> None:
    raise ZeroDivisionError


def test_a_run_that_died_goes_on_from_its_last_checkpoint_and_records_nothing_twice(
    light_end: None, tmp_path: Path
) -> None:
    undisturbed = what_must_repeat(short(tmp_path / "undisturbed", LIGHT))
    with pytest.raises(ZeroDivisionError):
        short(tmp_path / "died", LIGHT, observers=[Listener(33 * BATCH, crash)])
    later = Listener()
    folder = short(tmp_path / "died", LIGHT, resume=True, observers=[later])
    assert later.first == 30 * BATCH
    assert what_must_repeat(folder) == undisturbed


def test_a_damaged_checkpoint_gives_way_to_the_one_before(light_end: None, tmp_path: Path) -> None:
    undisturbed = what_must_repeat(short(tmp_path / "undisturbed", LIGHT))
    with pytest.raises(ZeroDivisionError):
        short(tmp_path / "died", LIGHT, observers=[Listener(33 * BATCH, crash)])
    newest = RunFolder(tmp_path / "died").checkpoints()[0]
    newest.write_bytes(newest.read_bytes()[:1000])
    later = Listener()
    folder = short(tmp_path / "died", LIGHT, resume=True, observers=[later])
    assert later.first == 28 * BATCH  # of the sheet; that of the line after 30 steps is damaged
    assert what_must_repeat(folder) == undisturbed


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_run_whose_checkpoints_are_gone_keeps_what_it_recorded(
    light_end: None, tmp_path: Path, is_finished: bool
) -> None:
    flat = LIGHT | {"training.constant_until": 1}
    if is_finished:
        folder = short(tmp_path / "run", flat)
    else:
        folder = RunFolder(tmp_path / "run")
        with pytest.raises(ZeroDivisionError):
            short(folder.path, flat, observers=[Listener(33 * BATCH, crash)])
    for path in folder.checkpoints():
        path.unlink()
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=r"checkpoints of .* are gone.*digitforge export"):
        longer = {"training.images": 2 * IMAGES} if is_finished else {}
        train(data=DATA, settings=longer, out=folder.path, resume=True)
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_without_a_checkpoint_that_can_be_read_says_so(light_end: None, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ZeroDivisionError):
        short(folder.path, LIGHT, observers=[Listener(33 * BATCH, crash)])
    for path in folder.checkpoints():
        path.write_bytes(path.read_bytes()[:1000])
    lines = folder.stats.read_bytes()
    with pytest.raises(RunError, match=r"is no checkpoint .*no older state.*digitforge export"):
        short(folder.path, LIGHT, resume=True)
    assert folder.stats.read_bytes() == lines


def test_a_run_that_died_before_its_first_checkpoint_starts_anew(
    undisturbed: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        short(tmp_path / "died", observers=[Listener(33 * BATCH, crash)])
    folder = short(tmp_path / "died", resume=True)
    assert what_must_repeat(folder) == undisturbed
    events = EventAccumulator(str(folder.tensorboard), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in events.Scalars("loss/generator")] == list(range(80, IMAGES + 1, 80))


def test_resuming_what_is_missing_starts_it(undisturbed: dict[str, object], tmp_path: Path) -> None:
    assert what_must_repeat(short(tmp_path / "new" / "run", resume=True)) == undisturbed


def test_a_finished_run_is_left_as_it_is(light_end: None, tmp_path: Path) -> None:
    folder = short(tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    listener = Listener()
    for settings in ({}, {"training.images": IMAGES}):
        again = train(data=DATA, settings=settings, out=folder.path, resume=True, observers=[listener])
        assert again == folder
    assert listener.ticks == []
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        (None, {"training.seed": 6}, r"has training\.seed = 5, not 6"),
        (None, {"training.batch_size": 8}, r"has training\.batch_size = 16, not 8"),
        (None, {"data.digits": "3"}, r"has data\.digits = \(\), not"),
        ("dcgan", {}, "is one of tiny, not of dcgan"),
        (
            None,
            {"training.images": 2 * IMAGES},
            "one of 640 images, not 1,280, and its schedule was made for that length",
        ),
        (None, {"training.epochs": 10}, "one of 640 images, not 2,000"),
        (None, {"training.images": IMAGES - BATCH}, "not 624"),
        (None, {"record.tick": "1/20 run"}, r"has record\.tick = 80 images, not 32 images"),
        (None, {"compute.threads": 2}, r"has compute\.threads = 1, not 2"),
        (tiny_recipe({"objective.r1": 0.2}), {}, r"has objective\.r1 = 0\.1, not 0\.2"),
        (tiny_recipe({"record.sheet": "1 epochs"}), {}, r"has record\.sheet = 112 images, not 200 images"),
    ],
)
def test_a_run_is_not_resumed_as_another_one(
    light_end: None, tmp_path: Path, recipe: str | Recipe | None, settings: dict[str, object], words: str
) -> None:
    folder = short(tmp_path / "run")
    before = what_must_repeat(folder)
    with pytest.raises(RunError, match=words):
        train(recipe, DATA, settings=settings, out=folder.path, resume=True)
    assert what_must_repeat(folder) == before
    assert folder.is_finished


# What a run settles when it begins: by the machine, by its length, by its images.
OPEN: dict[str, object] = {
    "compute.device": "auto",
    "compute.precision": "auto",
    "compute.threads": 0,
    "record.tick": "1/20 run",
    "record.accuracy": "100 images",
    "record.sheet": "1 epochs",
    "training.images": 4 * BATCH + 3,
}


def test_the_command_that_starts_a_run_also_goes_on_with_it_and_leaves_it_alone(
    light_end: None, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(tiny_recipe(OPEN).to_toml())
    ways = [(tiny_recipe(), OPEN), (tiny_recipe(OPEN), {}), (str(tmp_path / "tiny.toml"), {})]
    for number, (recipe, settings) in enumerate(ways):
        out = tmp_path / f"run {number}"
        with pytest.raises(InterruptionError):
            train(recipe, DATA, settings=settings, out=out, resume=True, observers=[interrupted_at(2)])
        later = Listener()
        for _ in range(2):
            folder = train(recipe, DATA, settings=settings, out=out, resume=True, observers=[later])
        assert (later.first, folder.is_finished) == (2 * BATCH, True)
        with pytest.raises(RunError, match=r"has record\.sheet = 200 images, not 100 images"):
            train(recipe, DATA, settings={**settings, "record.sheet": "0.5 epochs"}, out=out, resume=True)


def test_a_run_of_less_than_a_batch_is_one_batch_whenever_it_is_asked_for(light_end: None, tmp_path: Path) -> None:
    for _ in range(2):
        folder = short(tmp_path / "run", settings={"training.images": 10}, resume=True)
    assert folder.read_recipe().training.images == BATCH


def test_a_run_that_has_grown_goes_on_by_the_command_that_lengthened_it(light_end: None, tmp_path: Path) -> None:
    recipe = tiny_recipe({**CONSTANT, "record.tick": "1/8 run", "record.sheet": "1/5 run"})
    for images in (8 * BATCH, 16 * BATCH, 16 * BATCH):
        folder = train(recipe, DATA, settings={"training.images": images}, out=tmp_path / "run", resume=True)
    assert folder.is_finished
    assert folder.read_recipe().training.images == 16 * BATCH


@pytest.mark.parametrize("asked", [{"training.images": 2 * IMAGES}, {"training.epochs": 2 * IMAGES / 200}])
def test_without_a_schedule_a_finished_run_can_be_lengthened(
    light_end: None, tmp_path: Path, asked: dict[str, object]
) -> None:
    straight = short(tmp_path / "straight", CONSTANT | {"training.images": 2 * IMAGES})
    folder = short(tmp_path / "run", CONSTANT)
    train(data=DATA, settings=asked, out=folder.path, resume=True)
    assert folder.snapshot(2 * IMAGES).read_bytes() == straight.snapshot(2 * IMAGES).read_bytes()
    assert folder.read_recipe().training.images == 2 * IMAGES
    with pytest.raises(RunError, match="it cannot get shorter"):
        train(data=DATA, settings={"training.images": IMAGES}, out=folder.path, resume=True)


def test_a_lengthened_run_that_was_stopped_is_not_taken_for_finished(light_end: None, tmp_path: Path) -> None:
    folder, longer = short(tmp_path / "run", CONSTANT), {"training.images": 2 * IMAGES}
    with pytest.raises(InterruptionError):
        train(data=DATA, settings=longer, out=folder.path, resume=True, observers=[interrupted_at(50)])
    later = Listener()
    train(data=DATA, out=folder.path, resume=True, observers=[later])
    assert later.first == 50 * BATCH
    assert folder.snapshot(2 * IMAGES).exists()
    assert folder.is_finished


def test_a_folder_that_is_taken_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "thing").touch()
    listener = Listener()
    with pytest.raises(RunError, match="holds other files; choose another --out"):
        short(tmp_path, observers=[listener])
    assert listener.ticks == []
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_a_folder_that_is_no_run_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "thing").touch()
    with pytest.raises(RunError, match="is no run folder"):
        short(tmp_path, resume=True)


def test_errors_in_the_data_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        short(tmp_path / "run", {"data.digits": "12"})
    assert list(tmp_path.iterdir()) == []


# A time as a length


def test_a_time_becomes_images_in_the_saved_recipe_which_repeats_the_run(
    light_end: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "_SHORTEST", 0.05)
    timed = short(tmp_path / "timed", {"training.seconds": 0.3, "record.tick": "1/8 run"})
    saved = timed.read_recipe()
    assert saved.training.seconds is None
    assert saved.training.images is not None and saved.training.images >= BATCH
    assert saved.record.tick.endswith(" images")
    again = train(str(timed.recipe), DATA, out=tmp_path / "again")
    assert what_must_repeat(again) == what_must_repeat(timed)


def test_measuring_the_speed_leaves_no_trace_in_the_run(
    undisturbed: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(recipe: Recipe, probe: Callable[[int], Callable[[], None]], fabric: object) -> int:
        take_step = probe(recipe.training.batch_size)
        for _ in range(5):
            take_step()
        return IMAGES

    monkeypatch.setattr("digitforge.training.train.images_in", measure)
    assert what_must_repeat(short(tmp_path / "timed", {"training.seconds": 60})) == undisturbed


# Numbers that run away


def played(change: Callable[[int, Outcome], Outcome]) -> Callable[..., Outcome]:
    """A simultaneous step whose outcome is changed before the trainer sees it."""
    step_of = STEPS["simultaneous"]

    def step(game: Game, batches: object, number: int) -> Outcome:
        return change(number, step_of(game, batches, number))

    return step


@pytest.mark.parametrize(
    ("lost", "value"),
    [("discriminator_loss", float("nan")), ("generator_loss", float("inf")), ("penalty", float("nan"))],
)
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(
    light_end: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, value: float
) -> None:
    def lose(step: int, outcome: Outcome) -> Outcome:
        return replace(outcome, **{lost: torch.tensor(value)}) if step == 22 else outcome

    undisturbed = what_must_repeat(short(tmp_path / "undisturbed", LIGHT))
    with monkeypatch.context() as patch:
        patch.setitem(STEPS, "simultaneous", played(lose))
        with pytest.raises(DivergenceError, match=r"after 400 images.*rate") as error:
            short(tmp_path / "lost", LIGHT)
    assert error.value.exit_code == 1
    folder = RunFolder(tmp_path / "lost")
    assert folder.checkpoints()[0] == folder.checkpoint(21)
    assert [line["images"] for line in folder.read_stats()] == [80, 160, 240, 320]
    assert what_must_repeat(short(folder.path, LIGHT, resume=True)) == undisturbed


def spoil(game: Game, what: str, value: float) -> None:
    """Put a number that is none where a step leaves its own."""
    weight = next(game.generator.parameters())
    if what == "a moment":
        game.generator_optimiser.state[weight]["exp_avg_sq"].view(-1)[0] = value
    else:
        next(game.discriminator.parameters() if what == "D's weight" else iter([weight])).data[0] = value


@pytest.mark.parametrize("step", [22, 24], ids=["within a tick", "in the step of a tick, whose losses are still whole"])
@pytest.mark.parametrize(
    ("what", "value"), [("G's weight", float("nan")), ("D's weight", float("inf")), ("a moment", float("inf"))]
)
def test_a_wrong_number_is_found_at_the_next_tick_and_never_reaches_a_checkpoint_or_snapshot(
    light_end: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, what: str, value: float
) -> None:
    play = STEPS["simultaneous"]

    def lose(game: Game, batches: object, number: int) -> Outcome:
        outcome = play(game, batches, number)
        if number == step:
            spoil(game, what, value)
        return outcome

    monkeypatch.setitem(STEPS, "simultaneous", lose)
    with pytest.raises(DivergenceError, match=r"no numbers any more after 400 images; the checkpoint before is kept"):
        short(tmp_path / "lost", LIGHT)
    folder = RunFolder(tmp_path / "lost")
    for path in (*folder.checkpoints(), *folder.snapshots()):
        assert all(bool(value.isfinite().all()) for value in safetensors.torch.load_file(path).values()), path
    monkeypatch.setitem(STEPS, "simultaneous", play)
    assert short(folder.path, LIGHT, resume=True).read_stats()[-1]["images"] == IMAGES


def test_a_gradient_that_is_no_number_is_found_at_the_next_tick(light_end: None, tmp_path: Path) -> None:
    class Spoiler(Listener):
        def stepped(self, images: int) -> None:
            if images == 22 * BATCH:
                weight.register_hook(lambda gradient: gradient * float("inf"))

    plan = make_plan(tiny_recipe(LIGHT), DATA)
    trainer = Trainer(plan, start_fabric(plan.recipe))
    weight = next(trainer.state.game.discriminator.parameters())
    folder = RunFolder(tmp_path)
    folder.create(plan.recipe)
    with pytest.raises(DivergenceError, match="the discriminator's weights"):
        trainer.run(folder, [Spoiler()])
    assert trainer.images == 25 * BATCH


def test_a_signal_saves_no_wrong_numbers(light_end: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(step: int, outcome: Outcome) -> Outcome:
        return replace(outcome, generator_loss=torch.tensor(float("nan"))) if step == 22 else outcome

    monkeypatch.setitem(STEPS, "simultaneous", played(lose))
    with pytest.raises(DivergenceError, match="the losses are no numbers any more after 368 images"):
        short(tmp_path / "run", LIGHT, observers=[interrupted_at(23)])
    assert RunFolder(tmp_path / "run").checkpoints()[0] == RunFolder(tmp_path / "run").checkpoint(21)


def test_a_checkpoint_of_wrong_numbers_gives_way_to_the_one_before(light_end: None, tmp_path: Path) -> None:
    wanted = what_must_repeat(short(tmp_path / "undisturbed", LIGHT))
    with pytest.raises(ZeroDivisionError):
        short(tmp_path / "died", LIGHT, observers=[Listener(33 * BATCH, crash)])
    newest = RunFolder(tmp_path / "died").checkpoints()[0]
    tensors = safetensors.torch.load_file(newest)
    tensors["generator.layers.0.weight"][0] = float("nan")
    unsealed = {"step": str(int(newest.stem))}  # as older versions wrote them, since a seal would tell any change
    newest.write_bytes(safetensors.torch.save(tensors, unsealed))
    later = Listener()
    assert what_must_repeat(short(tmp_path / "died", LIGHT, resume=True, observers=[later])) == wanted
    assert later.first == 28 * BATCH


def test_rates_that_are_far_too_high_are_told_apart_from_a_crash(light_end: None, tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match=r"lower generator_optimiser\.rate"):
        short(tmp_path / "run", {"generator_optimiser.rate": 1e30, "discriminator_optimiser.rate": 1e30})


def test_losses_are_summed_in_what_a_device_has() -> None:
    assert {device: sums_type(device) for device in ("cpu", "cuda", "mps")} == {
        "cpu": torch.float64,
        "cuda": torch.float64,
        "mps": torch.float32,
    }


# Other ways to train


@pytest.mark.parametrize(
    "settings",
    [
        {"training.update": "alternating", "objective.loss": "relativistic", "objective.r2": 0.1},
        {"networks.family": "dcgan", "networks.conditional": False, "training.ema_images": 0},
        {"compute.precision": "bf16", "training.batch_doublings": 2, "training.images": 40 * BATCH},
        {
            "training.update": "alternating",
            "training.critic_steps": 3,
            "generator_optimiser.method": "rmsprop",
            "discriminator_optimiser.method": "rmsprop",
            "objective.loss": "wasserstein",
            "objective.clip": 0.1,
        },
        {"objective.loss": "wasserstein", "objective.r1": 0.0, "objective.gradient_penalty": 10.0},
        {"training.pretrain_images": 4 * BATCH, "training.update": "alternating", "training.generator_batches": 2},
        {"networks.conditional": False, "networks.clusters": 7},
    ],
    ids=[
        "alternating, relativistic",
        "dcgan",
        "bf16 and a batch that doubles",
        "clipped critic, rmsprop",
        "gradient penalty",
        "pretraining, larger batches for the generator",
        "clusters in the place of labels",
    ],
)
def test_every_kind_of_run_repeats_and_resumes(light_end: None, tmp_path: Path, settings: dict[str, object]) -> None:
    settings = {"training.images": 15 * BATCH} | settings
    first = what_must_repeat(short(tmp_path / "first", settings))
    for step in (2, 12):  # G may wait for its first turn at step 2
        with pytest.raises(InterruptionError):
            short(tmp_path / "second", settings, resume=True, observers=[interrupted_at(step)])
    assert what_must_repeat(short(tmp_path / "second", settings, resume=True)) == first


def test_pretraining_shows_what_it_tells_apart_and_leaves_the_generator_alone(light_end: None, tmp_path: Path) -> None:
    listener = Listener()
    settings = {"training.pretrain_images": 10 * BATCH, "record.snapshot": "160 images", "training.images": 20 * BATCH}
    settings["record.tick"] = f"{BATCH} images"
    folder = short(tmp_path / "run", settings, observers=[listener])
    first, *rest = listener.ticks
    assert first.pretraining is not None
    assert np.array_equal(np.asarray(Image.open(folder.pretraining)), first.pretraining)
    assert all(tick.pretraining is None for tick in rest)
    middle = first.pretraining.shape[1] // 2
    noise, real = (part.astype(float).std() for part in (first.pretraining[:, middle:], first.pretraining[:, :middle]))
    assert noise > real  # the digits of these tests are dark with one bright row
    lines = {line["images"]: line for line in folder.read_stats()}
    assert ["generator" in lines[step * BATCH]["loss"] for step in (1, 10, 11, 20)] == [False, False, True, True]
    assert lines[10 * BATCH]["epoch"] == 0
    before, after, end = (
        safetensors.torch.load_file(folder.snapshot(images)) for images in (0, 10 * BATCH, 20 * BATCH)
    )
    name = "layers.0.weight"
    assert torch.equal(before[name], after[name])
    assert not torch.equal(before[name], end[name])


def test_a_penalty_that_needs_each_images_gradient_is_refused_where_the_discriminator_mixes_images(
    tmp_path: Path,
) -> None:
    settings = {"networks.family": "raschka", "objective.gradient_penalty": 10.0}
    with pytest.raises(RecipeError, match='family "raschka" normalises over the batch'):
        short(tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_a_batch_of_one_image_is_refused_where_a_player_normalises_over_the_batch(tmp_path: Path) -> None:
    settings = {"networks.family": "dcgan", "networks.conditional": False, "training.batch_size": 1}
    with pytest.raises(RecipeError, match=r'"dcgan" normalises over the batch.*batch_size to 2'):
        short(tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_a_single_image_can_be_learned_by_heart_without_figures(pinned: Path, tmp_path: Path) -> None:
    data = DataSet("one", tiny_digits(1, side=28), tiny_digits(1, 1, side=28))
    settings = {"training.images": 20 * BATCH, "objective.loss": "wasserstein", "networks.family": "raschka"}
    folder = train(tiny_recipe(settings | {"objective.r1": 0.0}), data, out=tmp_path / "run")
    lines = folder.read_stats()
    assert not any("figures" in line for line in lines)
    assert [line["accuracy"]["real_train_n"] for line in lines if "accuracy" in line] == [1]
    assert dict(Forge.load(folder.model).card.figures) == {}


def test_what_is_trained_on_decides_who_reads_it_on_the_way_and_at_the_end(pinned: Path, tmp_path: Path) -> None:
    digits = tiny_digits(60, side=28)
    names = np.asarray([*"0123456789", "a"])[np.where(np.arange(60) < 6, 10, digits.labels)]
    np.savez(tmp_path / "letters.npz", images=digits.images[:, 0], labels=names)
    settings = {"training.images": 15 * BATCH, "data.name": str(tmp_path / "letters.npz"), "data.digits": "3"}
    folder = train(tiny_recipe(settings), out=tmp_path / "run")
    assert "figures" in folder.read_stats()[-1]
    assert Forge.load(folder.model).card.figures


def test_both_players_learn(light_end: None, tmp_path: Path) -> None:
    folder = short(tmp_path / "run")
    state = safetensors.torch.load_file(folder.checkpoints()[0])
    start: dict[str, Tensor] = initial_state(tiny_recipe())
    for name in ("generator.layers.0.weight", "discriminator.features.1.weight", "average.layers.0.weight"):
        assert (state[name] - start[name]).abs().max() > 1e-3


def initial_state(recipe: Recipe) -> dict[str, Tensor]:
    trainer = Trainer(make_plan(recipe, DATA), start_fabric(recipe))
    return dict(named_tensors(trainer.state))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that the run began on")
def test_a_run_goes_on_only_on_its_kind_of_device_and_says_so(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").create(tiny_recipe({"compute.device": "cuda"}))
    with pytest.raises(RunError, match=r"began on cuda and goes on only there .*recipe\.toml --device auto --out"):
        train(out=tmp_path / "run", data=DATA, resume=True)

"""Runs trained as one: each leaves the folder that it has alone, however they are stopped."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitforge.data import DataSet, Digits
from digitforge.errors import DataError, DigitforgeError, DivergenceError, InterruptionError, OutputError, RunError
from digitforge.forge import Forge
from digitforge.runs import RunFolder
from digitforge.training import together as together_module
from digitforge.training import train as train_module
from digitforge.training.together import Member, train_together
from digitforge.training.train import train
from digitforge.training.trainer import Trainer
from tiny_runs import BATCH, IMAGES, Listener, tiny_digits, tiny_recipe, what_must_repeat

NAMES = ("cat", "dog", "owl")  # no digits, so that nobody reads 10,000 of them for figures
SMOOTH = {"generator_optimiser.epsilon": 0.01, "discriminator_optimiser.epsilon": 0.01}
RECIPE = tiny_recipe({**SMOOTH, "record.checkpoint_seconds": 1e-9})


def animals(count: int = 120) -> DataSet:
    """Images of three labels, equally many where the count divides by three."""
    digits = tiny_digits(count)
    return DataSet("animals", Digits(digits.images, digits.labels % 3, NAMES), None)


@dataclass(frozen=True)
class Job:
    """What became of a job in a folder: the labels whose folders are whole, in order, and what was noted."""

    path: Path
    finished: list[str]
    notes: list[str]

    def run(self, name: str) -> RunFolder:
        """The run of a label."""
        return RunFolder(self.path / name)


def trained(
    path: Path, settings: dict[str, object] | None = None, count: int = 120, listener: Listener | None = None
) -> Job:
    """Train all labels together, the second one heard by a listener."""
    job = Job(path, [], [])
    members = [Member(name, job.run(name), Listener()) for name in NAMES]
    members[1] = Member(NAMES[1], job.run(NAMES[1]), listener or Listener())
    recipe = RECIPE.with_settings(settings or {})
    train_together(recipe, animals(count), members, lambda member: job.finished.append(member.name), job.notes.append)
    return job


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Three runs trained as one, in one go; the second one alone leaves model files, which take seconds to write."""
    write = train_module.finish
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "finish", lambda *of: (write if of[-1].path.name == "dog" else hasten)(*of))
        return trained(tmp_path_factory.mktemp("job"))


def hasten(*arguments: Any) -> None:
    """Stands for finish(): leaves the hashes alone."""
    arguments[-1].write_hashes()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The second run, trained alone."""
    return train(RECIPE.with_settings({"data.digits": "dog"}), animals(), out=tmp_path_factory.mktemp("alone") / "dog")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that leave no model files in the end."""
    monkeypatch.setattr(train_module, "finish", hasten)


def what_both_have(folder: RunFolder, other: RunFolder) -> list[dict[str, object]]:
    """What must repeat of two runs, of which one was hasty."""
    found = [what_must_repeat(each) for each in (folder, other)]
    names = found[0].keys() & found[1].keys()
    assert len(names) > 10
    return [{name: each[name] for name in names} for each in found]


def test_a_run_among_several_leaves_what_it_leaves_alone(job: Job, alone: RunFolder) -> None:
    assert (job.finished, job.notes) == (list(NAMES), [])
    run = job.run("dog")
    names = [{str(path.relative_to(folder.path)) for path in folder.path.rglob("*")} for folder in (run, alone)]
    events = [{name for name in found if "tfevents" in name} for found in names]
    assert names[0] - events[0] == names[1] - events[1]
    assert run.read_recipe() == alone.read_recipe()
    for line, wanted in zip(run.read_stats(), alone.read_stats(), strict=True):
        assert line.keys() == wanted.keys()
        assert (line["images"], line["epoch"], line["rate"]) == (wanted["images"], wanted["epoch"], wanted["rate"])
        assert line["loss"] == pytest.approx(wanted["loss"], rel=1e-3, abs=1e-5)
    drawn, other = (Forge.load(path).generate("dog", 20, seed=3).images for path in (run.path, alone.path))
    assert np.abs(drawn.astype(int) - other).max() <= 1
    assert run.read_stats()[-1]["loss"] != pytest.approx(job.run("owl").read_stats()[-1]["loss"], rel=1e-3)


@pytest.mark.usefixtures("hasty")
def test_a_signal_stops_all_after_one_step_and_they_go_on_as_if_nothing_had_been(job: Job, tmp_path: Path) -> None:
    stopping = Listener(IMAGES // 2, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(InterruptionError):
        trained(tmp_path, listener=stopping)
    steps = [RunFolder(tmp_path / name).checkpoints()[0].name for name in NAMES]
    assert len(set(steps)) == 1
    assert int(steps[0].split(".")[0]) == IMAGES // 2 // BATCH
    went_on = trained(tmp_path)
    assert went_on.notes == []
    for name in NAMES:
        found, wanted = what_both_have(went_on.run(name), job.run(name))
        assert found == wanted


@pytest.mark.usefixtures("hasty")
def test_a_signal_in_the_last_save_is_heard_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Trainer.save

    def save_and_hear(trainer: Trainer, folder: RunFolder) -> None:
        save(trainer, folder)
        if trainer.images == IMAGES and folder.path.name == NAMES[0]:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "save", save_and_hear)
    with pytest.raises(InterruptionError) as stop:
        trained(tmp_path, {"record.checkpoint_seconds": 1e9})
    assert stop.value.exit_code == 130
    assert [len(RunFolder(tmp_path / name).checkpoints()) for name in NAMES] == [1, 1, 1]
    assert not any(RunFolder(tmp_path / name).is_finished for name in NAMES)


@pytest.mark.usefixtures("hasty")
def test_runs_that_were_saved_after_different_steps_go_on_in_turn(job: Job, tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        trained(tmp_path, listener=Listener(IMAGES // 2, lambda: signal.raise_signal(signal.SIGINT)))
    RunFolder(tmp_path / "owl").checkpoints()[0].unlink()  # as if the power had gone while it was written
    went_on = trained(tmp_path)
    (note,) = went_on.notes
    assert note.endswith("in turn: cat, dog; owl")
    assert went_on.finished == list(NAMES)
    stats = [job.run("owl").read_stats(), went_on.run("owl").read_stats()]
    for line, wanted in zip(*stats, strict=True):
        assert line["loss"] == pytest.approx(wanted["loss"], rel=1e-3, abs=1e-5)


@pytest.mark.usefixtures("hasty")
def test_runs_of_different_lengths_train_in_turn_each_bit_for_bit_what_it_is_alone(tmp_path: Path) -> None:
    epochs = {"training.epochs": 5.0}
    turns = trained(tmp_path, epochs, count=119)
    (note,) = turns.notes
    assert note.endswith("in turn: cat; dog, owl")
    alone = train(RECIPE.with_settings({**epochs, "data.digits": "cat"}), animals(119), out=tmp_path / "alone")
    assert what_must_repeat(turns.run("cat")) == what_must_repeat(alone)


@pytest.mark.usefixtures("hasty")
def test_a_time_budget_is_one_image_count_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def images_in(training: object, probe: Callable[[int], Callable[[], None]], fabric: object) -> int:
        for _ in range(2):
            probe(32)()
        sizes.append(32)
        return 10 * BATCH

    monkeypatch.setattr(together_module, "images_in", images_in)
    budget = trained(tmp_path, {"training.seconds": 5.0})
    assert sizes == [32]  # probed once, all of them at once
    assert {budget.run(name).read_recipe().training.images for name in NAMES} == {10 * BATCH}
    assert budget.finished == list(NAMES)


def test_an_error_of_one_names_it_and_saves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = Trainer.tell

    def diverge(trainer: Trainer, observers: Sequence[object], seconds: float) -> bool:
        if trainer.images == 10 * BATCH and trainer.plan.recipe.data.digits == ("dog",):
            raise DivergenceError("the losses are no numbers any more")
        return tell(trainer, observers, seconds)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "tell", diverge)
    with pytest.raises(DivergenceError, match=r"^specialist dog: the losses are no numbers any more$"):
        trained(tmp_path, {"record.checkpoint_seconds": 1e9})
    saved = {name: [path.stem for path in RunFolder(tmp_path / name).checkpoints()] for name in NAMES}
    assert saved["dog"] == []
    assert [int(step) for name in ("cat", "owl") for step in saved[name]] == [10, 10]


def test_a_full_disk_at_the_end_of_one_names_it_and_says_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(plan: object, generator: object, discriminator: object, images: int, folder: RunFolder) -> None:
        if folder.path.name == "dog":
            raise OSError(errno.ENOSPC, "No space left on device", str(folder.model))
        hasten(plan, generator, discriminator, images, folder)

    monkeypatch.setattr(train_module, "finish", fill)
    with pytest.raises(OutputError, match=f"^specialist dog: .*its state after {IMAGES} images is kept.*--resume"):
        trained(tmp_path)
    assert RunFolder(tmp_path / "cat").is_finished
    monkeypatch.setattr(train_module, "finish", hasten)
    assert trained(tmp_path).finished == ["cat", "dog", "owl"]


@pytest.mark.usefixtures("hasty")
def test_runs_whose_data_have_moved_go_on_with_the_same_images_and_no_others(tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        trained(tmp_path, listener=Listener(5 * BATCH, lambda: signal.raise_signal(signal.SIGTERM)))
    members = [Member(name, RunFolder(tmp_path / name), Listener()) for name in NAMES]
    data, others = animals(), animals(150)
    with pytest.raises(DataError, match="holds other images or labels"):
        train_together(RECIPE, replace(others, name="moved"), members)
    train_together(RECIPE, replace(data, name="moved"), members)
    assert {member.folder.read_recipe().data.name for member in members} == {"moved"}
    assert all(member.folder.is_finished for member in members)


def test_too_small_a_memory_is_told_with_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stack(*arguments: object) -> None:
        raise together_module.torch.OutOfMemoryError

    monkeypatch.setattr(together_module, "stack", stack)
    with pytest.raises(DigitforgeError, match="too small for 3 labels at once; go on with --resume and fewer"):
        trained(tmp_path)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "owl").mkdir()
    (tmp_path / "owl" / "feathers").touch()
    with pytest.raises(RunError, match="owl is no run folder"):
        trained(tmp_path)

"""Trials: found where they are, trained where they are not, and never mistaken for others."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from digitforge.data import DataSet, Digits
from digitforge.errors import InterruptionError, RunError, UserError
from digitforge.recipe import Recipe
from digitforge.studies.trials import Trial, find_runs, is_long_enough, train_trials
from digitforge.studies.worker import Begun, Diverged, Done, Message
from drawn_runs import write_run
from tiny_runs import tiny_digits, tiny_recipe


def unread(digits: Digits) -> Digits:
    """The same under labels that no classifier knows, so that nobody draws 10,000 images for figures."""
    return Digits(digits.images, digits.labels % 3, ("cat", "dog", "owl"))


DATA = DataSet("tiny", unread(tiny_digits(200)), unread(tiny_digits(30, 1)))
SHORT = {"training.images": 96, "record.tick": "48 images", "record.sheet": "1/1 run", "record.snapshot": "1/1 run"}


def recipe(settings: dict[str, object] | None = None) -> Recipe:
    return tiny_recipe({**SHORT, "record.accuracy": "1/1 run", **(settings or {})})


class Listener:
    """A watcher that keeps what it hears, and acts when a training begins."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.finished: list[str] = []
        self.heard_all: list[Message] = []
        self.act = act

    def started(self, title: str, names: Sequence[str], finished: Sequence[str]) -> None:
        self.finished = list(finished)

    def heard(self, message: Message) -> None:
        self.heard_all.append(message)
        if isinstance(message, Begun):
            self.act()

    def ended(self) -> None:
        pass

    def told(self, kind: type[Message]) -> set[str]:
        return {message.name for message in self.heard_all if isinstance(message, kind) and hasattr(message, "name")}


def test_trials_are_trained_side_by_side_once_and_one_that_diverges_stops_no_other(tmp_path: Path) -> None:
    wild = {"generator_optimiser.rate": 1e30, "discriminator_optimiser.rate": 1e30}
    trials = [Trial(f"seed-{seed}", recipe({"training.seed": seed})) for seed in (0, 1)]
    trials.append(Trial("wild", recipe(wild)))
    first = Listener()
    diverged = train_trials(trials, tmp_path, DATA, workers=2, watcher=first)
    assert first.told(Done) == {"seed-0", "seed-1"}
    assert first.told(Diverged) == {"wild"}
    assert [trial.folder(tmp_path).is_finished for trial in trials] == [True, True, False]
    assert diverged.keys() == {"wild"}
    again = Listener()
    assert train_trials(trials, tmp_path, DATA, watcher=again) == diverged  # nor is what diverged trained again
    assert again.heard_all == []


def test_a_trial_keeps_its_name_when_a_setting_comes_that_it_does_not_use() -> None:
    recipe = tiny_recipe({"networks.conditional": False})
    trial = Trial("tiny", recipe)
    before = recipe.model_dump(mode="json", exclude={"document": True, "summary": True, "networks": {"clusters"}})
    assert trial.identity == hashlib.sha256(json.dumps(before, sort_keys=True).encode()).hexdigest()
    assert Trial("tiny", recipe.with_settings({"networks.clusters": 3})).identity != trial.identity


def test_what_another_version_saw_diverge_is_trained_again(tmp_path: Path) -> None:
    trial = Trial("a", recipe())
    trial.verdict(tmp_path).write_text('{"version": "0.0.0", "sentence": "its weights are no numbers"}')
    assert train_trials([trial], tmp_path, DATA, workers=1) == {}
    assert trial.folder(tmp_path).is_finished


def test_a_run_on_other_images_of_that_name_is_refused(tmp_path: Path) -> None:
    trial = Trial("a", recipe())
    write_run(trial.folder(tmp_path).path, settings={**SHORT, "record.accuracy": "1/1 run", "data.sha256": "0" * 64})
    with pytest.raises(RunError, match="learned from other images than tiny holds now"):
        train_trials([trial], tmp_path, DATA)


def test_a_cluster_counts_its_own_cores(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave one out"):
        train_trials([Trial("a", recipe())], tmp_path, DATA, workers=2, cluster="auto")


def test_ctrl_c_saves_what_is_under_way_and_the_same_call_goes_on(tmp_path: Path) -> None:
    long = recipe({"training.images": 16 * 400, "record.checkpoint_seconds": 1e-9, "record.tick": "160 images"})
    trial = Trial("long", long)
    with pytest.raises(InterruptionError, match="the same command goes on") as stopped:
        listener = Listener(lambda: os.kill(os.getpid(), signal.SIGINT))
        train_trials([trial], tmp_path, DATA, workers=1, watcher=listener)
    assert stopped.value.exit_code == 130
    assert trial.folder(tmp_path).checkpoints()
    assert not trial.folder(tmp_path).is_finished
    again = Listener()
    train_trials([trial], tmp_path, DATA, workers=1, watcher=again)
    begun = next(message for message in again.heard_all if isinstance(message, Begun))
    assert begun.images > 0
    assert trial.folder(tmp_path).is_finished


def test_other_settings_lie_in_another_folder_and_a_strange_run_is_refused(tmp_path: Path) -> None:
    one, other = Trial("a", recipe()), Trial("a", recipe({"objective.r1": 0.2}))
    assert one.folder(tmp_path).path != other.folder(tmp_path).path
    write_run(one.folder(tmp_path).path, settings={"objective.r1": 0.3})
    with pytest.raises(RunError, match="holds another run"):
        train_trials([one], tmp_path, DATA)


def test_two_trials_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one name"):
        train_trials([Trial("a", recipe()), Trial("a", recipe({"objective.r1": 0.2}))], tmp_path, DATA)


@pytest.mark.parametrize(
    ("changes", "is_found"),
    [
        ({}, True),
        ({"record.tick": "32 images", "compute.threads": 2}, True),  # what changes no weight
        ({"training.images": 960}, True),  # longer, and begins as the trial
        ({"training.images": 80}, False),
        ({"training.seed": 6}, False),
        ({"generator_optimiser.rate": 2e-3}, False),
        ({"data.digits": ["3"]}, False),
    ],
)
def test_a_finished_run_elsewhere_counts_only_if_it_learned_the_same(
    tmp_path: Path, changes: dict[str, object], is_found: bool
) -> None:
    plain = {"training.constant_until": 1.0}
    trial = Trial("a", recipe(plain))
    folder = write_run(tmp_path / "gallery" / "some-name", settings={**SHORT, **plain, **changes})
    assert find_runs(trial, DATA, [tmp_path / "gallery"]) == []  # not finished yet
    folder.write_hashes()
    found = find_runs(trial, DATA, [tmp_path / "nowhere", tmp_path / "gallery"])
    assert [one.path for one in found] == [folder.path] * is_found


def test_a_schedule_belongs_to_one_length() -> None:
    scheduled, steady = recipe(), recipe({"training.constant_until": 1.0})
    longer = {"training.images": 960}
    assert is_long_enough(steady.with_settings(longer), steady, 96)
    assert not is_long_enough(scheduled.with_settings(longer), scheduled, 96)
    assert is_long_enough(scheduled, scheduled, 96)


def test_epochs_are_counted_in_the_images_that_are_learned_from() -> None:
    epochs = Trial("a", recipe().with_settings({"training.epochs": 2, "data.digits": ["dog"]}))
    assert epochs.images(DATA) == 2 * int((DATA.train.labels == 1).sum())
    with pytest.raises(UserError, match="seconds"):
        Trial("b", recipe().with_settings({"training.seconds": 5})).images(DATA)

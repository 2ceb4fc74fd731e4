"""Together: runs of one recipe, a label each, trained as one game; each leaves the run folder that it leaves alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric

from digitforge.data import DataSet
from digitforge.errors import DigitforgeError, InterruptionError
from digitforge.holding import held
from digitforge.recipe import Recipe
from digitforge.resuming import new_place_of_data, saved_recipe
from digitforge.runs import RunFolder
from digitforge.training.budget import images_in
from digitforge.training.compute import start_fabric
from digitforge.training.interruption import Interruption
from digitforge.training.observers import Observer
from digitforge.training.plan import Plan, with_images
from digitforge.training.stacked import StackedBatches, stack
from digitforge.training.train import complete, planned, prepare, recorded, says_what_is_kept, throw_away
from digitforge.training.trainer import Trainer, advance


@dataclass(frozen=True)
class Member:
    """A run among several: the name of its label, its folder, and who hears it besides those that write the folder."""

    name: str
    folder: RunFolder
    observer: Observer


@dataclass
class Run:
    """A member in training, which observers hear once it has begun."""

    member: Member
    trainer: Trainer
    observers: Sequence[Observer] = ()


def train_together(
    recipe: Recipe,
    data: DataSet,
    members: Sequence[Member],
    finished: Callable[[Member], None] = lambda member: None,
    note: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Train each member's run, or go on with it; `finished` hears of each whose folder is whole.

    Runs that are equally long and equally far take their steps as one; where not all are, `note` hears it, and one such
    group trains after the other. A time budget is that of the steps that all take at once.

    Raises what train() does; an error in the midst of one run has its label's name before it, and the others are saved.
    """
    plans = [_planned(recipe, data, member) for member in members]
    fabric = start_fabric(plans[0].recipe)
    try:
        trainers = [Trainer(plan, fabric) for plan in _with_lengths(plans, fabric)]
        runs = [Run(member, trainer) for member, trainer in zip(members, trainers, strict=True)]
        with ExitStack() as holds:
            for member in members:
                holds.enter_context(held(member.folder.path))
            groups = _groups(runs)
            if len(groups) > 1:
                names = "; ".join(", ".join(run.member.name for run in group) for group in groups)
                note(f"not all at once, since they differ in length or in how far they are, but in turn: {names}")
            for group in groups:
                _train_group(group, finished)
    except torch.OutOfMemoryError:
        raise DigitforgeError(
            f"the memory of the {fabric.device.type} device is too small for {len(members)} labels at once; "
            "go on with --resume and fewer --workers"
        ) from None


class Team:
    """Runs that take their steps as one, while each keeps its own records."""

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        first = trainers[0]
        self.state = stack([trainer.state for trainer in trainers], first.plan.recipe)
        self._trainers = trainers
        self._plan = first.plan
        clusters = [trainer.state.game.discriminator.clusters for trainer in trainers]
        self._batches = StackedBatches([trainer.plan for trainer in trainers], first.fabric.device, clusters)

    def step(self) -> None:
        """Take one adversarial step with each."""
        advance(self._plan, self._batches, self.state)
        for trainer in self._trainers:
            trainer.state.step = self.state.step


def train_team(runs: Sequence[Run]) -> None:
    """Train runs as one to their end; now and then, and when a signal asks to stop, all are saved after one step."""
    team, plan = Team([run.trainer for run in runs]), runs[0].trainer.plan
    for run in runs:
        run.trainer.begin(run.observers)
    last_saved = time.monotonic()
    with Interruption() as interruption:
        while team.state.step < plan.times.steps:
            start = time.perf_counter()
            team.step()
            is_tick = _tell(runs, time.perf_counter() - start)
            is_due = is_tick and time.monotonic() - last_saved > plan.recipe.record.checkpoint_seconds
            if is_due or interruption.asked:
                _save(runs)
                last_saved = time.monotonic()
            if interruption.asked:
                raise interruption.error(runs[0].member.folder.path)
        _save(runs)
        if interruption.asked:
            raise interruption.error(runs[0].member.folder.path)


def _tell(runs: Sequence[Run], seconds: float) -> bool:
    """Have each run tell what a step has brought; whether it was a tick of any. After an error the others are saved."""
    is_tick = False

    def tell(run: Run) -> None:
        nonlocal is_tick
        is_tick |= run.trainer.tell(run.observers, seconds)

    failed = _of_each(runs, tell)
    if failed:
        _save([run for run in runs if run.member.name not in failed])
    _raise_first(failed)
    return is_tick


def _save(runs: Sequence[Run]) -> None:
    """Save each run, also where another one cannot be saved."""
    _do(runs, lambda run: run.trainer.save(run.member.folder))


def _do(runs: Sequence[Run], act: Callable[[Run], None]) -> None:
    """Do something with each run; then raise the error of the first in which it failed, its label before it."""
    _raise_first(_of_each(runs, act))


def _of_each(runs: Sequence[Run], act: Callable[[Run], None]) -> dict[str, DigitforgeError]:
    """Do something with each run, until a signal ends it; the errors of those in which it failed, by name."""
    failed: dict[str, DigitforgeError] = {}
    for run in runs:
        try:
            with says_what_is_kept(run.trainer.plan, run.member.folder):
                act(run)
        except InterruptionError:
            raise
        except DigitforgeError as error:
            failed[run.member.name] = error
    return failed


def _raise_first(failed: Mapping[str, DigitforgeError]) -> None:
    for name, failure in failed.items():
        raise type(failure)(f"specialist {name}: {failure}") from failure


def _train_group(runs: Sequence[Run], finished: Callable[[Member], None]) -> None:
    with ExitStack() as records:

        def begin(run: Run) -> None:
            prepare(run.trainer, run.member.folder)
            run.observers = records.enter_context(recorded(run.trainer, run.member.folder, [run.member.observer]))

        _do(runs, begin)
        if len(runs) == 1:
            _do(runs, lambda run: run.trainer.run(run.member.folder, run.observers))
        else:
            train_team(runs)
    for run in runs:
        _do([run], lambda run: complete(run.trainer, run.member.folder))
        finished(run.member)


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    """Those that can step as one, since they are equally long and, with what their folders hold, equally far."""
    alike: dict[tuple[int | None, int], list[Run]] = {}
    for run in runs:
        run.trainer.resume(run.member.folder)
        alike.setdefault((run.trainer.plan.recipe.training.images, run.trainer.state.step), []).append(run)
    return list(alike.values())


def _planned(recipe: Recipe, data: DataSet, member: Member) -> Plan:
    folder = member.folder
    saved = saved_recipe(folder, resume=True)
    place: dict[str, object] = {"data.name": data.name}
    if saved is None:
        asked = recipe.with_settings(place | {"data.digits": [member.name]})
    else:
        asked = saved.with_settings(new_place_of_data(saved, place))
    return planned(asked, data, saved, folder, resume=True)


def _with_lengths(plans: Sequence[Plan], fabric: Fabric) -> list[Plan]:
    """The plans with their lengths in images; a time budget is probed once, with all that have one stepping as one."""
    timed = [plan for plan in plans if plan.recipe.training.seconds is not None]

    def probe(batch_size: int) -> Callable[[], None]:
        return Team([Trainer(throw_away(plan, batch_size), fabric) for plan in timed]).step

    budget = images_in(timed[0].recipe, probe, fabric) if timed else 0
    return [with_images(plan, plan.recipe.training.images or budget) for plan in plans]

"""The loop: who steps when, and what a run tells on its way."""

from __future__ import annotations

import copy
import math
import shlex
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from digitforge.data import Digits
from digitforge.data.digits import few_of
from digitforge.errors import DivergenceError, RunError
from digitforge.networks.layers import from_all_processes
from digitforge.networks.pixels import to_uint8
from digitforge.networks.players import Generator
from digitforge.randomness import draw_latents, stream
from digitforge.runs import RunFolder
from digitforge.sheets import MODEL_COLUMNS, Picture, beside, enlarged, grid
from digitforge.training.accuracy import discriminator_accuracy
from digitforge.training.batches import Batches
from digitforge.training.checkpoint import (
    State,
    generator_weights,
    load_checkpoint,
    named_tensors,
    save_checkpoint,
)
from digitforge.training.diagnosis import Finding, diagnose
from digitforge.training.drawing import draw
from digitforge.training.ema import measured
from digitforge.training.figures import Ruler, key_figures, ruler_for
from digitforge.training.interruption import Interruption
from digitforge.training.numbers import all_finite, divergence, lost_among
from digitforge.training.observers import Observer, Tick
from digitforge.training.pictures import UNLABELLED_COUNT, run_sheet
from digitforge.training.plan import RECORDS, Plan
from digitforge.training.schedule import rate_factor
from digitforge.training.setup import COUNTS, give_clusters, new_state
from digitforge.training.step import STEPS, pretraining_step

_ASKED_EVERY = 20  # steps after which several processes agree whether a signal has asked them to stop


class Trainer:
    """One run's loop over images seen, from its first step or from a checkpoint."""

    def __init__(self, plan: Plan, fabric: Fabric) -> None:
        recipe = plan.recipe
        self.plan = plan
        self.fabric = fabric
        self.state = new_state(plan, fabric)
        clusters = self.state.game.discriminator.clusters
        self.batches = Batches(plan.train, recipe.networks, plan.times, recipe.training.seed, fabric.device, clusters)
        self._last_line = (0, 0.0)  # images seen and seconds spent at the last line of statistics
        self._made: tuple[int, Generator | None] = (0, None)  # the last copy of the generator, after so many steps
        self._lines: list[dict[str, Any]] = []  # of statistics so far, also those told before a resume

    @property
    def images(self) -> int:
        """Real images shown to the discriminator so far."""
        return self.plan.times.images_after(self.state.step)

    def step(self) -> None:
        """Take one adversarial step."""
        advance(self.plan, self.batches, self.state)

    def run(self, folder: RunFolder, observers: Sequence[Observer]) -> None:
        """Train to the end, telling `observers`; the state is saved now and then, and when a signal asks to stop."""
        plan, state = self.plan, self.state
        self.begin(observers)
        last_saved = time.monotonic()
        with Interruption() as interruption:
            while state.step < plan.times.steps:
                start = time.perf_counter()
                self.step()
                is_tick = self.tell(observers, time.perf_counter() - start)
                if is_tick and self.fabric.broadcast(
                    time.monotonic() - last_saved > plan.recipe.record.checkpoint_seconds
                ):
                    self.save(folder)
                    last_saved = time.monotonic()
                if self._agrees_to_stop(interruption, at_tick=is_tick):
                    self.save(folder)
                    raise interruption.error(folder.path)
            self.save(folder)
            if self._agrees_to_stop(interruption, at_tick=True):
                raise interruption.error(folder.path)

    def begin(self, observers: Sequence[Observer]) -> None:
        """Tell what there is before the first step; players who are told clusters are given those of the images."""
        if self.state.step == 0:
            give_clusters(self.plan, self.state, self.fabric)
            before = self._real_beside_noise() if self.plan.recipe.training.pretrain_images else None
            self._tell(observers, Tick(0, sheet=self.sheet(), weights=self._weights(), pretraining=before))

    def tell(self, observers: Sequence[Observer], seconds: float) -> bool:
        """Tell that a step was taken, in so many seconds, and what there is to record after it, if anything."""
        self.state.seconds += seconds
        for observer in observers:
            observer.stepped(self.images)
        tick = self._tick()
        if tick is not None:
            self._tell(observers, tick)
        return tick is not None

    def save(self, folder: RunFolder) -> None:
        """Write a checkpoint, then let the older ones go; raises DivergenceError where they are the better ones.

        Of several processes all call it, and the first one writes, with the losses of all since the last line.
        """
        self._check_numbers()
        if self.fabric.world_size > 1:
            self.state.sums.copy_(from_all_processes(self.state.sums).mean(0))
        if self.fabric.is_global_zero:
            save_checkpoint(folder.checkpoint(self.state.step), self.state)
            folder.drop_old_checkpoints()

    def resume(self, folder: RunFolder) -> int:
        """Go on from the newest checkpoint that can be read; returns the images seen by then (0 without one).

        Raises RunError where there must have been one, and none is left: to begin anew would drop what was recorded.
        """
        damage: RunError | None = None
        for path in folder.checkpoints():
            try:
                load_checkpoint(path, self.state)
            except RunError as error:
                damage = error
                continue
            break
        else:
            if damage is not None or self._had_checkpoints(folder):
                fault = damage or f"the checkpoints of {folder.path} are gone"
                raise RunError(
                    f"{fault}, and there is no older state to go on from: bring one back, take the model of the newest "
                    f"snapshot by `digitforge export {shlex.quote(str(folder.path))}`, or train anew with another --out"
                )
        images = self.images
        for line in folder.read_stats():
            if line["images"] <= images:
                self._last_line = line["images"], line["clock"]["seconds"]
                self._lines.append(line)
        return images

    def _had_checkpoints(self, folder: RunFolder) -> bool:
        """Whether a run has come as far as its first regular checkpoint, which is saved after a line of statistics."""
        seconds = [line["clock"]["seconds"] for line in folder.read_stats()[:-1]]
        return folder.is_finished or any(one > self.plan.recipe.record.checkpoint_seconds for one in seconds)

    def sheet(self) -> Picture:
        """The same latents through the generator as it would be used now: a row a label, 26 at most, if told."""
        plan, networks = self.plan, self.plan.recipe.networks
        present = few_of(np.flatnonzero(plan.train.counts))
        labels = np.repeat(present, MODEL_COLUMNS) if networks.conditional else np.zeros(UNLABELLED_COUNT, np.int64)
        latents = draw_latents(stream(0, "sheet"), len(labels), networks.drawing_size, networks.latent)
        images = draw(self.generator(), latents, labels, networks.pixels)
        return run_sheet(Digits(images, labels, plan.train.names), networks.conditional)

    def _real_beside_noise(self) -> Picture:
        """What D sees first: the beginning of the first batch at the left, of the noise at the right."""
        count, pixels = UNLABELLED_COUNT // 2, self.plan.recipe.networks.pixels
        kinds = (self.batches.batch(0).images, self.batches.noise(0))
        halves = [grid(to_uint8(images[:count], pixels).cpu().numpy(), MODEL_COLUMNS // 2) for images in kinds]
        return enlarged(beside(halves))

    def generator(self) -> Generator:
        """A copy of the generator as it would be used now: averaged where the recipe says so, else as it is."""
        made_after, generator = self._made
        if generator is None or made_after != self.state.step:  # a sheet, a snapshot and figures share one
            generator = self._copied_generator()
            self._made = self.state.step, generator
        return generator

    def _copied_generator(self) -> Generator:
        if self.state.average is None:
            return copy.deepcopy(self.state.game.generator).eval()
        return measured(self.state.average.generator, self.plan.recipe.networks, self.plan.frequencies)

    @cached_property
    def _ruler(self) -> Ruler | None:
        """What this run's images are measured with; throw-away trainers never ask for it."""
        return ruler_for(self.plan)

    def _tick(self) -> Tick | None:
        """What there is to tell after this step, if anything."""
        plan, step = self.plan, self.state.step
        due = {key: plan.is_due(key, step) for key in RECORDS}
        if not any(due.values()):
            return None
        self._check_numbers()
        line = self._line(due) if due["tick"] or due["accuracy"] or due["figures"] else None
        return Tick(
            images=self.images,
            line=line,
            findings=self._diagnose(line) if line is not None else None,
            sheet=self.sheet() if due["sheet"] else None,
            weights=self._weights() if due["snapshot"] else None,
        )

    def _check_numbers(self) -> None:
        """Raise DivergenceError where something that the run goes on from is no number any more."""
        tensors = dict(named_tensors(self.state))
        if not all_finite(tensors.values()):
            raise DivergenceError(divergence(lost_among(tensors), self.images, self.plan.recipe))

    def _line(self, due: Mapping[str, bool]) -> dict[str, Any]:
        """This tick's line of statistics; the sums start anew."""
        plan, state, images = self.plan, self.state, self.images
        previous, before = self._last_line
        seconds = before + state.seconds
        sums = from_all_processes(state.sums).mean(0).tolist()
        terms = zip(("discriminator", "generator", "penalty"), sums, sums[COUNTS:], strict=False)
        loss = {name: total / count for name, total, count in terms if count}
        if not all(map(math.isfinite, loss.values())):  # of some process: the sums of this one may be whole
            raise DivergenceError(divergence(["the losses"], images, plan.recipe))
        line: dict[str, Any] = {
            "images": images,
            "epoch": round(plan.epochs_after(images), 4),
            "loss": loss,
            "rate": rates(plan, state.step - 1),
        }
        if due["accuracy"]:
            players = (state.game.generator, state.game.discriminator)
            with self.fabric.autocast():
                line["accuracy"] = discriminator_accuracy(players, plan.recipe, plan.train, plan.held_out, images)
        if due["figures"] and self._ruler is not None:
            line["figures"] = key_figures(self._ruler, plan, self.generator())
        line["clock"] = {
            "seconds": round(seconds, 3),
            "images_per_second": round((images - previous) / max(state.seconds, 1e-9), 1),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        state.sums.zero_()
        state.seconds = 0.0
        self._last_line = images, seconds
        return line

    def _diagnose(self, line: dict[str, Any]) -> tuple[Finding, ...] | None:
        """What is wrong by now, which the line is to tell as well; None where the line measured nothing."""
        self._lines.append(line)
        if "accuracy" not in line and "figures" not in line:
            return None
        digits = self.plan.train
        frequencies = dict(zip(digits.names, digits.counts.tolist(), strict=True))
        ruler = self._ruler if any("figures" in line for line in self._lines) else None
        findings = diagnose(self._lines, frequencies, self.plan.recipe, ruler.read if ruler else None)
        if findings:
            line["diagnosis"] = [finding.sentence for finding in findings]
        return tuple(findings)

    def _agrees_to_stop(self, interruption: Interruption, at_tick: bool) -> bool:
        """Whether a signal ends the run after this step; several processes ask the first one, every few steps."""
        if self.fabric.world_size == 1:
            return interruption.asked is not None
        if not at_tick and self.state.step % _ASKED_EVERY:
            return False
        interruption.asked = self.fabric.broadcast(interruption.asked)
        return interruption.asked is not None

    def _weights(self) -> bytes:
        return generator_weights(self.generator())

    def _tell(self, observers: Sequence[Observer], tick: Tick) -> None:
        for observer in observers:
            observer.ticked(tick)


def advance(plan: Plan, batches: Batches, state: State) -> None:
    """Take a state one adversarial step on."""
    images, training, game = plan.times.images_after(state.step), plan.recipe.training, state.game
    for name, rate in rates(plan, state.step).items():
        optimiser = game.generator_optimiser if name == "generator" else game.discriminator_optimiser
        for group in optimiser.param_groups:
            group["lr"] = rate
    take_step = pretraining_step if images < training.pretrain_images else STEPS[training.update]
    outcome = take_step(game, batches, state.step)
    for index, value in enumerate((outcome.discriminator_loss, outcome.generator_loss, outcome.penalty)):
        if value is not None:
            state.sums[index] += value
            state.sums[index + COUNTS] += 1
    batch_size = plan.times.batch_size(state.step)
    state.step += 1
    if state.average is not None:
        state.average.update(images + batch_size, batch_size)


def rates(plan: Plan, step: int) -> dict[str, float]:
    """Each player's learning rate in a step."""
    recipe = plan.recipe
    assert recipe.training.images is not None
    factor = rate_factor(recipe.training, plan.times.images_after(step), recipe.training.images)
    return {
        "generator": recipe.generator_optimiser.rate * factor,
        "discriminator": recipe.discriminator_optimiser.rate * factor,
    }

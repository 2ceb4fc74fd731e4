"""One adversarial step: from a batch to both players' gradients, and the steps of their optimisers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from digitforge.networks.layers import mixes_samples, processes, seed_dropout
from digitforge.networks.players import Discriminator, Generator
from digitforge.objectives.losses import LOSSES
from digitforge.objectives.penalties import between, one_centred, zero_centred
from digitforge.sections import Objective
from digitforge.training.batches import Batch, Batches

# Below this, a fake logit's weight in D's loss would be lost in the division that turns D's gradient into G's.
_SMALLEST_WEIGHT = 1e-20


@dataclass
class Game:
    """The two players, how each learns, and the precision that their passes run in."""

    generator: Generator
    discriminator: Discriminator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    objective: Objective
    seed: int
    critic_steps: int
    generator_batches: int
    autocast: Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Outcome:
    """What a step's passes found: means over this process's batch, as scalars [] on the device.

    generator_loss is None in a step without G's turn, penalty in one without a penalty.
    """

    discriminator_loss: Tensor
    generator_loss: Tensor | None
    penalty: Tensor | None


def simultaneous_step(game: Game, batches: Batches, step: int) -> Outcome:
    """Both players learn from the same fakes and the same D.

    Where D judges each image by itself, one backward pass serves both: D's logit for a fake has one gradient with
    respect to that fake, which each loss only scales, so G's gradient is D's, rescaled image by image.
    """
    batch = batches.batch(step)
    seed_dropout(game.discriminator, game.seed, step, len(batch.labels))
    with game.autocast():
        fakes = game.generator(batch.latents, batch.labels)
        shown = fakes.detach().requires_grad_(True)
        logits = judge(game.discriminator, batch.images, shown, batch.labels)
    loss = LOSSES[game.objective.loss]
    discriminator_loss, weights = weigh(loss.discriminator, logits)
    generator_loss, wanted = weigh(loss.generator, logits)
    clear_gradients(game)
    if mixes_samples(game.discriminator):
        (pull,) = torch.autograd.grad(logits, shown, wanted, retain_graph=True)
        logits.backward(weights)  # type: ignore[no-untyped-call]
    else:
        fake = weights[len(batch.labels) :]
        fake[fake.abs() < _SMALLEST_WEIGHT] = _SMALLEST_WEIGHT
        logits.backward(weights)  # type: ignore[no-untyped-call]
        assert shown.grad is not None
        pull = shown.grad * (wanted[len(fake) :] / fake)[..., None, None, None].to(shown.grad.dtype)
    penalty = _penalise(game, batches, batch, shown, step)
    fakes.backward(pull)
    _learn(game, game.discriminator, game.generator)
    return Outcome(discriminator_loss, generator_loss, penalty)


def alternating_step(game: Game, batches: Batches, step: int) -> Outcome:
    """D learns first; then G, where it is its turn, from fresh latents against the D that has just learned."""
    batch = batches.batch(step)
    with game.autocast(), torch.no_grad():
        fakes = game.generator(batch.latents, batch.labels)
    discriminator_loss, penalty = _discriminator_turn(game, batches, batch, fakes, step)
    if not _has_generator_turn(game, step):
        return Outcome(discriminator_loss, None, penalty)
    latents = batches.latents(step, "generator", game.generator_batches)
    batch = batch.repeated(game.generator_batches)
    with game.autocast():
        fresh = game.generator(latents, batch.labels)
    return Outcome(discriminator_loss, _generator_turn(game, batch, fresh), penalty)


def same_fakes_step(game: Game, batches: Batches, step: int) -> Outcome:
    """D learns first; then G, where it is its turn, from the fakes that D has just seen, against the new D."""
    batch = batches.batch(step)
    with game.autocast():
        fakes = game.generator(batch.latents, batch.labels)
    discriminator_loss, penalty = _discriminator_turn(game, batches, batch, fakes.detach(), step)
    turn = _generator_turn(game, batch, fakes) if _has_generator_turn(game, step) else None
    return Outcome(discriminator_loss, turn, penalty)


def pretraining_step(game: Game, batches: Batches, step: int) -> Outcome:
    """D alone learns, real images against noise."""
    batch = batches.batch(step)
    discriminator_loss, penalty = _discriminator_turn(game, batches, batch, batches.noise(step), step)
    return Outcome(discriminator_loss, None, penalty)


def _has_generator_turn(game: Game, step: int) -> bool:
    return (step + 1) % game.critic_steps == 0


def _discriminator_turn(
    game: Game, batches: Batches, batch: Batch, fakes: Tensor, step: int
) -> tuple[Tensor, Tensor | None]:
    seed_dropout(game.discriminator, game.seed, step, len(batch.labels))
    with game.autocast():
        logits = judge(game.discriminator, batch.images, fakes, batch.labels)
    loss, weights = weigh(LOSSES[game.objective.loss].discriminator, logits)
    clear_gradients(game)
    logits.backward(weights)  # type: ignore[no-untyped-call]
    penalty = _penalise(game, batches, batch, fakes, step)
    _learn(game, game.discriminator)
    return loss, penalty


def _generator_turn(game: Game, batch: Batch, fakes: Tensor) -> Tensor:
    loss = LOSSES[game.objective.loss]
    game.discriminator.requires_grad_(False)
    with game.autocast():
        fake = game.discriminator(fakes, batch.labels)
        with torch.no_grad():
            real = game.discriminator(batch.images, batch.labels) if loss.pairs else torch.zeros_like(fake)
    generator_loss = loss.generator(real, fake)
    generator_loss.backward(torch.ones_like(generator_loss))  # type: ignore[no-untyped-call]
    game.discriminator.requires_grad_(True)
    _learn(game, game.generator)
    return generator_loss.detach()


def judge(discriminator: Discriminator, real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
    """D's logits [2N], real first: in one pass, or where D's normalisation mixes images, each kind by itself."""
    if mixes_samples(discriminator):
        return torch.cat([discriminator(real, labels), discriminator(fake, labels)])
    both = torch.cat([real.to(fake.dtype), fake])
    logits: Tensor = discriminator(both, torch.cat([labels, labels]))
    return logits


def weigh(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    """A player's loss at logits [2N], real first, and its gradient: what a unit of each is worth, float32 [2N]."""
    leaves = logits.detach().requires_grad_(True)
    found = loss(*leaves.chunk(2))
    (gradient,) = torch.autograd.grad(found, leaves, torch.ones_like(found))
    return found.detach(), gradient


def _penalise(game: Game, batches: Batches, batch: Batch, fakes: Tensor, step: int) -> Tensor | None:
    """Add the penalties' gradient to D's, in the steps that have one, weighted for those that have none."""
    objective = game.objective
    if step % objective.penalty_every or not (objective.r1 or objective.r2 or objective.gradient_penalty):
        return None

    def judge(shown: Tensor) -> Tensor:
        logits: Tensor = game.discriminator(shown, batch.labels)
        return logits

    terms = []
    with game.autocast():
        if objective.r1:
            terms.append(objective.r1 * zero_centred(judge, batch.images))
        if objective.r2:
            terms.append(objective.r2 * zero_centred(judge, fakes))
        if objective.gradient_penalty:
            mixed = between(batch.images, fakes, batches.mixing(step))
            terms.append(objective.gradient_penalty * one_centred(judge, mixed))
    penalty = torch.stack(terms).sum(0)
    penalty.backward(torch.full_like(penalty, objective.penalty_every))  # type: ignore[no-untyped-call]
    return penalty.detach()


def clear_gradients(game: Game) -> None:
    """Forget both players' gradients: each player's loss also leaves some in the other."""
    for optimiser in (game.generator_optimiser, game.discriminator_optimiser):
        for group in optimiser.param_groups:  # by hand, as zero_grad's bookkeeping takes 1 % of a step of express
            for parameter in group["params"]:
                parameter.grad = None


def _learn(game: Game, *players: nn.Module) -> None:
    """Let players take their steps by their gradients, which several processes average in one message for all."""
    average_gradients(parameter for player in players for parameter in player.parameters())
    if game.discriminator in players:
        game.discriminator_optimiser.step()
        if game.objective.clip:
            _clip(game.discriminator, game.objective.clip)
    if game.generator in players:
        game.generator_optimiser.step()


def _clip(critic: nn.Module, bound: float) -> None:
    """Clip a critic's weights after its step (Arjovsky et al. 2017, algorithm 1)."""
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.clamp_(-bound, bound)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Make every process's gradients their mean, in one message. A wrapper could not: a step has several passes."""
    if processes() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= processes()
    for gradient, mean in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


STEPS: dict[str, Callable[[Game, Batches, int], Outcome]] = {
    "simultaneous": simultaneous_step,
    "alternating": alternating_step,
    "alternating-same-fakes": same_fakes_step,
}

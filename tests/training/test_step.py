"""One adversarial step: its gradients are the textbook's, whatever the shortcut, and so are those of two processes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from digitforge.data import Digits
from digitforge.networks.build import build
from digitforge.networks.layers import BatchNorm, Dropout, Flatten, Logit, SameConv, seed_dropout
from digitforge.networks.players import Discriminator
from digitforge.objectives import losses
from digitforge.sections import Networks, Objective, Training
from digitforge.training.batches import Batches
from digitforge.training.schedule import timetable
from digitforge.training.step import (
    STEPS,
    Game,
    Outcome,
    alternating_step,
    pretraining_step,
    simultaneous_step,
    weigh,
)

Results = dict[str, np.ndarray]
Gradients = dict[str, Tensor]

CLASSES = 3
SHAPE = (1, 8, 8)
ROWS = 8
LOSSES = ("non-saturating", "relativistic", "wasserstein")


def game(
    loss: str = "non-saturating",
    conditional: bool = False,
    dropout: float = 0.0,
    norm: bool = False,
    rate: float = 0.0,
    critic_steps: int = 1,
    generator_batches: int = 1,
    **penalties: float,
) -> Game:
    """Two tiny players; `norm` gives the discriminator batch normalisation. A rate of 0 keeps weights as they are."""
    networks = Networks(
        family="dcgan",
        conditional=conditional,
        latent_size=5,
        generator_width=2,
        discriminator_width=3,
        dropout=dropout,
    )
    pair = build(networks, SHAPE, CLASSES, seed=1)
    generator, discriminator = pair.generator, pair.discriminator
    if norm:
        torch.manual_seed(2)
        layers = (SameConv(1, 4, kernel=3, stride=2), BatchNorm(4), nn.LeakyReLU(0.2), Dropout(dropout), Flatten())
        discriminator = Discriminator(nn.Sequential(*layers), Logit(4 * 4 * 4, CLASSES if conditional else 0))
    return Game(
        generator=generator,
        discriminator=discriminator,
        generator_optimiser=torch.optim.SGD(generator.parameters(), lr=rate),
        discriminator_optimiser=torch.optim.SGD(discriminator.parameters(), lr=rate),
        objective=Objective(loss=loss, **penalties),
        seed=3,
        critic_steps=critic_steps,
        generator_batches=generator_batches,
        autocast=nullcontext,
    )


def walk() -> Batches:
    rng = np.random.default_rng(4)
    digits = Digits(rng.integers(0, 256, (30, *SHAPE), dtype=np.uint8), rng.integers(0, CLASSES, 30))
    networks = Networks(family="dcgan", latent_size=5)
    return Batches(
        digits, networks, timetable(Training(images=1000, batch_size=ROWS), 1000), seed=3, device=torch.device("cpu")
    )


def gradients(network: nn.Module) -> Gradients:
    return {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}


def both_gradients(played: Game) -> tuple[Gradients, Gradients]:
    return gradients(played.generator), gradients(played.discriminator)


def assert_same_gradients(found: Gradients, expected: Gradients) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(
            found[name], gradient, rtol=2e-4, atol=2e-6, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert any(gradient.abs().max() > 1e-4 for gradient in expected.values())


def judged(discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, norm: bool) -> tuple[Tensor, Tensor]:
    if norm:
        return discriminator(real, labels), discriminator(fake, labels)
    real_logits, fake_logits = discriminator(torch.cat([real, fake]), torch.cat([labels, labels])).split(len(real))
    return real_logits, fake_logits


def textbook_discriminator_loss(played: Game, real: Tensor, fake: Tensor) -> Tensor:
    if played.objective.loss == "relativistic":
        return cross_entropy(real - fake, torch.ones_like(real))
    if played.objective.loss == "wasserstein":
        return -(real.mean() - fake.mean())
    return cross_entropy(real, torch.ones_like(real)) + cross_entropy(fake, torch.zeros_like(fake))


def textbook_generator_loss(played: Game, real: Tensor, fake: Tensor) -> Tensor:
    if played.objective.loss == "relativistic":
        return cross_entropy(fake - real, torch.ones_like(real))
    if played.objective.loss == "wasserstein":
        return -fake.mean()
    return cross_entropy(fake, torch.ones_like(fake))


def slope_norms(played: Game, images: Tensor, labels: Tensor) -> Tensor:
    """The norm of D's gradient at each image [N]."""
    shown = images.detach().clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(played.discriminator(shown, labels).sum(), [shown], create_graph=True)
    return torch.stack([row.norm() for row in slope])


def textbook_penalty(played: Game, batches: Batches, fakes: Tensor, step: int) -> Tensor:
    """gamma / 2 times the mean over images of the squared norm of D's gradient, as often as the recipe says; lambda
    times that of the squared difference of the norm from 1, on images between real and fake."""
    batch = batches.batch(step)
    objective = played.objective
    total = torch.zeros(())
    if step % objective.penalty_every == 0:
        for gamma, images in ((objective.r1, batch.images), (objective.r2, fakes)):
            if gamma:
                norms = slope_norms(played, images, batch.labels)
                total = total + objective.penalty_every * gamma / 2 * (norms**2).mean()
        if objective.gradient_penalty:
            shares = batches.mixing(step)
            pairs = zip(shares, batch.images, fakes.detach(), strict=True)
            mixed = torch.stack([share * real + (1 - share) * fake for share, real, fake in pairs])
            norms = slope_norms(played, mixed, batch.labels)
            total = total + objective.penalty_every * objective.gradient_penalty * ((norms - 1) ** 2).mean()
    return total


def textbook_simultaneous(played: Game, batches: Batches, step: int, norm: bool) -> tuple[Gradients, Gradients]:
    """Two losses and two backward passes, each with the graph and the gradients cleared of the other's."""
    batch = batches.batch(step)
    see = partial(judged, played.discriminator, batch.images, labels=batch.labels, norm=norm)
    seed_dropout(played.discriminator, played.seed, step, rows=len(batch.labels))
    fakes = played.generator(batch.latents, batch.labels)
    loss = textbook_discriminator_loss(played, *see(fakes.detach()))
    loss = loss + textbook_penalty(played, batches, fakes, step)
    played.discriminator.zero_grad(set_to_none=True)
    loss.backward()
    of_discriminator = gradients(played.discriminator)
    seed_dropout(played.discriminator, played.seed, step, rows=len(batch.labels))
    played.generator.zero_grad(set_to_none=True)
    textbook_generator_loss(played, *see(fakes)).backward()
    return gradients(played.generator), of_discriminator


GAMES: list[dict[str, Any]] = [
    {"loss": loss, **settings}
    for loss in LOSSES
    for settings in (
        {},
        {"conditional": True},
        {"dropout": 0.3},
        {"r1": 2.0, "penalty_every": 2},
        {"r1": 2.0, "r2": 0.5, "dropout": 0.3, "conditional": True},
        {"norm": True},
        {"norm": True, "r1": 2.0, "r2": 0.5, "dropout": 0.3, "conditional": True},
    )
]
GAMES += [
    {"loss": "wasserstein", "gradient_penalty": 10.0},
    {"loss": "wasserstein", "gradient_penalty": 10.0, "dropout": 0.3, "conditional": True, "penalty_every": 2},
]


def named(settings: dict[str, Any]) -> str:
    return " ".join(f"{key} {value}" if value is not True else key for key, value in settings.items())


@pytest.mark.parametrize("settings", GAMES, ids=named)
def test_one_backward_pass_finds_the_gradients_of_the_textbooks_two(settings: dict[str, Any]) -> None:
    played, plain, batches = game(**settings), game(**settings), walk()
    for step in (3, 4):  # the first leaves gradients behind, and has no penalty where every second step has one
        simultaneous_step(played, batches, step)
        of_generator, of_discriminator = textbook_simultaneous(plain, batches, step, settings.get("norm", False))
        found = both_gradients(played)
        assert_same_gradients(found[0], of_generator)
        assert_same_gradients(found[1], of_discriminator)


@pytest.mark.parametrize("loss", LOSSES[:2])  # those that saturate
def test_a_discriminator_that_is_sure_still_tells_the_generator_where_to_go(loss: str) -> None:
    played, plain, batches = game(loss), game(loss), walk()
    for each in (played, plain):
        with torch.no_grad():
            each.discriminator.logit.dense.weight *= -3e4  # logits of some thousands: D's own loss has no slope left
    simultaneous_step(played, batches, 0)
    fakes = played.generator(batches.batch(0).latents)
    logits = judged(played.discriminator, batches.batch(0).images, fakes, batches.batch(0).labels, norm=False)
    _, weights = weigh(losses.LOSSES[loss].discriminator, torch.cat(logits))
    assert (weights[ROWS:] == 0).any()
    of_generator, _ = textbook_simultaneous(plain, batches, 0, norm=False)
    found = gradients(played.generator)
    for name, gradient in of_generator.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("step_name", STEPS)
@pytest.mark.parametrize("norm", [False, True])
def test_in_bf16_the_gradients_point_the_same_way(step_name: str, norm: bool) -> None:
    settings = {"norm": norm, "dropout": 0.3, "r1": 2.0, "r2": 1.0}
    exact, rough, batches = game(**settings), game(**settings), walk()
    rough.autocast = lambda: torch.autocast("cpu", torch.bfloat16)
    for played in (exact, rough):
        STEPS[step_name](played, batches, 0)
    for one, other in zip(both_gradients(exact), both_gradients(rough), strict=True):
        flat = [torch.cat([gradient.flatten() for gradient in each.values()]) for each in (one, other)]
        assert torch.nn.functional.cosine_similarity(*flat, dim=0) > 0.98
        assert all(gradient.dtype == torch.float32 for gradient in other.values())


@pytest.mark.parametrize("step_name", ["alternating", "alternating-same-fakes"])
@pytest.mark.parametrize("settings", GAMES, ids=named)
def test_alternating_teaches_the_discriminator_first_and_the_generator_by_what_it_learnt(
    settings: dict[str, Any], step_name: str
) -> None:
    rate, step, norm = 0.3, 4, settings.get("norm", False)
    played, plain, batches = game(**settings, rate=rate), game(**settings), walk()
    start = copy.deepcopy(plain.generator.state_dict())
    outcome = STEPS[step_name](played, batches, step)

    batch = batches.batch(step)
    seed_dropout(plain.discriminator, plain.seed, step, rows=ROWS)
    with torch.no_grad():
        fakes = plain.generator(batch.latents, batch.labels)
    loss = textbook_discriminator_loss(plain, *judged(plain.discriminator, batch.images, fakes, batch.labels, norm))
    (loss + textbook_penalty(plain, batches, fakes, step)).backward()
    of_discriminator = gradients(plain.discriminator)
    with torch.no_grad():
        for parameter in plain.discriminator.parameters():
            parameter -= rate * parameter.grad
    latents = batch.latents if step_name == "alternating-same-fakes" else batches.latents(step, "generator")
    fresh = plain.generator(latents, batch.labels)
    fake = plain.discriminator(fresh, batch.labels)
    real = plain.discriminator(batch.images, batch.labels).detach() if settings["loss"] == "relativistic" else fake
    generator_loss = textbook_generator_loss(plain, real, fake)
    generator_loss.backward()

    found = both_gradients(played)
    assert_same_gradients(found[0], gradients(plain.generator))
    assert_same_gradients(found[1], of_discriminator)
    torch.testing.assert_close(outcome.discriminator_loss, loss.detach())
    torch.testing.assert_close(outcome.generator_loss, generator_loss.detach())
    for name, parameter in played.generator.named_parameters():
        torch.testing.assert_close(parameter.detach(), start[name] - rate * found[0][name])


@pytest.mark.parametrize("settings", GAMES[:4], ids=named)
def test_a_second_alternating_step_has_forgotten_the_first(settings: dict[str, Any]) -> None:
    played, fresh, batches = game(**settings), game(**settings), walk()
    for step in (3, 4):
        alternating_step(played, batches, step)
    alternating_step(fresh, batches, 4)
    for found, expected in zip(both_gradients(played), both_gradients(fresh), strict=True):
        assert_same_gradients(found, expected)


@pytest.mark.parametrize("step_name", STEPS)
def test_both_players_stay_able_to_learn(step_name: str) -> None:
    played, batches = game(rate=0.1), walk()
    before = [parameter.detach().clone() for parameter in weights(played)]
    STEPS[step_name](played, batches, 0)
    for old, parameter in zip(before, weights(played), strict=True):
        assert parameter.requires_grad
        assert not torch.equal(old, parameter)


def weights(played: Game) -> Iterator[nn.Parameter]:
    yield from played.generator.parameters()
    yield from played.discriminator.parameters()


@pytest.mark.parametrize("step_name", STEPS)
def test_a_penalty_comes_every_so_many_steps_and_counts_that_many_times(step_name: str) -> None:
    take, batches = STEPS[step_name], walk()

    def of_discriminator(step: int, **penalties: float) -> tuple[Outcome, Gradients]:
        played = game(**penalties)
        return take(played, batches, step), gradients(played.discriminator)

    for step in (4, 5):
        _, without = of_discriminator(step)
        _, every_step = of_discriminator(step, r1=2.0)
        outcome, every_fourth = of_discriminator(step, r1=2.0, penalty_every=4)
        times = 4 if step == 4 else 0
        assert (outcome.penalty is None) is (times == 0)
        expected = {name: without[name] + times * (every_step[name] - without[name]) for name in without}
        assert_same_gradients(every_fourth, expected)


def test_the_reported_penalty_is_that_of_one_step() -> None:
    batches = walk()
    every_step = simultaneous_step(game(r1=2.0, r2=1.0), batches, 4).penalty
    every_fourth = simultaneous_step(game(r1=2.0, r2=1.0, penalty_every=4), batches, 4).penalty
    plain = game(r1=2.0, r2=1.0)
    batch = batches.batch(4)
    expected = textbook_penalty(plain, batches, plain.generator(batch.latents), 4).detach()
    torch.testing.assert_close(every_step, expected)
    torch.testing.assert_close(every_fourth, expected)


def test_reported_losses_are_the_textbooks() -> None:
    for loss in LOSSES:
        played, plain, batches = game(loss), game(loss), walk()
        outcome = simultaneous_step(played, batches, 2)
        batch = batches.batch(2)
        fakes = plain.generator(batch.latents)
        real, fake = judged(plain.discriminator, batch.images, fakes, batch.labels, norm=False)
        torch.testing.assert_close(outcome.discriminator_loss, textbook_discriminator_loss(plain, real, fake).detach())
        torch.testing.assert_close(outcome.generator_loss, textbook_generator_loss(plain, real, fake).detach())


@pytest.mark.parametrize("step_name", ["alternating", "alternating-same-fakes"])
def test_a_critic_learns_several_times_from_fresh_batches_before_the_generator_does(step_name: str) -> None:
    played, batches = game("wasserstein", rate=0.1, critic_steps=3), walk()
    moved, seen = [], []
    played.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach().clone()))
    for step in range(6):
        seen.clear()
        generator, discriminator = copy.deepcopy(played.generator), copy.deepcopy(played.discriminator)
        outcome = STEPS[step_name](played, batches, step)
        moved.append(not same_weights(generator, played.generator))
        assert not same_weights(discriminator, played.discriminator)
        assert (outcome.generator_loss is not None) is moved[-1]
        assert torch.equal(seen[0][:ROWS], batches.batch(step).images)  # real ones come first
    assert moved == [False, False, True, False, False, True]
    shown = np.concatenate([batches.indices(step) for step in range(3)])
    assert len(np.unique(shown)) == 3 * ROWS


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("step_name", STEPS)
def test_a_clipped_critic_keeps_every_weight_within_the_bound_and_only_the_critic(step_name: str) -> None:
    free, played, batches = game("wasserstein", rate=0.5), game("wasserstein", rate=0.5, clip=0.05), walk()
    for each in (free, played):
        STEPS[step_name](each, batches, 0)
    for loose, kept in zip(free.discriminator.parameters(), played.discriminator.parameters(), strict=True):
        assert torch.equal(kept, loose.clamp(-0.05, 0.05))
    assert max(float(weight.detach().abs().max()) for weight in free.discriminator.parameters()) > 0.05
    assert max(float(weight.detach().abs().max()) for weight in played.generator.parameters()) > 0.05


def test_the_generator_may_learn_from_more_fakes_than_the_discriminator_sees() -> None:
    played, plain, batches = game(generator_batches=2, conditional=True), game(conditional=True), walk()
    alternating_step(played, batches, 1)
    latents = batches.latents(1, "generator", 2)
    assert latents.shape == (2 * ROWS, 5)
    labels = batches.batch(1).labels.repeat(2)
    textbook_generator_loss(
        plain, torch.zeros(2 * ROWS), plain.discriminator(plain.generator(latents, labels), labels)
    ).backward()
    assert_same_gradients(gradients(played.generator), gradients(plain.generator))


def test_pretraining_teaches_the_discriminator_alone_to_tell_images_from_noise() -> None:
    played, plain, batches = game(), game(), walk()
    start = copy.deepcopy(played.generator)
    outcome = pretraining_step(played, batches, 2)
    batch, noise = batches.batch(2), batches.noise(2)
    see = partial(judged, plain.discriminator, batch.images, labels=batch.labels, norm=False)
    loss = textbook_discriminator_loss(plain, *see(noise))
    loss.backward()
    assert_same_gradients(gradients(played.discriminator), gradients(plain.discriminator))
    assert outcome.generator_loss is None
    assert same_weights(start, played.generator)
    torch.testing.assert_close(outcome.discriminator_loss, loss.detach())


def test_noise_is_uniform_over_the_pixels_range_and_anew_in_every_step() -> None:
    noise = walk().noise(0)
    assert -1 <= noise.min() < -0.95
    assert 0.95 < noise.max() <= 1
    assert float(noise.mean()) == pytest.approx(0, abs=0.1)
    assert float(noise.std()) == pytest.approx(3**-0.5, abs=0.05)
    assert not torch.equal(noise, walk().noise(1))


def test_mixing_shares_are_uniform_one_an_image_and_new_in_every_step() -> None:
    shares = torch.cat([walk().mixing(step) for step in range(200)])
    assert len(shares) == len(shares.unique()) == 200 * ROWS
    counts = torch.histc(shares, bins=10, min=0, max=1)
    # Uniform: each tenth holds its share, give or take four standard deviations; normal shares would not.
    assert (counts - 20 * ROWS).abs().max() < 4 * (20 * ROWS * 0.9) ** 0.5


@pytest.mark.parametrize("step_name", STEPS)
def test_a_step_repeats_bit_for_bit(step_name: str) -> None:
    played = [game(dropout=0.3, r1=1.0, rate=0.1) for _ in range(2)]
    for index, each in enumerate(played):
        torch.manual_seed(index)
        STEPS[step_name](each, walk(), 6)
    for one, other in zip(*map(weights, played), strict=True):
        assert torch.equal(one, other)


SHARED: list[dict[str, Any]] = [
    {"loss": "wasserstein", "gradient_penalty": 10.0, "clip": 0.2},
    {"loss": "non-saturating", "generator_batches": 2, "conditional": True},
    {"loss": "non-saturating", "dropout": 0.3},
    {"loss": "relativistic", "r1": 1.0, "r2": 0.5, "penalty_every": 2, "conditional": True},
    {"loss": "non-saturating", "norm": True},
    {"loss": "relativistic", "norm": True, "r1": 1.0, "r2": 0.5, "dropout": 0.3},
]


def global_batch_results() -> Results:
    """Both players' weights, moments and losses after two steps of each game on one global batch."""
    found: Results = {}
    for step_name, take in STEPS.items():
        for settings in SHARED:
            played, batches = game(**settings, rate=0.2), walk()
            for step in range(2):
                outcome = take(played, batches, step)
            state = {"generator": played.generator.state_dict(), "discriminator": played.discriminator.state_dict()}
            for player, tensors in state.items():
                for name, value in tensors.items():
                    found[f"{step_name} {named(settings)}: {player} {name}"] = value.numpy()
            assert outcome.generator_loss is not None
            losses = torch.stack([outcome.discriminator_loss, outcome.generator_loss])
            found[f"{step_name} {named(settings)}: own losses"] = losses.numpy()
    return found


def test_two_processes_learn_what_one_does_from_the_whole_batch(
    in_two_processes: Callable[[str], tuple[Results, Results]],
) -> None:
    first, second = in_two_processes(__file__)
    one = global_batch_results()
    assert first.keys() == second.keys() == one.keys()
    for name, whole in one.items():
        if name.endswith("own losses"):
            found = (first[name] + second[name]) / 2
        else:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)
            found = first[name]
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=2e-5, err_msg=name)

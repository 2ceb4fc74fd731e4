"""Interpolation: paths begin and end where they should, and nothing jumps on the way."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from digitforge.classifier import Classifier
from digitforge.errors import ModelError, UserError
from digitforge.forge import Forge
from digitforge.randomness import draw_latents, stream
from digitforge.report.interpolation import (
    around,
    between,
    draw_along,
    eased,
    film_of_route,
    lerp,
    plan_route,
    slerp,
    strip_of_route,
    there_and_back,
)
from digitforge.set_file import set_card, write_set
from tiny_models import LATENT, LEVEL, card_table, stacked_card, write_classifier, write_model, write_stacked_model

SIDE = 28


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    return Forge.load(write_model(tmp_path_factory.mktemp("told") / "model.onnx", blends=True))


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    folder = tmp_path_factory.mktemp("free")
    classifier = Classifier.load(write_classifier(folder / "classifier.onnx"))
    return Forge.load(write_model(folder / "free.onnx", conditional=False), classifier=classifier)


def ends(distribution: str = "normal", size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    first, second = (draw_latents(stream(0, "test", index), 9, size, distribution) for index in range(2))
    return first, second


def unit(latents: np.ndarray) -> np.ndarray:
    return latents / np.linalg.norm(latents, axis=1, keepdims=True)


def level(images: np.ndarray) -> np.ndarray:
    """What the images show, as the tiny models draw it: digits and what lies between."""
    return images.mean((1, 2, 3)) / LEVEL


def test_a_great_circle_hits_both_ends_bit_for_bit() -> None:
    start, end = ends()
    np.testing.assert_array_equal(slerp(start, end, 0), start)
    np.testing.assert_array_equal(slerp(start, end, 1), end)
    np.testing.assert_array_equal(slerp(start, start, 0.3), start)


def test_a_great_circle_keeps_the_norm_and_turns_evenly() -> None:
    start, end = (8 * unit(latents) for latents in ends())
    whole = np.arccos((unit(start) * unit(end)).sum(1))
    for share in (0.1, 0.5, 0.75):
        there = slerp(start, end, share)
        np.testing.assert_allclose(np.linalg.norm(there, axis=1), 8, rtol=1e-6)
        np.testing.assert_allclose(np.arccos((unit(start) * unit(there)).sum(1)), share * whole, rtol=1e-4)


def test_lengths_change_evenly_along_a_great_circle() -> None:
    start, end = (length * unit(latents) for length, latents in zip((6, 10), ends(), strict=True))
    np.testing.assert_allclose(np.linalg.norm(slerp(start, end, 0.25), axis=1), 7, rtol=1e-6)


@pytest.mark.parametrize("end", [[-1, 0], [2, 0], [0, 0]], ids=["opposite", "parallel", "zero"])
def test_where_there_is_no_circle_the_line_is_taken(end: list[float]) -> None:
    start = np.asarray([[1, 0]], np.float32)
    there = slerp(start, np.asarray([end], np.float32), 0.25)
    np.testing.assert_allclose(there, 0.75 * start + 0.25 * np.asarray([end]), atol=1e-6)


def test_uniform_latents_take_the_straight_line_and_stay_in_their_range() -> None:
    start, end = ends("uniform")
    np.testing.assert_array_equal(between(start, end, 0.4, "uniform"), lerp(start, end, 0.4))
    np.testing.assert_allclose(lerp(start, end, 0.4), 0.6 * start + 0.4 * end, rtol=1e-5, atol=1e-7)
    assert np.abs(lerp(np.sign(start), np.sign(end), 0.7)).max() <= 1
    assert (between(start, end, 0.4, "normal") != lerp(start, end, 0.4)).any()


@pytest.mark.parametrize("frames", [2, 3, 9, 60, 61])
def test_there_and_back_plays_without_a_jump(frames: int) -> None:
    places = there_and_back(frames)
    assert len(places) == frames
    assert (places[0], places.max()) == (0, 1)
    steps = np.abs(np.diff([*places, places[0]]))
    assert steps.min() > 0
    assert steps.max() <= 1 / (frames // 2) + 1e-9


def test_a_loop_ends_just_before_it_begins() -> None:
    np.testing.assert_allclose(around(8, 4), [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5])


def test_frames_rest_at_the_stations() -> None:
    places = eased(np.linspace(0, 2, 201))
    assert (places[0], places[100], places[200]) == (0, 1, 2)
    assert (np.diff(places) >= 0).all()
    assert places[101] - 1 < 0.001 < 0.015 < places[51] - places[50]


def test_a_label_morphs_into_another_and_its_ends_are_what_generate_draws(forge: Forge) -> None:
    route = plan_route(forge, 3, 8, count=5, seed=2)
    np.testing.assert_array_equal(draw_along(forge, route, 0), forge.generate(3, 5, seed=2).images)
    np.testing.assert_array_equal(draw_along(forge, route, 1), forge.generate(8, 5, seed=2).images)


def test_a_morph_is_continuous(forge: Forge) -> None:
    route = plan_route(forge, 3, 8, count=5)
    shown = np.stack([level(draw_along(forge, route, place)) for place in np.linspace(0, 1, 51)])
    np.testing.assert_allclose(shown, np.linspace(3, 8, 51)[:, None].repeat(5, 1), atol=0.05)


def test_the_pretrained_model_morphs_without_a_jump() -> None:
    forge = Forge.load()
    route = plan_route(forge, 3, 8, count=8)
    images = np.stack([draw_along(forge, route, place).astype(int) for place in np.linspace(0, 1, 21)])
    steps = np.abs(np.diff(images, axis=0)).mean((1, 2, 3, 4))
    assert steps.min() > 0
    assert steps.max() < np.abs(images[-1] - images[0]).mean() / 5


def test_without_digits_the_labels_go_through_all_that_were_trained_on_and_back(tmp_path: Path) -> None:
    card = card_table(frequencies=[0, 5, 0, 0, 5, 0, 5, 0, 0, 0])
    forge = Forge.load(write_model(tmp_path / "model.onnx", blends=True, card=card))
    route = plan_route(forge, count=3)
    assert route.legs == 3
    shown = [np.rint(level(draw_along(forge, route, place))).tolist() for place in range(4)]
    assert shown == [[1] * 3, [4] * 3, [6] * 3, [1] * 3]
    np.testing.assert_allclose(level(draw_along(forge, route, 2.5)), 3.5, atol=0.05)
    np.testing.assert_array_equal(draw_along(forge, route, 3), draw_along(forge, route, 0))


def test_from_a_digit_to_itself_the_latents_move_and_no_blend_is_needed(tmp_path: Path) -> None:
    forge = Forge.load(write_model(tmp_path / "older.onnx"))
    route = plan_route(forge, 4, "4", count=6, seed=1)
    images = [draw_along(forge, route, place) for place in (0, 0.5, 1)]
    assert [np.rint(level(part)).tolist() for part in images] == [[4] * 6] * 3
    assert all((one != other).any((1, 2, 3)).all() for one, other in pairwise(images))
    np.testing.assert_array_equal(images[0], forge.generate(4, 6, seed=1).images)


@pytest.mark.parametrize("digits", [(3, 8), (None, None)])
def test_an_older_file_says_that_it_can_not_blend(tmp_path: Path, digits: tuple[int | None, int | None]) -> None:
    forge = Forge.load(write_model(tmp_path / "older.onnx"))
    with pytest.raises(ModelError, match=r"older\.onnx draws whole digits .* or stay within one digit"):
        film_of_route(forge, plan_route(forge, *digits))


def test_a_set_of_specialists_moves_within_one_digit_alone(tmp_path: Path) -> None:
    tables = {label: card_table(frequencies=[5 * (each == label) for each in range(10)]) for label in (3, 8)}
    files = {label: write_model(tmp_path / f"{label}.onnx", card=table) for label, table in tables.items()}
    card = set_card({label: Forge.load(path).card for label, path in files.items()}, {})
    write_set(tmp_path / "set.zip", card, {label: path.read_bytes() for label, path in files.items()})
    forge = Forge.load(tmp_path / "set.zip")
    eights = draw_along(forge, plan_route(forge, 8, 8, count=5), 0.5)
    assert np.rint(level(eights)).tolist() == [8] * 5
    for digits in ((3, 8), (None, None)):
        with pytest.raises(ModelError, match=r"set\.zip draws whole digits .* or stay within one digit"):
            film_of_route(forge, plan_route(forge, *digits))


def test_an_unconditional_models_ends_are_read_as_asked(free: Forge) -> None:
    route = plan_route(free, 3, 8 - 2, count=7, seed=5)
    assert free.classifier is not None
    assert free.classifier.read(draw_along(free, route, 0)).labels.tolist() == [3] * 7
    assert free.classifier.read(draw_along(free, route, 1)).labels.tolist() == [6] * 7
    assert (route.latents[0] != route.latents[1]).all()


def test_an_unconditional_models_loop_leads_through_random_latents_back_to_the_first(free: Forge) -> None:
    route = plan_route(free, count=5)
    assert len(np.unique(route.latents.reshape(-1, LATENT), axis=0)) == 5 * route.legs
    np.testing.assert_array_equal(draw_along(free, route, route.legs), draw_along(free, route, 0))


def test_between_two_digits_the_cluster_changes_once_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latent = {"size": LATENT, "distribution": "normal", "choosers": 2}
    forge = Forge.load(
        write_model(tmp_path / "free.onnx", conditional=False, card=card_table(conditional=False, latent=latent))
    )
    route, asked = plan_route(forge, count=5), []
    monkeypatch.setattr(Forge, "draw", lambda _self, latents, _labels: asked.append(latents))
    for share in (0.1, 0.4, 0.6, 0.9):
        draw_along(forge, route, share)
    for station, places in ((0, asked[:2]), (1, asked[2:])):
        for place in places:
            np.testing.assert_array_equal(place[:, LATENT - 2 :], route.latents[station][:, LATENT - 2 :])
    assert len({place[0, 0] for place in asked}) == 4


def test_a_specialist_moves_within_its_digit(tmp_path: Path) -> None:
    card = card_table(conditional=False, frequencies=[0] * 9 + [80])
    forge = Forge.load(write_model(tmp_path / "nine.onnx", conditional=False, card=card))
    for route in (plan_route(forge, 9, 9, count=3), plan_route(forge, count=3)):
        assert (draw_along(forge, route, 0) != draw_along(forge, route, 1)).any()
    with pytest.raises(ModelError, match="was trained on 9, not '3'"):
        plan_route(forge, 3, 9)


def test_a_film_shows_all_paths_in_a_square(forge: Forge) -> None:
    film = film_of_route(forge, plan_route(forge, 3, 8, count=4), frames=10)
    assert len(film.frames) == 10
    assert {frame.shape for frame in film.frames} == {(2 * SIDE, 2 * SIDE)}
    shown = [frame.mean() / LEVEL for frame in film.frames]
    assert round(shown[0]) == 3
    assert int(np.argmax(shown)) == 5
    assert round(shown[5]) == 8


def test_a_strip_has_a_row_a_path_and_the_ends_at_its_sides(forge: Forge) -> None:
    route = plan_route(forge, 3, 8, count=4, seed=6)
    strip = strip_of_route(forge, route)[::2, ::2]
    assert strip.shape == (4 * SIDE, 12 * SIDE)
    np.testing.assert_array_equal(strip[:, :SIDE].reshape(4, 1, SIDE, SIDE), forge.generate(3, 4, seed=6).images)
    np.testing.assert_array_equal(strip[:, -SIDE:].reshape(4, 1, SIDE, SIDE), forge.generate(8, 4, seed=6).images)
    columns = [strip[:, left : left + SIDE].mean() / LEVEL for left in range(0, 12 * SIDE, SIDE)]
    np.testing.assert_allclose(columns, np.linspace(3, 8, 12), atol=0.05)


def test_a_strip_of_a_loop_shows_every_digit_and_what_lies_between(forge: Forge) -> None:
    strip = strip_of_route(forge, plan_route(forge, count=2))[::2, ::2]
    columns = [strip[:, left : left + SIDE].mean() / LEVEL for left in range(0, strip.shape[1], SIDE)]
    np.testing.assert_allclose(columns, [*np.arange(0, 9.1, 0.5), 4.5, 0], atol=0.2)


def test_a_loop_through_a_thousand_labels_stops_at_some(tmp_path: Path) -> None:
    route = plan_route(Forge.load(write_stacked_model(tmp_path / "model.onnx", card=stacked_card())), count=2)
    assert len(route.labels) == len(route.latents) == 26
    assert (route.labels[0], route.labels[-1]) == (0, 999)


@pytest.mark.parametrize(
    "request_", [{"count": 0}, {"count": 101}, {"start": 3}, {"end": 3}, {"start": 3, "end": 12}, {"seed": -1}]
)
def test_what_can_not_be_is_the_users_mistake(forge: Forge, request_: dict[str, int]) -> None:
    with pytest.raises(UserError):
        plan_route(forge, **request_)


@pytest.mark.parametrize("frames", [1, 0, -5, 1001])
def test_a_number_of_frames_out_of_range_is_refused(forge: Forge, frames: int) -> None:
    with pytest.raises(UserError, match="frames"):
        film_of_route(forge, plan_route(forge, 3, 8), frames)

"""The recipe: named ones load, settings find their key, and what cannot be is said in one sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitforge.errors import RecipeError
from digitforge.recipe import (
    Recipe,
    full_key,
    load_recipe,
    parse_recipe,
    parse_setting,
    read_recipe,
    recipe_keys,
    recipe_names,
)
from digitforge.sections import Interval

TINY = """
name = "tiny"
document = "ours"
summary = "a recipe for tests"

[networks]
family = "dcgan"

[objective]
loss = "non-saturating"

[generator_optimiser]
rate = 1e-3

[discriminator_optimiser]
rate = 1e-4

[training]
epochs = 2
"""


def tiny(*lines: str) -> Recipe:
    """The tiny recipe with settings as `--set` takes them."""
    return parse_recipe(tomllib.loads(TINY), "tiny").with_settings(dict(parse_setting(line) for line in lines))


def test_every_named_recipe_loads_and_comes_back_from_its_toml() -> None:
    names = recipe_names()
    assert names[0] == "express"
    for name in names:
        recipe = load_recipe(name)
        assert recipe.name == name
        assert parse_recipe(tomllib.loads(recipe.to_toml()), name) == recipe


def test_toml_writes_every_default_out() -> None:
    written = tomllib.loads(tiny().to_toml())
    left_out = {"training.seconds", "training.images"}
    assert {f"{name}.{key}" for name, table in written.items() if isinstance(table, dict) for key in table} == (
        set(recipe_keys()) - left_out
    )


def test_a_recipe_is_read_from_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TINY)
    assert load_recipe(str(path)) == tiny()


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"seed = " + b"1" * 5000, b"x = " + b"[" * 100_000])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"broken\.toml"):
        read_recipe(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere\.toml"):
        read_recipe(tmp_path / "nowhere.toml")


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r'no recipe "expres" \(did you mean "express"\?\); the recipes are express'):
        load_recipe("expres")


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("training.batchsize", "training.batch_size"),
        ("batchsize", "training.batch_size"),
        ("objective.lambda_r1", "objective.r1"),
        ("network.family", "networks.family"),
    ],
)
def test_an_unknown_setting_names_the_nearest_key(key: str, nearest: str) -> None:
    with pytest.raises(RecipeError, match=f'did you mean "{nearest}"'):
        parse_setting(f"{key}=1")


@pytest.mark.parametrize(
    ("line", "unknown", "nearest"),
    [
        ("[training]\nbatch_sise = 3", "training.batch_sise", "training.batch_size"),
        ("[trainning]\nseed = 3", "trainning", "training"),
    ],
)
def test_an_unknown_key_in_a_file_names_the_nearest(line: str, unknown: str, nearest: str) -> None:
    text = TINY.replace("[training]", line) if line.startswith("[training]") else TINY + line
    with pytest.raises(RecipeError, match=rf'unknown key "{unknown}" \(did you mean "{nearest}"\?\); '):
        parse_recipe(tomllib.loads(text), "tiny")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match=r'"networks\.family" is missing'):
        parse_recipe(tomllib.loads(TINY.replace('family = "dcgan"', "")), "tiny")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("training.batch_size=64", "training.batch_size", 64),
        ("batch_size = 64", "training.batch_size", 64),
        ("r1=0.5", "objective.r1", 0.5),
        ("conditional=true", "networks.conditional", True),
        ("family=dcgan", "networks.family", "dcgan"),
        ('family="dcgan"', "networks.family", "dcgan"),
        ("tick=1/50 run", "record.tick", "1/50 run"),
        ("digits=3,5", "data.digits", "3,5"),
        ("digits=[3, 5]", "data.digits", [3, 5]),
        ("data.name=a=b", "data.name", "a=b"),
        ("data.name=1\nseed = 2", "data.name", "1\nseed = 2"),
    ],
)
def test_a_setting_is_a_key_and_a_toml_value_or_a_bare_word(text: str, key: str, value: object) -> None:
    assert parse_setting(text) == (key, value)


@pytest.mark.parametrize("text", ["", "seed", "=3", " =3"])
def test_what_is_no_setting_is_told_the_form(text: str) -> None:
    with pytest.raises(RecipeError, match="write KEY=VALUE"):
        parse_setting(text)


def test_a_short_key_of_two_sections_is_ambiguous() -> None:
    with pytest.raises(RecipeError, match=r"write generator_optimiser\.rate or discriminator_optimiser\.rate"):
        full_key("rate")


@pytest.mark.parametrize(
    ("given", "digits"),
    [("3,5", ("3", "5")), ("3, 5", ("3", "5")), ("3", ("3",)), ("[3, 5]", ("3", "5")), ("cat", ("cat",))],
)
def test_digits_are_label_names_however_they_are_written(given: str, digits: tuple[str, ...]) -> None:
    assert tiny(f"digits={given}").data.digits == digits


def test_a_recipe_has_exactly_one_length() -> None:
    with pytest.raises(RecipeError, match="seconds and images and epochs"):
        parse_recipe({**tomllib.loads(TINY), "training": {"epochs": 1, "images": 10, "seconds": 3}}, "tiny")
    with pytest.raises(RecipeError, match="none of them"):
        parse_recipe({**tomllib.loads(TINY), "training": {}}, "tiny")


@pytest.mark.parametrize("key", ["training.images", "images"])
def test_a_new_length_takes_the_place_of_the_old_one(key: str) -> None:
    changed = parse_recipe(tomllib.loads(TINY), "tiny").with_settings({key: 500})
    assert (changed.training.images, changed.training.epochs, changed.training.seconds) == (500, None, None)


def test_two_new_lengths_are_refused() -> None:
    with pytest.raises(RecipeError, match="seconds and images"):
        tiny("seconds=5", "images=5")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("training.batch_size=0", "training.batch_size: input should be greater than 0, not 0"),
        ("training.seed=-1", "training.seed: "),
        ("networks.generator_width=1000000000", "networks.generator_width: input should be less than or equal to 4096"),
        ("networks.latent_size=5000", "networks.latent_size: "),
        ("networks.clusters=300", "networks.clusters: input should be less than or equal to 256, not 300"),
        (
            "networks.latent_size=4096\nclusters=10",
            "latent_size and clusters together are at most 4,096, and these are 4,106",
        ),
        ("networks.conditional=true\nclusters=10", "10 clusters are for who is told no labels: "),
        ("training.batch_size=many", "not 'many'"),
        ("objective.loss=hinge", "'relativistic' or 'wasserstein'"),
        ("discriminator_optimiser.rate=nan", "discriminator_optimiser.rate: "),
        ("generator_optimiser.method=rmsprop", "set beta1 = 0, not 0.9"),
        ("training.critic_steps=5", 'critic_steps above 1 need update = "alternating"'),
        ("training.generator_batches=2", 'generator_batches above 1 need update = "alternating"'),
        ("training.epoch_share=0", "training.epoch_share: "),
        ("record.figure_images=1", "record.figure_images: input should be greater than or equal to 2, not 1"),
        ("record.accuracy_images=1", "record.accuracy_images: input should be greater than or equal to 2, not 1"),
        ("compute.device=gpu", "compute.device: input should be 'auto', 'cpu', 'cuda' or 'mps', not 'gpu'"),
        ("record.tick=often", 'record.tick: "often" is no interval'),
        ("record.tick=0 images", 'record.tick: "0 images" is no interval'),
    ],
)
def test_a_value_that_cannot_be_is_explained_in_one_line(line: str, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        tiny(*line.splitlines())
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("5000 images", 5000),
        ("1 image", 1),
        ("2 epochs", 120),
        ("0.5 epochs", 30),
        ("1 epoch", 60),
        ("1/12 run", 50),
        (" 1/7  run ", 86),
        ("1/1000000 run", 1),
    ],
)
def test_intervals_are_counted_in_images(text: str, images: int) -> None:
    assert Interval.parse(text).in_images(run_images=600, epoch_images=60) == images


@pytest.mark.parametrize("text", ["", "5000", "images", "-1 images", "0 epochs", "0.0 images", "1/0 run", "2/3 run"])
def test_what_is_no_interval_is_told_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="is no interval; write"):
        Interval.parse(text)


@given(
    st.text() | st.from_regex(r"\s?[0-9]{1,400}(\.[0-9]{1,400})? (images|epochs)|1/[0-9]{1,5000} run", fullmatch=True)
)
def test_any_text_is_an_interval_or_a_value_error(text: str) -> None:
    try:
        interval = Interval.parse(text)
    except ValueError as error:
        assert "is no interval" in str(error)
    else:
        assert interval.in_images(run_images=600, epoch_images=60) >= 1


TOML_VALUES = st.one_of(
    st.text(),
    st.sampled_from(["inf", "nan", "[]", "{}", "{a = 1}", "1979-05-27", "true", "1" * 5000, "[" * 5000, "1\nb = 2"]),
    st.integers().map(str),
    st.floats().map(str),
)


@given(st.text() | st.builds("{}={}".format, st.sampled_from(sorted(recipe_keys())), TOML_VALUES))
def test_any_setting_makes_a_recipe_that_comes_back_from_its_toml_or_a_recipe_error(text: str) -> None:
    try:
        recipe = tiny(text)
    except RecipeError:
        return
    assert parse_recipe(tomllib.loads(recipe.to_toml()), "tiny") == recipe


def test_a_falling_rate_is_a_schedule() -> None:
    assert not tiny().has_schedule
    assert tiny("constant_until=0.5").has_schedule


def test_other_data_have_another_hash() -> None:
    made = load_recipe("express").with_settings({"data.sha256": "0" * 64})
    assert made.with_settings({"data.name": "mnist", "training.seed": 3}).data.sha256 == "0" * 64
    assert made.with_settings({"data.name": "mnist-5k"}).data.sha256 == ""
    assert made.with_settings({"data.name": "mnist-5k", "data.sha256": "1" * 64}).data.sha256 == "1" * 64

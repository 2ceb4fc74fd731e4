"""Whatever is given to a reader or to the command line: a result, or one sentence that says what was wrong.

`pytest tests/fuzz --hypothesis-profile nightly` tries a hundred times as often.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from digitforge.cli import main
from digitforge.data import load_data
from digitforge.data.idx import write_idx
from digitforge.data.mat import write_mat
from digitforge.errors import DigitforgeError, RecipeError
from digitforge.forge import Forge
from digitforge.recipe import Recipe, read_recipe, recipe_keys, recipe_names
from tiny_models import write_model
from tiny_runs import tiny_digits, tiny_recipe


def often(part: int) -> settings:
    """So often as the profile says, or a part of it for what takes longer."""
    return settings(max_examples=settings().max_examples // part)


BORDERS = [0, -1, 2**31, 2**63, 10**30, 1e308, -0.0, float("nan"), float("inf")]
# Values that break what expects others: at the borders of types, without end, of other kinds, with signs that steer.
ODD = st.one_of(
    st.sampled_from([*BORDERS, "", "0", "../..", "\x1b[2J"]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.booleans(),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
)


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a model and data sets in it, and a cache without any."""
    folder = tmp_path_factory.mktemp("fuzz")
    grey = tiny_digits(20, side=28)
    write_model(folder / "model.onnx")
    write_idx(folder / "train-images-idx3-ubyte", grey.images[:, 0])
    write_idx(folder / "train-labels-idx1-ubyte", grey.labels.astype(np.uint8))
    np.savez(folder / "digits.npz", images=grey.images[:, 0], labels=grey.labels)
    write_mat(folder / "digits.mat", grey.images, grey.labels)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setenv("DIGITFORGE_CACHE", str(folder / "cache"))
        yield folder


# Recipes


def damaged(table: dict[str, object], key: str, value: object) -> dict[str, object]:
    """A recipe's table with one value changed."""
    section, _, name = key.partition(".")
    if not name:
        return {**table, section: value}
    inner = table.get(section)
    return {**table, section: {**(inner if isinstance(inner, dict) else {}), name: value}}


TABLE = tomllib.loads(tiny_recipe().to_toml())
KEYS = st.sampled_from([*recipe_keys(), *Recipe.model_fields]) | st.text(max_size=10)


@often(2)
@given(changes=st.lists(st.tuples(KEYS, ODD), min_size=1, max_size=4), cut=st.integers(0, 5))
def test_any_toml_is_a_recipe_that_comes_back_or_one_sentence(
    place: Path, changes: list[tuple[str, object]], cut: int
) -> None:
    table: dict[str, object] = dict(TABLE)
    for key, value in changes:
        table = damaged(table, key, value)
    try:
        text = tomli_w.dumps(table)
    except (ValueError, TypeError, UnicodeError):  # what no TOML file can hold
        return
    path = place / "fuzzed.toml"
    path.write_bytes(text.encode("utf-8", "replace")[: -cut or None])
    try:
        recipe = read_recipe(path)
    except RecipeError as error:
        assert "fuzzed.toml" in str(error)
        return
    path.write_text(recipe.to_toml())
    assert read_recipe(path) == recipe


# Command lines

PLACES = ("model.onnx", "digits.npz", "digits.mat", ".", "..", "/dev/null", "missing")
WORDS = st.sampled_from([*PLACES, "-", "--", "7", "-1", "", "\0", "é", "\n"])
# Neither --out, so that nothing is written over, nor --debug, which shows where an error comes from.
OPTIONS = st.sampled_from(
    ["--digit", "--count", "--seed", "--variety", "--balanced", "--data", "--json", "--help", "--unknown"]
)
VALUES = WORDS | st.integers().map(str) | st.floats().map(str) | st.text(max_size=8)
HARMLESS = ("generate model.onnx", "generate", "data", "recipes", "evaluate missing", "export", "animate", "compare")
SETTINGS = st.builds("{}={}".format, st.sampled_from(sorted(recipe_keys())) | st.text(max_size=8), VALUES)


def assert_one_line(words: list[str], code: int, said: str) -> None:
    """A result, or one line and exit code 2."""
    lines = said.strip().splitlines()
    assert code in (0, 2), (words, said)
    assert "an unexpected" not in said, (words, said)
    if code:
        assert len(lines) == 1, (words, said)
        assert lines[0].isprintable(), (words, said)
        assert lines[0].startswith("digitforge: ")


@often(5)
@given(verb=st.sampled_from(HARMLESS), rest=st.lists(st.one_of(OPTIONS, VALUES), max_size=5))
def test_any_words_are_a_command_or_one_line(
    place: Path, capfd: pytest.CaptureFixture[str], verb: str, rest: list[str]
) -> None:
    capfd.readouterr()
    words = [*verb.split(), *rest]
    assert_one_line(words, main(words), capfd.readouterr().err)


@often(5)
@given(
    recipe=st.sampled_from(recipe_names()),
    changes=st.lists(SETTINGS, max_size=3),
    options=st.lists(VALUES, max_size=2),
)
def test_any_settings_are_a_recipe_to_see_or_one_line(
    place: Path, capfd: pytest.CaptureFixture[str], recipe: str, changes: list[str], options: list[str]
) -> None:
    capfd.readouterr()
    words = ["train", recipe, "--dry-run", *(f"--set={setting}" for setting in changes)]
    words += [f"{name}={value}" for name, value in zip(("--budget", "--digits"), options, strict=False)]
    assert_one_line(words, main(words), capfd.readouterr().err)


# Files

READERS: dict[str, Callable[[Path], object]] = {
    "digits.npz": load_data,
    "digits.mat": load_data,
    "train-images-idx3-ubyte": load_data,
    "train-labels-idx1-ubyte": lambda path: load_data(path.with_name("train-images-idx3-ubyte")),
    "model.onnx": lambda path: Forge.load(path).generate(count=2),
}


@pytest.mark.parametrize("name", READERS)
@often(4)
@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_one_sentence(place: Path, name: str, data: st.DataObject) -> None:
    content = bytearray((place / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.sampled_from([0, 1, 4, 8, 100]))
        content[start:end] = data.draw(st.binary(max_size=8))
    folder = place / "damaged"
    folder.mkdir(exist_ok=True)
    for other in READERS:
        (folder / other).write_bytes((place / other).read_bytes() if other != name else content)
    try:
        READERS[name](folder / name)
    except DigitforgeError as error:
        assert str(folder) in str(error)
        assert "\n" not in str(error)

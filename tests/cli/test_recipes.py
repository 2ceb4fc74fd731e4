"""`digitforge recipes`: the list, and one in full."""

from __future__ import annotations

import tomllib

import pytest

from digitforge.cli import main
from digitforge.recipe import load_recipe, parse_recipe, recipe_names


def test_the_list_names_every_recipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["recipes"]) == 0
    out = capsys.readouterr().out
    for name in recipe_names():
        assert load_recipe(name).summary in out
    assert "60 s" in out


def test_a_recipe_is_printed_whole_and_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "express"]) == 0
    table = tomllib.loads(capsys.readouterr().out)
    assert parse_recipe(table, "printed") == load_recipe("express")

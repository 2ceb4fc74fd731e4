"""Cards: read back as they were written, and refused for each thing that they may get wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from digitforge.card import Card
from digitforge.errors import ModelError
from tiny_models import card_table


def test_a_card_survives_json() -> None:
    card = Card.from_json(
        json.dumps(card_table(figures={"frechet": {"value": 1.5, "n": 10}}, names=["é", *"123456789"]))
    )
    assert Card.from_json(card.to_json()) == card
    assert card.shape == (1, 28, 28)
    assert card.latent.distribution == "normal"
    assert card.data.count == 100


def test_a_card_lists_the_labels_that_were_trained_on() -> None:
    assert Card.from_json(json.dumps(card_table(frequencies=[0, 5, 0, 5, 0, 0, 0, 0, 0, 1]))).trained == (1, 3, 9)


def test_keys_of_later_versions_are_ignored() -> None:
    assert Card.from_json(json.dumps(card_table(colour="blue"))).seed == 3


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": 2}, "format 2"),
        ({"version": 1}, "version"),
        ({"recipe": []}, "recipe"),
        ({"data": "mnist"}, "data"),
        ({"data": {"name": "", "sha256": "ab" * 32, "count": 1}}, "data.name"),
        ({"data": {"name": "a\x1b[2J", "sha256": "ab" * 32, "count": 1}}, "data.name"),
        ({"data": {"name": "mnist", "sha256": "xyz", "count": 1}}, "data.sha256"),
        ({"data": {"name": "mnist", "sha256": "ab" * 32}}, "data.count"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"images": True}, "images"),
        ({"images": 1.5}, "images"),
        ({"names": "0123456789"}, "names"),
        ({"names": ["0"] * 10}, "names"),
        ({"names": [], "frequencies": []}, "names"),
        ({"names": ["\x1b[2J", *"123456789"]}, "names"),
        ({"names": ["n" * 65, *"123456789"]}, "names"),
        ({"frequencies": [0] * 10}, "frequencies"),
        ({"frequencies": [-1] * 10}, "frequencies"),
        ({"frequencies": [1] * 9}, "9 frequencies"),
        ({"conditional": 1}, "conditional"),
        ({"latent": {"size": 0, "distribution": "normal"}}, "latent.size"),
        ({"latent": {"size": 10**9, "distribution": "normal"}}, "latent.size"),
        ({"latent": {"size": 4, "distribution": "cauchy"}}, "latent.distribution"),
        ({"latent": {"size": 4, "distribution": "normal", "choosers": -1}}, "latent.choosers"),
        ({"latent": {"size": 4, "distribution": "normal", "choosers": 4}}, "none is left to draw by"),
        ({"weights": "best"}, "weights"),
        ({"shape": [28, 28]}, "shape"),
        ({"shape": [2, 28, 28]}, "shape"),
        ({"shape": [1, 0, 28]}, "shape"),
        ({"shape": [3, 100_000, 28]}, "shape"),
        ({"weights_sha256": None}, "weights_sha256"),
        ({"figures": None}, "figures"),
    ],
)
def test_a_wrong_card_is_refused_by_the_key_that_is_wrong(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ModelError, match=word) as caught:
        Card.from_json(json.dumps(card_table(**changes)))
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("key", [key for key in card_table() if key != "format"])
def test_every_key_is_needed(key: str) -> None:
    table = card_table()
    del table[key]
    with pytest.raises(ModelError, match=f'no "{key}"'):
        Card.from_json(json.dumps(table))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, '{"format": 1}'])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        Card.from_json(text)

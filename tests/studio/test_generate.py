"""Generate: digits and numbers over the wire, their bounds, and a flood."""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from digitforge.data.digits import MAX_NAME
from digitforge.forge import Forge
from digitforge.runs import RunFolder
from digitforge.studio import desk as desk_module
from digitforge.studio.bounds import MAX_DIGITS
from tiles import cut
from tiny_models import card_table, write_model


def test_what_is_shown_is_what_the_model_draws(client: TestClient, trained: Path) -> None:
    answer = client.get("/api/digits?model=tiny-5&digit=7&count=5&seed=3&variety=0.5").json()
    digits = Forge.load(trained).generate(7, 5, 3, 0.5)
    assert answer["labels"] == ["7"] * 5
    for place in range(5):
        assert np.array_equal(cut(answer, place), digits.images[place, 0])


def test_what_is_taken_away_is_what_was_shown(client: TestClient) -> None:
    wish = "model=tiny-5&count=12&seed=3"
    shown = client.get(f"/api/digits?{wish}").json()
    arrays = np.load(io.BytesIO(client.get(f"/api/digits.npz?{wish}").content))
    assert np.array_equal(arrays["images"][7], cut(shown, 7))
    assert [str(label) for label in arrays["labels"]] == shown["labels"]
    answer = client.get(f"/api/digits.zip?{wish}")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="digits-seed-3.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    expected = {f"{label}/{number:06d}.png" for number, label in enumerate(shown["labels"])}
    assert set(archive.namelist()) == expected
    assert len(archive.namelist()) == 12
    with archive.open(f"{shown['labels'][7]}/000007.png") as picture:
        assert np.array_equal(np.asarray(Image.open(picture)), cut(shown, 7))
    assert client.get(f"/api/digits.png?{wish}").headers["Content-Type"] == "image/png"


def test_a_number_is_written_in_its_order_and_a_digit_twice_is_drawn_twice(client: TestClient, trained: Path) -> None:
    answer = client.get("/api/number?model=tiny-5&text=2026&seed=1").json()
    assert answer["labels"] == list("2026")
    twos = Forge.load(trained).generate(2, 2, 1).images
    assert np.array_equal(cut(answer, 0), twos[0, 0])
    assert np.array_equal(cut(answer, 2), twos[1, 0])
    picture = Image.open(io.BytesIO(client.get("/api/number.png?model=tiny-5&text=2026&seed=1").content))
    assert picture.size == (4 * 4 * 28, 4 * 28)


def test_models_are_told_with_the_one_in_the_package(client: TestClient) -> None:
    assert client.get("/api/models").json() == ["tiny-5", "pretrained"]
    assert client.get("/api/models/pretrained").json()["labels"] == list("0123456789")
    assert client.get("/api/models/half").json()["error"].startswith("half has no model yet")


def test_a_model_is_told_with_its_figures(client: TestClient, runs: Path, tmp_path: Path) -> None:
    figures = {"ratio": {"value": 2.5, "n": 10_000}, "accuracy": {"value": 0.99, "n": 10_000}}
    (runs / "tiny-5" / "model.onnx").write_bytes(
        write_model(tmp_path / "model.onnx", card=card_table(figures=figures)).read_bytes()
    )
    RunFolder(runs / "tiny-5").write_hashes()
    told = client.get("/api/models/tiny-5").json()
    assert (told["floors"], told["read_as_asked"]) == (2.5, 0.99)


@pytest.mark.parametrize(
    "wish",
    [
        f"digits?count={MAX_DIGITS + 1}",
        "digits?count=0",
        "digits?count=1e9",
        "digits?seed=-1",
        "digits?seed=4294967296",
        "digits?variety=1.6",
        "digits?variety=nan",
        "digits?model=../tiny-5",
        "digits?digit=" + "7" * (MAX_NAME + 1),
        "digits?unknown=1",
        "digits.exe",
        "number?text=",
        "number?text=12a",
        "number?text=" + "1" * 25,
        "number?text=%D9%A3",
        "walk?stride=0",
        "walk?x=51",
        "walk?y=inf",
        "between?start=3",
    ],
)
def test_inputs_out_of_bounds_are_refused_in_a_sentence(client: TestClient, wish: str) -> None:
    answer = client.get(f"/api/{wish}")
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_a_digit_that_the_model_does_not_know_is_said(client: TestClient) -> None:
    answer = client.get("/api/digits?digit=A")
    assert answer.status_code == 400
    assert "knows 0, 1, 2" in answer.json()["error"]


def test_a_flood_is_answered(client: TestClient) -> None:
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda seed: client.get(f"/api/digits?count=4&seed={seed}").status_code, range(200)))
    assert answers == [200] * 200


def test_a_line_that_is_full_is_said_at_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "MAX_WAITING", 0)
    answer = client.get("/api/digits")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]

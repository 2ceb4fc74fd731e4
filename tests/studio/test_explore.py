"""Explore: walks, ways between digits, and the discriminator's opinion over the wire."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from digitforge.data.catalogue import Entry
from digitforge.forge import Forge
from digitforge.onnx_file import open_onnx
from digitforge.studio import models as models_module
from digitforge.studio import opinion as opinion_module
from digitforge.studio.bounds import DRAWING_SIDE
from tiles import cut
from tiny_runs import tiny_data


def drawn(pixels: np.ndarray) -> str:
    return base64.b64encode(pixels.astype(np.uint8).tobytes()).decode()


def bar() -> np.ndarray:
    """A one."""
    pixels = np.zeros((DRAWING_SIDE, DRAWING_SIDE))
    pixels[20:90, 50:60] = 255
    return pixels


def test_a_walk_shows_its_surroundings_with_what_the_discriminator_says(client: TestClient, trained: Path) -> None:
    answer = client.get("/api/walk?model=tiny-5&digit=3").json()
    assert answer["count"] == 49
    drawn = np.stack([cut(answer, place) for place in range(49)])[:, None]
    judge = open_onnx(trained / "discriminator.onnx")
    logits = judge.run({"images": drawn, "label": np.full(49, 3, np.int64)})["logit"].ravel()
    assert answer["scores"] == pytest.approx(logits, rel=1e-4, abs=1e-4)
    assert answer["probabilities"] == pytest.approx(1 / (1 + np.exp(-logits)), rel=1e-4)


def test_the_model_in_the_package_has_no_discriminator(client: TestClient) -> None:
    assert "scores" not in client.get("/api/walk?digit=3").json()
    assert client.get("/api/judges/newest").json() == {"name": "tiny-5"}
    answer = client.post("/api/opinion", json={"run": "pretrained", "pixels": drawn(bar())}).json()
    assert "comes without" in answer["error"]


def test_a_model_of_other_images_judges_no_drawings(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/api/models/tiny-5").json()["judges_drawings"]
    monkeypatch.setattr(models_module, "DRAWING_SHAPE", (3, 32, 32))
    assert not client.get("/api/models/tiny-5").json()["judges_drawings"]
    assert client.get("/api/judges/newest").json() == {"name": ""}


def test_a_way_leads_from_one_digit_to_the_other(client: TestClient, trained: Path) -> None:
    answer = client.get("/api/between?model=tiny-5&start=3&end=8&seed=1").json()
    paths, forge = answer["paths"], Forge.load(trained)
    assert answer["count"] == paths * answer["stops"]
    for digit, first in ((3, 0), (8, answer["count"] - paths)):
        ends = forge.generate(digit, paths, 1).images[:, 0]
        assert np.array_equal(np.stack([cut(answer, first + path) for path in range(paths)]), ends)


def test_a_drawing_is_read_and_judged(client: TestClient) -> None:
    answer = client.post("/api/opinion", json={"run": "tiny-5", "pixels": drawn(bar())}).json()
    assert answer["read"] == answer["asked_as"] == "1"
    assert 0 < answer["probability"] < 1
    assert [each["label"] for each in answer["by_label"]] == list("0123456789")
    assert answer["score"] == answer["by_label"][1]["score"]
    low, high = answer["scale"]["fake"]
    assert low < high
    assert answer["scale"]["real"] is None  # its data are in no catalogue


def test_real_digits_lay_down_the_scale_where_they_are_at_hand(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Entry("tiny", "", (1, 28, 28), 200, 30, (), lambda _: tiny_data(side=28))
    monkeypatch.setattr(opinion_module, "catalogue", lambda: (entry,))
    answer = client.post("/api/opinion", json={"run": "tiny-5", "pixels": drawn(bar())}).json()
    low, high = answer["scale"]["real"]
    assert low < high


@pytest.mark.parametrize("pixels", ["", "AAAA", "?" * 16728, drawn(bar())[:-4]])
def test_what_is_no_drawing_is_refused(client: TestClient, pixels: str) -> None:
    assert client.post("/api/opinion", json={"run": "tiny-5", "pixels": pixels}).status_code in (400, 422)


def test_an_empty_paper_is_said(client: TestClient) -> None:
    answer = client.post("/api/opinion", json={"run": "tiny-5", "pixels": drawn(np.zeros((112, 112)))})
    assert "nothing drawn" in answer.json()["error"]


def test_a_run_on_its_way_has_no_discriminator_yet(client: TestClient) -> None:
    answer = client.post("/api/opinion", json={"run": "half", "pixels": drawn(bar())})
    assert answer.status_code == 400

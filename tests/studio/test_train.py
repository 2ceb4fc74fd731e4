"""Train: runs as the page hears of them."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from digitforge.holding import held
from digitforge.runs import RunFolder
from digitforge.studio import telling
from digitforge.studio.app import create_app
from digitforge.studio.rooms import SEATS
from digitforge.studio.routes import train as train_routes
from drawn_runs import grey_sheet, stats_line, write_run

from .conftest import ADDRESS


def test_choices_are_what_there_is(client: TestClient) -> None:
    choices = client.get("/api/choices").json()
    assert choices["recipes"][0]["name"] == "express"
    assert [each["name"] for each in choices["data"]][:2] == ["mnist", "mnist-5k"]
    data = {each["name"]: each for each in choices["data"]}
    assert data["mnist"]["labels"] == list("0123456789")
    assert data["fashion-mnist"]["labels"][:2] == ["T-shirt/top", "Trouser"]
    assert data["stacked-mnist"]["labels"] == []  # 1,000 of them: too many to choose among
    assert [name for name, each in data.items() if not each["is_fetched"]] == ["mnist-5k", "street"]


def test_runs_are_told_with_their_state(client: TestClient, runs: Path) -> None:
    states = {run["name"]: run["state"] for run in client.get("/api/runs").json()}
    assert states == {"tiny-5": "finished", "half": "elsewhere"}  # half is fresh, and nobody here trains it
    make_old(runs / "half")
    assert client.get("/api/runs/half").json()["state"] == "paused"


def make_old(run: Path) -> None:
    """Let it be ten minutes since anything was written there."""
    for path in run.rglob("*"):
        os.utime(path, (time.time() - 600,) * 2)


def test_a_paused_run_that_a_terminal_goes_on_with_is_in_training_elsewhere(client: TestClient, runs: Path) -> None:
    with held(runs / "half"):
        make_old(runs / "half")
        assert client.get("/api/runs/half").json()["state"] == "elsewhere"
    make_old(runs / "half")
    assert client.get("/api/runs/half").json()["state"] == "paused"


def test_a_run_is_told_in_full(client: TestClient, runs: Path) -> None:
    lines = [stats_line(100, 1), stats_line(200, 2, accuracy={"fake": 0.9}, diagnosis=["The generator has collapsed."])]
    write_run(runs / "wrong", lines, sheets={0: 0, 150: 99}, real=1)
    told = client.get("/api/runs/wrong").json()
    assert told["sheets"] == [0, 150]
    assert told["curves"]["loss.generator"] == [[100, pytest.approx(1.99)], [200, pytest.approx(1.98)]]
    assert told["diagnosis"] == ["The generator has collapsed."]
    assert (told["images"], told["total"], told["has_real"]) == (200, 640, True)


def test_silence_is_no_diagnosis_before_a_run_has_been_measured_for_long_enough(client: TestClient, runs: Path) -> None:
    accuracy = {"real_train": 0.7, "fake": 0.7, "separation": 0.7}
    moments = range(80, 401, 80)  # of 640 images
    judged = [stats_line(each, each / 100, accuracy=accuracy) for each in moments]
    measured = [stats_line(each, each / 100, figures={"frechet": 5.0}) for each in moments]
    both = [stats_line(each, each / 100, accuracy=accuracy, figures={"frechet": 5.0}) for each in moments]
    cases = {
        "one": (judged[:1], True),
        "two": (judged[:2], True),
        "five": (judged, False),
        "figures": (measured, True),
        "first-figures": ([*judged[:4], both[4]], True),
        "both": (both, False),
    }
    for name, (lines, is_early) in cases.items():
        write_run(runs / name, lines, sheets={0: 0})
        told = client.get(f"/api/runs/{name}").json()
        assert (told["is_diagnosed"], told["diagnosis"], told["is_early"]) == (True, [], is_early), name


def test_pictures_are_those_of_the_run_alone(client: TestClient, runs: Path) -> None:
    assert client.get("/api/runs/half/sheets/300.png").content == grey_sheet(200)
    assert client.get("/api/runs/half/real.png").content == grey_sheet(90)
    assert client.get("/api/runs/half/sheets/301.png").status_code == 400
    assert client.get("/api/runs/half/sheets/-1.png").status_code == 400
    (runs / "half" / "real.png").unlink()
    (runs / "half" / "real.png").symlink_to(runs / "tiny-5" / "recipe.toml")
    assert client.get("/api/runs/half/real.png").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs/..",
        "/api/runs/%2e%2e",
        "/api/runs/..%2ftiny-5",
        "/..%2f..%2fpyproject.toml",
        "/%2e%2e/bounds.py",
        "/.studio",
    ],
)
def test_no_other_file_is_reached(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (400, 404, 422)
    assert "studio" not in answer.text.replace("digitforge studio", "")


def test_a_run_in_the_list_is_read_again_where_something_has_changed(
    client: TestClient, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = telling.tell_briefly
    monkeypatch.setattr(telling, "tell_briefly", lambda *of: read.append(of[2]) or plain(*of))
    first = client.get("/api/runs").json()
    assert client.get("/api/runs").json() == first
    assert sorted(read) == ["half", "tiny-5"]
    RunFolder(runs / "half").sample(400).write_bytes(RunFolder(runs / "half").sample(300).read_bytes())
    told = {run["name"]: run for run in client.get("/api/runs").json()}
    assert told["half"]["images"] == 400
    assert read[2:] == ["half"]
    shutil.rmtree(runs / "half")
    assert [run["name"] for run in client.get("/api/runs").json()] == ["tiny-5"]


def test_a_folder_that_was_removed_is_an_empty_one(client: TestClient, runs: Path) -> None:
    shutil.rmtree(runs)
    assert client.get("/api/runs").json() == []
    assert client.get("/api/models").json() == ["pretrained"]


def test_what_nobody_foresaw_is_said_on_the_page_and_in_full_on_the_terminal(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(f"no luck with {runs}/half")

    monkeypatch.setattr("digitforge.studio.routes.train.tell_all", fail)
    with TestClient(create_app(runs), base_url=ADDRESS, raise_server_exceptions=False) as client:
        answer = client.get("/api/runs")
    assert answer.status_code == 500
    assert "an unexpected ValueError (no luck with half)" in answer.json()["error"]
    assert "Traceback" in capsys.readouterr().err


def test_errors_tell_no_place_on_this_machine(client: TestClient, runs: Path) -> None:
    (runs / "half" / "recipe.toml").write_text("no = recipe")
    for path in ("/api/runs/half", "/api/compare?run=half"):
        assert str(runs) not in client.get(path).text


def test_a_run_that_has_ended_is_told_once_and_the_stream_ends(client: TestClient) -> None:
    answer = client.get("/api/runs/tiny-5/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    told = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: ")]
    assert [each["state"] for each in told] == ["finished"]


def test_a_run_on_its_way_is_told_again_when_it_has_news(
    client: TestClient, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_routes, "_LOOK", 0.01)
    looks = 0

    def look(*given: object) -> int:
        nonlocal looks
        looks += 1
        if looks == 3:
            RunFolder(runs / "half").write_hashes()  # it has finished
        return 0 if looks < 3 else looks

    monkeypatch.setattr(train_routes, "stamp", look)
    text = client.get("/api/runs/half/events").text
    told = [json.loads(line[6:])["state"] for line in text.split("\n") if line.startswith("data: ")]
    assert told == ["elsewhere", "finished"]


def test_seats_to_watch_from_are_bounded_and_given_back(client: TestClient) -> None:
    seats = client.app.state.rooms.seats  # type: ignore[attr-defined]
    for _ in range(SEATS + 1):
        assert client.get("/api/runs/tiny-5/events").status_code == 200
    seats._value = 0
    answer = client.get("/api/runs/tiny-5/events")
    assert (answer.status_code, "too many" in answer.json()["error"]) == (503, True)


def test_a_run_that_is_none_has_no_stream(client: TestClient) -> None:
    assert client.get("/api/runs/none/events").status_code == 400


@pytest.mark.parametrize(
    "wish",
    [
        {"seconds": 1},
        {"seconds": 1e9},
        {"seconds": float("inf")},
        {"seed": -1},
        {"name": "../up"},
        {"name": "x" * 41},
        {"digits": ["1"] * 27},
        {"command": "rm"},
        {"recipe": "x" * 41},
    ],
)
def test_wishes_out_of_bounds_start_nothing(client: TestClient, wish: dict, runs: Path) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/runs", content=json.dumps(wish), headers=headers)
    assert answer.status_code == 422
    assert not list((runs / ".studio").iterdir())


def test_only_what_can_be_steered_is(client: TestClient) -> None:
    for verb, why in (("pause", "not being trained"), ("stop", "has finished"), ("resume", "has finished")):
        answer = client.post(f"/api/runs/tiny-5/{verb}", json={})
        assert answer.status_code == 400
        assert why in answer.json()["error"]


def test_runs_are_compared_on_the_page_of_the_report(client: TestClient) -> None:
    answer = client.get("/api/compare?run=tiny-5&run=half")
    assert "<title>tiny-5 and half" in answer.text
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert client.get("/api/compare").status_code == 422
    assert client.get("/api/compare?" + "&".join(["run=half"] * 7)).status_code == 422

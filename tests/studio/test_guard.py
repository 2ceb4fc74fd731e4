"""The guard: other names, other origins and other forms go no further."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from digitforge.studio.app import create_app
from digitforge.studio.bounds import MAX_BODY
from digitforge.studio.guard import own_names


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8028", "127.0.0.1.evil.example", "", "[::1", "192.0.2.7"]
)
def test_a_name_that_was_made_to_point_here_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"Host": host}).status_code == 421
    assert client.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8028", "localhost:9", "[::1]:8028", "LOCALHOST"])
def test_this_machine_by_its_own_names_is_welcome(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"Host": host}).status_code == 200


def test_two_hosts_at_once_are_refused(client: TestClient) -> None:
    headers = [("Host", "127.0.0.1"), ("Host", "evil.example")]
    assert client.get("/api/runs", headers=headers).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8028", "http://127.0.0.1:9999"])
def test_a_page_of_another_origin_drives_nothing(client: TestClient, origin: str) -> None:
    for answer in (
        client.post("/api/runs", json={}, headers={"Origin": origin}),
        client.get("/api/digits", headers={"Origin": origin}),
    ):
        assert answer.status_code == 403
        assert "own page" in answer.json()["error"]


def test_its_own_page_is_heard(client: TestClient) -> None:
    headers = {"Origin": "http://127.0.0.1:8028", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/runs/half/pause", json={}, headers=headers).status_code == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_picture_in_another_page_is_not_drawn(client: TestClient, site: str) -> None:
    assert client.get("/api/digits.png", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert client.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_refused(client: TestClient, kind: str) -> None:
    assert client.post("/api/runs", content="{}", headers={"Content-Type": kind}).status_code == 415


def test_a_body_has_a_bound(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    assert client.post("/api/opinion", content=b" " * (MAX_BODY + 1), headers=headers).status_code == 413


def test_the_page_loads_from_here_alone(client: TestClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 404


def test_an_open_studio_is_called_by_numbers_and_its_own_name_alone(runs: Path) -> None:
    app = create_app(runs, names=own_names("0.0.0.0"), is_open=True)
    client = TestClient(app, base_url="http://192.0.2.7:8028")
    assert client.get("/api/runs").status_code == 200
    assert client.get("/api/runs", headers={"Host": "evil.example"}).status_code == 421

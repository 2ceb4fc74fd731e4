"""The studio driven in a browser as a person would: a training is started, watched, left, found again and stopped."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright import sync_api

from digitforge.runs import RunFolder
from digitforge.studio.process import read_worker
from drawn_runs import write_shelf
from tiny_models import card_table, write_model

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")
IS_SHOWN = "() => document.querySelector('#sheet')?.naturalWidth > 0"
PATIENCE = 180_000  # milliseconds for what takes two seconds on a machine that is not busy


@dataclass
class Studio:
    """A studio that serves, and how to end it."""

    process: subprocess.Popen[str]
    address: str
    runs: Path

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def open_studio(runs: Path, cache: Path) -> Studio:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "DIGITFORGE_CACHE": str(cache)}
    process = subprocess.Popen(
        [sys.executable, "-m", "digitforge", "studio", "--no-browser", "--runs", str(runs)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_keep_to_one_core,
    )
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("digitforge studio: ").strip()
    return Studio(process, address, runs)


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to run as root
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def wrong() -> list[str]:
    """What went wrong on a page, in its own words."""
    return []


@pytest.fixture
def page(browser: sync_api.Browser, wrong: list[str]) -> Iterator[sync_api.Page]:
    """A page that fails the test if a script fails or anything is asked of another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: wrong.append(request.url) if not _is_own(request.url) else None)
    yield page
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def studio(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One for all tests that train nothing."""
    folder = tmp_path_factory.mktemp("studio")
    studio = open_studio(write_shelf(folder / "runs", trained), folder / "cache")
    yield studio
    studio.end()
    assert studio.process.returncode == 0


def test_a_training_is_started_watched_left_found_again_and_stopped(
    page: sync_api.Page, runs: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    studio = open_studio(runs, cache)
    try:
        page.goto(studio.address)
        page.select_option("#data", "mnist-5k")
        page.get_by_label("1 min").check()
        page.get_by_text("More", exact=True).click()
        page.fill("#run-name", "mine")
        page.get_by_role("button", name="Start training").click()
        page.wait_for_url("**/#train/mine")

        wait_for(page, IS_SHOWN)
        first = page.get_attribute("#sheet", "src")
        seen = page.inner_text("#run-numbers")
        wait_for(page, "before => document.querySelector('#run-numbers').innerText !== before", seen)
        page.wait_for_selector("#run-charts svg .dot")

        page.reload()
        wait_for(page, IS_SHOWN)
        assert page.inner_text("#run-title") == "mine"

        page.goto("about:blank")
        studio.end()  # the training goes on without the page and its server, ...
        studio = open_studio(runs, cache)
        page.goto(f"{studio.address}#train/mine")  # ... and is found again
        page.wait_for_selector(".pill.training")
        wait_for(
            page,
            "first => ![null, first].includes(document.querySelector('#sheet')?.getAttribute('src') ?? null)",
            first,
        )

        page.get_by_role("button", name="Pause").click()
        page.wait_for_selector("#run-pill .pill.paused")
        page.get_by_role("button", name="Go on").click()
        page.wait_for_selector("#run-pill .pill.training")
        page.get_by_role("button", name="Stop").click()
        page.wait_for_selector("#run-pill .pill.stopped")
        page.get_by_role("link", name="Generate with it").click()
        page.wait_for_selector("#drawn .tile")
        assert page.input_value("#model") == "mine"
    finally:
        studio.end()
        worker = read_worker(runs / ".studio" / "mine.json")
        if worker is not None:
            worker.interrupt()


def test_digits_and_a_number_are_drawn_and_taken_away(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#generate/tiny-5")
    page.locator("#digits").get_by_label("7").check()
    page.wait_for_selector("#drawn[aria-label^='Drawn digits: 7 7 7']")
    before = page.eval_on_selector("#drawn .tile", "tile => tile.style.backgroundImage")
    page.get_by_role("button", name="Another").click()
    wait_for(page, "before => document.querySelector('#drawn .tile').style.backgroundImage !== before", before)
    page.fill("#number", "31a41")
    page.wait_for_selector("#written[aria-label='3141 in drawn digits']")
    assert page.locator("#written .tile").count() == 4
    with page.expect_download() as number:
        page.click("#take-number")
    assert Image.open(number.value.path()).size == (4 * 112, 112)
    with page.expect_download() as arrays:
        page.click("#take-npz")
    content = np.load(io.BytesIO(Path(arrays.value.path()).read_bytes()))
    assert content["labels"].tolist() == [7] * 40
    page.fill("#number", "")
    page.wait_for_selector("#take-number[aria-disabled=true]:not([href])")


def test_a_walk_by_keyboard_a_way_and_a_drawing(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#explore/tiny-5")
    page.wait_for_selector("#walk .tile.here")
    page.focus("#walk")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#walk[aria-label*='1 steps right and 0 down']")
    page.focus("#share")
    page.keyboard.press("End")
    assert "100 % 8" in page.inner_text("#between-hint")
    page.locator("#paper").scroll_into_view_if_needed()
    box = page.locator("#paper").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] - 40, steps=8)
    page.mouse.up()
    page.wait_for_selector("#verdict .verdict")
    assert "Read as a 1" in page.inner_text("#verdict")
    page.get_by_role("button", name="Wipe").click()
    assert page.inner_text("#verdict") == ""


@pytest.mark.parametrize(
    ("says", "hint", "is_free"),
    [
        ({"can_blend": False}, "nothing between two different", True),
        ({"can_choose": False}, "be asked for a digit", False),
    ],
)
def test_a_model_that_draws_nothing_between_two_digits_says_so(
    page: sync_api.Page, studio: Studio, says: dict[str, bool], hint: str, is_free: bool
) -> None:
    def answer_otherwise(route: sync_api.Route) -> None:
        route.fulfill(json=route.fetch().json() | says)

    page.route("**/api/models/tiny-5", answer_otherwise)
    page.goto(f"{studio.address}#explore/tiny-5")
    wait_for(page, "hint => document.querySelector('#between-hint').textContent.includes(hint)", hint)
    page.wait_for_selector("#walk .tile.here")
    assert page.is_disabled("#end")
    assert page.is_enabled("#start") == is_free
    assert page.is_hidden("#trouble")
    if is_free:
        page.select_option("#start", "5")
        wait_for(page, "hint => document.querySelector('#between-hint').textContent.includes(hint)", "From one 5")


def test_runs_are_compared(page: sync_api.Page, studio: Studio) -> None:
    figures = {"frechet": {"value": 2.5, "n": 10_000}, "ratio": {"value": 2.5, "n": 10_000}}
    shutil.copytree(studio.runs / "tiny-5", studio.runs / "measured", dirs_exist_ok=True)
    measured = RunFolder(studio.runs / "measured")
    write_model(measured.model, card=card_table(figures=figures))
    measured.write_hashes()
    page.goto(f"{studio.address}#compare/measured")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#report:not([hidden])")
    report = page.frame_locator("#report")
    assert "held against each other" in report.locator(".lead").inner_text()
    wait_for(page, "() => document.querySelector('#report').clientHeight > 800")  # it has its height by now
    before = page.locator("#report").bounding_box()
    report.locator("summary").first.click()
    wait_for(
        page, "before => document.querySelector('#report').clientHeight > before + 20", before and before["height"]
    )
    asked: list[str] = []
    page.context.route("**/abs/**", lambda route: route.fulfill(body="a paper"))
    page.context.on("request", lambda request: asked.append(request.url))
    with page.expect_popup():
        report.get_by_role("link", name="arXiv").first.click()
    assert [address for address in asked if address.startswith("https://arxiv.org/abs/")]
    assert page.is_visible("#report")
    assert page.is_hidden("#trouble")


def test_a_run_is_compared_from_where_it_was_watched(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#train/tiny-5")
    assert page.title() == "Train - digitforge studio"
    page.get_by_role("link", name="Compare it").click()
    page.wait_for_selector("#comparable input[value=tiny-5]:checked")
    assert page.title() == "Compare - digitforge studio"
    wait_for(page, "() => document.activeElement.id === 'compare-title'")


def test_a_model_that_cannot_be_had_leaves_the_choice_of_another(
    page: sync_api.Page, studio: Studio, wrong: list[str]
) -> None:
    page.route("**/api/models/tiny-5", lambda route: route.fulfill(status=400, json={"error": "it is damaged"}))
    for view, select, tile in (("generate", "#model", "#drawn .tile"), ("explore", "#explored", "#walk .tile")):
        page.goto("about:blank")
        page.goto(f"{studio.address}#{view}/tiny-5")
        page.wait_for_selector("#trouble:visible")
        assert page.inner_text("#trouble") == "It is damaged"
        page.locator(f"#{view} input[type=range]").first.fill("0.5" if view == "explore" else "50")
        page.wait_for_timeout(300)
        assert page.inner_text("#trouble") == "It is damaged"
        page.select_option(select, "pretrained")
        page.wait_for_selector(tile)
    assert all("400" in each for each in wrong)
    wrong.clear()


def test_a_model_that_cannot_be_had_does_not_give_its_name_to_another(
    page: sync_api.Page, studio: Studio, wrong: list[str]
) -> None:
    page.route("**/api/models/tiny-5", lambda route: route.fulfill(status=400, json={"error": "it is damaged"}))
    for view, select in (("generate", "#model"), ("explore", "#explored")):
        page.goto(f"{studio.address}#{view}/pretrained")
        page.wait_for_selector(f"#{view}:not([inert])")
        page.goto(f"{studio.address}#{view}/tiny-5")
        page.wait_for_selector("#trouble:visible")
        assert page.input_value(select) == "pretrained"
    assert all("400" in each for each in wrong)
    wrong.clear()


def test_two_clicks_on_a_drawing_lead_to_it(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#explore/tiny-5")
    page.wait_for_selector("#walk .tile.here")
    page.route("**/api/walk**", answer_late)
    tile = page.locator("#walk .tile").nth(3 * 7 + 5)
    with page.expect_response("**/api/walk**"):  # for the first click
        tile.evaluate("tile => { tile.click(); tile.click(); }")
    with page.expect_response("**/api/walk**"):
        pass
    page.wait_for_timeout(200)
    assert " 2 steps right and 0 down" in (page.get_attribute("#walk", "aria-label") or "")


def test_a_hand_draws_on_while_a_borrowed_digit_is_awaited(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#explore/tiny-5")
    page.wait_for_selector("#walk .tile.here")
    page.route("**/api/digits**", answer_late)
    ended: list[str] = []
    for event in ("requestfailed", "requestfinished"):
        page.on(event, lambda request: ended.append(request.url))
    page.get_by_role("button", name="Show it one").click()
    page.locator("#paper").scroll_into_view_if_needed()
    page.locator("#paper").click(position={"x": 5, "y": 5})
    ink = "() => [...document.querySelector('#paper').getContext('2d').getImageData(0, 0, 448, 448).data]" + (
        ".filter((level, place) => place % 4 === 0 && level > 0).length"
    )
    drawn = page.evaluate(ink)
    while not any("/api/digits" in address for address in ended):
        page.wait_for_timeout(100)
    page.unroute_all(behavior="wait")
    page.wait_for_timeout(500)
    assert page.evaluate(ink) == drawn > 0


@pytest.mark.parametrize("losses", [[-3.0, -1.0], [-13.15, -13.15], [0.5, 2.0], [0.0, 0.0]])
def test_a_chart_has_room_for_every_value(page: sync_api.Page, studio: Studio, losses: list[float]) -> None:
    """The curve's points stand at the heights of their values: none is cut off, and the greater is the higher."""
    page.goto(studio.address)
    places, ticks = page.evaluate(
        """async (losses) => {
          const { chart } = await import("/charts.js");
          const points = losses.map((loss, place) => [10 * place, loss]);
          const picture = chart("Losses", [{ name: "D", colour: "a", points }], { whole: 10 });
          return [picture.querySelector(".curve").getAttribute("d"), picture.querySelectorAll(".rule").length];
        }""",
        losses,
    )
    heights = [float(height) for height in re.findall(r" ([\d.]+)", places)]
    assert len(heights) == 2
    assert (heights[0] > heights[1]) is (losses[0] < losses[1])
    assert all(8 < height <= 131 for height in heights)
    assert ticks >= 2


def test_a_click_before_the_view_is_filled_waits_for_it(page: sync_api.Page, studio: Studio) -> None:
    page.route("**/api/runs", answer_late)
    page.goto(f"{studio.address}#compare")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#report:not([hidden])")
    assert page.is_hidden("#trouble")


def test_a_recipe_brings_its_data_and_the_skip_link_leaves_the_view(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#train")
    page.select_option("#recipe", "express-svhn")
    assert page.input_value("#data") == "svhn"
    page.select_option("#data", "fashion-mnist")
    assert page.locator("#run-digits input").first.input_value() == "T-shirt/top"
    page.select_option("#data", "stacked-mnist")
    assert page.locator("#run-digits input").count() == 0
    page.goto(f"{studio.address}#generate/tiny-5")
    page.wait_for_selector("#drawn .tile")
    page.focus(".skip")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "view"
    assert page.is_visible("#generate")


def test_the_list_of_runs_keeps_the_focus(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#train")
    page.focus("#runs a")
    with page.expect_response("**/api/runs"):  # which is asked for again and again
        pass
    page.wait_for_timeout(200)
    assert page.evaluate("document.activeElement.closest('#runs') !== null")


def test_a_field_that_is_wrong_is_shown_though_its_part_is_closed(page: sync_api.Page, studio: Studio) -> None:
    page.goto(f"{studio.address}#train")
    summary = page.get_by_text("More", exact=True)
    summary.click()
    page.fill("#run-name", "My Run")
    summary.click()
    assert not page.is_visible("#run-name")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_selector("#run-name:visible")


@pytest.mark.parametrize("is_at_work", [True, False])
def test_a_run_that_is_watched_is_watched_again(page: sync_api.Page, studio: Studio, is_at_work: bool) -> None:
    written = time.time() - (0 if is_at_work else 600)
    for path in (studio.runs / "half").rglob("*"):
        os.utime(path, (written, written))
    page.goto(f"{studio.address}#train/half")
    wait_for(page, "() => document.querySelector('#run-title')?.innerText === 'half'")
    page.get_by_role("link", name="Compare").click()
    page.get_by_role("link", name="Train", exact=True).click()
    page.wait_for_selector("#train:not([inert])")
    assert page.inner_text("#run-title") == "half"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out_at_the_side(page: sync_api.Page, studio: Studio, width: int) -> None:
    shutil.copytree(studio.runs / "tiny-5", studio.runs / f"w{'i' * 30}dename", dirs_exist_ok=True)
    page.set_viewport_size({"width": width, "height": 800})
    for view, there in {
        "train": "#runs a",
        "generate": "#drawn .tile",
        "explore": "#walk .tile",
        "compare": "#comparable",
    }.items():
        page.goto(f"{studio.address}#{view}")
        page.wait_for_selector(there)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def answer_late(route: sync_api.Route) -> None:
    route.request.frame.page.wait_for_timeout(1500)
    route.continue_()


def _keep_to_one_core() -> None:
    """Trainings then take one thread: two that wait for each other crawl where other tests run beside them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def wait_for(page: sync_api.Page, condition: str, given: object = None) -> None:
    """Wait until a function of the page says so; asked from here, as the page's policy lets no text become a script."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition, given):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(100)


def _is_own(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))

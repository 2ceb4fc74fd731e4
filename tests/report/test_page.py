"""The page of runs: all that their folders hold is on it, nothing comes from elsewhere, and names stay words."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from digitforge.forge import Forge
from digitforge.report.page import ShownRun, report_page, shown_run
from digitforge.runs import RunFolder
from digitforge.training.finish import write_pictures
from drawn_runs import grey_sheet, stats_line, write_run
from tiny_models import card_table, write_model

WILD = '<script>alert("1")</script> & {{ 7 * 7 }}'


class Page(HTMLParser):
    """A page taken apart: its tags with their attributes, its words, and its table rows as lists of words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.rows: list[list[str]] = []
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True
        elif tag == "small" and self.in_cell:
            self.rows[-1][-1] += " "  # it stands on a line of its own

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        self.words += data
        if self.in_cell:
            self.rows[-1][-1] += data

    def row(self, begin: str) -> list[str]:
        return next(row for row in self.rows if row and row[0].startswith(begin))

    def rows_of(self, begin: str) -> list[list[str]]:
        return [row for row in self.rows if row and row[0].startswith(begin)]

    @property
    def pictures(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.tags if tag == "section"]


def evaluation(frechet: float = 1.5, **changes: Any) -> dict[str, Any]:
    """What was measured of a model, with every figure there is."""

    def figure(value: float, real: float | None = None, n: int = 1000) -> dict[str, float]:
        return {"value": value, "n": n} if real is None else {"value": value, "n": n, "real": real}

    line = {"distance": figure(0.5), "mean": figure(3.25, 3.0), "spread": figure(1.0, 0.9)}
    return {
        "classifier_sha256": "cd" * 32,
        "data": "tiny-data",
        "data_sha256": "ab" * 32,
        "count": 1000,
        "seed": 0,
        "frechet": figure(frechet),
        "floor": figure(0.0325),
        "ratio": {"value": frechet / 0.0325, "n": 1_000},
        "accuracy": figure(0.75, 0.9961),
        "accuracy_by_label": {"3": figure(0.5, n=500), "T-shirt/top": figure(1.0, n=500)},
        "histogram": {
            "drawn": {"3": 250, "T-shirt/top": 750},
            "data": {"3": 60, "T-shirt/top": 60},
            "total_variation": 0.25,
            "modes": 2,
            "modes_in_data": 2,
            "kl": 0.13,
        },
        "details": {
            **{key: figure(0.8, 0.9) for key in ("kernel", "precision", "recall", "density", "coverage")},
            "stroke_width": line,
            "slant": line,
            "stray_marks": figure(0.06, 0.02),
            "copies": figure(0.001),
            "by_label": {"3": {"frechet": figure(7.5, n=500)}, "T-shirt/top": {"frechet": figure(8.5, n=500)}},
        },
        "tstr": {"synthetic": figure(0.9), "real": figure(0.98)},
        "inception": figure(20.5),
        "findings": ["It draws few threes."],
        "notes": ["few images raise it"],
        **changes,
    }


def finished_run(path: Path, seed: int = 5, **settings: object) -> RunFolder:
    """A run that has ended, with every picture that there can be."""
    lines = [stats_line(100, 1), stats_line(200, 2, diagnosis=["D sees through G."]), stats_line(300, 3)]
    lines[-1] |= {"diagnosis": ["D sees through G."], "figures": {"frechet": 3.0, "accuracy": 0.5, "n": 10}}
    folder = write_run(path, lines, {"training.images": 300, "training.seed": seed, **settings}, {0: 90, 300: 100}, 50)
    write_model(folder.model, card=card_table(figures=evaluation(), seed=seed))
    folder.evolution.parent.mkdir()
    for level, picture in enumerate((folder.final_sheet, folder.evolution, folder.best, folder.pretraining), 1):
        picture.write_bytes(grey_sheet(level))
    folder.write_hashes()
    return folder


@pytest.fixture
def run(tmp_path: Path) -> ShownRun:
    return shown_run(finished_run(tmp_path / "run"), copies=grey_sheet(5))


def test_a_run_with_everything_has_every_section_and_picture(run: ShownRun) -> None:
    page = Page(report_page([run]))
    assert page.sections == ["runs", "figures", "curves", "pictures", "labels", "strokes", "settings", "notes"]
    shown = [picture["src"] for picture in page.pictures]
    levels = [1, 50, 100, 2, 3, 5, 4]  # sheet, real, last samples, evolution, best, copies, pretraining
    assert shown[1:] == [f"data:image/png;base64,{base64.b64encode(grey_sheet(level)).decode()}" for level in levels]
    assert all(picture["alt"] for picture in page.pictures)
    for word in (
        "few images raise it",
        "It draws few threes. (in what the model draws)",
        "D sees through G.",
        "2 times, from 200 to 300 images",
        "a recipe for tests",
    ):
        assert word in page.words


def test_every_figure_stands_beside_its_n_and_what_real_images_measure(run: ShownRun) -> None:
    page = Page(report_page([run]))
    assert page.row("Frechet distance")[1:] == ["1.500 n 1,000", "0.03250"]
    assert page.row("Frechet distance in F")[1:] == ["46.15 n 1,000", "1"]
    assert page.row("Read as asked")[1:] == ["75.00% n 1,000", "99.61%"]
    assert page.row("Trained on what it drew")[1:] == ["90.00% n 1,000", "98.00%"]
    assert page.row("Labels that occur")[1:] == ["2 n 1,000", "2"]
    assert page.row("Stroke width, mean")[1:] == ["3.250 px n 1,000", "3 px"]
    assert page.row("Copies")[1].startswith("0.10%")
    assert "Heusel et al. 2017" in page.words


def test_colours_have_a_section_where_they_were_measured(run: ShownRun) -> None:
    table = evaluation()
    line = {"distance": {"value": 9.5, "n": 500}, "mean": {"value": 120.0, "n": 500, "real": 124.0}}
    colours = {
        "stroke_width": None,
        "slant": None,
        **dict.fromkeys(("brightness", "contrast", "saturation"), line),
        "colour_spread": {"value": 31.5, "n": 500, "real": 76.0},
        "crowded": {"value": 0.125, "n": 500, "real": 0.52},
    }
    page = Page(report_page([replace(run, evaluation={**table, "details": {**table["details"], **colours}})]))
    assert "colours" in page.sections
    assert "strokes" not in page.sections
    assert page.row("Brightness, mean")[1:] == ["120 n 500", "124"]
    assert page.row("Colour spread")[1:] == ["31.50 n 500", "76"]
    assert page.row("Crowded")[1:] == ["12.50% n 500", "52.00%"]


def test_figures_by_label_have_the_names_of_the_runs_labels(run: ShownRun) -> None:
    page = Page(report_page([run]))
    by_label, histogram = page.rows_of("T-shirt/top")
    assert by_label[1:] == ["100.00% n 500", "8.500 n 500"]
    assert histogram[1:] == ["", "75.0%", "50.0%"]
    widths = [attributes["style"] for tag, attributes in page.tags if tag == "span" and "style" in attributes]
    assert widths == ["width:33.3%", "width:66.7%", "width:100.0%", "width:66.7%"]


def test_a_page_needs_nothing_but_itself(run: ShownRun) -> None:
    text = report_page([run])
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "base", "form"}
    assert all(str(picture["src"]).startswith("data:image/") for picture in page.pictures)
    assert not re.search(r"url\(|@import|@font-face", text)
    targets = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert all(target.startswith(("#", "https://arxiv.org/abs/")) for target in targets)
    known = {attributes.get("id") for _, attributes in page.tags}
    assert {target[1:] for target in targets if target.startswith("#")} <= known
    assert report_page([run]) == text


def test_whatever_a_name_holds_is_shown_as_words(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    text = report_page(
        [shown_run(folder, WILD, evaluation(accuracy_by_label={WILD: {"value": 1.0, "n": 3}}, notes=[WILD]))]
    )
    assert "<script" not in text
    words = Page(text).words
    assert words.count(WILD) >= 4
    assert report_page([shown_run(folder, "no \udcff text")]).encode()


def test_runs_that_differ_in_their_seed_alone_are_put_together(tmp_path: Path) -> None:
    shown = [
        shown_run(finished_run(tmp_path / name, seed, **settings), None, evaluation(frechet))
        for name, seed, frechet, settings in (
            ("a", 1, 1.0, {}),
            ("b", 2, 2.0, {}),
            ("c", 3, 4.5, {}),
            ("other", 4, 12.75, {"training.batch_size": 32}),
        )
    ]
    page = Page(report_page(shown))
    together, alone = page.rows_of("Frechet distance ↓")
    # mean 2.5; squares of 1.5, 0.5 and 2 are 6.5, over 2 is 3.25, of which the root is 1.803
    assert together[1] == "2.500 ± 1.803 ★ best of its row 3 seeds · n 1,000"
    assert together[2] == "12.75 n 1,000"
    assert [cell.split()[0] for cell in alone[1:5]] == ["1", "2", "4.500", "12.75"]
    assert "Runs that differ in their seed alone" in page.words


@pytest.mark.parametrize(
    ("groups", "marked"),
    [
        ([(1.0, 2.0, 3.0), (2.5, 3.5, 4.5)], [False, False]),  # p = 0.14
        ([(1.0, 2.0, 3.0), (5.0, 6.0, 7.0)], [True, False]),  # p = 0.008
        ([(1.0, 2.0, 3.0), (2.5, 3.5, 4.5), (11.0, 12.0, 13.0)], [True, True, False]),
        ([(1.0, 2.0, 3.0), (5.0,)], [False, False]),  # p = 0.12 by the spread of the first
        ([(1.0, 2.0, 3.0), (9.0,)], [True, False]),  # p = 0.03
        ([(2.0, 2.0), (2.1, 2.1)], [True, False]),
        ([(2.0,), (2.1,)], [True, False]),
    ],
)
def test_what_seeds_cannot_tell_apart_is_marked_alike(
    groups: list[tuple[float, ...]], marked: list[bool], tmp_path: Path
) -> None:
    shown = [
        shown_run(
            finished_run(tmp_path / f"{place}-{seed}", seed, **{"training.batch_size": 16 + place}),
            None,
            evaluation(distance),
        )
        for place, group in enumerate(groups)
        for seed, distance in enumerate(group)
    ]
    row = Page(report_page(shown)).rows_of("Frechet distance ↓")[0]
    assert ["★" in cell for cell in row[1 : len(groups) + 1]] == marked


def test_on_either_side_of_real_images_seeds_are_as_good(tmp_path: Path) -> None:
    groups = [(2.89, 2.90, 2.91), (3.091, 3.101, 3.111), (3.5, 3.51, 3.52)]  # real: 3
    shown = []
    for place, group in enumerate(groups):
        for seed, width in enumerate(group):
            told = evaluation()
            told["details"]["stroke_width"] = {"mean": {"value": width, "n": 1000, "real": 3.0}}
            folder = finished_run(tmp_path / f"{place}-{seed}", seed, **{"training.batch_size": 16 + place})
            shown.append(shown_run(folder, None, told))
    row = Page(report_page(shown)).row("Stroke width, mean")
    assert ["★" in cell for cell in row[1:4]] == [True, True, False]


def test_the_best_of_a_row_is_marked_whichever_way_is_good(tmp_path: Path) -> None:
    worse = evaluation(9.0, accuracy={"value": 0.8, "n": 1000})
    worse["details"]["stroke_width"] = {"mean": {"value": 2.9, "n": 1000, "real": 3.0}}
    runs = [finished_run(tmp_path / "a"), finished_run(tmp_path / "b", **{"training.batch_size": 32})]
    page = Page(
        report_page([shown_run(folder, None, told) for folder, told in zip(runs, (evaluation(), worse), strict=True)])
    )
    marked = {name: ["★" in cell for cell in page.row(name)[1:3]] for name in ("Frechet", "Read", "Stroke width, mean")}
    assert marked == {"Frechet": [True, False], "Read": [False, True], "Stroke width, mean": [False, True]}
    assert not any("★" in cell for cell in page.row("Precision"))  # both are as good
    assert ["training.batch_size", "16", "32"] in page.rows


def test_a_seed_that_was_trained_again_is_no_other_seed(tmp_path: Path) -> None:
    shown = [
        shown_run(finished_run(tmp_path / name, seed), None, evaluation(frechet))
        for name, seed, frechet in (("a", 1, 1.0), ("b", 2, 2.0), ("again", 1, 1.0))
    ]
    page = Page(report_page(shown))
    together, _ = page.rows_of("Frechet distance ↓")
    assert together[1].startswith("1.500 ± 0.707 ") and "2 seeds" in together[1]
    assert together[2].startswith("1 ") and "seeds" not in together[2]


def test_a_floor_of_other_counts_says_of_how_many(tmp_path: Path) -> None:
    told = evaluation(9.0, floor={"value": 0.5, "n": 892})
    page = Page(report_page([shown_run(finished_run(tmp_path / "a"), None, told)]))
    assert page.row("Frechet distance")[-1] == "0.5000, n 892"


@pytest.mark.parametrize(
    "changes",
    [
        {"classifier_sha256": "ef" * 32},
        {"data_sha256": "ef" * 32},
        {"frechet": {"value": 9.0, "n": 5}},
        {"histogram": evaluation()["histogram"] | {"data": {"3": 60, "T-shirt/top": 0}}},  # a specialist for threes
    ],
)
def test_what_was_not_measured_alike_has_no_best(tmp_path: Path, changes: dict[str, Any]) -> None:
    shown = [shown_run(finished_run(tmp_path / "a"), None, evaluation())]
    shown.append(shown_run(finished_run(tmp_path / "b"), None, evaluation(9.0) | changes))
    assert not any("★" in cell for cell in Page(report_page(shown)).row("Frechet distance")[1:])


def test_a_run_on_its_way_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [stats_line(80, 1)], {"training.images": 300}, {0: 90, 80: 100}, 50)
    folder.final_sheet.write_bytes(grey_sheet(1))  # of an earlier end, before it went on
    shown = shown_run(folder)
    page = Page(report_page([shown]))
    assert page.sections == ["runs", "curves", "pictures", "settings", "notes"]
    assert "80 of 300" in page.rows_of("run")[1]  # below the heads
    assert base64.b64encode(grey_sheet(1)).decode() not in report_page([shown])
    assert len(page.pictures) == 5  # curves, sheet, real, last samples, evolution
    assert shown.left_out == ()


def test_what_is_missing_or_damaged_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    folder.final_sheet.write_bytes(grey_sheet(1)[:60])
    folder.best.write_bytes(b"GIF89a")
    folder.evolution.unlink()
    folder.model.write_bytes(b"no model")
    shown = shown_run(folder)
    assert [sentence.split(" is ")[0].split(", so")[0] for sentence in shown.left_out] == [
        "run: model.onnx",
        "run: sheet.png cannot be read",
        "run has no evolution.png",
        "run: best.png cannot be read",
    ]
    page = Page(report_page([shown]))
    assert all(sentence in page.words for sentence in shown.left_out)
    assert "figures" not in page.sections
    assert len(page.pictures) == 4  # curves, real, last samples, pretraining


def test_a_card_may_lack_figures_or_hold_anything(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    odd = {"frechet": {"value": "much"}, "ratio": float("nan"), "accuracy": None, "histogram": {"drawn": 3}, "notes": 5}
    assert "figures" not in Page(report_page([shown_run(folder, None, odd | {"details": None})])).sections


def test_labels_too_many_for_a_table_are_left_out(tmp_path: Path) -> None:
    counts = {f"{label:03d}": 1 for label in range(1000)}
    told = evaluation(histogram={"drawn": counts, "data": counts, "modes": 990, "modes_in_data": 1000})
    page = Page(report_page([shown_run(finished_run(tmp_path / "run"), None, told)]))
    assert "labels" not in page.sections
    assert page.row("Labels that occur")[1:] == ["990 n 1,000", "1,000"]


def test_a_run_that_ends_leaves_its_page_with_the_figures_of_its_card(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", None, {"training.images": 300}, {0: 90, 300: 100}, 50)
    card = card_table(figures=evaluation(), shape=[1, 8, 8])  # which no classifier reads, so that none is asked
    write_pictures(Forge.load(write_model(folder.model, card=card, shape=(1, 8, 8))), folder)
    page = Page(folder.report.read_text("utf-8"))
    assert page.row("Frechet distance")[1] == "1.500 n 1,000"
    assert len(page.pictures) == 5  # curves, sheet, real, last samples, evolution

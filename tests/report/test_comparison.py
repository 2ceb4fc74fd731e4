"""A comparison tells what runs reached and in which settings they differ, and nothing that is the same."""

from __future__ import annotations

from pathlib import Path

from digitforge.report.comparison import Reached, differing_settings
from digitforge.report.shown import shown_run
from digitforge.report.tables import are_comparable
from drawn_runs import write_run
from tiny_models import card_table, write_model
from tiny_runs import tiny_recipe


def test_only_settings_that_differ_are_told() -> None:
    first = tiny_recipe({"training.seed": 1, "data.digits": "3,5"})
    second = tiny_recipe({"training.seed": 2, "training.batch_size": 1024})
    found = differing_settings([first, second])
    assert found == {"data.digits": ["3,5", "-"], "training.seed": ["1", "2"], "training.batch_size": ["16", "1,024"]}


def test_what_only_describes_or_records_a_run_is_no_setting() -> None:
    other = tiny_recipe({"record.tick": "7 images"}).model_copy(update={"summary": "another"})
    assert differing_settings([tiny_recipe(), other]) == {}


def test_a_run_on_its_way_has_no_figures(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", settings={"training.images": 600})
    assert shown_run(folder).reached == Reached("run", 300, 600, 3.0, None, None, None)


def test_a_finished_run_has_the_figures_of_its_models_card(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    figures = {
        "frechet": {"value": 1.5, "n": 10},
        "ratio": {"value": 46.0, "n": 10},
        "accuracy": {"value": 0.75, "n": 10},
    }
    write_model(folder.model, card=card_table(figures=figures))
    folder.write_hashes()
    found = shown_run(folder).reached
    assert (found.frechet, found.ratio, found.accuracy) == (1.5, 46.0, 0.75)


def test_cards_that_hold_anything_are_compared_by_what_they_tell(tmp_path: Path) -> None:
    odd = ({"histogram": 5}, {"histogram": {"data": []}}, {"data": [], "classifier_sha256": {}})
    runs = []
    for number, figures in enumerate(odd):
        folder = write_run(tmp_path / str(number))
        write_model(folder.model, card=card_table(figures=figures))
        folder.write_hashes()
        runs.append(shown_run(folder))
    assert are_comparable(runs[:2])
    assert not are_comparable(runs)


def test_figures_that_a_model_lacks_are_none(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    write_model(folder.model, card=card_table(figures={"frechet": {"value": 1.5}, "ratio": None, "accuracy": None}))
    folder.write_hashes()
    found = shown_run(folder).reached
    assert (found.frechet, found.ratio, found.accuracy) == (1.5, None, None)

"""Measures: taken from what users would get, kept by what they are of, and never taken twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from digitforge.classifier import Classifier
from digitforge.data import DataSet, Digits
from digitforge.errors import DataError, RunError
from digitforge.forge import Forge
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.runs import RunFolder
from digitforge.studies.evidence import Evidence, MissingError, Need, StudiedRun, near_snapshot
from digitforge.studies.measures import Measures
from drawn_runs import stats_line, write_run
from tiny_models import LEVEL, card_table, write_judge, write_model


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))


def grey(count: int, seed: int) -> Digits:
    """Images of the grey levels that tiny models draw."""
    rng, labels = np.random.default_rng(seed), np.arange(count) % 10
    images = np.clip(LEVEL * labels[:, None, None, None] + rng.normal(0, 3, (count, 1, 28, 28)), 0, 255)
    return Digits(images.astype(np.uint8), labels.astype(np.int64))


DATA = DataSet("grey", grey(300, 0), grey(200, 1))


def finished(tmp_path: Path, conditional: bool = True) -> RunFolder:
    run = write_run(tmp_path / "run")
    run.snapshot(300).write_text("weights")
    write_model(run.model, card=card_table(conditional=conditional), conditional=conditional)
    run.write_hashes()
    return run


def test_a_measure_is_taken_once_and_read_again(tmp_path: Path) -> None:
    said: list[str] = []
    measures, run = Measures(tmp_path / "measured", DATA, 40, 10, said.append), finished(tmp_path)
    first = measures.of_digits(run, 300, ["3", "5"])
    assert set(first) == {"3", "5"}
    assert first["3"]["n"] == 10
    assert first["3"]["floors"] == pytest.approx(first["3"]["frechet"] / first["3"]["floor"])
    reading = Classifier.load().read(Forge.load(run.model).generate("3", 10).images)
    real = moments(Classifier.load().read(DATA.train.only([3]).images).features)
    assert first["3"]["frechet"] == pytest.approx(frechet_distance(moments(reading.features), real), rel=1e-3)
    assert first["3"]["read"] == np.mean(reading.labels == 3)
    path = measures.path(run, 300, "digits-3-5")
    path.write_text(json.dumps({"kept": 1}))
    assert measures.of_digits(run, 300, ["3", "5"]) == {"kept": 1}
    assert [line for line in said if "measuring" in line] == ["measuring run after 300 images"]


def test_what_is_kept_belongs_to_one_file_one_count_and_one_data_set(tmp_path: Path) -> None:
    run, place = finished(tmp_path), tmp_path / "measured"
    mine = Measures(place, DATA, 40, 10).path(run, 300, "figures")
    assert Measures(place, DATA, 41, 10).path(run, 300, "figures") != mine
    assert Measures(place, DataSet("other", grey(300, 2), None), 40, 10).path(run, 300, "figures") != mine
    assert Measures(place, DATA, 40, 10).path(run, 300, "readings") != mine
    write_model(run.model, card=card_table(seed=9))
    assert Measures(place, DATA, 40, 10).path(run, 300, "figures") != mine


def test_a_digit_that_an_unconditional_model_hardly_draws_is_left_out(tmp_path: Path) -> None:
    found = Measures(tmp_path / "measured", DATA, 40, 10).of_digits(finished(tmp_path, False), 300, list("0123456789"))
    assert 0 < len(found) < 10  # grey images are read as few digits


def test_a_digit_that_is_drawn_seldom_is_measured_where_more_are_drawn(tmp_path: Path) -> None:
    run, digits = finished(tmp_path, False), list("0123456789")
    few, many = (Measures(tmp_path / "measured", DATA, 40, 10, free_draws=times) for times in (3, 300))
    assert set(few.of_digits(run, 300, digits)) < set(many.of_digits(run, 300, digits))


def test_what_is_kept_is_read_even_where_it_is_empty(tmp_path: Path) -> None:
    said: list[str] = []
    measures, run = Measures(tmp_path / "measured", DATA, 40, 10, said.append, free_draws=1), finished(tmp_path, False)
    assert measures.of_digits(run, 300, ["9"]) == measures.of_digits(run, 300, ["9"]) == {}
    assert len([line for line in said if "measuring" in line]) == 1


@pytest.mark.parametrize(
    "train",
    [
        Digits(np.zeros((4, 1, 16, 16), np.uint8), np.arange(4)),
        Digits(np.zeros((4, 1, 28, 28), np.uint8), np.arange(4) % 2, ("shirt", "shoe")),
    ],
)
def test_data_that_nothing_reads_are_told_at_once(tmp_path: Path, train: Digits) -> None:
    with pytest.raises(DataError, match="no classifier here reads"):
        Measures(tmp_path / "measured", DataSet("odd", train, None)).check()


def test_colour_data_have_their_own_reader(tmp_path: Path) -> None:
    colour = Digits(np.zeros((4, 3, 32, 32), np.uint8), np.arange(4))
    Measures(tmp_path / "measured", DataSet("colour", colour, None)).check()


def test_sureness_is_told_of_drawn_and_of_real_images(tmp_path: Path) -> None:
    found = Measures(tmp_path / "measured", DATA, 40, 10).readings(finished(tmp_path), 300)
    assert sum(one["n"] for one in found["drawn"].values()) == 40
    assert sum(one["n"] for one in found["real"].values()) == 200


def test_clean_images_are_held_against_marked_ones_by_the_runs_own_discriminator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The discriminator finds bright images the more real, and the marked ones are bright but for a few."""

    def stray(images: np.ndarray) -> np.ndarray:
        return (images.mean((1, 2, 3)) > 4.6 * LEVEL).astype(np.float32)

    monkeypatch.setattr("digitforge.studies.measures.stray_ink", stray)
    run = finished(tmp_path, conditional=False)
    write_judge(run.discriminator)
    found = Measures(tmp_path / "measured", DATA, 40, 10).verdicts_on_marks(run)
    images = Forge.load(run.model).generate(count=40).images
    assert found == {"above": 0.0, "n": 40, "marked": int(stray(images).sum())}
    assert 0 < found["marked"] < 40


def test_data_without_held_out_images_hold_no_digit(tmp_path: Path) -> None:
    measures = Measures(tmp_path / "measured", DataSet("grey", DATA.train, None), 40, 10)
    with pytest.raises(DataError, match="no test part"):
        measures.of_digits(finished(tmp_path), 300, ["3"])


def test_a_snapshot_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no snapshot after 200 images"):
        Measures(tmp_path / "measured", DATA, 40).figures(finished(tmp_path), 200)


def studied(tmp_path: Path, images: int) -> StudiedRun:
    lines = [stats_line(100 * tick, tick) for tick in range(1, 11)]
    run = write_run(tmp_path / "long", lines, {"training.images": 1000})
    for count in (0, 304, 600, 1000):
        run.snapshot(count).write_text(str(count))
    return StudiedRun(run, 0, images, 100.0, Measures(tmp_path / "measured", DATA))


def test_a_longer_run_is_looked_at_as_far_as_its_need_goes(tmp_path: Path) -> None:
    run = studied(tmp_path, 600)
    assert run.curve("loss.generator").images.tolist() == [100, 200, 300, 400, 500, 600]
    assert run.snapshot_after() == 600
    with pytest.raises(MissingError, match=r"recorded no accuracy\.fake"):
        run.curve("accuracy.fake")


def test_a_snapshot_may_be_off_by_a_batch_and_no_more(tmp_path: Path) -> None:
    run = studied(tmp_path, 1000)
    assert run.snapshot_after(3) == 304
    with pytest.raises(MissingError, match="no snapshot after 4 epochs"):
        run.snapshot_after(4)
    assert near_snapshot(run.folder, 300, 1000, 16) == 304
    assert near_snapshot(run.folder, 450, 1000, 16) is None


def test_evidence_tells_what_is_lacking(tmp_path: Path) -> None:
    run = StudiedRun(write_run(tmp_path / "a"), 0, 300, 100.0, Measures(tmp_path, DATA), ("learned from grey",))
    evidence = Evidence({"plain": Need("dcgan"), "later": Need("no-such-recipe")}, {"plain": [run]})
    assert evidence.shortfalls(["plain"], 3) == ["1 of 3 seeds of plain", "learned from grey"]
    lossy = Evidence(evidence.needs, evidence.runs, {"plain": 2})
    assert lossy.shortfalls(["plain"], 3) == ["2 of 3 runs of plain diverged", "learned from grey"]
    assert lossy.shortfalls(["plain"], 3, ["plain"]) == ["learned from grey"]
    with pytest.raises(MissingError, match="a recipe that this release does not have"):
        evidence.of("later")

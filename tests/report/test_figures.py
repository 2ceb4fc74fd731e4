"""Figures: the lines are what the statistics say, what was not measured is not there, equal runs give equal bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from digitforge.report.axes import apart
from digitforge.report.figures import FORMATS, comparison_figure, figure_bytes, run_figure
from digitforge.report.history import History, read_history
from drawn_runs import stats_line, write_run

RIGHT = {"real_train": 0.9, "real_train_n": 20, "real_held_out": 0.8, "fake": 0.7, "separation": 0.6}


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A run with everything that is measured, D's accuracy at two of three ticks."""
    lines = [stats_line(100 * step, step, accuracy=RIGHT if step > 1 else None) for step in (1, 2, 3)]
    for line in lines:
        line["loss"]["penalty"] = line["epoch"] / 100
    return read_history(write_run(tmp_path / "full", lines))


@pytest.fixture
def bare(tmp_path: Path) -> History:
    """A run that has just begun with D alone: no penalty, no accuracy, no loss of G."""
    return read_history(write_run(tmp_path / "bare", [stats_line(50, 0, loss={"discriminator": 0.5})]))


def curves(axes: Axes) -> dict[str, Line2D]:
    """The curves on a pair of axes by their labels; matplotlib names its own lines with an underscore."""
    return {str(line.get_label()): line for line in axes.lines if not str(line.get_label()).startswith("_child")}


def titles(figure: Figure) -> list[str]:
    return [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_ylabel() == title)


def test_losses_are_those_of_the_statistics_over_images(history: History) -> None:
    found = curves(panel(run_figure(history), "loss"))
    assert list(found) == ["D", "G"]
    for label, quantity in (("D", "loss.discriminator"), ("G", "loss.generator")):
        np.testing.assert_array_equal(found[label].get_xdata(), [100, 200, 300])
        np.testing.assert_array_equal(found[label].get_ydata(), history.curves[quantity].values)


def test_accuracies_and_separation_share_a_panel_that_marks_one_half(history: History) -> None:
    axes = panel(run_figure(history), "D's accuracy")
    found = curves(axes)
    values = {"real, training": 0.9, "real, held out": 0.8, "fake": 0.7, "separation": 0.6}
    assert {label: float(line.get_ydata()[0]) for label, line in found.items()} == values
    np.testing.assert_array_equal(found["fake"].get_xdata(), [200, 300])
    assert "1/2" in [text.get_text() for text in axes.get_yticklabels()]
    marks = [line for line in axes.lines if str(line.get_label()) not in found]
    assert [list(line.get_ydata()) for line in marks] == [[0.5, 0.5]]


def test_the_penalty_has_a_panel_where_there_is_one(history: History, bare: History) -> None:
    np.testing.assert_allclose(
        curves(panel(run_figure(history), "D's penalty"))["penalty"].get_ydata(), [0.01, 0.02, 0.03]
    )
    assert titles(run_figure(history)) == ["loss", "D's penalty", "D's accuracy", "images/s"]
    assert titles(run_figure(bare)) == ["loss", "images/s"]


def test_what_is_missing_is_not_drawn(bare: History) -> None:
    figure = run_figure(bare)
    assert list(curves(panel(figure, "loss"))) == ["D"]
    assert figure_bytes(figure)
    assert figure_bytes(comparison_figure([bare]))


def test_epochs_stand_above_images(history: History) -> None:
    top = panel(run_figure(history), "loss")
    (epochs,) = top.child_axes
    assert epochs.get_xlabel() == "epoch"
    figure = top.figure
    figure_bytes(figure)  # places the ticks
    for tick in epochs.get_xticks():
        above = epochs.transData.transform((tick, 0))[0]
        below = top.transData.transform((100 * tick, 0))[0]
        assert above == pytest.approx(below)


def test_every_run_has_a_label_and_a_colour_over_images_and_seconds(history: History, tmp_path: Path) -> None:
    other = read_history(write_run(tmp_path / "_other$x$", [stats_line(80, 1), stats_line(160, 2)]))
    figure = comparison_figure([history, other])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["full", "_other$x$"]
    over_images, over_seconds = figure.axes[:: len(figure.axes) // 2]
    for axes, x in ((over_images, [80, 160]), (over_seconds, [0.8, 1.6])):
        full, drawn = axes.lines
        np.testing.assert_allclose(drawn.get_xdata(), x)
        np.testing.assert_array_equal(drawn.get_ydata(), other.curves["loss.discriminator"].values)
        assert full.get_color() != drawn.get_color()
    assert figure_bytes(figure)


@pytest.mark.parametrize(
    ("counts", "names"),
    [((500, 1000), ["a (n = 500)", "b (n = 1,000)"]), ((500, None), ["a", "b"]), ((500, 500), ["a", "b"])],
)
def test_runs_whose_distances_are_of_unequal_counts_say_of_how_many(
    tmp_path: Path, counts: tuple[int | None, ...], names: list[str]
) -> None:
    runs = []
    for name, count in zip("ab", counts, strict=True):
        figures = None if count is None else {"frechet": 1.0, "n": count}
        runs.append(read_history(write_run(tmp_path / name, [stats_line(100, 1, figures=figures)])))
    legend = comparison_figure(runs).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == names


def test_a_comparison_has_a_row_for_what_any_run_measured(history: History, bare: History) -> None:
    assert "D's penalty" in titles(comparison_figure([bare, history]))
    assert titles(comparison_figure([bare])) == ["D's loss"]


def test_more_runs_than_colours_still_differ(history: History) -> None:
    figure = comparison_figure([history] * 20)
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(looks) == 20


@pytest.mark.parametrize("kind", FORMATS)
def test_equal_runs_give_equal_bytes(history: History, kind: str) -> None:
    first = figure_bytes(run_figure(history), kind)
    assert figure_bytes(run_figure(history), kind) == first
    assert not any(word in first for word in (b"Software", b"<dc:date>", b"CreationDate", b"Matplotlib v"))


def test_labels_keep_their_distance_and_their_order() -> None:
    places = [0.5, 0.98, 0.51, 0.99, 0.1]
    moved = apart(places, 0.1)
    assert np.argsort(moved).tolist() == np.argsort(places).tolist()
    assert np.diff(sorted(moved)).min() >= 0.1 - 1e-9
    assert max(moved) <= 1
    assert moved[4] == 0.1


def test_pyplot_and_its_windows_are_never_loaded() -> None:
    code = "import sys, digitforge.report.figures; sys.exit(bool({'matplotlib.pyplot', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_key_figures_over_training_have_panels_where_they_were_measured(tmp_path: Path) -> None:
    measured = ({"frechet": 40.0, "accuracy": 0.25}, None, {"frechet": 0.5, "accuracy": 0.75})
    lines = [stats_line(100 * step, step, figures=figures) for step, figures in enumerate(measured, 1)]
    history = read_history(write_run(tmp_path / "run", lines))
    for figure in (run_figure(history), comparison_figure([history])):
        distance, accuracy = (panel(figure, title) for title in ("Frechet distance", "read as asked"))
        np.testing.assert_array_equal(distance.lines[0].get_xdata(), [100, 300])
        np.testing.assert_array_equal(distance.lines[0].get_ydata(), [40.0, 0.5])
        assert distance.get_yscale() == "log"
        assert len(accuracy.lines) == 1  # a model does not guess at 1/2
        figure_bytes(figure)
        low, high = distance.get_ylim()
        told = [
            text.get_text()
            for text, y in zip(distance.get_yticklabels(), distance.get_yticks(), strict=True)
            if low < y < high
        ]
        assert {"1", "10"} <= set(told)


def test_a_distance_of_nothing_is_drawn_without_a_logarithm(tmp_path: Path) -> None:
    history = read_history(write_run(tmp_path / "run", [stats_line(100, 1, figures={"frechet": 0.0})]))
    figure = run_figure(history)
    assert panel(figure, "Frechet distance").get_yscale() == "linear"
    assert figure_bytes(figure)

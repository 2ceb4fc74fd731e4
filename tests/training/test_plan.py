"""The plan: a recipe and a data set become images to train on, a length in images and intervals in whole steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from digitforge.card import MAX_LABELS
from digitforge.data import DataSet
from digitforge.errors import DataError, RecipeError
from digitforge.sections import Interval
from digitforge.training.plan import Plan, make_plan, with_images
from tiny_runs import BATCH, tiny_data, tiny_digits, tiny_recipe

DATA = tiny_data(200)
INTERVALS = ("tick", "accuracy", "sheet", "snapshot")


def plan(data: DataSet = DATA, **settings: object) -> Plan:
    return make_plan(tiny_recipe({key.replace("__", "."): value for key, value in settings.items()}), data)


def test_all_images_are_trained_on_unless_the_recipe_chooses() -> None:
    whole = plan()
    np.testing.assert_array_equal(whole.train.images, DATA.train.images)
    assert whole.held_out is DATA.test
    assert whole.data_name == "tiny"
    assert whole.frequencies.tolist() == [20] * 10


def test_chosen_digits_leave_the_others_out_of_training_and_of_what_is_held_out() -> None:
    chosen = plan(data__digits="3,5")
    assert chosen.held_out is not None
    for part in (chosen.train, chosen.held_out):
        assert set(part.labels) == {3, 5}
    assert chosen.classes == 10
    assert chosen.frequencies.tolist() == [0, 0, 0, 20, 0, 20, 0, 0, 0, 0]


def test_a_digit_that_the_test_part_lacks_is_trained_on_and_nothing_is_held_out() -> None:
    without_sevens = DataSet("tiny", DATA.train, DATA.train.only([0, 1]))
    chosen = plan(without_sevens, data__digits="7")
    assert set(chosen.train.labels) == {7}
    assert chosen.held_out is None


def test_labels_are_chosen_by_their_names() -> None:
    names = tuple("abcdefghij")
    data = DataSet("letters", replace(DATA.train, names=names), None)
    assert set(plan(data, data__digits="d").train.labels) == {3}


def test_the_hash_is_that_of_the_whole_data_set_whatever_was_chosen_from_it() -> None:
    assert plan(data__digits="3", data__count=10).data_sha256 == DATA.train.sha256


@pytest.mark.parametrize(("asked", "words"), [("12", 'no label "12"'), ("3,cat", 'no label "cat"')])
def test_an_unknown_label_is_named_with_those_that_there_are(asked: str, words: str) -> None:
    with pytest.raises(DataError, match=f"{words}.*it has 0, 1, 2"):
        plan(data__digits=asked)


def test_a_misspelt_label_is_met_with_the_right_one() -> None:
    names = ("shirt", "coat", *"abcdefgh")
    with pytest.raises(DataError, match='did you mean "shirt"'):
        plan(DataSet("clothes", replace(DATA.train, names=names), None), data__digits="shrit")


def test_a_count_takes_as_many_of_each_label_by_the_runs_seed() -> None:
    first, again, other = (plan(data__count=50, training__seed=seed) for seed in (1, 1, 2))
    assert first.train.counts.tolist() == [5] * 10
    assert first.train.sha256 == again.train.sha256 != other.train.sha256
    assert first.held_out is DATA.test


def test_a_count_is_taken_from_the_chosen_digits() -> None:
    assert plan(data__digits="3,5", data__count=10).frequencies.tolist() == [0, 0, 0, 5, 0, 5, 0, 0, 0, 0]


def test_more_images_than_there_are_is_an_error_with_both_numbers() -> None:
    with pytest.raises(DataError, match=r"40 images, and there are 20\b"):
        plan(data__digits="3", data__count=40)


@pytest.mark.parametrize(("epochs", "images"), [(1, 200), (2.5, 500), (0.001, BATCH)])
def test_an_epoch_is_one_pass_over_what_is_trained_on(epochs: float, images: int) -> None:
    assert plan(training__epochs=epochs).recipe.training.images == images
    assert plan(training__epochs=epochs).recipe.training.epochs is None


def test_an_epoch_may_be_a_share_of_the_data_set_in_whole_batches() -> None:
    half = plan(training__epochs=3, training__epoch_share=0.5)  # of 200 images: 6 whole batches of 16
    assert half.epoch_images == 6 * BATCH
    assert half.recipe.training.images == 3 * 6 * BATCH
    assert half.epochs_after(6 * BATCH) == 1
    assert plan(training__epochs=1, training__epoch_share=0.01).epoch_images == BATCH


def test_pretraining_comes_before_the_first_epoch_and_moves_what_is_due() -> None:
    whole = plan(training__epochs=2, training__pretrain_images=3 * BATCH, record__tick=f"{5 * BATCH} images")
    assert whole.recipe.training.images == 3 * BATCH + 2 * 200
    assert [whole.epochs_after(images) for images in (0, 3 * BATCH, 3 * BATCH + 100)] == [0, 0, 0.5]
    due = [steps for steps in range(1, 10) if whole.is_due("tick", steps)]
    assert due == [3, 8]  # at the end of pretraining, and every five steps from there


def test_an_epoch_of_chosen_digits_is_theirs() -> None:
    assert plan(data__digits="3", training__epochs=2).recipe.training.images == 40


@pytest.mark.parametrize(("images", "steps"), [(BATCH, 1), (BATCH + 1, 2), (10 * BATCH, 10)])
def test_the_last_step_is_whole(images: int, steps: int) -> None:
    times = plan(training__images=images).times
    assert (times.steps, times.images) == (steps, steps * BATCH)


def test_without_a_test_part_nothing_is_held_out() -> None:
    assert plan(DataSet("tiny", DATA.train, None), data__digits="3").held_out is None


def test_auto_is_decided_and_a_time_stays_open() -> None:
    open_plan = plan(compute__device="auto", compute__precision="auto", compute__threads=0, training__seconds=5)
    compute = open_plan.recipe.compute
    assert "auto" not in (compute.device, compute.precision)
    assert compute.threads > 0
    assert open_plan.recipe.training.seconds == 5


@pytest.mark.parametrize(
    ("interval", "images"),
    [("1/10 run", 100), ("2 epochs", 400), ("100 images", 100), ("1 image", 1), ("8 epochs", 1600)],
)
def test_intervals_become_images(interval: str, images: int) -> None:
    settings = {f"record__{key}": interval for key in INTERVALS}
    resolved = with_images(plan(**settings), 1000)
    for key in INTERVALS:
        assert Interval.parse(getattr(resolved.recipe.record, key)) == Interval(count=images, unit="images")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"record__tick": "40 images"}, [48, 80, 128, 160, 192]),
        ({"record__tick": "1 image"}, list(range(16, 193, 16))),
        ({"record__tick": "1000 images"}, [192]),
        ({"record__tick": "64 images", "training__batch_doublings": 1}, [64, 128, 192]),
    ],
    ids=["every two or three steps", "every step", "never before the end", "with a batch that doubles"],
)
def test_a_tick_is_due_in_the_step_that_completes_its_interval_and_at_the_end(
    settings: dict[str, object], expected: list[int]
) -> None:
    due = with_images(plan(**settings), 192)
    found = [due.times.images_after(step) for step in range(1, due.times.steps + 1) if due.is_due("tick", step)]
    assert found == expected


def test_accuracies_are_measured_at_ticks_and_the_last_tick_ends_with_the_run() -> None:
    whole = with_images(plan(record__tick="1/30 run", record__accuracy="1/7 run"), 10_007)
    ticks = [steps for steps in range(1, whole.times.steps + 1) if whole.is_due("tick", steps)]
    accuracies = [steps for steps in range(1, whole.times.steps + 1) if whole.is_due("accuracy", steps)]
    assert set(accuracies) <= set(ticks)
    assert ticks[-1] == whole.times.steps
    assert min(later - earlier for earlier, later in pairwise(ticks)) >= 20  # of 20.8 steps each


def test_more_labels_than_a_model_file_names_are_refused_before_anything_is_trained() -> None:
    names = tuple(f"{number:04}" for number in range(MAX_LABELS + 1))
    data = DataSet("many", replace(DATA.train, names=names), None)
    with pytest.raises(DataError, match=r'no model can be kept of tiny: .*"names" must be 1 to 1000'):
        plan(data)


def test_a_path_may_hold_spaces_of_any_script_and_nothing_that_moves_a_cursor() -> None:
    assert plan(data__name="my\u3000digits\u00a0here.npz").data_name == "my\u3000digits\u00a0here.npz"
    for name in ("a\x1b[2J.npz", "a\nb.npz"):
        with pytest.raises(DataError, match="without control characters"):
            plan(data__name=name)


def test_resolving_twice_changes_nothing() -> None:
    once = with_images(plan(record__tick="1/7 run"), 1000)
    assert with_images(once, 1000).recipe == once.recipe


def test_images_that_are_kept_whole_are_told_by_the_numbers_of_their_labels() -> None:
    data = DataSet("few", tiny_digits(5), None)
    assert plan(data).frequencies.tolist() == [1] * 5 + [0] * 5


def test_the_plan_says_which_images_it_was_made_for_and_takes_no_others() -> None:
    settled = plan().recipe
    assert settled.data.sha256 == DATA.train.sha256
    assert make_plan(settled, tiny_data(200)).data_sha256 == DATA.train.sha256
    with pytest.raises(DataError, match="tiny holds other images or labels than this recipe was made for"):
        make_plan(settled, tiny_data(300))


def test_a_run_in_which_the_generator_would_never_learn_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"all 96 images would be D's first phase .*pretrain_images=0"):
        with_images(plan(training__pretrain_images=96), 96)

"""Pictures: a run's first and last sheet beside real images, and the digits that the classifier is surest of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from digitforge.classifier import Classifier
from digitforge.errors import ModelError, RunError
from digitforge.forge import Forge
from digitforge.report.history import Epochs
from digitforge.report.pictures import (
    BEST_A_LABEL,
    MOMENTS,
    best_digits,
    chosen_sheets,
    evolution_sheet,
    log_odds,
    sheets_at,
    surest,
)
from digitforge.sections import Training
from digitforge.sheets import png_bytes
from drawn_runs import SHEET_SIDE, write_run
from tiny_models import LEVEL, card_table, stacked_card, write_classifier, write_model, write_stacked_model

SMALL = SHEET_SIDE // 2
PAPER = 255


def levels(picture: np.ndarray) -> list[int]:
    """The grey levels that fill a whole sheet in a picture; the edges of letters have a few pixels of any level."""
    found, counts = np.unique(picture[picture < PAPER], return_counts=True)
    return [int(level) for level, count in zip(found, counts, strict=True) if count >= SMALL**2]


def test_an_evolution_holds_real_images_and_the_first_and_last_sheet(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", sheets={images: 100 + images for images in range(0, 21, 2)}, real=50)
    picture = np.asarray(evolution_sheet(folder))
    shown = levels(picture)
    assert {50, 100, 120} <= set(shown)
    assert len(shown) == MOMENTS + 1
    assert picture.shape[0] > 2 * SMALL  # two rows
    assert int(picture[50, 20]) == 50  # real images come first


def test_a_run_without_a_real_sheet_shows_its_samples_alone(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", sheets={0: 100, 16: 120})
    assert levels(np.asarray(evolution_sheet(folder))) == [100, 120]


def test_a_run_with_its_first_sheet_alone_shows_that(tmp_path: Path) -> None:
    assert levels(np.asarray(evolution_sheet(write_run(tmp_path / "run", sheets={0: 100})))) == [100]


def test_the_same_sheets_give_the_same_bytes_and_other_captions_others(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", sheets={0: 100, 100: 110, 200: 120})
    by_images, by_epochs = (png_bytes(evolution_sheet(folder, epochs)) for epochs in (None, Epochs(0, 100)))
    assert by_images == png_bytes(evolution_sheet(folder))
    assert by_images != by_epochs
    assert by_images == png_bytes(evolution_sheet(folder, Epochs(0, 170)))  # no whole epochs


def test_the_first_sheets_are_shown_then_equal_distances_to_the_last() -> None:
    every_tenth = {10 * number: Path(f"{10 * number:010d}.png") for number in range(11)}
    assert list(chosen_sheets(list(every_tenth.values()))) == [0, 10, 30, 50, 60, 80, 100]
    assert chosen_sheets([]) == {}


def test_sheets_from_when_only_the_discriminator_learned_are_passed_over() -> None:
    """D's first phase ends with a whole batch, so that the sheet made then is still of an untrained G."""
    alone = Training(pretrain_images=100, batch_size=64, epochs=1).images_alone
    paths = [Path(f"{images:010d}.png") for images in (0, 64, 128, 192)]
    assert list(chosen_sheets(paths, alone)) == [0, 192]


def test_sheets_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has no sheet of samples"):
        evolution_sheet(write_run(tmp_path / "none"))
    folder = write_run(tmp_path / "run", sheets={0: 100})
    folder.sample(0).write_bytes(b"no picture")
    with pytest.raises(RunError, match=r"the sheet .*0000000000\.png cannot be read"):
        evolution_sheet(folder)


# The best digits


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return Classifier.load(write_classifier(tmp_path / "classifier.onnx"))


def free_forge(tmp_path: Path, classifier: Classifier) -> Forge:
    path = write_model(tmp_path / "free.onnx", conditional=False)
    return Forge.load(path, classifier=classifier)


def test_the_best_are_what_the_classifier_is_surest_of(tmp_path: Path, classifier: Classifier) -> None:
    """The classifier of these tests is the surer of 0 the darker a picture is."""
    images = np.full((30, 1, 28, 28), 0, np.uint8)
    images += np.arange(30, dtype=np.uint8)[:, None, None, None]
    logits = classifier.read(images).logits
    chosen = surest(images, log_odds(logits, 0), near_copy=0)
    np.testing.assert_array_equal(chosen, np.arange(BEST_A_LABEL))


def test_an_unconditional_model_is_sorted_by_what_its_images_are_read_as(
    tmp_path: Path, classifier: Classifier
) -> None:
    forge = free_forge(tmp_path, classifier)
    best = best_digits(forge, 2_000, near_copy=0)
    np.testing.assert_array_equal(classifier.read(best.images).labels, best.labels)
    assert best.counts.max() == BEST_A_LABEL
    assert best.counts[4] == best.counts[5] == BEST_A_LABEL
    for label in np.flatnonzero(best.counts):
        sureness = log_odds(classifier.read(best.images[best.labels == label]).logits, int(label))
        assert (np.diff(sureness) <= 0).all()
    np.testing.assert_array_equal(best_digits(forge, 2_000, near_copy=0).images, best.images)


def test_a_conditional_model_is_held_to_what_it_was_asked_for(tmp_path: Path, classifier: Classifier) -> None:
    path = write_model(tmp_path / "told.onnx", card=card_table(frequencies=[0, 5, 0, 5, 0, 0, 0, 0, 0, 0]))
    best = best_digits(Forge.load(path, classifier=classifier), 100, near_copy=0)
    assert best.counts.tolist() == [0, 10, 0, 10, 0, 0, 0, 0, 0, 0]
    assert abs(best.images[best.labels == 3].mean() - 3 * LEVEL) < 5


def test_of_a_thousand_labels_the_best_of_some_are_shown(tmp_path: Path) -> None:
    classifier = Classifier.of_channels(write_classifier(tmp_path / "classifier.onnx"))
    path = write_stacked_model(tmp_path / "model.onnx", card=stacked_card(), last=500)
    best = best_digits(Forge.load(path, classifier=classifier), 260, near_copy=0)
    np.testing.assert_array_equal(classifier.read(best.images).labels, best.labels)
    assert best.counts.max() == BEST_A_LABEL
    shown = np.flatnonzero(best.counts)
    assert 10 < len(shown) <= 26  # of labels after 500 none are drawn
    assert shown.max() <= 500


def test_near_copies_are_shown_once(tmp_path: Path, classifier: Classifier) -> None:
    blob = np.zeros((4, 1, 28, 28), np.uint8)
    blob[0, 0, :14] = 200
    blob[1] = blob[0]
    blob[1, 0, 0, 0] = 0  # a near-copy, and a little less sure
    blob[2, 0, 14:] = 200
    blob[3] = blob[0]
    assert surest(blob, np.asarray([4.0, 3.0, 2.0, 5.0])).tolist() == [3, 2]


def test_black_images_count_as_copies() -> None:
    assert len(surest(np.zeros((5, 1, 28, 28), np.uint8), np.arange(5.0))) == 1


def test_a_model_whose_images_nobody_reads_has_no_best(tmp_path: Path, classifier: Classifier) -> None:
    path = write_model(tmp_path / "wide.onnx", shape=(1, 32, 32))
    with pytest.raises(ModelError, match="can't read"):
        best_digits(Forge.load(path, classifier=classifier))


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = np.asarray([[1.0, 2.0, 0.5]], np.float32)
    share = np.exp(2.0) / np.exp(logits).sum()
    assert log_odds(logits, 1)[0] == pytest.approx(np.log(share / (1 - share)))
    sure = log_odds(np.asarray([[1000.0, 0, 0], [1001.0, 0, 0]], np.float32), 0)
    assert sure[1] > sure[0]


def test_asked_moments_are_shown_by_their_nearest_sheets_once_reached_between_the_first_and_the_last() -> None:
    samples = [Path(f"{images:010d}.png") for images in range(0, 501, 20)]
    assert list(sheets_at(samples, Epochs(before=0, each=100), [1, 3, 4.85, 50])) == [0, 100, 300, 480, 500]
    assert sheets_at([], Epochs(before=0, each=100), [1]) == {}

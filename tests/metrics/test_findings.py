"""Sets made from real digits: each kind of damage moves the figure that should move, and is named by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from digitforge.classifier import Classifier
from digitforge.data import DataSet, Digits, load_data
from digitforge.metrics import details as details_module
from digitforge.metrics import findings as findings_module
from digitforge.metrics.copies import Nearest
from digitforge.metrics.details import Details, measure_details
from digitforge.metrics.figure import Figure
from digitforge.metrics.findings import describe_details, describe_labels
from digitforge.metrics.frechet import frechet_distance, moments
from digitforge.metrics.kernel import kernel_distance
from digitforge.metrics.real import Real, find_real, measure

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


@pytest.fixture(scope="module")
def parts() -> list[Digits]:
    """Real digits in three parts: to train on, to hold out, and to stand for what a model draws."""
    digits = load_data("mnist-5k").train
    order = np.random.default_rng(0).permutation(len(digits))
    return [digits.take(part) for part in np.split(order, [3_000, 4_000])]


@pytest.fixture(scope="module")
def real(parts: list[Digits], classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Real:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return find_real(DataSet("parts", parts[0], parts[1]), classifier)


def with_pixels(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[list[Digits]], Digits]:
    """What changes the pixels of the third part, as numbers of 0..255."""

    def made(parts: list[Digits]) -> Digits:
        changed = change(parts[2].images.astype(np.float64))
        return replace(parts[2], images=changed.round().clip(0, 255).astype(np.uint8))

    return made


def one_style(parts: list[Digits]) -> Digits:
    """A few real digits of each label, again and again."""
    labels = [np.resize(np.flatnonzero(parts[2].labels == label)[:5], 100) for label in range(10)]
    return parts[2].take(np.concatenate(labels))


def leaning_right(parts: list[Digits]) -> Digits:
    """The top of every digit is moved three pixels to the right, and its foot as many to the left."""
    rows = np.arange(28)
    columns = (rows[None] - np.linspace(3, -3, 28).round().astype(int)[:, None]) % 28
    return replace(parts[2], images=parts[2].images[:, :, rows[:, None], columns])


def few_labels(parts: list[Digits]) -> Digits:
    return parts[2].only([0, 1, 2, 4, 6, 7, 8])


def faint_copies(parts: list[Digits]) -> Digits:
    noise = RNG.normal(0, 5, (1000, 1, 28, 28))
    images = (parts[0].images[:1000] + noise).clip(0, 255).astype(np.uint8)
    return Digits(images, parts[0].labels[:1000])


def mislabelled(parts: list[Digits]) -> Digits:
    labels = parts[2].labels.copy()
    labels[:100] = (labels[:100] + 1) % 10
    return replace(parts[2], labels=labels)


def findings(digits: Digits, real: Real, classifier: Classifier) -> tuple[list[str], Details]:
    drawn = measure(digits, classifier)
    details = measure_details(drawn, real)
    assert real.test is not None
    right, other = (float((part.read == part.digits.labels).mean()) for part in (drawn, real.test))
    read = {str(label): int((drawn.read == label).sum()) for label in range(10)}
    data = {str(label): int(count) for label, count in enumerate(real.train.digits.counts)}
    accuracy = Figure(right, len(drawn), None, other)
    return [*describe_labels(accuracy, read, data), *describe_details(details)], details


def test_real_digits_are_not_complained_of(parts: list[Digits], real: Real, classifier: Classifier) -> None:
    assert findings(parts[2], real, classifier)[0] == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (with_pixels(lambda images: gaussian_filter(images, (0, 0, 1, 1))), "wider: blurred"),
        (with_pixels(lambda images: np.where(RNG.random(images.shape) < 0.01, 255, images)), "noisy"),
        (with_pixels(lambda images: images + RNG.normal(0, 60, images.shape)), "unlike real digits"),
        (leaning_right, "leaning further right"),
        (one_style, "little variety"),
        (few_labels, "collapsed: 3, 5, 9 are"),
        (faint_copies, "memorised: 100.0%"),
        (mislabelled, "mislabelled"),
    ],
    ids=["blurred", "specked", "noisy", "slanted", "one style", "few labels", "memorised", "mislabelled"],
)
def test_damage_is_named(
    make: Callable[[list[Digits]], Digits], words: str, parts: list[Digits], real: Real, classifier: Classifier
) -> None:
    found, _ = findings(make(parts), real, classifier)
    assert any(words in sentence for sentence in found), found


def test_each_figure_moves_with_its_damage(parts: list[Digits], real: Real, classifier: Classifier) -> None:
    sets = {"as it is": parts[2], "one style": one_style(parts), "copies": faint_copies(parts)}
    sets["noise"] = with_pixels(lambda images: images + RNG.normal(0, 60, images.shape))(parts)
    sets["blur"] = with_pixels(lambda images: gaussian_filter(images, (0, 0, 1, 1)))(parts)
    found = {name: findings(digits, real, classifier)[1] for name, digits in sets.items()}
    assert found["one style"].recall.value < 0.3 * found["as it is"].recall.value
    assert found["one style"].coverage.value < 0.3 * found["as it is"].coverage.value
    assert found["one style"].precision.value > 0.8 * found["as it is"].precision.value
    assert found["noise"].precision.value < 0.5 * found["as it is"].precision.value
    assert found["blur"].kernel.value > 10 * abs(found["as it is"].kernel.value)
    assert found["copies"].copies is not None
    assert found["as it is"].copies is not None
    assert found["copies"].copies.value == 1
    assert found["as it is"].copies.value < 0.02
    assert {pair.original for pair in found["copies"].closest} <= set(range(1000))


def test_figures_are_of_as_many_drawn_as_held_out_images(
    parts: list[Digits], real: Real, classifier: Classifier
) -> None:
    assert real.test is not None and real.nearest_to_test is not None
    places = np.arange(600)
    few = replace(real, test=real.test.take(places), nearest_to_test=real.nearest_to_test.take(places))
    drawn = measure(parts[2], classifier)
    details = measure_details(drawn, few)
    assert few.test is not None
    assert (details.kernel.n, details.kernel.real_n) == (600, 600)
    assert details.kernel.value == pytest.approx(kernel_distance(drawn.features[:600], few.train.features))
    for name, of_label in details.by_label.items():
        mine, test, train = (part.only([int(name)]) for part in (drawn, few.test, few.train))
        count = min(len(mine), len(test))
        assert (of_label.frechet.n, of_label.frechet.real_n) == (count, count)
        figure = frechet_distance(moments(mine.features[:count]), moments(train.features))
        floor = frechet_distance(moments(test.some(count).features), moments(train.features))
        assert (of_label.frechet.value, of_label.frechet.real) == (pytest.approx(figure), pytest.approx(floor))
        assert of_label.kernel.value == pytest.approx(kernel_distance(mine.features[:count], train.features))
    assert any(len(drawn.only([int(name)])) > found.frechet.n for name, found in details.by_label.items())
    assert details.slant is not None
    slants = drawn.properties["slant"][np.isfinite(drawn.properties["slant"])]
    assert details.slant.spread.value == pytest.approx(np.sqrt(((slants - slants.mean()) ** 2).mean()), rel=1e-4)


def test_more_of_the_same_damage_is_farther_from_real(parts: list[Digits], classifier: Classifier) -> None:
    train = moments(classifier.read(parts[0].images).features)
    distances = []
    for sigma in (0, 20, 40, 80):
        noisy = with_pixels(lambda images, sigma=sigma: images + RNG.normal(0, sigma, images.shape))(parts)
        distances.append(frechet_distance(moments(classifier.read(noisy.images).features), train))
    assert distances == sorted(distances)
    assert distances[-1] > 20 * distances[0]


def test_a_share_that_chance_explains_is_no_finding() -> None:
    drawn = {"0": 3, "1": 97}
    assert list(describe_labels(Figure(0.97, 100, None, 0.98), drawn, {"0": 5, "1": 95})) == []
    assert list(describe_labels(None, drawn, {"0": 500, "1": 500})) != []


def test_a_label_at_a_third_of_its_share_is_not_called_rare_and_one_at_a_tenth_is() -> None:
    data = {"0": 500, "1": 500}
    assert list(describe_labels(None, {"0": 150, "1": 850}, data)) == []
    (found,) = describe_labels(None, {"0": 50, "1": 950}, data)
    assert found.startswith("collapsed: 0 are drawn")


def test_one_held_out_image_tells_nothing_of_a_share() -> None:
    assert not findings_module._exceeds(Figure(0.05, 10_000, None, 0.0, 1), 2.0)
    assert findings_module._exceeds(Figure(0.05, 10_000, None, 0.0, 10_000), 2.0)


def test_few_real_digits_are_not_complained_of(parts: list[Digits], real: Real, classifier: Classifier) -> None:
    """Ten digits of one's own lie far from others in width and slant, and in what is misread, by chance alone."""
    for seed in range(6):
        some = np.random.default_rng(seed).choice(len(parts[2]), 10 + 20 * (seed % 2), replace=False)
        assert findings(parts[2].take(some), real, classifier)[0] == []


def test_one_misread_image_of_few_is_no_finding_and_half_of_them_are() -> None:
    drawn, data = {"0": 20, "1": 19}, {"0": 50, "1": 50}
    assert list(describe_labels(Figure(38 / 39, 39, None, 0.996, 10_000), drawn, data)) == []
    (found,) = describe_labels(Figure(0.5, 39, None, 0.996, 10_000), drawn, data)
    assert found.startswith("mislabelled or unreadable: 50.0%")


@pytest.mark.parametrize("held_out", [400, 1_500])
def test_the_floor_of_copies_is_the_chance_of_a_fresh_real_image(real: Real, held_out: int) -> None:
    """With relative distances spread evenly over 0..1, a threshold is the share of fresh images below it."""
    rng, thresholds = np.random.default_rng(0), []
    for _ in range(400):
        own = rng.random(held_out).astype(np.float32)
        known = replace(real, nearest_to_test=Nearest(np.zeros(held_out, np.int64), np.ones_like(own), own))
        assert known.copy_threshold is not None and known.nearest_to_test is not None
        thresholds.append(known.copy_threshold)
        floor = details_module._copies(known.nearest_to_test, known)
        assert floor is not None and floor.real is not None
        assert floor.real == pytest.approx((int(held_out / 1000) + 1) / (held_out + 1))
    assert np.mean(thresholds) == pytest.approx(floor.real, rel=0.2)


def test_of_many_labels_too_few_are_a_finding_and_those_that_chance_leaves_out_are_none() -> None:
    data = {str(label): 60 for label in range(1000)}
    fresh = np.bincount(RNG.integers(0, 1000, 1000), minlength=1000)
    assert list(describe_labels(None, {str(label): int(count) for label, count in enumerate(fresh)}, data)) == []
    (found,) = describe_labels(None, {str(label): 10 for label in range(100)}, data)
    assert "100 of the labels" in found


def test_few_held_out_images_make_no_finding_of_real_ones(
    parts: list[Digits], real: Real, classifier: Classifier
) -> None:
    """Of 60 none seems a copy, and none may have a stray mark: fresh real ones, of which some do, are no worse."""
    assert real.test is not None and real.nearest_to_test is not None
    clean = np.flatnonzero(real.test.properties["stray"] == 0)[:60]
    few = replace(real, test=real.test.take(clean), nearest_to_test=real.nearest_to_test.take(clean))
    found, details = findings(parts[2], few, classifier)
    assert not [finding for finding in found if finding.startswith(("memorised", "noisy"))]
    assert details.copies is not None and details.stray_marks is not None
    assert details.copies.value > 0 and details.stray_marks.value > 0
    assert details.copies.real == pytest.approx(1 / 61)
    assert (details.copies.real_n, details.stray_marks.real_n) == (60, 60)
    assert [one for one in findings(faint_copies(parts), few, classifier)[0] if one.startswith("memorised: 100.0%")]

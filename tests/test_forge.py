"""Forge: any digit on demand from a model file, and a clear word where that can't be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, load_model, numpy_helper, save_model

from digitforge import forge as forge_module
from digitforge import onnx_file
from digitforge.classifier import Classifier
from digitforge.data import Digits
from digitforge.data.digits import UNLABELLED
from digitforge.errors import ModelError, UserError
from digitforge.forge import Forge
from digitforge.randomness import draw_latents, stream
from digitforge.runs import RunFolder, SpecialistsFolder
from tiny_models import (
    HASH,
    LATENT,
    LEVEL,
    card_table,
    stacked_card,
    write_classifier,
    write_model,
    write_stacked_model,
)
from tiny_runs import tiny_recipe

UNEVEN = [100, 200, 300, 400, 0, 0, 0, 0, 0, 0]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier.load(write_classifier(tmp_path_factory.mktemp("classifier") / "classifier.onnx"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.onnx")


@pytest.fixture
def unconditional(tmp_path: Path, classifier: Classifier) -> Forge:
    return Forge.load(write_model(tmp_path / "free.onnx", conditional=False), classifier=classifier)


def levels(digits: Digits) -> list[int]:
    """The digits that the images show, read without a classifier."""
    return np.rint(digits.images.mean((1, 2, 3)) / LEVEL).astype(int).tolist()


@pytest.mark.parametrize("digit", [7, "7"])
def test_a_conditional_model_draws_the_digit_asked_for(model: Path, digit: int | str) -> None:
    digits = Forge.load(model).generate(digit, count=20, seed=1)
    assert digits.images.shape == (20, 1, 28, 28)
    assert digits.images.dtype == np.uint8
    assert digits.labels.tolist() == levels(digits) == [7] * 20
    assert digits.names == tuple("0123456789")


def test_one_seed_gives_one_result_and_another_seed_another(model: Path) -> None:
    first, again, other = (Forge.load(model).generate(count=30, seed=seed) for seed in (5, 5, 6))
    assert first.sha256 == again.sha256 != other.sha256


def test_latents_come_from_the_seed_alone(model: Path) -> None:
    forge = Forge.load(model)
    latents = draw_latents(stream(9, "generate"), 700, LATENT, "normal")
    expected = forge.draw(latents, np.full(700, 2, np.int64))
    np.testing.assert_array_equal(forge.generate(2, count=700, seed=9).images, expected)
    np.testing.assert_array_equal(forge.generate(2, count=30, seed=9).images, expected[:30])


def test_uniform_latents_are_drawn_where_the_card_says_so(tmp_path: Path) -> None:
    card = card_table(latent={"size": LATENT, "distribution": "uniform"})
    forge = Forge.load(write_model(tmp_path / "model.onnx", card=card))
    latents = draw_latents(stream(0, "generate"), 8, LATENT, "uniform")
    np.testing.assert_array_equal(forge.generate(1, 8).images, forge.draw(latents, np.ones(8, np.int64)))


def test_images_are_uint8_digits_drawn_in_batches(model: Path) -> None:
    parts = list(Forge.load(model).batches(3, count=1201))
    assert [len(part.digits) for part in parts] == [500, 500, 201]
    assert all(part.share == 1 for part in parts)


def test_labels_follow_the_training_frequencies_within_one(tmp_path: Path) -> None:
    forge = Forge.load(write_model(tmp_path / "model.onnx", card=card_table(frequencies=UNEVEN)))
    for seed in range(20):
        counts = forge.generate(count=37, seed=seed).counts
        assert (np.abs(counts - 37 * np.asarray(UNEVEN) / 1000) < 1).all()
    assert forge.names == ("0", "1", "2", "3")


def test_a_single_image_is_not_always_the_same_label(tmp_path: Path) -> None:
    forge = Forge.load(write_model(tmp_path / "model.onnx", card=card_table(frequencies=UNEVEN)))
    labels = [int(forge.generate(count=1, seed=seed).labels[0]) for seed in range(200)]
    shares = np.bincount(labels, minlength=4) / 200
    assert np.abs(shares - [0.1, 0.2, 0.3, 0.4]).max() < 0.1


def test_labels_come_in_random_order(model: Path) -> None:
    labels = Forge.load(model).generate(count=100).labels
    assert (np.diff(labels) < 0).sum() > 20


@pytest.mark.parametrize("digit", [12, "x", -1, "", "07"])
def test_a_digit_that_does_not_exist_is_refused_with_those_that_do(model: Path, digit: int | str) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx knows 0, 1, 2, 3, 4, 5, 6, 7, 8 and 9"):
        Forge.load(model).generate(digit)


def test_a_digit_that_was_not_trained_on_is_refused(tmp_path: Path) -> None:
    forge = Forge.load(write_model(tmp_path / "model.onnx", card=card_table(frequencies=UNEVEN)))
    with pytest.raises(ModelError, match="was trained on 0, 1, 2 and 3, not '7'"):
        forge.generate(7)
    with pytest.raises(ModelError, match="label"):
        forge.draw(np.zeros((1, LATENT), np.float32), np.asarray([7]))


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-3, 0), (10_000_001, 0), (1, -1), (1, 2**32)])
def test_a_count_or_seed_out_of_range_is_the_users_mistake(model: Path, count: int, seed: int) -> None:
    with pytest.raises(UserError):
        Forge.load(model).batches(None, count, seed)


def test_more_than_memory_holds_is_refused_at_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forge_module, "MAX_BYTES", 784 * 10)
    assert len(Forge.load(model).generate(1, 10)) == 10
    with pytest.raises(UserError, match="memory"):
        Forge.load(model).generate(1, 11)


def shares(*rows: dict[int, float]) -> np.ndarray:
    """Rows of label: share."""
    weights = np.zeros((len(rows), 10), np.float32)
    for number, row in enumerate(rows):
        weights[number, list(row)] = list(row.values())
    return weights


def test_a_blend_of_one_label_is_that_label_and_of_two_lies_between(tmp_path: Path) -> None:
    forge = Forge.load(write_model(tmp_path / "model.onnx", blends=True))
    assert forge.can_blend
    latents = draw_latents(stream(0, "generate"), 700, LATENT, "normal")
    whole = forge.blended(latents, np.repeat(shares({8: 1}), 700, 0))
    np.testing.assert_array_equal(whole, forge.draw(latents, np.full(700, 8)))
    mixed = forge.blended(latents[:3], shares({3: 0.5, 8: 0.5}, {3: 0.8, 8: 0.2}, {1: 0.25, 2: 0.25, 9: 0.5}))
    np.testing.assert_allclose(mixed.mean((1, 2, 3)), LEVEL * np.asarray([5.5, 4, 5.25]), atol=1)


def test_the_pretrained_model_blends_and_its_ends_are_what_it_generates() -> None:
    forge = Forge.load()
    latents = forge.latents(3, 16, seed=4)
    for digit in (3, 8):
        ends = forge.blended(latents, np.repeat(shares({digit: 1}), 16, 0))
        np.testing.assert_array_equal(ends, forge.generate(digit, 16, seed=4).images)


@pytest.mark.parametrize(
    "weights",
    [shares({3: 0.5}), shares({3: 1.5, 8: -0.5}), shares({3: 0.5, 7: 0.5}), shares({3: 1}, {3: 1}), shares()[:, :5]],
    ids=["not 1", "below 0", "not trained", "a row too many", "other labels"],
)
def test_what_are_no_shares_is_refused(tmp_path: Path, weights: np.ndarray) -> None:
    card = card_table(frequencies=[1] * 7 + [0, 1, 1])
    forge = Forge.load(write_model(tmp_path / "model.onnx", blends=True, card=card))
    with pytest.raises(ModelError, match="0, 1, 2, 3, 4, 5, 6, 8 and 9 alone"):
        forge.blended(np.zeros((1, LATENT), np.float32), weights)


def test_an_older_file_draws_whole_digits_alone(model: Path) -> None:
    forge = Forge.load(model)
    assert not forge.can_blend
    with pytest.raises(ModelError, match=r"model\.onnx draws whole digits .* train it again"):
        forge.blended(np.zeros((1, LATENT), np.float32), shares({3: 0.5, 8: 0.5}))


def test_latents_are_those_that_digits_are_generated_from(model: Path, unconditional: Forge) -> None:
    forge = Forge.load(model)
    told = forge.draw(forge.latents(5, 600, seed=3), np.full(600, 5))
    np.testing.assert_array_equal(told, forge.generate(5, 600, seed=3).images)
    for digit in (6, None):
        free = unconditional.draw(unconditional.latents(digit, 90, seed=3))
        np.testing.assert_array_equal(free, unconditional.generate(digit, 90, seed=3).images)


def test_an_unconditional_model_is_filtered_and_the_yield_is_told(unconditional: Forge, classifier: Classifier) -> None:
    drawn = unconditional.generate_with_yield(4, count=100, seed=2)
    assert levels(drawn.digits) == drawn.digits.labels.tolist() == [4] * 100
    latents = draw_latents(stream(2, "generate"), drawn.drawn, LATENT, "normal")
    read = classifier.read(unconditional.draw(latents)).labels
    assert (read == 4).sum() == 100
    assert read[-1] == 4
    assert drawn.share == 100 / drawn.drawn


def test_filtered_digits_begin_alike_whatever_the_count(unconditional: Forge) -> None:
    few, many = unconditional.generate(6, 10), unconditional.generate(6, 400)
    np.testing.assert_array_equal(few.images, many.images[:10])


def test_without_a_digit_an_unconditional_model_is_labelled_by_the_classifier(unconditional: Forge) -> None:
    digits = unconditional.generate(count=300)
    assert digits.labels.tolist() == levels(digits)
    assert len(set(digits.labels.tolist())) > 4


def test_labels_are_read_among_those_trained_on(tmp_path: Path, classifier: Classifier) -> None:
    card = card_table(conditional=False, names=["3", "6"], frequencies=[5, 5])
    path = write_model(tmp_path / "two.onnx", conditional=False, card=card)
    digits = Forge.load(path, classifier=classifier).generate(count=200)
    assert digits.labels.tolist() == [int(abs(level - 6) < abs(level - 3)) for level in levels(digits)]


def test_a_hopeless_digit_is_given_up_with_the_yield(tmp_path: Path, classifier: Classifier) -> None:
    path = write_model(tmp_path / "narrow.onnx", conditional=False, spread=0.1)
    with pytest.raises(ModelError, match="0 of 20,000"):
        Forge.load(path, classifier=classifier).generate(9, count=2)


def test_a_digit_is_as_rare_as_its_share_in_training(tmp_path: Path, classifier: Classifier) -> None:
    """Of 1 in 5,000 training images, some 5 in 20,000 drawn are no reason to give up."""
    card = card_table(conditional=False, frequencies=[*[555] * 9, 1])
    path = write_model(tmp_path / "narrow.onnx", conditional=False, card=card, spread=1.35)
    drawn = Forge.load(path, classifier=classifier).generate_with_yield(9, count=15)
    assert drawn.drawn > forge_module.HOPELESS_AFTER
    assert drawn.share < forge_module.HOPELESS_YIELD


def test_a_balanced_set_has_equally_many_of_each_label_in_turn(tmp_path: Path) -> None:
    forge = Forge.load(write_model(tmp_path / "model.onnx", card=card_table(frequencies=UNEVEN)))
    digits = forge.generate(count=1403, seed=2, balanced=True)
    assert digits.counts.tolist() == [351, 351, 351, 350, *[0] * 6]
    assert digits.labels.tolist() == levels(digits) == [0, 1, 2, 3] * 350 + [0, 1, 2]
    np.testing.assert_array_equal(forge.generate(count=30, seed=2, balanced=True).images, digits.images[:30])


def test_a_balanced_set_is_drawn_from_one_stream_of_latents(model: Path) -> None:
    forge = Forge.load(model)
    digits = forge.generate(count=700, seed=9, variety=0.5, balanced=True)
    latents = draw_latents(stream(9, "generate"), 700, LATENT, "normal") / 2
    np.testing.assert_array_equal(digits.images, forge.draw(latents, digits.labels))


def test_of_a_model_that_is_told_nothing_a_classifier_picks_a_balanced_set(
    unconditional: Forge, classifier: Classifier
) -> None:
    drawn = unconditional.generate_with_yield(count=33, seed=2, balanced=True)
    assert drawn.digits.counts.tolist() == [4, 4, 4, *[3] * 7]
    assert drawn.digits.labels.tolist() == levels(drawn.digits)
    latents = draw_latents(stream(2, "generate"), drawn.drawn, LATENT, "normal")
    every = unconditional.draw(latents)
    read = classifier.read(every).labels
    for label, count in enumerate(drawn.digits.counts):  # the first of each that came
        np.testing.assert_array_equal(drawn.digits.only([label]).images, every[read == label][:count])
    assert drawn.drawn > 33
    np.testing.assert_array_equal(drawn.digits.images[-1], every[-1])  # none is counted that came too late


def test_a_balanced_set_that_lacks_a_label_is_given_up(tmp_path: Path, classifier: Classifier) -> None:
    path = write_model(tmp_path / "narrow.onnx", conditional=False, spread=0.1)
    with pytest.raises(ModelError, match=r"too few of '0': 0 of 20,000 .* do without it"):
        Forge.load(path, classifier=classifier).generate(count=20, balanced=True)


@pytest.mark.parametrize("digit", [7, "7"])
def test_one_digit_is_no_balanced_set(model: Path, digit: int | str) -> None:
    with pytest.raises(UserError, match=r"equally many of every digit, not '?7'? alone; leave out one of them"):
        Forge.load(model).batches(digit, balanced=True)


def test_a_specialists_balanced_set_is_all_of_its_digit(tmp_path: Path) -> None:
    card = card_table(conditional=False, frequencies=[0] * 9 + [80])
    forge = Forge.load(write_model(tmp_path / "nine.onnx", conditional=False, card=card))
    assert forge.generate(count=5, balanced=True).labels.tolist() == [9] * 5


def test_a_thousand_labels_are_not_all_named(tmp_path: Path) -> None:
    forge = Forge.load(write_stacked_model(tmp_path / "model.onnx", card=stacked_card()))
    with pytest.raises(ModelError, match="knows 1,000 labels from 000 to 999, not '7'"):
        forge.generate(7)
    digits = forge.generate("357", 5)
    assert np.rint(digits.images.mean((0, 2, 3)) / LEVEL).tolist() == [3, 5, 7]


def test_a_specialist_needs_no_filter(tmp_path: Path) -> None:
    frequencies = [0] * 9 + [80]
    card = card_table(conditional=False, frequencies=frequencies)
    forge = Forge.load(write_model(tmp_path / "nine.onnx", conditional=False, card=card))
    drawn = forge.generate_with_yield(9, count=10)
    assert drawn.drawn == 10
    assert forge.generate(count=10).labels.tolist() == [9] * 10


def test_an_unconditional_model_in_colour_is_unlabelled(tmp_path: Path, classifier: Classifier) -> None:
    path = write_model(tmp_path / "colour.onnx", conditional=False, shape=(3, 32, 32))
    forge = Forge.load(path, classifier=classifier)
    digits = forge.generate(count=5)
    assert digits.names == UNLABELLED
    assert digits.shape == (3, 32, 32)
    with pytest.raises(ModelError, match="can't read its images; leave out the digit"):
        forge.generate(3)
    with pytest.raises(ModelError, match="can't read its images; leave out balanced, or use"):
        forge.generate(balanced=True)


def test_variety_scales_the_latents(model: Path) -> None:
    forge = Forge.load(model)
    usual, less = forge.latents(7, 20, seed=1), forge.latents(7, 20, seed=1, variety=0.5)
    assert np.array_equal(less, usual / 2)
    assert np.array_equal(forge.generate(7, 20, seed=1, variety=0.5).images, forge.draw(less, np.full(20, 7)))
    assert np.array_equal(forge.generate(7, 20, seed=1, variety=1).images, forge.generate(7, 20, seed=1).images)


def test_variety_leaves_what_chooses_a_cluster_alone(tmp_path: Path) -> None:
    card = card_table(conditional=False, latent={"size": LATENT, "distribution": "normal", "choosers": 3})
    forge = Forge.load(write_model(tmp_path / "model.onnx", conditional=False, card=card))
    usual, less = forge.latents(count=20), forge.latents(count=20, variety=0.5)
    assert np.array_equal(less[:, :-3], usual[:, :-3] / 2)
    assert np.array_equal(less[:, -3:], usual[:, -3:])


def test_without_variety_all_images_of_a_digit_are_one(model: Path) -> None:
    images = Forge.load(model).generate(7, 20, variety=0).images
    assert (images == images[0]).all()


def test_variety_reaches_what_a_classifier_chooses(tmp_path: Path, classifier: Classifier) -> None:
    forge = Forge.load(write_model(tmp_path / "model.onnx", conditional=False), classifier=classifier)
    assert forge.generate_with_yield(4, 20, variety=0.1).share > forge.generate_with_yield(4, 20).share


@pytest.mark.parametrize("variety", [-0.1, 1.6, float("nan")])
def test_variety_has_bounds(model: Path, variety: float) -> None:
    with pytest.raises(UserError, match=r"variety lies in 0 to 1\.5"):
        Forge.load(model).generate(7, variety=variety)


def test_a_run_folder_stands_for_its_model(model: Path) -> None:
    assert Forge.load(model.parent).path == model
    assert Forge.load(str(model.parent)).card.seed == 3


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("empty", " and no recipe.toml, so it is no run; name a run folder or a model file"),
        ("new", " yet, nor a snapshot of its run; go on with it by `digitforge train --out new --resume`"),
        ("on its way", " yet; `digitforge export 'on its way'` makes a model of the run's newest snapshot"),
        (
            "job",
            ", as its job of specialists has not ended: name a run in it, or go on with it by "
            "`digitforge specialists --out job --resume`",
        ),
    ],
)
def test_a_folder_without_a_model_is_named_with_the_way_to_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    for name in ("new", "on its way"):
        RunFolder(Path(name)).create(tiny_recipe())
    RunFolder(Path("on its way")).snapshot(160).touch()
    SpecialistsFolder(Path("job")).create(tiny_recipe())
    with pytest.raises(ModelError) as caught:
        Forge.load(folder)
    assert str(caught.value) == f"the folder {folder} holds no model.onnx{words}"


def test_a_file_of_another_kind_is_told_without_the_runtimes_words(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# digitforge\n\nTrains, measures and uses GANs on digits.\n")
    with pytest.raises(ModelError) as caught:
        Forge.load(path)
    assert str(caught.value) == (
        f"{path} is no ONNX file that can be run, or a damaged one; name a run folder, or a model file such as the "
        "model.onnx in it"
    )


def test_a_missing_pretrained_model_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(forge_module, "PRETRAINED", tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="pretrained"):
        Forge.load()


def spoil(name: str) -> Callable[[Path], None]:
    def truncate(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-300])

    def drop_card(path: Path) -> None:
        write_model(path, card="")

    def fix_batch(path: Path) -> None:
        proto = load_model(path)
        proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
        save_model(proto, path)

    return {
        "missing": Path.unlink,
        "empty": lambda path: path.write_bytes(b""),
        "text": lambda path: path.write_text("hello, I am a model\n" * 50),
        "random": lambda path: path.write_bytes(np.random.default_rng(0).bytes(4000)),
        "truncated": truncate,
        "no card": drop_card,
        "card in words": lambda path: write_model(path, card="a fine model"),
        "card of a classifier": lambda path: write_classifier(path),
        "other images": lambda path: write_model(path, card=card_table(shape=[1, 32, 32])),
        "other latent": lambda path: write_model(path, card=card_table(latent={"size": 5, "distribution": "normal"})),
        "no label input": lambda path: write_model(path, conditional=False, card=card_table(conditional=True)),
        "label input": lambda path: write_model(path, card=card_table(conditional=False)),
        "fixed batch": fix_batch,
    }[name]  # type: ignore[return-value]


SPOILT = ["missing", "empty", "text", "random", "truncated", "no card", "card in words", "card of a classifier"]
LYING = ["other images", "other latent", "no label input", "label input", "fixed batch"]


@pytest.mark.parametrize("name", SPOILT + LYING)
def test_what_is_no_model_is_named_in_one_line(model: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    spoil(name)(model)
    with pytest.raises(ModelError, match=r"model\.onnx") as caught:
        Forge.load(model)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("path", ["/dev/zero", "\0", "x" * 5000])
def test_what_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(ModelError):
        Forge.load(path)


def test_a_huge_file_is_refused_unread(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 100)
    with pytest.raises(ModelError, match="more than the 100"):
        Forge.load(model)


@pytest.mark.parametrize("place", ["weights.bin", "sub/../weights.bin", "absolute"])
def test_a_model_reads_no_second_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    (tmp_path / "sub").mkdir()
    weights = tmp_path / "weights.bin"
    weights.write_bytes(np.zeros((LATENT, 784), np.float32).tobytes())
    tensor = numpy_helper.from_array(np.zeros((LATENT, 784), np.float32), "noise")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", str(weights) if place == "absolute" else place
    path = write_model(tmp_path / "model.onnx")
    proto = load_model(path)
    kept = [each for each in proto.graph.initializer if each.name != "noise"]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend([*kept, tensor])
    path.write_bytes(proto.SerializeToString())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="no ONNX file that can be run"):
        Forge.load(path)


def test_a_model_that_fails_while_it_runs_is_named(tmp_path: Path) -> None:
    """A Reshape to a wrong number of pixels fails in the graph, whatever the file declares."""
    path = write_model(tmp_path / "model.onnx")
    proto = load_model(path)
    for tensor in proto.graph.initializer:
        if tensor.name == "shape":
            tensor.CopyFrom(numpy_helper.from_array(np.asarray([-1, 1, 28, 29], np.int64), "shape"))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("images", TensorProto.UINT8, None))
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Forge.load(path)


def test_the_hash_is_that_of_the_file(model: Path) -> None:
    import hashlib

    assert Forge.load(model).sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert Forge.load(model).card.weights_sha256 == HASH


def test_importing_forge_brings_neither_torch_nor_the_network() -> None:
    code = "import sys, digitforge.forge, digitforge.writing; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy: set[str] = {"torch", "pydantic", "pooch", "requests", "rich", "scipy", "matplotlib", "onnx", "typer"}
    assert not heavy & set(loaded)


def test_a_card_survives_the_model_file(model: Path) -> None:
    table: dict[str, Any] = json.loads(Forge.load(model).card.to_json())
    assert table == card_table()

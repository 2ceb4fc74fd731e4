"""`specialists`: one job, one model for each label, and each the same as if it had been trained alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitforge import classifier as classifier_module
from digitforge.card import Card
from digitforge.data import DataSet, Digits, load_data
from digitforge.errors import DataError, DivergenceError, InterruptionError, RecipeError, RunError, UserError
from digitforge.forge import Forge
from digitforge.holding import held
from digitforge.metrics import reference as reference_module
from digitforge.metrics.evaluate import evaluate
from digitforge.recipe import load_recipe
from digitforge.runs import RunFolder, SpecialistsFolder
from digitforge.sections import Compute
from digitforge.studies import worker
from digitforge.studies.specialists import crew_size, finish, program_size, train_specialists, with_labels
from digitforge.studies.worker import Begun, Done, Message, Noted
from digitforge.training.train import train
from tiny_models import card_table, write_classifier, write_model
from tiny_runs import tiny_data, tiny_digits, tiny_recipe, what_must_repeat, write_npz
from tiny_workers import willing

NAMES = ("cat", "dog", "owl")  # no digits, so that nobody reads 10,000 of them for figures
IMAGES = 120 * 16
# Long enough to be stopped on the way, a checkpoint at every tick, and little else.
LONG = {
    "training.images": IMAGES,
    "record.checkpoint_seconds": 1e-9,
    "record.accuracy": "1/2 run",
    "record.sheet": "1/2 run",
    "record.snapshot": "1/2 run",
}


class Listener:
    """A watcher that keeps what it hears."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.messages: list[Message] = []
        self.ends = 0

    def started(self, title: str, names: Sequence[str], finished: Sequence[str]) -> None:
        self.finished = list(finished)

    def heard(self, message: Message) -> None:
        self.messages.append(message)

    def ended(self) -> None:
        self.ends += 1


class Stopper(Listener):
    """A watcher that presses Ctrl-C when a label begins."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def heard(self, message: Message) -> None:
        super().heard(message)
        if isinstance(message, Begun) and message.name == self.name:
            os.kill(os.getpid(), signal.SIGINT)


@dataclass(frozen=True)
class Stopped:
    """A job that was stopped while two of its three labels were trained.

    code, out, err: of the command. lines: of statistics that each run had by then. is_whole: whether the job looked
    finished.
    """

    folder: Path
    code: int
    out: str
    err: str
    lines: dict[str, int]
    is_whole: bool


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A folder with images in a file, a recipe for them, and a job on them that Ctrl-C ended, `job`."""
    folder = tmp_path_factory.mktemp("shop")
    digits = tiny_digits(120)
    np.savez(folder / "own.npz", images=digits.images[:, 0], labels=np.asarray(NAMES)[digits.labels % 3])
    (folder / "tiny.toml").write_text(tiny_recipe(LONG | {"data.name": str(folder / "own.npz")}).to_toml())
    command = [sys.executable, "-m", "digitforge", "specialists", "tiny.toml", "--workers", "2", "--out", "job"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + 60
    while len(lines := count_lines(folder / "job")) < 2 or min(lines.values()) < 2:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=30)
    is_whole = (folder / "job" / "SHA256SUMS").exists()
    return Stopped(folder, process.returncode, out, err, count_lines(folder / "job"), is_whole)


def count_lines(job: Path) -> dict[str, int]:
    """How many lines of statistics each run of a job has."""
    return {path.parent.name: path.read_text().count("\n") for path in job.glob("*/stats.jsonl")}


@pytest.fixture(scope="module")
def shop(stopped: Stopped) -> Path:
    """The same folder, after the job went on to its end."""
    listener = Listener()
    train_specialists(out=stopped.folder / "job", resume=True, workers=2, watcher=listener)
    begun = {message.name: message.images for message in listener.messages if isinstance(message, Begun)}
    assert begun["owl"] == 0 < min(begun["cat"], begun["dog"])
    assert {message.images for message in listener.messages if isinstance(message, Done)} == {IMAGES}
    assert (listener.finished, listener.ends) == ([], 1)
    return stopped.folder


def test_ctrl_c_saves_every_run_and_says_how_to_go_on(stopped: Stopped) -> None:
    assert stopped.code == 130
    assert stopped.out == ""
    assert stopped.err.endswith(
        "\ndigitforge: stopped; everything so far is saved in job: go on with "
        "`digitforge specialists --out job --resume`\n"
    )
    assert ": a specialist for each of cat, dog, owl, seed 5, in job\n" in stopped.err
    assert "Traceback" not in stopped.err
    assert not stopped.is_whole
    assert "label-2-owl" not in stopped.lines
    assert all(count < IMAGES / 80 for count in stopped.lines.values())


def test_a_job_leaves_a_run_a_label_the_set_a_sheet_and_the_hashes_of_all(shop: Path) -> None:
    job = shop / "job"
    names = {path.name for path in job.iterdir()}
    runs = {"label-0-cat", "label-1-dog", "label-2-owl"}
    assert names == runs | {"model.zip", "sheet.png", "specialists.toml", "SHA256SUMS"}
    for line in (job / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((job / name).read_bytes()).hexdigest() == digest
    listed = {line.split("  ")[1] for line in (job / "SHA256SUMS").read_text().splitlines()}
    assert {"model.zip", "label-0-cat/model.onnx", "label-2-owl/SHA256SUMS"} <= listed
    forge = Forge.load(job)
    assert forge.names == NAMES
    assert forge.card.images == 3 * IMAGES
    assert forge.card.figures == {}  # nothing reads animals
    assert Image.open(job / "sheet.png").height > 3 * 16


def test_a_specialist_that_was_stopped_on_the_way_is_what_train_makes_of_its_label_bit_for_bit(shop: Path) -> None:
    alone = train(load_recipe(str(shop / "tiny.toml")), settings={"data.digits": "dog"}, out=shop / "alone")
    within = SpecialistsFolder(shop / "job").run(1, "dog")
    assert what_must_repeat(alone) == what_must_repeat(within)
    together, one = (Forge.load(path).generate("dog", 20, seed=3) for path in (shop / "job", alone.path))
    np.testing.assert_array_equal(together.images, one.images)


def test_a_job_of_one_program_stops_at_ctrl_c_goes_on_and_makes_a_set(tmp_path: Path) -> None:
    recipe, names = tiny_recipe({**LONG, "data.digits": ["cat", "owl"]}), {"cat", "owl"}
    digits = tiny_digits(120)
    data = DataSet("animals", Digits(digits.images, digits.labels % 3, NAMES), None)
    job, stopper, listener = SpecialistsFolder(tmp_path / "job"), Stopper("owl"), Listener()
    with pytest.raises(InterruptionError, match=r"go on with `digitforge specialists --out"):
        train_specialists(recipe, data, out=job.path, workers=1, at_once=2, watcher=stopper)
    assert len({job.run(label, name).checkpoints()[0].name for label, name in ((0, "cat"), (2, "owl"))}) == 1
    assert not job.is_finished
    train_specialists(data=data, out=job.path, resume=True, workers=1, at_once=2, watcher=listener)
    begun = {message.name: message.images for message in listener.messages if isinstance(message, Begun)}
    assert len(set(begun.values())) == 1
    assert 0 < begun["cat"] < IMAGES
    assert not any(isinstance(message, Noted) for message in listener.messages)
    assert {message.name for message in listener.messages if isinstance(message, Done)} == names
    assert job.is_finished
    assert Forge.load(job.path).card.images == 2 * IMAGES


@pytest.mark.parametrize(
    ("device", "workers", "size"), [("cpu", None, 1), ("cpu", 4, 1), ("cuda", None, 100), ("mps", 4, 4)]
)
def test_an_accelerator_trains_all_labels_as_one_program_or_so_many_as_it_is_told(
    device: str, workers: int | None, size: int
) -> None:
    assert program_size(Compute(device=device), workers) == size


def test_a_finished_job_is_left_as_it_is(shop: Path) -> None:
    hashes = (shop / "job" / "SHA256SUMS").read_bytes()
    listener = Listener()
    train_specialists(out=shop / "job", resume=True, watcher=listener)
    assert (listener.messages, listener.ends) == ([], 0)
    assert (shop / "job" / "SHA256SUMS").read_bytes() == hashes


def test_a_job_whose_runs_are_all_finished_is_brought_to_its_end(shop: Path) -> None:
    job, before = SpecialistsFolder(shop / "job"), (shop / "job" / "model.zip").read_bytes()
    for path in (job.model, job.hashes):
        path.unlink()
    (job.path / ".model.zip.1-aa.part").touch()
    train_specialists(out=job.path, resume=True)
    assert job.is_finished
    assert job.model.read_bytes() == before
    assert ".part" not in job.hashes.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": "dcgan"}, "is one of tiny, not of dcgan"),
        ({"settings": {"training.seed": 6}}, "has training.seed = 5, not 6"),
        ({"settings": {"data.digits": "cat,dog"}}, "has data.digits"),
        ({"settings": {"training.images": 6400}}, "takes 1,920 images, not 6,400 images"),
        ({"settings": {"training.seconds": 5.0}}, "takes 1,920 images, not 5 s"),
    ],
)
def test_a_job_goes_on_as_what_it_was(shop: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(RunError, match=words):
        train_specialists(**options, out=shop / "job", resume=True)  # type: ignore[arg-type]


def test_a_job_whose_data_have_moved_goes_on_from_their_new_place(shop: Path, tmp_path: Path) -> None:
    job = SpecialistsFolder(tmp_path / "job")
    shutil.copytree(shop / "job", job.path)
    saved, place = job.read_recipe(), str(tmp_path / "moved.npz")
    dog = next(job.path.glob("*dog*"))
    for hashes in (job.hashes, RunFolder(dog).hashes):
        hashes.unlink()
    shutil.move(saved.data.name, place)
    try:
        train_specialists(data=place, out=job.path, resume=True, workers=1)
    finally:
        shutil.copy(place, saved.data.name)  # for the other tests
    assert job.is_finished
    assert [folder.read_recipe().data.name for folder in (job, RunFolder(dog))] == [place] * 2
    assert Forge.load(job.path).card.data.name == place
    assert job.read_recipe() == saved.with_settings({"data.name": place, "data.sha256": saved.data.sha256})


def test_a_finished_job_is_one_of_its_own_images_alone(shop: Path, tmp_path: Path) -> None:
    job, saved = shop / "job", SpecialistsFolder(shop / "job").read_recipe()
    digits = tiny_digits(150)
    other = DataSet("other", Digits(digits.images, digits.labels % 3, NAMES), None)
    with pytest.raises(RunError, match="learn from other images or labels than other holds now"):
        train_specialists(data=other, out=job, resume=True)
    shutil.copy(saved.data.name, tmp_path / "moved.npz")
    assert train_specialists(data=tmp_path / "moved.npz", out=job, resume=True).path == job
    assert SpecialistsFolder(job).read_recipe() == saved


def test_a_job_does_not_go_on_with_other_images(shop: Path, tmp_path: Path) -> None:
    job = SpecialistsFolder(tmp_path / "job")
    shutil.copytree(shop / "job", job.path)
    job.hashes.unlink()
    digits = tiny_digits(150)
    other = DataSet(str(shop / "own.npz"), Digits(digits.images, digits.labels % 3, NAMES), None)
    with pytest.raises(RunError, match=r"learn from other images or labels than .*own\.npz holds now"):
        train_specialists(data=other, out=job.path, resume=True)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"workers": 0}, UserError, "at least one worker, not 0"),
        ({"resume": True, "out": None}, RunError, "name its folder with --out"),
        ({"out": "full"}, RunError, "full holds other files; choose another --out"),
        ({"out": "full", "resume": True}, RunError, "full is no job of specialists: it holds no specialists.toml"),
        ({"settings": {"data.digits": "3,x"}}, DataError, 'no label "x"'),
        ({"recipe": "nothing-such"}, RecipeError, "no recipe"),
        ({"data": "nothing-such"}, DataError, "nothing-such"),
    ],
)
def test_what_cannot_be_begun_leaves_nothing_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "taken").touch()
    with pytest.raises(error, match=words):
        train_specialists(**{"recipe": tiny_recipe(), "data": tiny_data(), "out": "new", **options})  # type: ignore[arg-type]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["full", "full/taken"]


def test_a_job_that_fails_before_a_run_has_begun_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitforge.studies.specialists.work", willing)
    images = Digits(np.zeros((4, 1, 8, 8), np.uint8), np.asarray([0, 1, 1, 0]), ("wait", "diverge"))
    listener = Listener()
    with pytest.raises(DivergenceError, match=r"^specialist diverge: the losses are no numbers"):
        train_specialists(
            tiny_recipe(), DataSet("odd", images, None), workers=2, out=tmp_path / "new", watcher=listener
        )
    assert worker.Stopped() in listener.messages
    assert listener.ends == 1
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_another_process_works_on_is_left_alone(tmp_path: Path) -> None:
    job = SpecialistsFolder(tmp_path / "job")
    asked = with_labels(tiny_recipe(), tiny_data())
    job.create(asked)
    with held(job.path), pytest.raises(RunError, match="is being worked on by process"):
        train_specialists(data=tiny_data(), out=job.path, resume=True)
    assert job.read_recipe() == asked


def test_what_was_done_to_the_images_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitforge.studies.specialists.work", willing)
    images = Digits(np.zeros((4, 1, 8, 8), np.uint8), np.asarray([0, 1, 1, 0]), ("wait", "diverge"))
    listener = Listener()
    with pytest.raises(DivergenceError):
        train_specialists(
            tiny_recipe(), DataSet("odd", images, None, ("4 resized",)), out=tmp_path / "new", watcher=listener
        )
    assert [message for message in listener.messages if isinstance(message, Noted)] == [Noted("4 resized")]


def test_a_recipe_made_for_other_images_is_refused(tmp_path: Path) -> None:
    recipe = tiny_recipe({"data.sha256": "ef" * 32, "data.digits": "3"})
    with pytest.raises(DataError, match="other images or labels than this recipe was made for"):
        train_specialists(recipe, tiny_data(), out=tmp_path / "job")
    assert list(tmp_path.iterdir()) == []


def test_labels_are_those_of_the_data_set_that_have_images() -> None:
    animals = Digits(np.zeros((4, 1, 8, 8), np.uint8), np.asarray([0, 2, 2, 0]), ("cat", "dog", "bear / cub"))
    data = DataSet("animals", animals, None)
    recipe = with_labels(tiny_recipe(), data)
    assert recipe.data.digits == ("cat", "bear / cub")
    with pytest.raises(DataError, match="animals holds no training image of dog"):
        with_labels(tiny_recipe({"data.digits": ["cat", "dog"]}), data)


def test_a_name_that_is_no_digit_cannot_leave_its_folder() -> None:
    folder = SpecialistsFolder(Path("job"))
    paths = {str(folder.run(label, name).path) for label, name in enumerate(["0", "../../x", ".. ..?x", "七"])}
    assert paths == {"job/digit-0", "job/label-1-______x", "job/label-2-______x", "job/label-3-_"}


@pytest.mark.parametrize(
    ("settings", "tasks", "workers", "size"),
    [
        ({}, 10, None, 6),
        ({"compute.threads": 4}, 10, None, 1),
        ({"compute.threads": 12}, 10, None, 1),
        ({}, 3, None, 3),
        ({}, 10, 8, 8),
        ({"compute.device": "cuda"}, 10, 4, 1),
    ],
)
def test_workers_fill_the_cores(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], tasks: int, workers: int | None, size: int
) -> None:
    monkeypatch.setattr("digitforge.studies.specialists.available_cores", lambda: 6)
    assert crew_size(tiny_recipe(settings), tasks, workers) == size


def finished_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **data: object) -> tuple[SpecialistsFolder, Card]:
    """A job of two specialists that draw perfectly, with data of their own; data: what their cards say otherwise."""
    monkeypatch.setenv("DIGITFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(classifier_module, "PINNED", write_classifier(tmp_path / "classifier.onnx"))
    monkeypatch.setattr(reference_module, "SHIPPED", tmp_path / "none.npz")
    path = write_npz(tmp_path / "own.npz", tiny_digits(300, side=28))
    data = {"name": str(path), "sha256": load_data(path).train.sha256, "count": 20, **data}
    folder = SpecialistsFolder(tmp_path / "job")
    folder.create(tiny_recipe({"data.digits": ["3", "5"], "data.name": data["name"]}))
    runs = {label: folder.run(label, str(label)) for label in (3, 5)}
    for label, run in runs.items():
        run.create(tiny_recipe({"data.digits": [str(label)]}))
        write_model(run.model, card=card_table(frequencies=[20 * (each == label) for each in range(10)], data=data))
    finish(folder, runs)
    return folder, Forge.load(folder.model).card


@pytest.mark.parametrize("change", [{"sha256": "00" * 32}, {"name": "gone.npz"}])
def test_a_set_has_no_figures_of_images_that_it_never_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    folder, card = finished_set(tmp_path, monkeypatch, **change)
    assert dict(card.figures) == {}
    assert folder.is_finished


def test_the_figures_in_the_card_are_those_of_the_images_that_the_set_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, card = finished_set(tmp_path, monkeypatch)
    assert card.figures["accuracy"] == {"value": 1.0, "n": 10_000}
    assert set(card.figures["accuracy_by_label"]) == {"3", "5"}
    assert card.recipe["data"]["digits"] == ["3", "5"]
    forge = Forge.load(folder.path)
    assert forge.card == card
    assert evaluate(forge, details=False).for_card() == card.figures
    assert folder.is_finished


def test_starting_a_job_brings_no_torch_into_this_process() -> None:
    script = "import sys, digitforge.studies.specialists; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_more_labels_than_one_job_trains_are_refused() -> None:
    names = tuple(map(str, range(101)))
    digits = Digits(np.zeros((101, 1, 8, 8), np.uint8), np.arange(101), names)
    with pytest.raises(DataError, match="at most 100 specialists, and own has 101 labels; choose some with --digits"):
        with_labels(tiny_recipe(), DataSet("own", digits, None))
    chosen = with_labels(tiny_recipe({"data.digits": list(names[:100])}), DataSet("own", digits, None))
    assert len(chosen.data.digits) == 100

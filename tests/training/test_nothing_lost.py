"""Nothing is lost: a run goes on to the same bits, wherever it was killed and whatever the disk refused it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from digitforge.errors import OutputError, RunError
from digitforge.holding import HOLDER, LOCK, held
from digitforge.runs import RunFolder
from digitforge.training.train import train
from failing_disk import Disk, Killed
from tiny_runs import BATCH, Listener, tiny_data, tiny_recipe, what_must_repeat

DATA = tiny_data()
# Four steps in which everything is written that a run writes on its way: a line and a checkpoint every other step.
SETTINGS = {
    "training.images": 4 * BATCH,
    "record.tick": f"{2 * BATCH} images",
    "record.accuracy": f"{4 * BATCH} images",
    "record.figures": f"{4 * BATCH} images",
    "record.sheet": f"{3 * BATCH} images",
    "record.snapshot": f"{4 * BATCH} images",
    "record.checkpoint_seconds": 1e-9,
}
EVERY = 9  # of a disk's deeds, at how many one fails here; benchmarks/failing_disk.py takes them all


@pytest.fixture(autouse=True)
def quick(light_end: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalisation is measured on few latents."""
    monkeypatch.setattr("digitforge.training.ema._NORM_LATENTS", 32)


def go_on(out: Path, *observers: Listener) -> RunFolder:
    return train(tiny_recipe(SETTINGS), DATA, out=out, resume=True, observers=observers)


def deeds_of_a_run(folder: Path, keep: Path | None = None) -> list[str]:
    with Disk(folder, keep=keep).mounted() as disk:
        run = go_on(folder)
    assert {path.name for path in run.path.rglob("*") if path.is_file()} <= disk.made  # it has seen all that is written
    return disk.deeds


def test_killed_at_any_deed_a_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    left = tmp_path / "left"
    wanted, deeds = what_must_repeat(go_on(tmp_path / "undisturbed")), deeds_of_a_run(tmp_path / "run", left)
    assert len(list(left.iterdir())) > 40
    for killed in left.iterdir():
        assert what_must_repeat(go_on(killed)) == wanted, deeds[int(killed.name) - 1]


@pytest.mark.parametrize(("fault", "words"), [("full", "No space left on device"), ("faulty", "Input/output error")])
def test_a_disk_that_fails_ends_a_run_in_one_line_and_it_goes_on_once_the_disk_is_well(
    tmp_path: Path, fault: str, words: str
) -> None:
    wanted, deeds = what_must_repeat(go_on(tmp_path / "undisturbed")), deeds_of_a_run(tmp_path / "counted")
    told: list[str] = []
    for at in range(1 if fault == "full" else 4, len(deeds) + 1, EVERY):
        out = tmp_path / str(at)
        try:
            with Disk(out, fault, at).mounted() as disk:
                go_on(out)
        except OutputError as error:
            told.append(str(error))
            assert re.search(rf"cannot \w+( the folder)? {re.escape(str(out))}\S*: {words}; ", told[-1]), disk.failing
            saved = RunFolder(out).checkpoints()
            if RunFolder(out).recipe.is_file():
                kept = f"after {int(saved[0].stem) * BATCH} images is kept" if saved else "nothing is saved yet"
                assert kept in told[-1] and f"`digitforge train --out {out} --resume`" in told[-1]
        assert what_must_repeat(go_on(out)) == wanted, disk.failing
    assert len(told) > len(deeds) / EVERY / 2  # what fails of TensorBoard and of cleaning up ends no run
    assert any("is kept" in line for line in told) and any("nothing is saved yet" in line for line in told)


def test_a_run_goes_on_without_tensorboard_where_its_files_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = what_must_repeat(go_on(tmp_path / "undisturbed"))
    out = tmp_path / "run"
    (out / "tensorboard").parent.mkdir()
    (out / "tensorboard").touch()  # a file, where a folder should be
    RunFolder(out).recipe.write_text((tmp_path / "undisturbed" / "recipe.toml").read_text())
    assert what_must_repeat(go_on(out)) == wanted
    (said,) = caplog.messages
    assert said.startswith("TensorBoard's files cannot be written (File exists); the run goes on")


def test_half_a_line_of_statistics_is_written_anew(tmp_path: Path) -> None:
    wanted = what_must_repeat(go_on(tmp_path / "undisturbed"))
    out = tmp_path / "run"
    at = deeds_of_a_run(tmp_path / "counted").index("write stats.jsonl") + 1
    with pytest.raises(OutputError, match=r"stats\.jsonl: Input/output error"), Disk(out, "faulty", at).mounted():
        go_on(out)
    assert RunFolder(out).stats.read_text().startswith('{"images"')
    assert what_must_repeat(go_on(out)) == wanted


def refused(out: Path) -> Callable[[], None]:
    """What has a second process go on with a run that another one is at work on."""

    def act() -> None:
        with pytest.raises(RunError, match=r"is being worked on by process \d+ on \S+; wait for its end"):
            go_on(out)

    return act


def test_a_run_that_is_at_work_is_not_gone_on_with_by_another(tmp_path: Path) -> None:
    wanted = what_must_repeat(go_on(tmp_path / "undisturbed"))
    out = tmp_path / "run"
    assert what_must_repeat(go_on(out, Listener(2 * BATCH, refused(out)))) == wanted
    assert [path.name for path in out.iterdir() if path.name in (LOCK, HOLDER)] == []


def test_a_lengthened_run_that_is_killed_at_once_is_not_taken_for_finished(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.create(tiny_recipe())
    folder.write_hashes()
    for at in range(1, 5):
        with pytest.raises(Killed), Disk(tmp_path, "frozen", at).mounted():
            folder.create(tiny_recipe({"training.images": 1000 * BATCH}))
        assert not (folder.is_finished and folder.read_recipe().training.images == 1000 * BATCH)


def test_what_a_holder_that_was_killed_left_holds_nobody_up(tmp_path: Path) -> None:
    for name in (LOCK, HOLDER):
        (tmp_path / name).write_text("left")
    (tmp_path / ".recipe.toml.1-ab.part").write_text("half")
    with held(tmp_path):
        pass
    assert go_on(tmp_path).is_finished

"""The run folder: names that sort, statistics that survive a crash, hashes that can be checked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from digitforge.errors import OutputError, RecipeError, RunError
from digitforge.recipe import Recipe
from digitforge.runs import RunFolder, SpecialistsFolder, count_of, new_run_folder, new_specialists_folder
from tiny_runs import tiny_recipe


def stats_line(images: int) -> dict[str, object]:
    """The least that a line of statistics tells."""
    return {"images": images, "clock": {"seconds": 0.5}}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.create(tiny_recipe())
    return made


def test_a_new_folder_gives_its_recipe_back(folder: RunFolder) -> None:
    assert folder.read_recipe() == tiny_recipe()
    assert folder.read_stats() == []
    assert folder.samples() == []
    assert not folder.is_finished


def test_a_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run folder: it holds no recipe\.toml"):
        RunFolder(tmp_path).read_recipe()


def test_a_damaged_recipe_is_named(folder: RunFolder) -> None:
    folder.recipe.write_text("seed = = 1")
    with pytest.raises(RecipeError, match=r"recipe\.toml is no recipe"):
        folder.read_recipe()


def test_sheets_come_in_the_order_of_image_counts_whatever_their_names_length(folder: RunFolder) -> None:
    for name in ("12288", "0000000960", "0", "another"):
        (folder.path / "samples" / f"{name}.png").touch()
    assert [count_of(path) for path in folder.samples()] == [0, 960, 12288]


def test_a_copy_that_somebody_keeps_beside_the_checkpoints_is_none(folder: RunFolder) -> None:
    copy = folder.checkpoint(1).with_name("best-0000000400.safetensors")
    for path in (copy, *map(folder.checkpoint, range(1, 9))):
        path.touch()
    folder.drop_old_checkpoints()
    assert folder.checkpoints()[0] == folder.checkpoint(8)
    folder.rewind(images=0, step=7)
    assert folder.checkpoints()[0] == folder.checkpoint(7)
    assert copy.exists()


def test_what_was_half_written_goes_be_it_a_file_or_a_folder(folder: RunFolder) -> None:
    (folder.path / ".model.onnx.7-ab.part").touch()
    inner = folder.path / "drawn" / ".digits.7-ab.part"
    inner.mkdir(parents=True)
    (inner / ".0.png.7-ab.part").touch()
    folder.rewind(images=0, step=0)
    assert not list(folder.path.rglob("*.part"))


def test_names_sort_as_the_counts_do(folder: RunFolder) -> None:
    counts = (1_000_000_000, 20_000, 9, 0, 100_000)
    for count in counts:
        folder.sample(count).touch()
        folder.checkpoint(count).touch()
    assert folder.samples() == [folder.sample(count) for count in sorted(counts)]
    assert folder.checkpoints() == [folder.checkpoint(count) for count in sorted(counts, reverse=True)]


def test_statistics_are_read_back_line_by_line(folder: RunFolder) -> None:
    lines = [stats_line(16) | {"loss": {"generator": 0.25}}, stats_line(32)]
    for line in lines:
        folder.append_stats(line)
    assert folder.read_stats() == lines


def test_a_last_line_that_was_cut_off_is_left_out(folder: RunFolder) -> None:
    folder.append_stats(stats_line(16))
    with folder.stats.open("a") as stream:
        stream.write('{"images": 3')
    assert folder.read_stats() == [stats_line(16)]


@pytest.mark.parametrize(
    "line", ["images 32", "7", "[]", "{}", '{"images": 32}', '{"images": 32, "clock": 5}', "[" * 9999]
)
def test_a_damaged_line_is_named_by_its_number(folder: RunFolder, line: str) -> None:
    folder.append_stats(stats_line(16))
    with folder.stats.open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(RunError, match=r"stats\.jsonl is damaged at line 2"):
        folder.read_stats()


def test_a_figure_that_was_changed_is_noticed_and_lines_of_older_versions_are_read(folder: RunFolder) -> None:
    folder.append_stats(stats_line(16) | {"loss": 0.25})
    line = folder.stats.read_text()
    folder.stats.write_text(line.replace("0.25", "0.75"))
    with pytest.raises(RunError, match=r"stats\.jsonl is damaged at line 1: it was changed"):
        folder.read_stats()
    folder.stats.write_text(json.dumps(stats_line(16)) + "\n")
    assert folder.read_stats() == [stats_line(16)]


def test_a_recipe_that_was_changed_after_its_run_began_is_refused_until_its_seal_is_gone(folder: RunFolder) -> None:
    text = folder.recipe.read_text().replace("seed = 5", "seed = 6")
    folder.recipe.write_text(text)
    with pytest.raises(RunError, match=r"recipe\.toml is damaged or was changed .*remove its last line"):
        folder.read_recipe()
    folder.recipe.write_text("".join(text.splitlines(keepends=True)[:-1]))
    assert folder.read_recipe().training.seed == 6


def test_a_file_that_a_finished_run_did_not_leave_is_refused_until_its_line_is_gone(folder: RunFolder) -> None:
    folder.append_stats(stats_line(16))
    folder.sample(0).write_bytes(b"picture")
    assert folder.intact(folder.sample(0)) == folder.sample(0)  # of a run on its way nothing is known
    folder.write_hashes()
    folder.intact(folder.sample(0))
    folder.sample(0).write_bytes(b"another")
    with pytest.raises(RunError, match=r"0000000000\.png is not the file that the run left"):
        folder.intact(folder.sample(0))
    lines = folder.hashes.read_text().splitlines(keepends=True)
    folder.hashes.write_text("".join(line for line in lines if "samples" not in line))
    folder.intact(folder.sample(0))


@pytest.mark.parametrize("content", [b"", b"\xff", b"abc  recipe.toml\n"])
def test_damaged_hashes_are_named(folder: RunFolder, content: bytes) -> None:
    folder.hashes.write_bytes(content)
    with pytest.raises(RunError, match="SHA256SUMS"):
        folder.read_recipe()


@pytest.mark.parametrize("name", ["samples", "snapshots", "checkpoints"])
def test_a_run_clears_no_folder_that_a_link_leads_to(folder: RunFolder, tmp_path: Path, name: str) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "0000000099.png").touch()
    (folder.path / name).rmdir()
    (folder.path / name).symlink_to(tmp_path / "photos")
    with pytest.raises(RunError, match=f"{name} is a link"):
        folder.create(folder.read_recipe())
    assert (tmp_path / "photos" / "0000000099.png").exists()


def test_numbers_that_json_lacks_are_never_written(folder: RunFolder) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        folder.append_stats({"images": 16, "loss": float("nan")})
    assert folder.read_stats() == []


def test_statistics_that_cannot_be_written_are_the_users_to_know(folder: RunFolder) -> None:
    folder.stats.mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*stats\.jsonl: Is a directory"):
        folder.append_stats({"images": 16})


def test_a_run_that_goes_back_forgets_what_came_later_and_what_is_half_written(folder: RunFolder) -> None:
    for images in (0, 160, 320):
        folder.append_stats(stats_line(images))
        folder.sample(images).touch()
        folder.snapshot(images).touch()
    with folder.stats.open("a") as stream:
        stream.write('{"images": 33')
    half_written = folder.sample(480).with_name(".0000000480.png.99-abcd.part")
    half_written.touch()
    for step in (10, 20):
        folder.checkpoint(step).touch()
    folder.rewind(160, 10)
    assert folder.read_stats() == [stats_line(0), stats_line(160)]
    assert folder.stats.read_text().endswith("}\n")
    assert folder.samples() == [folder.sample(0), folder.sample(160)]
    assert sorted((folder.path / "snapshots").iterdir()) == [folder.snapshot(0), folder.snapshot(160)]
    assert not half_written.exists()
    assert folder.checkpoints() == [folder.checkpoint(10)]


def test_the_two_newest_checkpoints_are_kept(folder: RunFolder) -> None:
    for step in (5, 10, 100, 20):
        folder.checkpoint(step).touch()
    folder.drop_old_checkpoints()
    assert folder.checkpoints() == [folder.checkpoint(100), folder.checkpoint(20)]


def test_the_hashes_cover_every_file_and_sha256sum_agrees(folder: RunFolder) -> None:
    folder.append_stats({"images": 16})
    folder.sample(0).write_bytes(b"picture")
    folder.write_hashes()
    assert folder.is_finished
    named = {line.split("  ")[1] for line in folder.hashes.read_text().splitlines()}
    assert named == {"recipe.toml", "stats.jsonl", "samples/0000000000.png"}
    subprocess.run(["sha256sum", "--quiet", "-c", folder.hashes.name], cwd=folder.path, check=True)


def test_a_finished_run_that_goes_on_is_no_longer_finished(folder: RunFolder) -> None:
    folder.write_hashes()
    folder.create(tiny_recipe({"training.images": 6400}))
    assert not folder.is_finished


def test_a_folder_is_numbered_after_those_that_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = []
    for _ in range(3):
        chosen = new_run_folder(None, tiny_recipe())
        chosen.create(tiny_recipe())
        found.append(chosen.path.as_posix())
    assert found == ["runs/tiny-5", "runs/tiny-5-2", "runs/tiny-5-3"]


def test_a_chosen_folder_is_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        assert new_run_folder(tmp_path / name, tiny_recipe()).path == tmp_path / name
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("choose", "name", "words"),
    [
        (new_run_folder, "run", "holds a run already; add --resume to go on with it, or choose another --out"),
        (new_run_folder, "job", "holds other files; choose another --out"),
        (new_specialists_folder, "job", "holds a job already; add --resume to go on with it, or choose another --out"),
        (new_specialists_folder, "run", "holds other files; choose another --out"),
        (new_run_folder, "full", "holds other files; choose another --out"),
        (new_run_folder, "full/thing", "is a file; choose another --out"),
    ],
)
def test_a_taken_place_is_refused_and_only_what_can_go_on_is_told_to(
    tmp_path: Path, choose: Callable[[Path, Recipe], object], name: str, words: str
) -> None:
    RunFolder(tmp_path / "run").create(tiny_recipe())
    SpecialistsFolder(tmp_path / "job").create(tiny_recipe())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    with pytest.raises(RunError) as caught:
        choose(tmp_path / name, tiny_recipe())
    assert str(caught.value) == f"{tmp_path / name} {words}"


def test_a_name_that_no_disk_takes_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        new_run_folder(tmp_path / ("x" * 300), tiny_recipe())


def test_a_job_of_specialists_is_named_as_what_it_is(tmp_path: Path) -> None:
    SpecialistsFolder(tmp_path).recipe.write_text("")
    with pytest.raises(RunError, match="is a job of specialists; name one of the runs in it"):
        RunFolder(tmp_path).read_recipe()

"""The run folder: its names, and how they are read and written; nobody else knows a file name in it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitforge.errors import OutputError, RunError
from digitforge.files import PART, drop_parts, make_folder, sha256_of, unwritable, write_whole
from digitforge.holding import TRACES
from digitforge.recipe import Recipe, read_recipe
from digitforge.seal import is_broken_text, sealed_line, sealed_text, unsealed_line

_DIGITS = 10  # image counts in file names are padded to so many digits, so that names sort as the counts do
_CHECKPOINTS_KEPT = 2
_HASH_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True)
class RunFolder:
    """One training run on disk."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe, as TOML."""
        return self.path / "recipe.toml"

    @property
    def stats(self) -> Path:
        """One line of JSON a tick."""
        return self.path / "stats.jsonl"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def model(self) -> Path:
        """The generator as a model file, once the run has ended."""
        return self.path / "model.onnx"

    @property
    def discriminator(self) -> Path:
        """The discriminator as ONNX, once the run has ended."""
        return self.path / "discriminator.onnx"

    @property
    def hashes(self) -> Path:
        """The SHA-256 of every file of a finished run, as `sha256sum -c` reads it; written last."""
        return self.path / "SHA256SUMS"

    @property
    def final_sheet(self) -> Path:
        """What the model file draws: a labelled sheet."""
        return self.path / "sheet.png"

    @property
    def pretraining(self) -> Path:
        """What D saw before the adversarial phase, where there was such a time: real images beside noise."""
        return self.path / "pretraining.png"

    @property
    def real_sheet(self) -> Path:
        """Real training images, laid out as the samples are."""
        return self.path / "real.png"

    @property
    def curves(self) -> Path:
        """The statistics drawn, once the run has ended."""
        return self.path / "pictures" / "curves.png"

    @property
    def evolution(self) -> Path:
        """Samples from first to last beside real images, once the run has ended."""
        return self.path / "pictures" / "evolution.png"

    @property
    def best(self) -> Path:
        """What the pinned classifier is surest of, once the run has ended; only where it reads the images."""
        return self.path / "pictures" / "best.png"

    @property
    def report(self) -> Path:
        """Everything about the run in one page, once the run has ended."""
        return self.path / "report.html"

    @property
    def samples_folder(self) -> Path:
        """Where the sheets lie."""
        return self.path / "samples"

    def sample(self, images: int) -> Path:
        """The sheet of the same latents after so many images."""
        return self.samples_folder / f"{images:0{_DIGITS}d}.png"

    def snapshot(self, images: int) -> Path:
        """The generator's weights after so many images."""
        return self.path / "snapshots" / f"{images:0{_DIGITS}d}.safetensors"

    def checkpoint(self, step: int) -> Path:
        """The whole state after so many steps."""
        return self.path / "checkpoints" / f"{step:0{_DIGITS}d}.safetensors"

    def samples(self) -> list[Path]:
        """The sheets so far, first to last: by their image counts, whatever the length of their names."""
        return _counted(self.samples_folder, ".png")

    def snapshots(self) -> list[Path]:
        """The generator's weights so far, first to last."""
        return _counted(self.path / "snapshots", ".safetensors")

    def checkpoints(self) -> list[Path]:
        """The checkpoints there are, newest first; a copy under another name is none."""
        return _counted(self.path / "checkpoints", ".safetensors")[::-1]

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended and its hashes are written."""
        return self.hashes.is_file()

    def create(self, recipe: Recipe) -> None:
        """Make the folder with the resolved recipe in it; a finished run that goes on is no longer finished."""
        make_folder(self.path)
        self.hashes.unlink(missing_ok=True)  # before a longer recipe, which would else be taken for finished
        write_whole(self.recipe, sealed_text(recipe.to_toml()).encode())
        for name in ("samples", "snapshots", "checkpoints"):
            if (self.path / name).is_symlink():
                raise RunError(
                    f"{self.path / name} is a link, and a run clears its folders of what is old: put a folder there"
                )
            make_folder(self.path / name)

    def intact(self, path: Path) -> Path:
        """`path`, a file of this run: RunError where the run has ended and left another file there.

        A file that the hashes don't tell of is taken as it is, and so are all of a run on its way.
        """
        name = path.relative_to(self.path).as_posix()
        if self.is_finished and path.is_file():
            known = self._read_hashes().get(name)
            if known not in (None, sha256_of(path)):
                raise RunError(
                    f"{path} is not the file that the run left, as {self.hashes.name} tells; copy it again, or remove "
                    f"its line from {self.hashes.name} to use it as it is"
                )
        return path

    def read_recipe(self) -> Recipe:
        """The resolved recipe of this run."""
        if SpecialistsFolder(self.path).recipe.is_file():
            raise RunError(f"{self.path} is a job of specialists; name one of the runs in it")
        if not self.recipe.is_file():
            raise RunError(f"{self.path} is no run folder: it holds no {self.recipe.name}; name another folder")
        return _read_sealed(self.intact(self.recipe))

    def read_stats(self) -> list[dict[str, Any]]:
        """The lines of statistics; a last line that was cut off is left out."""
        if not self.stats.is_file():
            return []
        try:
            *whole, _ = self.intact(self.stats).read_text("utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise RunError(f"cannot read the statistics {self.stats}: {error}; name another run") from None
        return [self._read_line(number, line) for number, line in enumerate(whole, 1)]

    def append_stats(self, line: Mapping[str, Any]) -> None:
        """Add one line of statistics, which is on the disk before any checkpoint of what comes after it."""
        rest = _stats_line(line).encode()
        try:
            # Past Python's own memory, which would write a line again, behind the half of it that a full disk took.
            with self.stats.open("ab", buffering=0) as stream:
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
        except OSError as error:
            raise unwritable(self.stats, error) from None

    def rewind(self, images: int, step: int) -> None:
        """Drop what was recorded after `images` images and saved after `step` steps, and half-written files.

        So a resumed run is whole, and a later state that could not be read is not gone on from another time.
        """
        kept = [_stats_line(line) for line in self.read_stats() if line["images"] <= images]
        write_whole(self.stats, "".join(kept).encode())
        for path in [*self.samples(), *self.snapshots()]:
            if count_of(path) > images:
                path.unlink()
        for path in self.checkpoints():
            if count_of(path) > step:
                path.unlink()
        drop_parts(self.path)

    def drop_old_checkpoints(self) -> None:
        """Keep the newest checkpoints alone."""
        for path in self.checkpoints()[_CHECKPOINTS_KEPT:]:
            path.unlink()

    def write_hashes(self) -> None:
        """Write the SHA-256 of every file, which marks the run as finished."""
        _write_hashes(self.path, self.hashes)

    def _read_line(self, number: int, line: str) -> dict[str, Any]:
        """One line of statistics, which tells at least the images and seconds by then."""
        try:
            table = json.loads(unsealed_line(line) or "")
            _, _ = float(table["images"]), float(table["clock"]["seconds"])
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            raise RunError(
                f"{self.stats} is damaged at line {number}: it was changed, or lacks images or seconds; "
                "copy it again, or name another run"
            ) from None
        return dict(table)

    def _read_hashes(self) -> dict[str, str]:
        """The SHA-256 of each file of a finished run, by its path in the folder."""
        try:
            lines = self.hashes.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise RunError(f"cannot read the hashes {self.hashes}: {error}; copy the run again") from None
        found = [_HASH_LINE.fullmatch(line) for line in lines]
        if not found or None in found:
            raise RunError(f"{self.hashes} is damaged, so that nothing here can be trusted; copy the run again")
        return {match[2]: match[1] for match in found if match}


@dataclass(frozen=True)
class SpecialistsFolder:
    """One job of specialists on disk: a run folder a label, and the set of their models."""

    path: Path

    @property
    def recipe(self) -> Path:
        """What the runs have in common, as TOML; no recipe.toml, since the folder itself is no run."""
        return self.path / "specialists.toml"

    @property
    def model(self) -> Path:
        """The set, once every run has ended."""
        return self.path / "model.zip"

    @property
    def final_sheet(self) -> Path:
        """What the set draws: a labelled sheet."""
        return self.path / "sheet.png"

    @property
    def hashes(self) -> Path:
        """The SHA-256 of every file of a finished job, as `sha256sum -c` reads it; written last."""
        return self.path / "SHA256SUMS"

    def run(self, label: int, name: str) -> RunFolder:
        """The run of one label; a name that is no digit may hold anything, so that the number stands before it."""
        plain = f"digit-{name}" if name == str(label) else f"label-{label}-{re.sub(r'[^A-Za-z0-9]', '_', name)}"
        return RunFolder(self.path / plain)

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended and its hashes are written."""
        return self.hashes.is_file()

    def create(self, recipe: Recipe) -> None:
        """Make the folder with the recipe in it."""
        make_folder(self.path)
        write_whole(self.recipe, sealed_text(recipe.to_toml()).encode())

    def read_recipe(self) -> Recipe:
        """What the runs of this job have in common."""
        if not self.recipe.is_file():
            raise RunError(f"{self.path} is no job of specialists: it holds no {self.recipe.name}; name another folder")
        return _read_sealed(self.recipe)

    def write_hashes(self) -> None:
        """Write the SHA-256 of every file, which marks the job as finished."""
        _write_hashes(self.path, self.hashes)


def count_of(path: Path) -> int:
    """What a file's name counts: the images after which a sheet or a snapshot was made, a checkpoint's steps."""
    return int(path.stem)


def new_run_folder(out: Path | None, recipe: Recipe) -> RunFolder:
    """A folder for a new run: `out`, which must not exist or be empty, or else `runs/NAME-SEED`, numbered if taken."""
    return RunFolder(_free_folder(out, f"{recipe.name}-{recipe.training.seed}", RunFolder))


def new_specialists_folder(out: Path | None, recipe: Recipe) -> SpecialistsFolder:
    """A folder for a new job: `out`, or else `runs/NAME-specialists-SEED`, chosen as new_run_folder() does."""
    return SpecialistsFolder(_free_folder(out, f"{recipe.name}-specialists-{recipe.training.seed}", SpecialistsFolder))


def _read_sealed(path: Path) -> Recipe:
    """The recipe in a file that a run wrote. Raises RunError where it was changed since."""
    recipe = read_recipe(path)
    if is_broken_text(path.read_text("utf-8")):
        raise RunError(
            f"{path} is damaged or was changed after its run began; copy it again, or remove its last line to use it "
            "as it is"
        )
    return recipe


def _stats_line(line: Mapping[str, Any]) -> str:
    return sealed_line(json.dumps(line, allow_nan=False)) + "\n"


def _counted(folder: Path, suffix: str) -> list[Path]:
    """The files of one kind whose names are counts, by these."""
    paths = (path for path in folder.glob(f"*{suffix}") if path.stem.isdecimal())
    return sorted(paths, key=count_of)


def _free_folder(out: Path | None, name: str, kind: type[RunFolder] | type[SpecialistsFolder]) -> Path:
    """`out`, which must not exist or be empty, or else a name in `runs`, numbered if taken.

    kind: what it is to hold, which can go on where it is there already.
    """
    if out is not None:
        if is_taken(out):
            raise RunError(_taken(out, kind))
        return out
    plain = Path("runs") / name
    candidate, number = plain, 2
    while candidate.exists():
        candidate, number = plain.with_name(f"{plain.name}-{number}"), number + 1
    return candidate


def _taken(out: Path, kind: type[RunFolder] | type[SpecialistsFolder]) -> str:
    """What is wrong with a place where something is, and the way on."""
    if kind(out).recipe.is_file():
        what = "run" if kind is RunFolder else "job"
        return f"{out} holds a {what} already; add --resume to go on with it, or choose another --out"
    return f"{out} {'holds other files' if out.is_dir() else 'is a file'}; choose another --out"


def _write_hashes(folder: Path, hashes: Path) -> None:
    passing = {folder / name for name in TRACES} | {hashes}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in passing)
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_whole(hashes, "".join(lines).encode())


def hashes_that_tell_of(path: Path) -> Path | None:
    """The hashes of a finished run, or job, that a file is one of; None for any other file."""
    whole = path.resolve()
    for above in whole.parents:
        run = RunFolder(above)
        if run.is_finished and (run.recipe.is_file() or SpecialistsFolder(above).recipe.is_file()):
            with suppress(RunError):  # damaged hashes tell of no file
                if whole.relative_to(above).as_posix() in run._read_hashes():
                    return run.hashes
    return None


def is_taken(path: Path) -> bool:
    """Whether something is there, other than a folder that is empty or holds the traces of a run that never began."""
    try:
        if not path.is_dir():
            return path.exists()
        return any(each.name not in TRACES and not each.name.endswith(PART) for each in path.iterdir())
    except OSError as error:
        raise OutputError(f"cannot use {path}: {error.strerror or error}; choose another place") from None

"""The run folder: its names, and how they are read and written; nobody else knows a file name in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitforge.errors import OutputError, RunError
from digitforge.files import make_folder, sha256_of, write_whole
from digitforge.recipe import Recipe, read_recipe

_DIGITS = 10  # image counts in file names are padded to so many digits, so that names sort as the counts do
_CHECKPOINTS_KEPT = 2


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

    def sample(self, images: int) -> Path:
        """The sheet of the same latents after so many images."""
        return self.path / "samples" / f"{images:0{_DIGITS}d}.png"

    def snapshot(self, images: int) -> Path:
        """The generator's weights after so many images."""
        return self.path / "snapshots" / f"{images:0{_DIGITS}d}.safetensors"

    def checkpoint(self, step: int) -> Path:
        """The whole state after so many steps."""
        return self.path / "checkpoints" / f"{step:0{_DIGITS}d}.safetensors"

    def samples(self) -> list[Path]:
        """The sheets so far, first to last."""
        return sorted((self.path / "samples").glob("*.png"))

    def checkpoints(self) -> list[Path]:
        """The checkpoints there are, newest first."""
        return sorted((self.path / "checkpoints").glob("*.safetensors"), reverse=True)

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended and its hashes are written."""
        return self.hashes.is_file()

    def create(self, recipe: Recipe) -> None:
        """Make the folder with the resolved recipe in it; a finished run that goes on is no longer finished."""
        make_folder(self.path)
        write_whole(self.recipe, recipe.to_toml().encode())  # first, since it is what makes the folder a run
        self.hashes.unlink(missing_ok=True)
        for name in ("samples", "snapshots", "checkpoints"):
            make_folder(self.path / name)

    def read_recipe(self) -> Recipe:
        """The resolved recipe of this run."""
        if not self.recipe.is_file():
            raise RunError(f"{self.path} is no run folder: it holds no {self.recipe.name}; name another folder")
        return read_recipe(self.recipe)

    def read_stats(self) -> list[dict[str, Any]]:
        """The lines of statistics; a last line that was cut off is left out."""
        if not self.stats.is_file():
            return []
        *whole, _ = self.stats.read_text("utf-8").split("\n")
        lines = []
        for number, line in enumerate(whole, 1):
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise RunError(f"{self.stats} is damaged at line {number}: {error.msg}") from None
        return lines

    def append_stats(self, line: Mapping[str, Any]) -> None:
        """Add one line of statistics."""
        text = json.dumps(line, allow_nan=False) + "\n"
        try:
            with self.stats.open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise OutputError(f"cannot write {self.stats}: {error.strerror or error}; make room there") from None

    def rewind(self, images: int) -> None:
        """Drop what was recorded after `images` images, and half-written files, so that a resumed run is whole."""
        kept = [json.dumps(line) for line in self.read_stats() if line["images"] <= images]
        write_whole(self.stats, "".join(f"{line}\n" for line in kept).encode())
        for folder in ("samples", "snapshots"):
            for path in (self.path / folder).iterdir():
                if path.stem.isdigit() and int(path.stem) > images:
                    path.unlink()
        for path in self.path.rglob(".*.part"):
            path.unlink()

    def drop_old_checkpoints(self) -> None:
        """Keep the newest checkpoints alone."""
        for path in self.checkpoints()[_CHECKPOINTS_KEPT:]:
            path.unlink()

    def write_hashes(self) -> None:
        """Write the SHA-256 of every file, which marks the run as finished."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file() and path != self.hashes)
        lines = [f"{sha256_of(path)}  {path.relative_to(self.path).as_posix()}\n" for path in files]
        write_whole(self.hashes, "".join(lines).encode())


def new_run_folder(out: Path | None, recipe: Recipe) -> RunFolder:
    """A folder for a new run: `out`, which must not exist or be empty, or else `runs/NAME-SEED`, numbered if taken."""
    if out is not None:
        if _is_taken(out):
            raise RunError(f"{out} exists already; add --resume to go on with the run in it, or choose another --out")
        return RunFolder(out)
    plain = Path("runs") / f"{recipe.name}-{recipe.training.seed}"
    candidate, number = plain, 2
    while candidate.exists():
        candidate, number = plain.with_name(f"{plain.name}-{number}"), number + 1
    return RunFolder(candidate)


def _is_taken(path: Path) -> bool:
    """Whether something is there, other than an empty folder."""
    try:
        return path.exists() and (not path.is_dir() or any(path.iterdir()))
    except OSError as error:
        raise OutputError(f"cannot use {path}: {error.strerror or error}; choose another place") from None

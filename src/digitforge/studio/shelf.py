"""The shelf: the runs in one folder, by names that cannot lead out of it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from digitforge.errors import RunError
from digitforge.files import at_home, make_folder
from digitforge.runs import RunFolder, SpecialistsFolder
from digitforge.studio.bounds import PRETRAINED

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
MAX_RUNS = 200  # shown, the newest ones
_OWN = ".studio"  # what the studio keeps beside the runs: a run folder itself is hashed, and must start empty


@dataclass(frozen=True)
class Shelf:
    """A folder of runs."""

    path: Path

    def names(self) -> list[str]:
        """The runs that there are, the newest first, and those that the studio began and that left nothing."""
        there = {path.name: path.stat().st_mtime for path in self._folders() if RunFolder(path).recipe.is_file()}
        for record in self.own.glob("*.json"):
            there.setdefault(record.stem, record.stat().st_mtime)
        named = [name for name in there if _is_name(name)]
        return sorted(named, key=lambda name: -there[name])[:MAX_RUNS]

    def run(self, name: str) -> RunFolder:
        """The run of a name, whether it has begun or not. Raises RunError for what is no name of a run here."""
        path = self.path / name
        if not _is_name(name) or not (self._holds(path) or self.record(name).is_file()):
            raise RunError(f"there is no run {name[:80]!r} here; choose one of the list")
        return RunFolder(path)

    def model(self, name: str) -> Path:
        """The model file of a run or of specialists; of a run that was stopped, the one that was made then."""
        path = self.path / name
        if not _is_name(name) or not self._holds(path):
            raise RunError(f"there is no model {name[:80]!r} here; choose one of the list")
        files = [SpecialistsFolder(path).model, RunFolder(path).model]
        files += [self.stopped_model(name)] if self.is_stopped(name) else []
        model = next((file for file in files if file.is_file()), None)
        if model is None or model.is_symlink():
            raise RunError(f"{name} has no model yet: let it finish, or stop it")
        return model

    def models(self) -> list[str]:
        """What can draw besides the pretrained model, the newest first."""
        found = []
        for path in self._folders():
            try:
                found.append((-self.model(path.name).stat().st_mtime, path.name))
            except RunError:
                continue
        return [name for _, name in sorted(found)][:MAX_RUNS]

    def judged(self) -> list[str]:
        """The finished runs, whose discriminators lie there, the newest first."""
        return [name for name in self.models() if self.is_judged(name)]

    def is_judged(self, name: str) -> bool:
        """Whether a model is a finished run's, whose discriminator lies there."""
        run = RunFolder(self.model(name).parent)
        return run.is_finished and run.discriminator.is_file()

    def free_name(self, wanted: str) -> str:
        """The name, numbered if it is taken, or that of the model in the package."""
        name, number = wanted, 2
        while not _is_name(name) or (self.path / name).exists() or self.record(name).exists():  # no folder yet
            name, number = f"{wanted}-{number}", number + 1
        return name

    @property
    def own(self) -> Path:
        """What the studio itself keeps."""
        return self.path / _OWN

    def record(self, name: str) -> Path:
        """Which process last worked on a run."""
        return self.own / f"{name}.json"

    def log(self, name: str) -> Path:
        """What that process said."""
        return self.own / f"{name}.log"

    def stopped_model(self, name: str) -> Path:
        """The model of a run that was stopped before its end."""
        return self.own / f"{name}.onnx"

    def is_stopped(self, name: str) -> bool:
        """Whether that model is what the run has come to: one that began or went on since writes its recipe anew."""
        try:
            return self.stopped_model(name).stat().st_mtime >= RunFolder(self.path / name).recipe.stat().st_mtime
        except OSError:
            return False

    def without_places(self, sentence: str) -> str:
        """A sentence without where on this machine the runs and the home folder lie."""
        sentence, home = sentence.replace(f"{self.path}{os.sep}", ""), at_home("~")
        return sentence if home == Path(home.anchor) else sentence.replace(f"{home}{os.sep}", f"~{os.sep}")

    def forget(self, name: str) -> None:
        """Drop what the studio keeps of a run."""
        for path in (self.record(name), self.log(name), self.stopped_model(name)):
            path.unlink(missing_ok=True)

    def create(self) -> None:
        """Make the folders."""
        make_folder(self.own)

    def _folders(self) -> list[Path]:
        if not self.path.is_dir():  # it was removed while the studio was open
            return []
        return [path for path in self.path.iterdir() if _is_name(path.name) and self._holds(path)]

    def _holds(self, path: Path) -> bool:
        """Whether a path is a folder that lies here, and not a link to one elsewhere."""
        return path.is_dir() and not path.is_symlink()


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name != PRETRAINED

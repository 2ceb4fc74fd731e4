"""The files that damaged_files.py damages, the commands that read them, and what becomes of one damaged file."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import io
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

from digitforge.cli import main as digitforge
from digitforge.data import load_data
from digitforge.data.idx import write_idx
from digitforge.data.mat import write_mat
from digitforge.errors import UserError
from digitforge.forge import Forge
from digitforge.runs import RunFolder
from digitforge.seal import sealed
from digitforge.set_file import set_card, write_set
from digitforge.studio.opinion import load_judge
from digitforge.training.checkpoint import named_tensors
from digitforge.training.train import train
from digitforge.training.trainer import Trainer
from tiny_models import card_table, write_model
from tiny_runs import BATCH, Listener, tiny_digits, tiny_recipe

MORE_MEMORY = 1024**3  # bytes beyond what the process has when it begins
LONGEST = 30.0  # seconds for a command, of which the slowest takes two
IMAGES = 60  # of each data set; 240 of that which runs learn from
FLIPS = (1, 1, 1, 2, 8)  # bits of one file; few are harder to notice
LIGHT = {"record.checkpoint_seconds": 1e-9}  # a checkpoint at every tick
UNEXPECTED = re.compile("an unexpected |too little memory")


@dataclass(frozen=True)
class Result:
    """What a command came to: its exit code, what it made (a hash), what it said, and where a resumed run began."""

    code: int
    made: str
    said: str
    began: int = 0


Read = Callable[[Path], Result]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    places: patterns of such files in the world. read: puts the world through what reads such a file.
    weight: how often it is damaged, for each time that a kind of weight 1 is.
    refuses: what must refuse a file that was read as another one and said so; None where nothing else knows it.
    """

    places: tuple[str, ...]
    read: Read
    weight: int
    refuses: Read | None = None


@dataclass(frozen=True)
class Case:
    """What became of one damaged file: its kind and name, the damage, the outcome, what was said, and the seconds."""

    kind: str
    name: str
    damage: str
    outcome: str
    said: str
    seconds: float


# What reads a file


def command(*words: str, made: str = "") -> Read:
    """A command in the world's folder; made: the file that it writes, else what it prints is its result."""

    def read(world: Path) -> Result:
        code, out, errors = _run(world, [*words, *(["--out", made] if made else [])])
        content = _content(world / made) if made else out.encode()
        return Result(code, hashlib.sha256(content).hexdigest(), errors)

    return read


def telling(*words: str) -> Read:
    """A command that prints all that it makes of a file, and so tells whatever is another than before."""

    def read(world: Path) -> Result:
        code, out, errors = _run(world, words)
        return Result(code, hashlib.sha256(out.encode()).hexdigest(), errors if code else out)

    return read


def _run(world: Path, words: Sequence[str]) -> tuple[int, str, str]:
    """A command's exit code, what it prints, and what it says besides."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.chdir(world), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = digitforge(words)
    return code, out.getvalue(), errors.getvalue().strip()


def _content(path: Path) -> bytes:
    """What was written, gone afterwards; nothing where nothing was."""
    content = path.read_bytes() if path.is_file() else b""
    path.unlink(missing_ok=True)
    return content


def resumed(world: Path) -> Result:
    """`train --resume` on the run that was stopped; its result is its weights, and its end is left out."""
    shutil.rmtree(world / "going", ignore_errors=True)
    shutil.copytree(world / "half", world / "going")
    ended: dict[str, Any] = {"made": "", "began": 0}
    go_on = Trainer.resume

    def begin(trainer: Trainer, folder: RunFolder) -> int:
        ended["began"] = go_on(trainer, folder)
        return int(ended["began"])

    def end(trainer: Trainer, folder: RunFolder) -> None:
        digest = hashlib.sha256()
        for name, tensor in named_tensors(trainer.state):
            digest.update(name.encode() + tensor.detach().numpy().tobytes())
        ended["made"] = digest.hexdigest()
        raise Ended

    with patch.object(Trainer, "resume", begin), patch("digitforge.training.train.complete", end):
        try:
            found = command("train", "--resume", "--out", "going")(world)
        except Ended:
            return Result(0, ended["made"], "", ended["began"])
    return found


class Ended(BaseException):
    """A resumed run has trained to its end."""


def judged(world: Path) -> Result:
    """What the studio asks a discriminator, which no command reads."""
    run = RunFolder(world / "run")
    forge = Forge.load(run.path)
    try:
        judge = load_judge(run.discriminator, run.read_recipe(), forge)
        digits = forge.generate(count=4)
        made = judge.scores(digits.images, digits.labels).tobytes()
    except UserError as error:
        return Result(2, "", str(error))
    return Result(0, hashlib.sha256(made).hexdigest(), "")


def known(path: str) -> Read:
    """What a run does that learned from a data set before it was damaged, and so knows its hash."""

    def read(world: Path) -> Result:
        digest = (world / "hashes" / path.replace("/", "_")).read_text()
        return command("train", "--dry-run", "--data", path, "--set", f"data.sha256={digest}")(world)

    return read


def data_kind(path: str, weight: int, files: str = "") -> Kind:
    """A data set in one format: the file at a path, or files of the folder there."""
    return Kind((f"{path}{files}",), telling("data", path), weight, known(path))


GENERATE = ("generate", "--count", "8", "--seed", "1")
COMPARE = command("compare", "run", "--no-measure", made="page.html")
RUN_GENERATE = command("generate", "run", "--count", "8", "--seed", "1", made="digits.npz")
DATA = {
    "idx": "data/idx",
    "idx, gzipped": "data/gz",
    "npz": "data/digits.npz",
    "npz, packed": "data/packed.npz",
    "mat": "data/digits.mat",
    "mat, packed": "data/packed.mat",
    "folder of PNG": "data/png",
    "folder of other images": "data/other",
}
FIRST_SNAPSHOT = "run/snapshots/0000000000.safetensors"
KINDS: dict[str, Kind] = {
    "model.onnx": Kind(("run/model.onnx",), RUN_GENERATE, 6),
    "model file": Kind(("model.onnx",), command(*GENERATE, "model.onnx", made="digits.npz"), 8),
    "set of specialists": Kind(("set.zip",), command(*GENERATE, "set.zip", made="digits.npz"), 8),
    "discriminator.onnx": Kind(("run/discriminator.onnx",), judged, 5),
    "recipe.toml": Kind(("run/recipe.toml",), COMPARE, 1),
    "stats.jsonl": Kind(("run/stats.jsonl",), COMPARE, 1),
    "SHA256SUMS": Kind(("run/SHA256SUMS",), RUN_GENERATE, 4),
    "sheets": Kind(("run/samples/*.png",), command("animate", "run", made="film.gif"), 4),
    "pictures": Kind(("run/*.png", "run/pictures/*.png", "run/samples/*.png"), COMPARE, 2),
    "snapshots": Kind((FIRST_SNAPSHOT,), command("export", "run", "--at", "0", made="then.onnx"), 1),
    "checkpoints": Kind(("half/checkpoints/*",), resumed, 4),
    "recipe.toml, resumed": Kind(("half/recipe.toml",), resumed, 2),
    "stats.jsonl, resumed": Kind(("half/stats.jsonl",), resumed, 2),
    "own recipe": Kind(("own.toml",), telling("train", "own.toml", "--dry-run"), 8),
    "idx": data_kind("data/idx", 6, "/*"),
    "idx, gzipped": data_kind("data/gz", 6, "/*"),
    "npz": data_kind("data/digits.npz", 6),
    "npz, packed": data_kind("data/packed.npz", 6),
    "mat": data_kind("data/digits.mat", 6),
    "mat, packed": data_kind("data/packed.mat", 6),
    "folder of PNG": data_kind("data/png", 6, "/*/*"),
    "folder of other images": data_kind("data/other", 6, "/*/*"),
}


# The world


def make_world(world: Path) -> None:
    """Make every file that is damaged, and what belongs to them."""
    with contextlib.chdir(world):
        _write_data()
        letters = np.asarray(list("abcdefghij"))  # which no classifier reads, so that no figures are taken
        learned = tiny_digits(240, side=28)
        np.savez("learned.npz", images=learned.images[:, 0], labels=letters[learned.labels])
        recipe = tiny_recipe({"data.name": "learned.npz", "networks.pixels": "unit", **LIGHT})
        Path("own.toml").write_text(tiny_recipe({"data.name": "mnist"}).to_toml())
        train(recipe, out="run")
        with contextlib.suppress(ZeroDivisionError):
            train(recipe, out="half", observers=[Listener(33 * BATCH, _crash)])
        _write_models()


def _crash() -> None:
    raise ZeroDivisionError


def _write_models() -> None:
    """A model file and a set of specialists, sealed as `train` leaves them."""
    members = {label: write_model(Path(f"{label}.onnx"), card=_specialist(label)) for label in (3, 5)}
    for path in (write_model(Path("model.onnx")), *members.values()):
        path.write_bytes(sealed(path.read_bytes()))
    cards = {label: Forge.load(path).card for label, path in members.items()}
    contents = {label: path.read_bytes() for label, path in members.items()}
    write_set(Path("set.zip"), set_card(cards, {"name": "tiny"}), contents)


def _specialist(label: int) -> dict[str, Any]:
    return card_table(frequencies=[10 * (each == label) for each in range(10)])


def _write_data() -> None:
    """The same digits in every format, and the hash of what is read of each."""
    from scipy.io import savemat

    grey = tiny_digits(IMAGES, side=28)
    for folder in ("data/idx", "data/gz", "hashes"):
        Path(folder).mkdir(parents=True)
    for folder, end in (("data/idx", ""), ("data/gz", ".gz")):
        write_idx(f"{folder}/train-images-idx3-ubyte{end}", grey.images[:, 0])
        write_idx(f"{folder}/train-labels-idx1-ubyte{end}", grey.labels.astype(np.uint8))
    arrays = {"images": grey.images[:, 0], "labels": grey.labels}
    np.savez("data/digits.npz", **arrays)
    np.savez_compressed("data/packed.npz", **arrays)
    write_mat(Path("data/digits.mat"), grey.images, grey.labels)
    tens = np.where(grey.labels == 0, 10, grey.labels).astype(np.uint8)[:, np.newaxis]
    savemat("data/packed.mat", {"X": grey.images.transpose(2, 3, 1, 0), "y": tens}, do_compression=True)
    for kind, endings in (("png", ("png",)), ("other", ("jpg", "bmp", "gif", "tif", "webp", "pgm"))):
        for number, (image, label) in enumerate(zip(grey.images[:, 0], grey.labels, strict=True)):
            folder = Path("data") / kind / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number}.{endings[number % len(endings)]}")
    for path in DATA.values():
        Path("hashes", path.replace("/", "_")).write_text(load_data(f"./{path}").train.sha256)


# Damage


def tried(world: Path, kinds: Sequence[str], mutations: int, seed: int, first: int) -> Iterator[Case]:
    """Damage a file, read it, and put it back: the cases from the first on, each from the seed and its number."""
    turns = [kind for kind in kinds for _ in range(KINDS[kind].weight)]
    whole = {kind: KINDS[kind].read(world) for kind in kinds}
    for kind, result in whole.items():
        assert result.code == 0 and result == KINDS[kind].read(world), f"{kind} is not read alike twice: {result}"
    _bound_memory()
    for number in range(first, mutations):
        rng = np.random.default_rng([seed, number])
        kind = turns[number % len(turns)]
        path = _chosen(world, KINDS[kind].places, rng)
        content = path.read_bytes()
        damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
        name = path.relative_to(world).as_posix()
        try:
            damage(path, world, rng)
            start = time.perf_counter()
            # A command that hangs takes its process along, and the next one goes on behind it.
            faulthandler.dump_traceback_later(LONGEST, exit=True)
            outcome, said = _outcome(KINDS[kind], world, whole[kind])
            seconds = time.perf_counter() - start
        finally:
            faulthandler.cancel_dump_traceback_later()
            path.write_bytes(content)
        yield Case(kind, name, damage.__name__.strip("_"), outcome, said, round(seconds, 3))


def _outcome(kind: Kind, world: Path, whole: Result) -> tuple[str, str]:
    """What became of a damaged file, and what was said."""
    try:
        found = kind.read(world)
    except Exception as error:  # whatever it is, nobody expected it
        return "failed", repr(error)
    if found.code:
        expected = found.code == 2 and "\n" not in found.said and not UNEXPECTED.search(found.said)
        return "refused" if expected else "failed", found.said
    if found.made == whole.made:
        return "older" if found.began < whole.began else "harmless", ""
    if found.said == whole.said:
        return "silent", ""
    if kind.refuses is None or kind.refuses(world).code == 2:
        return "told", found.said[-200:]
    return "silent", "a run that knows the data takes them"


def _bound_memory() -> None:
    """Let this process have so much more memory than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _chosen(world: Path, places: tuple[str, ...], rng: np.random.Generator) -> Path:
    paths = sorted(path for place in places for path in world.glob(place) if path.is_file())
    return paths[int(rng.integers(len(paths)))]


def _cut_off(path: Path, world: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(1, len(content)))])


def _flipped(path: Path, world: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.choice(FLIPS))):
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def _flipped_at_the_start(path: Path, world: Path, rng: np.random.Generator) -> None:
    """Where the headers are, which say how long all else is."""
    content = bytearray(path.read_bytes())
    content[int(rng.integers(min(len(content), 200)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def _emptied(path: Path, world: Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"")


def _random(path: Path, world: Path, rng: np.random.Generator) -> None:
    path.write_bytes(rng.bytes(path.stat().st_size))


def _another_file(path: Path, world: Path, rng: np.random.Generator) -> None:
    """A whole file of another kind; another recipe in a recipe's place would be of the right one."""
    paths = {other for kind in KINDS.values() for place in kind.places for other in world.glob(place)}
    by_suffix = {other.suffix: other for other in sorted(paths) if other.suffix != path.suffix}
    path.write_bytes(by_suffix[str(rng.choice(sorted(by_suffix)))].read_bytes())


# Flips more often than the rest, as they are the hardest to notice.
DAMAGES = (_cut_off, _flipped, _flipped, _flipped, _flipped_at_the_start, _emptied, _random, _another_file)

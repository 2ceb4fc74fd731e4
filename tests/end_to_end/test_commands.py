"""The public command as a user types it: from nothing to digits, after a kill, in two processes, without network."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

COMMAND = [sys.executable, "-m", "digitforge"]
TINY = ("networks.generator_width=4", "networks.discriminator_width=4", "networks.latent_size=6", "compute.threads=1")
HANGS = 180  # seconds after which a command counts as hung: of 17 on a machine at rest, a busy one made more than 60
IMAGES = 4800  # a few hundred steps: long enough to be killed on the way
# Epsilons so large that Adam does not blow rounding up to whole steps where a gradient would be zero without it, and
# rates of their own, so that how fast two runs part does not depend on what express learns with.
STEADY = (
    *("generator_optimiser.epsilon=1e-2", "discriminator_optimiser.epsilon=1e-2", "training.batch_size=16"),
    *("generator_optimiser.rate=1.5e-3", "discriminator_optimiser.rate=1e-3", "penalty_every=4"),
)


@dataclass(frozen=True)
class Shop:
    """A working folder with a cache of its own, where commands are run."""

    folder: Path

    def start(self, command: str, launcher: Sequence[str] = COMMAND, **environment: str) -> subprocess.Popen[str]:
        """A command in the background."""
        own = {"DIGITFORGE_CACHE": str(self.folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        return subprocess.Popen(
            [*launcher, *shlex.split(command)],
            cwd=self.folder,
            env={**os.environ, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, **environment: str) -> str:
        """What a command that ends well prints."""
        return finish(self.start(command, **environment))

    def refuse(self, command: str, **environment: str) -> str:
        """The one line of a command that ends with exit code 2 and leaves nothing behind."""
        before = self.contents()
        process = self.start(command, **environment)
        out, err = outcome(process)
        assert process.returncode == 2, err
        assert out == ""
        assert re.fullmatch(r"digitforge: [^\n]{10,900}\n", err), err
        assert self.contents() == before
        return err

    def contents(self) -> set[str]:
        """Every file and folder, but for the cache."""
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return {str(path) for path in paths if path.parts[0] != "cache"}


def outcome(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process said on both its streams; one that hangs is asked to end, with the processes that it started."""
    try:
        return process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate(timeout=HANGS)
        raise


def finish(process: subprocess.Popen[str]) -> str:
    """What a command that ends well prints."""
    out, err = outcome(process)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out


def options(*settings: str) -> str:
    return " ".join(f"--set {setting}" for setting in settings)


# A checkpoint at every tick.
OWN_RUN = (
    f"train --data own.npz --seed 3 --precision 32 --images {IMAGES} {options(*TINY, *STEADY)} "
    "--set record.checkpoint_seconds=1e-9 --set record.snapshot='160 images'"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The working folder: digits in own.npz, an express run in runs/quick, a dcgan run in runs/dcgan."""
    made = Shop(tmp_path_factory.mktemp("shop"))
    labels = np.arange(300) % 10
    images = np.random.default_rng(0).integers(0, 90, (300, 12, 12), np.uint8)
    images[np.arange(300), labels] += 150
    np.savez(made.folder / "own.npz", images=images, labels=labels)
    small = options(*TINY)
    short = "--data mnist-5k --images 320 --set training.batch_size=16"
    runs = [
        made.start(f"train {short} {small} --out runs/quick"),
        made.start(f"train dcgan {short} {small} --out runs/dcgan"),
    ]
    for run in runs:
        out = finish(run)
        assert re.search(r"^runs/\w+: \d+ images", out)
        assert "Frechet distance" in out
        assert "next: digitforge generate runs/" in out
    return made


@pytest.fixture(scope="module")
def undisturbed(shop: Shop) -> Path:
    """A run on own.npz that nobody disturbed."""
    shop.run(f"{OWN_RUN} --out runs/undisturbed")
    return shop.folder / "runs" / "undisturbed"


def lasting(run: Path) -> dict[str, object]:
    """What of a run must not depend on what disturbed it."""
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    passing = {"clock", "crc32"}  # the second is a sum over the first, too
    paths = [run / "recipe.toml", run / "model.onnx", run / "discriminator.onnx", run / "sheet.png"]
    paths += sorted([*(run / "samples").iterdir(), *(run / "snapshots").iterdir()])
    stats = [{key: value for key, value in line.items() if key not in passing} for line in lines]
    return {"stats": stats} | {str(path.relative_to(run)): path.read_bytes() for path in paths}


def test_a_run_draws_pictures_folders_arrays_and_idx_files(shop: Shop) -> None:
    for out in ("digits.png", "folder", "digits.npz", "digits.idx"):
        said = shop.run(f"generate runs/quick --digit 3 --count 12 --out new/{out}")
        assert "12 images" in said
    new = shop.folder / "new"
    assert Image.open(new / "digits.png").size == (4 * 56, 3 * 56)
    pictures = [np.asarray(Image.open(path)) for path in sorted((new / "folder").rglob("*.png"))]
    with np.load(new / "digits.npz") as arrays:
        images = arrays["images"]
        assert images.shape == (12, 28, 28)
        assert arrays["labels"].tolist() == [3] * 12
    np.testing.assert_array_equal(np.stack(pictures), images)
    idx = (new / "digits-images-idx3-ubyte").read_bytes()
    assert idx[:4] == bytes([0, 0, 8, 3])
    assert idx[16:] == images.tobytes()


def test_evaluate_prints_the_cards_figures_as_json(shop: Shop) -> None:
    (found,) = json.loads(shop.run("evaluate runs/quick --json"))
    assert found["data"] == "mnist-5k"
    assert found["floor"] is None
    assert found["frechet"]["n"] == 10_000
    assert 0 < found["accuracy"]["value"] < 1


def test_a_dcgan_draws_the_digits_that_it_was_not_told(shop: Shop) -> None:
    said = shop.run("generate runs/dcgan --count 20 --out dcgan.npz")
    assert said == "dcgan.npz: 20 images\n"
    with np.load(shop.folder / "dcgan.npz") as arrays:
        assert arrays["images"].shape == (20, 28, 28)
        assert arrays["images"].std() > 1


def wait_for_lines(process: subprocess.Popen[str], run: Path, count: int) -> None:
    """Wait until a run at work has so many lines of statistics."""
    deadline, stats = time.monotonic() + 60, run / "stats.jsonl"
    while not stats.exists() or stats.read_text().count("\n") < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_that_was_stopped_and_killed_ends_as_an_undisturbed_one(shop: Shop, undisturbed: Path) -> None:
    run = shop.folder / "runs" / "killed"
    process = shop.start(f"{OWN_RUN} --out runs/killed")
    wait_for_lines(process, run, 2)
    process.send_signal(signal.SIGTERM)
    _, err = outcome(process)
    assert process.returncode == 143
    assert "go on with `digitforge train --out runs/killed --resume`" in err.splitlines()[-1]
    process = shop.start("train --out runs/killed --resume")
    wait_for_lines(process, run, 1 + len((run / "stats.jsonl").read_text().splitlines()))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (run / "model.onnx").exists()
    shop.run("train --out runs/killed --resume")
    assert lasting(run) == lasting(undisturbed)
    assert list(run.rglob(".*")) == []
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=run, check=True)


def test_two_processes_train_the_model_of_one(shop: Shop, undisturbed: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    launcher += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]
    said = finish(shop.start(f"{OWN_RUN} --out runs/two", [*launcher, "-m", "digitforge"]))
    assert said.count("next: digitforge generate") == 1
    two = shop.folder / "runs" / "two"
    assert (two / "recipe.toml").read_text() == (undisturbed / "recipe.toml").read_text()
    start, *early = sorted((undisturbed / "snapshots").iterdir())[:4]
    # Rounding differs, and the game doubles a difference every few steps: so the first 30 steps are compared.
    for path in (start, *early):
        one, other = weights_of(path), weights_of(two / "snapshots" / path.name)
        assert one.keys() == other.keys()
        for name, weights in one.items():
            np.testing.assert_allclose(other[name], weights, rtol=1e-3, atol=1e-5, err_msg=f"{path.name} {name}")
    before, after = weights_of(start), weights_of(early[-1])
    assert max(np.abs(after[name] - before[name]).max() for name in before) > 0.005
    assert (two / "SHA256SUMS").exists()


def weights_of(snapshot: Path) -> dict[str, np.ndarray]:
    return safetensors.numpy.load_file(snapshot)


def test_without_network_and_cache_the_error_comes_soon_and_names_the_ways_on(shop: Shop, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"  # no server listens there
    cut_off = {"http_proxy": nobody, "https_proxy": nobody, "HTTPS_PROXY": nobody, "no_proxy": "", "PATH": "/nowhere"}
    before, start = shop.contents(), time.monotonic()
    process = shop.start("train --data mnist --out runs/none", **cut_off, DIGITFORGE_CACHE=str(tmp_path / "cache"))
    out, err = outcome(process)
    assert time.monotonic() - start < 15
    assert process.returncode == 2
    assert out == ""
    assert re.fullmatch(r"digitforge: [^\n]*mnist[^\n]*--data mnist-5k[^\n]*\n", err)
    assert shop.contents() == before
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train nothing-such", "the recipes are express"),
        ("generate text.onnx", r"text\.onnx"),
        ("evaluate text.onnx --json", r"text\.onnx"),
        ("train --data broken --images 32 --out runs/new", "train-images-idx3-ubyte"),
        ("generate runs/quick --count 10000000 --out all.png", "too many for one picture"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(shop: Shop, command: str, words: str) -> None:
    (shop.folder / "text.onnx").write_text("a text, no model")
    broken = shop.folder / "broken"
    broken.mkdir(exist_ok=True)
    (broken / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 28, 0, 0, 0, 28, 7, 7]))
    (broken / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 9, *range(9)]))
    assert re.search(words, shop.refuse(command))

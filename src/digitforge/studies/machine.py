"""The machine that something was measured on: its processor, what it computes with, and the versions that do it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from digitforge.onnx_file import available_cores
from digitforge.sections import Compute

_CPUINFO = Path("/proc/cpuinfo")  # Linux
_BRAND = ("sysctl", "-n", "machdep.cpu.brand_string")  # macOS
_TELL = {"ONEDNN_VERBOSE": "1"}  # has oneDNN say, when it is first used, which instructions it goes by
_USE = "import torch; torch.zeros(1).to_mkldnn()"
_MARK = "info,cpu,isa:"
_PATIENCE = 60  # seconds for a process that imports torch and ends


@dataclass(frozen=True)
class Machine:
    """What computes.

    processor: its name as the system tells it. cores: that this process may use. aten, onednn: the instruction set that
    PyTorch's own kernels and oneDNN's go by here, as they name it, whatever limits it; onednn is None where there is
    none. device, precision, threads: what "auto" means here, as in a recipe. torch, onnxruntime: versions.
    """

    processor: str
    cores: int
    aten: str
    onednn: str | None
    device: str
    precision: str
    threads: int
    torch: str
    onnxruntime: str


def find_machine(asked: Compute) -> Machine:
    """This machine, and what a recipe with such settings computes with on it. Raises RecipeError if it cannot."""
    import torch

    from digitforge.training.compute import resolve_compute

    compute = resolve_compute(asked)
    return Machine(
        processor=processor_name(),
        cores=available_cores(),
        aten=torch.backends.cpu.get_cpu_capability(),
        onednn=onednn_instructions(),
        device=compute.device,
        precision=compute.precision,
        threads=compute.threads,
        torch=torch.__version__,
        onnxruntime=version("onnxruntime"),
    )


def processor_name() -> str:
    """The processor as the system names it, or the kind of its instructions where it has no name."""
    try:
        if sys.platform == "darwin":
            return subprocess.run(_BRAND, capture_output=True, text=True, check=True).stdout.strip()
        for line in _CPUINFO.read_text().splitlines():
            key, _, name = line.partition(":")
            if key.strip() == "model name":
                return name.strip()
    except (OSError, subprocess.CalledProcessError):
        pass  # another system, or one that hides it
    return platform.processor() or platform.machine()


def onednn_instructions() -> str | None:
    """The instruction set that oneDNN goes by, as it says in a fresh process; None if it does not say."""
    try:
        told = subprocess.run(
            [sys.executable, "-c", _USE], env=os.environ | _TELL, capture_output=True, text=True, timeout=_PATIENCE
        ).stdout
    except subprocess.TimeoutExpired:
        return None
    return next((line.split(_MARK)[1].strip() for line in told.splitlines() if _MARK in line), None)

"""What a run computes with: device, precision and threads, started by Lightning Fabric."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from typing import Literal

import torch
from lightning_fabric import Fabric

from digitforge.errors import RecipeError
from digitforge.onnx_file import available_cores
from digitforge.recipe import Recipe
from digitforge.sections import Compute

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's names for mallopt's first argument, from malloc.h


def resolve_compute(compute: Compute) -> Compute:
    """The same settings with every "auto" decided for this machine."""
    device = _device() if compute.device == "auto" else compute.device
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not usable[device]:
        raise RecipeError(f'this machine has no usable "{device}" device; use --device auto or cpu')
    precision = compute.precision
    if precision == "auto":
        precision = "bf16" if _multiplies_bf16(device) else "32"
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    threads = compute.threads or max(1, available_cores() // local)
    return Compute(device=device, precision=precision, threads=threads)


def start_fabric(recipe: Recipe) -> Fabric:
    """Fabric for this process: alone, or one of those that torchrun or `fabric run` started."""
    compute = recipe.compute
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells of the precision, and so does the recipe
    torch.set_num_threads(compute.threads)
    _keep_freed_memory()
    torch.use_deterministic_algorithms(True, warn_only=True)
    # That would also fill every new tensor with NaN; nothing here reads one before it is written, and it costs express
    # 5 to 12 % of its steps (two runs of 25 interleaved blocks).
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if compute.device == "cuda":  # float32 is to be what it says, and cuBLAS must be told to repeat itself
        torch.backends.cudnn.allow_tf32 = False
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if compute.precision == "bf16" else "32-true"
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1:
        fabric = Fabric(accelerator=compute.device, devices=1, precision=precision)
    else:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        fabric = Fabric(
            accelerator=compute.device, strategy="ddp", devices=local, num_nodes=world // local, precision=precision
        )
    fabric.launch()
    if recipe.training.batch_size % fabric.world_size:
        raise RecipeError(
            f"a batch of {recipe.training.batch_size} cannot be shared by {fabric.world_size} processes; "
            "choose training.batch_size as a multiple of them"
        )
    return fabric


def _keep_freed_memory() -> None:
    """Let glibc keep the memory that a step frees for the next one, instead of giving it back to the system.

    A step frees and takes the same large tensors over and over, and every page that comes anew is a fault: 16,000 a
    step of dcgan, and 2 to 6 % of its time. Other C libraries have no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # Older versions take no more than 32 MB; once either is set, none grows by itself any more.
    if mallopt is not None and (mallopt(_MMAP_THRESHOLD, 1 << 30) or mallopt(_MMAP_THRESHOLD, 32 << 20)):
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def _device() -> Literal["cpu", "cuda", "mps"]:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _multiplies_bf16(device: str) -> bool:
    """Whether products in bf16 are faster than in float32: on a CPU, where it has AMX or AVX512-BF16."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    # The second question hears ONEDNN_MAX_CPU_ISA, with which a user caps the instruction set.
    return bool(native and torch.ops.mkldnn._is_mkldnn_bf16_supported())

"""Training: the loop, one adversarial step, and what a run keeps."""

from digitforge.errors import need
from digitforge.report import NEEDED

_PACKAGES = ("torch", "lightning_fabric", "filelock", "safetensors", "onnx", "onnxscript", "tensorboard")


def need_training() -> None:
    """Raise UserError where the extra `train` is not installed."""
    need([*_PACKAGES, *NEEDED], "training needs", "train")

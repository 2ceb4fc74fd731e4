"""digitforge trains, measures, compares and uses GANs that draw digits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitforge.data import load_digits
    from digitforge.forge import Forge
    from digitforge.metrics.evaluate import evaluate, evaluate_images
    from digitforge.recipe import load_recipe
    from digitforge.training.train import train

    __version__: str

__all__ = ["Forge", "__version__", "evaluate", "evaluate_images", "load_digits", "load_recipe", "train"]

# Where each name lives; it is imported when it is first used, so that generating never waits for torch.
_HOMES = {
    "Forge": "digitforge.forge",
    "evaluate": "digitforge.metrics.evaluate",
    "evaluate_images": "digitforge.metrics.evaluate",
    "load_digits": "digitforge.data",
    "load_recipe": "digitforge.recipe",
    "train": "digitforge.training.train",
}


def __getattr__(name: str) -> object:
    value: object
    if name == "__version__":
        value = _installed_version()
    elif name in _HOMES:
        if name == "train":
            _need_training()
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"digitforge has no {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def _need_training() -> None:
    """Raise ImportError, in the words of the command line, where the extra `train` is not installed."""
    from digitforge.errors import UserError
    from digitforge.training import need_training

    try:
        need_training()
    except UserError as error:
        raise ImportError(str(error)) from None


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("digitforge")
    except PackageNotFoundError:  # run from a source tree
        return "0+source"


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

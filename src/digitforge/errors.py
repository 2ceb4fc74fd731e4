"""The errors a user can meet: each is one sentence that says what was wrong, where, and the way on."""

import importlib.util
import re
from collections.abc import Iterable, Sequence


def to_install(extra: str) -> str:
    """The way on where a package is missing that an extra of digitforge brings."""
    hint = " (the README says how to get a small, CPU-only PyTorch)" if extra == "train" else ""
    return f"pip install -c constraints.txt '.[{extra}]', in the folder that digitforge was installed from{hint}"


def need(packages: Iterable[str], purpose: str, extra: str) -> None:
    """Raise UserError, which says `training needs` or another purpose, where packages of an extra are missing."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{purpose} {', '.join(missing)}, which the plain install leaves out: {to_install(extra)}")


def in_a_line(error: Exception) -> str:
    """What to say of an error that nobody foresaw: too little memory, however PyTorch calls it, or a fault of ours."""
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error):
        return (
            "there is too little memory for this; ask for less at once (in training: a smaller training.batch_size, or "
            "smaller networks), or give smaller files"
        )
    return f"an unexpected {kind} ({error}); run it again with --debug to see where, and report it"


def enumerated(words: Sequence[str]) -> str:
    """Words as a sentence lists them: "a", "a and b", "a, b and c"."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def printable(text: str) -> str:
    """A text without what would move a terminal's cursor: files and words that it quotes may hold anything."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def plain(message: str) -> str:
    """A message of pydantic's, or typer's, without the kind of error that stands before what is wrong."""
    return re.sub("(^|: )Value error, ", r"\1", message, count=1)


class DigitforgeError(Exception):
    """Something that digitforge itself failed to do; the command line ends with exit code 1."""

    exit_code = 1


class UserError(DigitforgeError):
    """Input that cannot be used as it is; the command line ends with exit code 2."""

    exit_code = 2


class RecipeError(UserError):
    """A recipe that does not exist, or a setting in one that cannot be."""


class DataError(UserError):
    """A data set that is unknown, unreachable, damaged, or unfit for what was asked."""


class ModelError(UserError):
    """A model file that is missing, is no model, or cannot do what was asked of it."""


class RunError(UserError):
    """A run folder that is missing, taken, damaged or not to be continued."""


class OutputError(UserError):
    """A place that cannot be written to, or an output that cannot be made there."""


class WriteError(OutputError):
    """A file or folder that could not be written.

    fault: the message without its way on, for whoever knows a better one.
    """

    def __init__(self, message: str, fault: str | None = None) -> None:
        super().__init__(message)
        self.fault = fault or message


class InterruptionError(DigitforgeError):
    """Work that a signal stopped after its state was saved; `exit_code` is 128 and the signal's number."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message, exit_code)  # both, so that it comes back from another process as it went
        self.exit_code = exit_code

    def __str__(self) -> str:
        return str(self.args[0])


class DivergenceError(DigitforgeError):
    """A training whose numbers ran away."""

"""The command line: one file a verb; here is what they share: errors in one line, exit codes, --version, --debug."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from digitforge.cli.animate import animate
from digitforge.cli.bench import bench
from digitforge.cli.compare import compare
from digitforge.cli.data import data
from digitforge.cli.evaluate import evaluate
from digitforge.cli.export import export
from digitforge.cli.generate import generate
from digitforge.cli.interpolate import interpolate
from digitforge.cli.recipes import recipes
from digitforge.cli.specialists import specialists
from digitforge.cli.studio import studio
from digitforge.cli.study import study
from digitforge.cli.train import train
from digitforge.errors import DigitforgeError, UserError, in_a_line, plain, printable

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
FAILED = 1
_UNUSABLE = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}  # what is wrong with a path that a user gave

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(train)
app.command()(generate)
app.command()(interpolate)
app.command()(animate)
app.command()(evaluate)
app.command()(compare)
app.command()(export)
app.command()(specialists)
app.add_typer(study, name="study")
app.command()(recipes)
app.command()(data)
app.command()(bench)
app.command()(studio)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        import digitforge

        print(f"digitforge {digitforge.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _digitforge(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from; goes anywhere.")] = False,
) -> None:
    """Train, measure, compare and use GANs that draw digits."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0, 2 for the user's input, 1 for ours, 130 for Ctrl-C.

    An error is one line on stderr.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name of a file may be no text that the terminal has letters for
        sys.stdout.reconfigure(errors="surrogateescape" if os.name == "posix" else "backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    is_debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = app(args=arguments, prog_name="digitforge", standalone_mode=False)
        if sys.stdout is not None:  # whoever started it may have closed it
            sys.stdout.flush()
        return _say("interrupted", INTERRUPTED) if code == INTERRUPTED else int(code or 0)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except SystemExit:  # typer's answer to a reader that has gone
        return FAILED
    except BrokenPipeError:
        _close_output()
        return FAILED
    except Exception as error:
        if is_debug:
            traceback.print_exc()
        return _explain(error)


def _close_output() -> None:
    """Let what is still to be printed go nowhere: Python flushes again when it ends, and would complain then."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> int:
    """Say in one line what went wrong, and return the exit code for it."""
    if isinstance(error, DigitforgeError):
        return _say(str(error), error.exit_code)
    if isinstance(error, typer.TyperException):
        message = plain(error.format_message()).rstrip(".") or "it takes one of its commands"
        command = getattr(getattr(error, "ctx", None), "command_path", "digitforge")
        return _say(f"{message[:1].lower()}{message[1:]} (see `{command} --help`)", error.exit_code)
    if isinstance(error, typer.Abort):
        return _say("stopped, as there was no answer to a question", FAILED)
    if isinstance(error, OSError) and error.errno in _UNUSABLE and error.filename is not None:
        return _say(
            f"cannot use {error.filename}: {error.strerror}; check the path and its rights", UserError.exit_code
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None and sys.stdout is not None:
        _close_output()  # a file that cannot be written is named where that is met
        return _say(f"cannot print what there is to say ({error.strerror}); send it where there is room", FAILED)
    return _say(in_a_line(error), FAILED)


def _say(message: str, code: int) -> int:
    line = " ".join(part.strip() for part in message.splitlines())  # spaces in the midst may be a path's
    print(f"digitforge: {printable(line)}", file=sys.stderr)
    return code

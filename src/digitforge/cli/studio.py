"""`digitforge studio`: the page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digitforge.errors import need
from digitforge.files import at_home

_NEEDED = ("fastapi", "uvicorn", "psutil")  # of the extra `studio`


def studio(
    port: Annotated[
        int | None, typer.Option(help="Where it listens.", min=1, max=65535, show_default="8028, or a free one")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets the whole network in, without a password.")
    ] = "127.0.0.1",
    runs: Annotated[Path, typer.Option(help="The folder of runs.")] = Path("runs"),
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open the studio: train, watch, generate, explore and compare in the browser."""
    need(_NEEDED, "the studio needs", "studio")
    from digitforge.studio.serve import is_local, serve

    def say(address: str) -> None:
        typer.echo(f"digitforge studio: {address}")
        if not is_local(host):
            typer.echo("whoever reaches this machine can now train and generate on it; there is no password")
        typer.echo("Ctrl-C ends it; trainings go on, and the studio finds them again")

    serve(at_home(runs).resolve(), host, port, browser, say)

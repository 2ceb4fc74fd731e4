"""`digitforge animate`: how a run learned, the same latents over training as a GIF or MP4."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from digitforge.files import at_home


def animate(
    run: Annotated[Path, typer.Argument(help="A run folder, finished or not.")],
    out: Annotated[
        Path | None, typer.Option(help="A .gif or .mp4 file.", show_default="RUN's name.gif, numbered if it exists")
    ] = None,
    caption: Annotated[Literal["epoch", "images", "none"], typer.Option(help="What stands under a frame.")] = "images",
    seconds: Annotated[float, typer.Option(help="How long training takes on screen.")] = 6.0,
) -> None:
    """Show how a run learned: the same latents after more and more images."""
    from digitforge.places import free_path
    from digitforge.report.animations import check_path, write_film
    from digitforge.report.run_film import film_of_run
    from digitforge.runs import RunFolder

    folder = RunFolder(at_home(run))
    # Not in the run folder: the hashes of a finished run tell all that is in it.
    path = at_home(out or free_path(Path(f"{folder.path.resolve().name or 'run'}.gif")))
    check_path(path)
    film = film_of_run(folder, caption, seconds)
    write_film(film, path)
    print(_describe(path, len(film.frames), len(folder.samples()), film.seconds))


def _describe(path: Path, frames: int, sheets: int, seconds: float) -> str:
    shown = f"{frames} sheets" if frames >= sheets else f"{frames} of {sheets:,} sheets"
    return f"{path}: {shown} in {seconds:.1f} s"

"""`digitforge interpolate`: digits that turn into other digits, as a GIF, an MP4 or a strip for paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digitforge.errors import UserError
from digitforge.files import at_home

FRAMES = 60


def interpolate(
    model: Annotated[
        Path | None, typer.Argument(help="A run folder or a model file.", show_default="the pretrained model")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="The digit to start from.", show_default="once through all digits")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="The digit to end with.", show_default="once through all digits")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other digits.")] = 0,
    count: Annotated[int, typer.Option(help="How many digits change, side by side.")] = 16,
    frames: Annotated[
        int | None, typer.Option(help="How many frames of an animation, there and back.", show_default=f"{FRAMES}")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .gif, an .mp4, or a .png strip with a row a path.",
            show_default="3-to-8.gif or interpolation.gif, numbered if it exists",
        ),
    ] = None,
) -> None:
    """Turn digits into other digits, step by step."""
    from digitforge.forge import Forge
    from digitforge.places import as_file_name, free_path, write_file
    from digitforge.report.animations import ANIMATED, check_path, write_film
    from digitforge.report.interpolation import film_of_route, plan_route, strip_of_route
    from digitforge.sheets import png_bytes

    name = "interpolation" if start is None or end is None else f"{as_file_name(start)}-to-{as_file_name(end)}"
    path = at_home(out or free_path(Path(f"{name}.gif")))
    check_path(path, (*ANIMATED, ".png"))
    if frames is not None and path.suffix.lower() == ".png":
        raise UserError("--frames is of an animation, and a .png is a strip; leave it out, or write a .gif")
    forge = Forge.load(model)
    route = plan_route(forge, start, end, count, seed)
    paths = "1 path" if count == 1 else f"{count} paths"
    if path.suffix.lower() == ".png":
        write_file(path, png_bytes(strip_of_route(forge, route)))
        print(f"{path}: {paths}")
        return
    film = film_of_route(forge, route, FRAMES if frames is None else frames)
    write_film(film, path)
    print(f"{path}: {paths}, {len(film.frames)} frames, {film.seconds:.1f} s")

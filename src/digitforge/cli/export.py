"""`digitforge export`: a run's model as it was at a snapshot, as a model file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.errors import OutputError
from digitforge.files import at_home

if TYPE_CHECKING:
    from digitforge.runs import RunFolder


def export(
    run: Annotated[Path, typer.Argument(help="A run folder, finished or not.")],
    at: Annotated[
        int | None,
        typer.Option(metavar="IMAGES", help="The snapshot after so many images.", show_default="the newest"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A .onnx file.", show_default="RUN's name-IMAGES.onnx, numbered if it exists"),
    ] = None,
) -> None:
    """Make a model file of a run's snapshot: the model as it was after so many images."""
    from digitforge.cli.display import as_word, download_progress
    from digitforge.places import free_path, write_file
    from digitforge.runs import RunFolder, count_of
    from digitforge.training import need_training

    need_training()
    from digitforge.training.export import export as export_snapshot
    from digitforge.training.export import find_snapshot

    folder = RunFolder(at_home(run))
    images = count_of(find_snapshot(folder, at))
    name = folder.path.resolve().name or "run"
    path = at_home(out or free_path(Path(f"{name}-{images}.onnx")))
    _check(path, folder)
    with download_progress() as progress:
        model = export_snapshot(folder, images, progress=progress)
    write_file(path, model)
    print(f"{path}: the model after {images:,} images")
    print(f"next: {shlex.join(['digitforge', 'evaluate', as_word(path)])}")


def _check(path: Path, folder: RunFolder) -> None:
    """Refuse what can't be written, or would lie among the run's own files, before anything is made."""
    from digitforge.places import check_place

    if path.suffix.lower() != ".onnx":
        raise OutputError(f"a model is written as an .onnx file, not as {path}; give --out such a name")
    if folder.path.resolve() in path.resolve().parents:
        raise OutputError(f"{path} lies in the run folder, whose hashes tell all that is in it; choose another --out")
    check_place(path)

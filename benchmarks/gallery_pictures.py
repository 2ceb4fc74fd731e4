"""The gallery's pictures in docs/images/gallery: sheets, evolution, curves and films, as small as they can be."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

from PIL import Image

from digitforge.files import write_whole
from digitforge.forge import Forge
from digitforge.report.animations import Film, gif_bytes
from digitforge.report.figures import figure_bytes, run_figure
from digitforge.report.history import History
from digitforge.report.pictures import BEST_A_LABEL, best_digits, evolution_sheet
from digitforge.report.run_film import film_of_run
from digitforge.runs import RunFolder
from digitforge.sheets import labelled_sheet, model_sheet
from passages import ROOT
from shows import Show

PICTURES = ROOT / "docs" / "images" / "gallery"
CURVES_WIDTH, CURVES_COLOURS = 900, 48  # pixels and palette of curves, which are lines on paper
FILM_STEP = 0.5  # seconds that a sheet is shown in a film
SHEET_COLOURS = 128  # of what colour sheets keep


def draw(show: Show, folder: RunFolder, forge: Forge, history: History) -> None:
    """All pictures of one show, from a run, its model and its statistics."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    is_grey = forge.card.shape[0] == 1
    pictures = {
        "sheet": model_sheet(forge),
        "evolution": evolution_sheet(folder, history.epochs, show.epochs),
    }
    if not forge.is_told and len(best := best_digits(forge)):
        pictures["best"] = labelled_sheet(best, BEST_A_LABEL)
    if folder.pretraining.is_file():
        pictures["pretraining"] = Image.open(folder.pretraining)
    for kind, image in pictures.items():
        keep(image.convert("L") if is_grey else image.convert("RGB").quantize(SHEET_COLOURS), show.name, kind)
    keep(lines(figure_bytes(run_figure(history))), show.name, "curves")
    if show.has_film:
        write_whole(PICTURES / f"{show.name}.gif", gif_bytes(short_film(folder)))


def picture(name: str, kind: str) -> Path:
    """Where a picture of a show lies."""
    return PICTURES / (f"{name}.png" if kind == "sheet" else f"{name}-{kind}.png")


def keep(image: Image.Image, name: str, kind: str) -> None:
    """Write a picture for the docs."""
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    write_whole(picture(name, kind), buffer.getvalue())


def short_film(folder: RunFolder) -> Film:
    """A run as a film of a few hundred kB: the upper half of a dozen sheets, or a quarter of them in colour."""
    film = film_of_run(folder, "epoch", seconds=0.5)
    shown = film.frames[0].shape[0] // (2 if film.frames[0].ndim == 2 else 4)
    return replace(film, frames=[frame[:shown] for frame in film.frames], step=FILM_STEP)


def lines(png: bytes) -> Image.Image:
    """A drawing of lines with a small palette."""
    image = Image.open(BytesIO(png)).convert("RGB")
    image.thumbnail((CURVES_WIDTH, 10 * CURVES_WIDTH))
    return image.quantize(CURVES_COLOURS)

"""Plates: pictures as a page holds them, inside itself, each with its caption and with what it shows in words."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from digitforge.data.digits import listed
from digitforge.errors import RunError
from digitforge.report.figures import comparison_figure, figure_bytes, run_figure
from digitforge.report.history import History
from digitforge.report.pictures import evolution_sheet
from digitforge.runs import RunFolder, count_of
from digitforge.sheets import PNG_DAMAGE, png_bytes, read_png

_CSS_INCH = 96  # CSS pixels


@dataclass(frozen=True)
class Plate:
    """A picture in a page.

    caption: a line under it. alt: what it shows, for those who can't see it. uri: the whole picture as a data: URI.
    width, height: in CSS pixels, at its full size.
    """

    caption: str
    alt: str
    uri: str
    width: int
    height: int

    @property
    def content(self) -> bytes:
        """The picture itself."""
        return base64.b64decode(self.uri.partition(",")[2])

    @property
    def suffix(self) -> str:
        """How the name of a file ends that holds it, with the dot."""
        return ".svg" if self.uri.startswith("data:image/svg+xml") else ".png"


@dataclass(frozen=True)
class RunPlates:
    """The pictures of one run; None for what it does not have.

    sheet: what its model draws, or the newest samples of a run on its way. real: training images, laid out as the
    samples are. last: the newest samples. evolution: samples over time. best: what the classifier is surest of.
    pretraining: what D saw before G learned. copies: drawn images beside what they copy.
    left_out: a sentence on each picture that should be there and is not, or is damaged.
    """

    sheet: Plate | None
    real: Plate | None
    last: Plate | None
    evolution: Plate | None
    best: Plate | None
    pretraining: Plate | None
    copies: Plate | None
    left_out: tuple[str, ...]


@dataclass
class _Album:
    """Plates of one run, and a sentence on each that could not be had."""

    folder: RunFolder
    run: str
    left_out: list[str] = field(default_factory=list)

    def add(self, what: str, caption: str, alt: str, content: Callable[[], bytes]) -> Plate | None:
        try:
            return png_plate(content(), caption, alt)
        except FileNotFoundError:
            self.left_out.append(f"{self.run} has no {what}, so it is left out.")
        except (*PNG_DAMAGE, RunError):
            self.left_out.append(f"{self.run}: {what} cannot be read, so it is left out.")
        return None

    def file(self, path: Path, caption: str, alt: str) -> Plate | None:
        return self.add(path.name, caption, alt, lambda: self.folder.intact(path).read_bytes())


def run_plates(
    folder: RunFolder, history: History, names: Sequence[str], has_ended: bool, copies: bytes | None = None
) -> RunPlates:
    """The pictures in a run's folder.

    names: of the labels. has_ended: whether what is written at the end belongs to this run and not to an earlier end
    of it. copies: a PNG of drawn images beside what they copy. What can't be had is left out with a sentence.
    """
    run, album, samples = history.name, _Album(folder, history.name), folder.samples()
    last = sheet = evolution = best = pretraining = copied = None
    over_time = f"Samples of {run} from its first images to its last, beside real ones."
    if samples:
        caption = f"{run} after {count_of(samples[-1]):,} images"
        last = album.file(samples[-1], caption, f"Samples of {run} from its newest sheet, a grid of digits.")
    if has_ended:
        sheet = album.file(folder.final_sheet, run, f"What {run} draws: rows of images{_of(names)}.")
        evolution = album.file(folder.evolution, run, over_time)
        if folder.best.is_file():
            best = album.file(folder.best, run, f"Rows of what {run} drew that the classifier is surest of.")
    elif samples:
        sheet = last
        evolution = album.add("samples", run, over_time, lambda: png_bytes(evolution_sheet(folder, history.epochs)))
    real = album.file(folder.real_sheet, "real training images", "Real training images in the same layout.")
    if folder.pretraining.is_file():
        alt = f"What the discriminator of {run} saw before its generator learned: real images beside noise."
        pretraining = album.file(folder.pretraining, run, alt)
    if copies is not None:
        alt = f"Images that {run} drew, each beside the training image nearest to it."
        copied = album.add("picture of its nearest training images", run, alt, lambda: copies)
    return RunPlates(sheet, real, last, evolution, best, pretraining, copied, tuple(album.left_out))


def curves_plate(histories: Sequence[History]) -> Plate:
    """The curves of one run, or of several in one picture."""
    figure = run_figure(histories[0]) if len(histories) == 1 else comparison_figure(histories)
    over = "images" if len(histories) == 1 else "images and over seconds of training"
    return figure_plate(figure, "", f"Curves over {over}: {_drawn(figure)}.")


def figure_plate(figure: Figure, caption: str, alt: str) -> Plate:
    """A figure as SVG or PNG, whichever takes less room."""
    kinds = {"image/svg+xml": figure_bytes(figure, "svg"), "image/png": figure_bytes(figure)}
    mime = min(kinds, key=lambda kind: len(kinds[kind]))
    width, height = (round(inches * _CSS_INCH) for inches in figure.get_size_inches())
    return Plate(caption, alt, data_uri(kinds[mime], mime), width, height)


def data_uri(content: bytes, mime: str) -> str:
    """A file inside the address that stands for it."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def png_plate(content: bytes, caption: str, alt: str) -> Plate:
    """A PNG as a plate, decoded once, since a browser would show nothing for a broken one."""
    picture = read_png(content)
    return Plate(caption, alt, data_uri(content, "image/png"), picture.width, picture.height)


def _of(names: Sequence[str]) -> str:
    return f" of {listed(names)}" if names else ""


def _drawn(figure: Figure) -> str:
    """The names of a figure's panels."""
    return ", ".join(" ".join(axes.get_ylabel().split()) for axes in figure.axes if axes.get_ylabel())

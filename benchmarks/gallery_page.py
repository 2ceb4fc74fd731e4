"""Make the gallery's page from its runs, finished or not: docs/gallery.md, its pictures, what docs/recipes.md shows.

    python benchmarks/gallery_page.py [--shorter runs/recipes]

Every figure is of 10,000 drawings, measured by `digitforge evaluate` or kept from before. The models of finished runs
that are small enough are laid into models/ with a list of their hashes. A recipe whose training for the gallery has
hardly begun is shown by a finished shorter run of its name in `--shorter`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from PIL import Image

from digitforge.files import write_whole
from digitforge.forge import Forge
from digitforge.metrics.kept import kept_evaluation
from digitforge.report.animations import Film, gif_bytes
from digitforge.report.figures import figure_bytes, run_figure
from digitforge.report.pictures import BEST_A_LABEL, best_digits, evolution_sheet
from digitforge.report.run_film import film_of_run
from digitforge.report.shown import ShownRun, shown_run
from digitforge.runs import RunFolder
from digitforge.sheets import labelled_sheet, model_sheet
from digitforge.training.export import export
from digitforge.training.forecast import in_words
from gallery_table import Length, figures_table, spread
from passages import ROOT, write_passage
from passages import table as markdown
from recipe_speed import machine
from shows import RUNS, Show, read_shows, runs_of

PAGE, PICTURES = ROOT / "docs" / "gallery.md", ROOT / "docs" / "images" / "gallery"
MODELS = ROOT / "models"
LARGEST_MODEL = 5_000_000  # bytes
CURVES_WIDTH, CURVES_COLOURS = 900, 48  # pixels and palette of curves, which are lines on paper
FILM_STEP = 0.5  # seconds that a sheet is shown in a film
ROUNDED_FROM = 100  # F from which no decimals are told
JUDGED = {"real_train": "real", "fake": "fake"}  # what D's accuracy is told of
SHEET_COLOURS = 128  # of what colour sheets keep
HEAD = """# The gallery

Every recipe as far as it has been trained; each passage tells how much of its full length that is, and of how many
seeds where more than one. Made of the runs of `python benchmarks/gallery.py` by `python benchmarks/gallery_page.py`, on
{machine}. Runs whose command names no threads had both cores; the others were trained side by
side, a thread each, on a machine that did other things too: their times say little, and [speeds](recipes.md) are
measured apart. House numbers are [rendered](data.md#house-numbers), since SVHN's files could not be had here. *F* is
the [distance](figures.md) of 10,000 drawings to real training images, 1 where it is that of other real images; several
seeds are mean ± standard deviation. What a recipe is, and its losses: [recipes](recipes.md).

"""


@dataclass(frozen=True)
class Exhibit:
    """A show with those of its runs that have something to show; the first is in the pictures."""

    show: Show
    runs: tuple[ShownRun, ...]
    forges: tuple[Forge, ...]
    folder: RunFolder

    @property
    def forge(self) -> Forge:
        """The model in the pictures."""
        return self.forges[0]

    @property
    def lengths(self) -> list[Length]:
        """How long each model was trained, which for a run on its way is less than the run itself."""
        return [Length(run.history, forge.card.images) for run, forge in zip(self.runs, self.forges, strict=True)]


def main() -> None:
    """Measure what is new, draw all, write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shorter", type=Path, default=RUNS.with_name("recipes"))
    options = parser.parse_args()
    shows = read_shows()
    exhibits = [exhibit for show in shows.values() if (exhibit := exhibit_of(show, options.shorter))]
    if not exhibits:
        sys.exit("runs/gallery holds no run with a snapshot yet; train some: python benchmarks/gallery.py")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for exhibit in exhibits:
        draw(exhibit)
        write_passage("docs/recipes.md", f"what {exhibit.show.name} came to", recipe_passage(exhibit))
    text = HEAD.format(machine=machine()) + "\n".join(map(section, exhibits))
    missing = [f"`{name}`" for name in shows if name not in {exhibit.show.name for exhibit in exhibits}]
    if missing:
        text += f"\nNot trained for the gallery yet: {', '.join(missing)}.\n"
    groups = {exhibit.show.name: exhibit.runs for exhibit in exhibits}
    lengths = {exhibit.show.name: exhibit.lengths for exhibit in exhibits}
    text += (
        "\n## All figures\n\nThe last column is what real held-out images measure: of MNIST, or of house numbers where "
    )
    text += f"MNIST has no such figure.\n\n{figures_table(groups, lengths)}"
    write_whole(PAGE, text.encode())
    lay_out_models(exhibits)


def exhibit_of(show: Show, shorter: Path) -> Exhibit | None:
    """What there is to show of a recipe: its finished runs, else the first as far as it has come, else a short one."""
    folders, short = list(runs_of(show).values()), RunFolder(shorter / show.name)
    begun = [folder for folder in folders if folder.is_finished] or [one for one in folders[:1] if one.snapshots()[1:]]
    if not begun and short.is_finished:
        begun = [short]
    if not begun:
        return None
    forges = [model_of(folder) for folder in begun]
    runs = [shown_run(folder, None, kept_evaluation(forge, print)) for folder, forge in zip(begun, forges, strict=True)]
    return Exhibit(show, tuple(runs), tuple(forges), begun[0])


def model_of(folder: RunFolder) -> Forge:
    """The model of a run; of one on its way that of its newest snapshot, made beside it."""
    if folder.is_finished:
        return Forge.load(folder.model)
    path = folder.path.with_name(f"{folder.path.name}-so-far.onnx")
    write_whole(path, export(folder))
    return Forge.load(path)


def draw(exhibit: Exhibit) -> None:
    """All pictures of one show."""
    run, folder, forge = exhibit.runs[0], exhibit.folder, exhibit.forge
    keep(model_sheet(forge), exhibit, "sheet")
    keep(evolution_sheet(folder, run.history.epochs, exhibit.show.epochs), exhibit, "evolution")
    keep(lines(figure_bytes(run_figure(run.history))), exhibit, "curves")
    if not forge.is_told and len(best := best_digits(forge)):
        keep(labelled_sheet(best, BEST_A_LABEL), exhibit, "best")
    if folder.pretraining.is_file():
        keep(Image.open(folder.pretraining), exhibit, "pretraining")
    if exhibit.show.has_film:
        write_whole(PICTURES / f"{exhibit.show.name}.gif", gif_bytes(short_film(folder)))


def short_film(folder: RunFolder) -> Film:
    """A run as a film of a few hundred kB: the upper half of a dozen sheets, or a quarter of them in colour."""
    film = film_of_run(folder, "epoch", seconds=0.5)
    shown = film.frames[0].shape[0] // (2 if film.frames[0].ndim == 2 else 4)
    return replace(film, frames=[frame[:shown] for frame in film.frames], step=FILM_STEP)


def keep(image: Image.Image, exhibit: Exhibit, kind: str) -> None:
    """Write a picture for the docs, as small as it can be."""
    grey = exhibit.forge.card.shape[0] == 1
    if kind != "curves":
        image = image.convert("L") if grey else image.convert("RGB").quantize(SHEET_COLOURS)
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    write_whole(picture(exhibit, kind), buffer.getvalue())


def picture(exhibit: Exhibit, kind: str) -> Path:
    """Where a picture of a show lies."""
    return PICTURES / (f"{exhibit.show.name}.png" if kind == "sheet" else f"{exhibit.show.name}-{kind}.png")


def lines(png: bytes) -> Image.Image:
    """A drawing of lines with a small palette."""
    image = Image.open(BytesIO(png)).convert("RGB")
    image.thumbnail((CURVES_WIDTH, 10 * CURVES_WIDTH))
    return image.quantize(CURVES_COLOURS)


def shown(exhibit: Exhibit, kind: str, words: str) -> str:
    """A picture in Markdown; nothing where there is none."""
    path = picture(exhibit, kind)
    return f"![{words}](images/gallery/{path.name})\n" if path.is_file() else ""


def command(exhibit: Exhibit) -> str:
    """What trains the run in the pictures."""
    training, threads = exhibit.runs[0].recipe.training, exhibit.runs[0].recipe.compute.threads
    length = [] if share(exhibit) == 1 or not exhibit.folder.is_finished else ["--images", str(training.images)]
    return f"```\ndigitforge {' '.join([*exhibit.show.words(training.seed, threads), *length])}\n```\n"


def share(exhibit: Exhibit) -> float:
    """How much of its recipe's full length the run in the pictures has behind it, at most 1."""
    card = exhibit.forge.card
    return min(1.0, card.images / (exhibit.show.recipe.training.length(card.data.count) or card.images))


def section(exhibit: Exhibit) -> str:
    """One recipe's part of the page."""
    name, show = exhibit.show.name, exhibit.show
    parts = [
        f"## {name}\n",
        f"{show.document}\n",
        command(exhibit),
        f"{outcome(exhibit)} {show.verdict}".strip() + "\n",
    ]
    parts += [shown(exhibit, "sheet", f"what {name} draws, by digit")]
    parts += [shown(exhibit, "evolution", f"real digits, and what {name} drew of the same latents as it learned")]
    best = shown(exhibit, "best", f"of {name}'s drawings those that the classifier is surest of")
    if best:
        parts += ["The digits of 1,500 drawings that the pinned classifier is surest of:\n", best]
    parts += [f"[Losses and accuracies](recipes.md#{anchor(exhibit)}).\n"]
    return "\n".join(part for part in parts if part)


def anchor(exhibit: Exhibit) -> str:
    """Where a recipe stands in docs/recipes.md: below a heading that names its document, and others of its kind."""
    headings = [line[3:] for line in (ROOT / "docs/recipes.md").read_text("utf-8").splitlines() if line[:3] == "## "]
    names = {exhibit.show.name, exhibit.show.recipe.name}
    found = next(heading for heading in headings if names & set(heading.replace(",", "").split()))
    return "".join(letter for letter in found.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def recipe_passage(exhibit: Exhibit) -> str:
    """What docs/recipes.md shows of a recipe: command, outcome, sheet and curves."""
    name = exhibit.show.name
    pictures = [shown(exhibit, "sheet", f"sheet of {name}"), shown(exhibit, "curves", f"curves of {name}")]
    pictures += [shown(exhibit, "pretraining", f"what D of {name} sees first")]
    return "\n".join([command(exhibit), f"{outcome(exhibit)}\n", "".join(pictures)])


def outcome(exhibit: Exhibit) -> str:
    """What the runs came to, in a sentence."""
    run, runs = exhibit.runs[0], exhibit.runs
    part, trained = share(exhibit), exhibit.lengths[0]
    length = "its full length" if part == 1 else f"{part:.0%} of its full length"
    length += "" if exhibit.folder.is_finished else ", the newest snapshot of a run on its way"
    whose, seeds = ("", "") if len(runs) == 1 else (f"Seed {run.recipe.training.seed}: ", f"{len(runs)} seeds: ")
    ratios = [one.evaluation["ratio"]["value"] for one in runs]
    ratio = spread(ratios, "{:,.1f}" if ratios[0] < ROUNDED_FROM else "{:,.0f}")
    told = [one.evaluation["accuracy"]["value"] for one in runs if one.evaluation.get("accuracy")]
    asked = f", {100 * statistics.mean(told):.1f}% read as the digit asked for" if told else ""
    judged = [f"{run.history.curves[f'accuracy.{key}'].values[-1]:.0%} of {word}" for key, word in JUDGED.items()]
    return (
        f"{whose}{trained.images:,} images ({trained.epochs:,.1f} epochs), {length}, in {in_words(trained.seconds)} of "
        f"training steps; D is right on {' and '.join(judged)} images at the end. {seeds}{ratio} F{asked}."
    )


def lay_out_models(exhibits: Sequence[Exhibit]) -> None:
    """Put the small models of finished runs where users find them."""
    MODELS.mkdir(exist_ok=True)
    rows: list[list[str]] = []
    for exhibit in exhibits:
        content, forge = exhibit.forge.path.read_bytes(), exhibit.forge
        if not exhibit.folder.is_finished or share(exhibit) < 1 or len(content) > LARGEST_MODEL:
            continue
        path = MODELS / f"{exhibit.show.name}.onnx"
        write_whole(path, content)
        kind = "any digit on demand" if forge.is_told else "digits, sorted by the classifier where one is asked for"
        ratio = f"{exhibit.runs[0].evaluation['ratio']['value']:,.1f}"
        rows.append([f"`{path.name}`", kind, f"{len(content) / 1e6:.1f} MB", ratio, f"`{forge.sha256}`"])
    if rows:
        write_passage("models/README.md", "models", models_passage(rows))


def models_passage(rows: list[list[str]]) -> str:
    """What models/README.md shows: how to use the first of the models, and a row a model."""
    first = rows[0][0].strip("`")
    commands = f"digitforge generate models/{first} --digit 7 --out sevens.png\ndigitforge evaluate models/*.onnx"
    return f"```\n{commands}\n```\n\n{markdown([['file', 'draws', 'size', 'F', 'SHA-256'], *rows])}"


if __name__ == "__main__":
    main()

"""Make the gallery's page from its runs, finished or not: docs/gallery.md, its pictures, what docs/recipes.md shows.

    python benchmarks/gallery_page.py [NAME ...] [--shorter runs/recipes]

Every figure is of 10,000 drawings, measured by `digitforge evaluate` or kept from before. The models of finished runs
that are small enough are laid into models/ with a list of their hashes. A recipe whose training for the gallery has
hardly begun is shown by a finished shorter run of its name in `--shorter`. What is told of each recipe is kept in
results/gallery.json, so that a machine with some of the runs remakes their part of the page and leaves the others: what
is kept gives way to as many runs of full length, or to runs that saw as many images.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from digitforge.files import write_whole
from digitforge.forge import Forge
from digitforge.metrics.kept import kept_evaluation
from digitforge.report.shown import ShownRun, shown_run
from digitforge.runs import RunFolder
from digitforge.training.export import export
from digitforge.training.forecast import in_words
from gallery_pictures import draw, picture
from gallery_table import Length, figures_column, figures_table, spread
from passages import ROOT, write_passage
from passages import table as markdown
from recipe_speed import machine
from shows import RUNS, Show, read_shows, runs_of

KEPT = ROOT / "benchmarks" / "results" / "gallery.json"
PAGE = ROOT / "docs" / "gallery.md"
MODELS = ROOT / "models"
LARGEST_MODEL = 5_000_000  # bytes
ROUNDED_FROM = 100  # F from which no decimals are told
JUDGED = {"real_train": "real", "fake": "fake"}  # what D's accuracy is told of
HEAD = """# The gallery

Every recipe, trained to its full length unless its passage says how much of that it saw, with one seed or three. Made
of the runs of `python benchmarks/gallery.py` by `python benchmarks/gallery_page.py`, on
{machines}. Runs whose command names no threads had both cores; the others were trained side by
side, a thread each, on a machine that did other things too: their times say little, and [speeds](recipes.md) are
measured apart. Where a run is on its way, the command trains all of it. House numbers are
[rendered](data.md#house-numbers), since SVHN's files could not be had here. *F* is the [distance](figures.md) of 10,000
drawings to real training images, 1 where it is that of other real images; several seeds are mean ± standard deviation.
A passage ends with words on what one pair of eyes finds in the sheet below it, and on why: they are no measure. What a
recipe is, and its losses: [recipes](recipes.md).

The rows of a sheet are the digits asked for; a model that is told none drew 500 images, which the pinned classifier
sorted into rows: a short or missing one is a digit that it hardly draws. Where a passage has no word on the run's
[diagnosis](diagnosis.md), it was not looked at. The runs of `express` and `express-untold` are others than the
README's: their length is a time, and in faster hours of the machine it held more images.

"""
FIGURES = """## All figures

The last column is what real held-out images measure. Columns are no contest: the recipes' lengths differ a
hundredfold, and most have one seed. To compare recipes, train each for the same `--images` with three seeds, and then
`digitforge compare` them.
"""
HOUSE_NUMBERS = "street"  # the data of the second table


@dataclass(frozen=True)
class Exhibit:
    """A show with those of its runs that have something to show; the first is in the pictures."""

    show: Show
    runs: tuple[ShownRun, ...]
    forges: tuple[Forge, ...]
    folder: RunFolder
    is_short: bool = False  # shown in the place of the gallery's own runs

    @property
    def forge(self) -> Forge:
        """The model in the pictures."""
        return self.forges[0]

    @property
    def lengths(self) -> list[Length]:
        """How long each model was trained, which for a run on its way is less than the run itself."""
        return [Length(run.history, forge.card.images) for run, forge in zip(self.runs, self.forges, strict=True)]

    @property
    def share(self) -> float:
        """How much of its recipe's full length the run in the pictures has behind it, at most 1."""
        card = self.forge.card
        return min(1.0, card.images / (self.show.recipe.training.length(card.data.count) or card.images))

    @property
    def is_whole(self) -> bool:
        """Whether the run in the pictures came to its recipe's end."""
        return self.folder.is_finished and self.share == 1 and not self.is_short


@dataclass(frozen=True)
class Passage:
    """What the page tells of a show, ready to be set.

    data: what the runs learned from. images: that they saw in all. model: the row of models/README.md, where there is
    such a file. column: see `figures_column`.
    """

    machine: str
    data: str
    images: int
    command: str
    outcome: str
    model: list[str] | None
    column: Mapping[str, Sequence[str]]

    def gives_way_to(self, exhibit: Exhibit) -> bool:
        """Whether runs tell more: as many that came to their end, or at least as many images."""
        is_whole = exhibit.is_whole and len(exhibit.runs) >= int(self.column["seeds"][0])
        return is_whole or self.images <= sum(one.images for one in exhibit.lengths)


def main() -> None:
    """Measure what is new, draw all, write the pages."""
    shows = read_shows()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="whose runs are looked at; all by default")
    parser.add_argument("--shorter", type=Path, default=RUNS.with_name("recipes"))
    options = parser.parse_args()
    if unknown := set(options.names) - set(shows):
        parser.error(f"the gallery has no {', '.join(sorted(unknown))}; choose among {', '.join(shows)}")
    kept = {name: Passage(**table) for name, table in json.loads(KEPT.read_text("utf-8")).items()}
    MODELS.mkdir(exist_ok=True)
    for name in options.names or shows:
        exhibit = exhibit_of(shows[name], options.shorter)
        if exhibit is None:
            print(f"{name}: no run with a snapshot here; what is told of it stays")
        elif name in kept and not kept[name].gives_way_to(exhibit):
            print(f"{name}: the runs here are fewer or shorter than those that are told of, which stay")
        else:
            draw(exhibit.show, exhibit.folder, exhibit.forge, exhibit.runs[0].history)
            kept[name] = passage_of(exhibit)
            write_whole(KEPT, f"{json.dumps({name: asdict(one) for name, one in kept.items()}, indent=2)}\n".encode())
            write_passage("docs/recipes.md", f"what {name} came to", recipe_passage(shows[name], kept[name]))
    kept = {name: kept[name] for name in shows if name in kept}
    machines = " and ".join(dict.fromkeys(one.machine for one in kept.values()))
    text = HEAD.format(machines=machines) + "\n".join(section(shows[name], one) for name, one in kept.items())
    if missing := [f"`{name}`" for name in shows if name not in kept]:
        text += f"\nNot trained for the gallery yet: {', '.join(missing)}.\n"
    write_whole(PAGE, f"{text}\n{FIGURES}\n{all_figures(kept)}".encode())
    if models := [one.model for one in kept.values() if one.model]:
        write_passage("models/README.md", "models", models_passage(models))


def all_figures(kept: Mapping[str, Passage]) -> str:
    """A table of those that learned from MNIST, and one of those that learned from house numbers."""
    tables = []
    for title, are_houses in (("Handwritten digits", False), ("House numbers", True)):
        columns = {name: one.column for name, one in kept.items() if (one.data == HOUSE_NUMBERS) == are_houses}
        tables += [f"### {title}\n\n{figures_table(columns)}"] if columns else []
    return "\n".join(tables)


def exhibit_of(show: Show, shorter: Path) -> Exhibit | None:
    """What there is to show of a recipe: its finished runs, else the first as far as it has come, else a short one."""
    folders, short = list(runs_of(show).values()), RunFolder(shorter / show.name)
    begun = [folder for folder in folders if folder.is_finished] or [one for one in folders[:1] if one.snapshots()[1:]]
    is_short = not begun and short.is_finished
    if is_short:
        begun = [short]
    if not begun:
        return None
    forges = [model_of(folder) for folder in begun]
    runs = [shown_run(folder, None, kept_evaluation(forge, print)) for folder, forge in zip(begun, forges, strict=True)]
    return Exhibit(show, tuple(runs), tuple(forges), begun[0], is_short)


def model_of(folder: RunFolder) -> Forge:
    """The model of a run; of one on its way that of its newest snapshot, made beside it."""
    if folder.is_finished:
        return Forge.load(folder.model)
    path = folder.path.with_name(f"{folder.path.name}-so-far.onnx")
    write_whole(path, export(folder))
    return Forge.load(path)


def shown(name: str, kind: str, words: str) -> str:
    """A show's picture in Markdown; nothing where there is none."""
    path = picture(name, kind)
    return f"![{words}](images/gallery/{path.name})\n" if path.is_file() else ""


def passage_of(exhibit: Exhibit) -> Passage:
    """What the page tells of a show from now on; a small model is laid where users find it."""
    return Passage(
        machine=machine(),
        data=exhibit.forge.card.data.name,
        images=sum(one.images for one in exhibit.lengths),
        command=command(exhibit),
        outcome=outcome(exhibit),
        model=lay_out_model(exhibit),
        column=figures_column(exhibit.runs, exhibit.lengths),
    )


def command(exhibit: Exhibit) -> str:
    """What trains the run in the pictures."""
    training, threads = exhibit.runs[0].recipe.training, exhibit.runs[0].recipe.compute.threads
    length = [] if exhibit.share == 1 or not exhibit.folder.is_finished else ["--images", str(training.images)]
    return " ".join(["digitforge", *exhibit.show.words(training.seed, alone=threads != 1), *length])


def section(show: Show, passage: Passage) -> str:
    """One recipe's part of the page."""
    name = show.name
    parts = [
        f"## {name}\n",
        f"{show.document}\n",
        f"```\n{passage.command}\n```\n",
        f"{passage.outcome} {show.verdict}".strip() + "\n",
    ]
    parts += [shown(name, "sheet", f"what {name} draws, by digit")]
    parts += [shown(name, "evolution", f"real digits, and what {name} drew of the same latents as it learned")]
    best = shown(name, "best", f"of {name}'s drawings those that the classifier is surest of")
    if best:
        parts += ["The digits of 1,500 drawings that the pinned classifier is surest of:\n", best]
    parts += [f"[Losses and accuracies](recipes.md#{anchor(show)}).\n"]
    return "\n".join(part for part in parts if part)


def anchor(show: Show) -> str:
    """The heading in docs/recipes.md under which a show's curves stand."""
    above, _, _ = (ROOT / "docs/recipes.md").read_text("utf-8").partition(f"<!-- what {show.name} came to -->")
    heading = next(line[3:] for line in reversed(above.splitlines()) if line.startswith("## "))
    return "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def recipe_passage(show: Show, passage: Passage) -> str:
    """What docs/recipes.md shows of a recipe: command, outcome, sheet and curves."""
    name = show.name
    pictures = [shown(name, "sheet", f"sheet of {name}"), shown(name, "curves", f"curves of {name}")]
    pictures += [shown(name, "pretraining", f"what D of {name} sees first")]
    return "\n".join([f"```\n{passage.command}\n```\n", f"{passage.outcome}\n", "".join(pictures)])


def outcome(exhibit: Exhibit) -> str:
    """What the runs came to, in a sentence."""
    run, runs = exhibit.runs[0], exhibit.runs
    part, trained = exhibit.share, exhibit.lengths[0]
    length = "its full length" if part == 1 else f"{part:.0%} of its full length"
    length += "" if exhibit.folder.is_finished else ", the newest snapshot of a run on its way"
    whose, seeds = ("", "") if len(runs) == 1 else (f"Seed {run.recipe.training.seed}: ", f"{len(runs)} seeds: ")
    ratios = [one.evaluation["ratio"]["value"] for one in runs]
    ratio = spread(ratios, "{:,.1f}" if ratios[0] < ROUNDED_FROM else "{:,.0f}")
    told = [one.evaluation["accuracy"]["value"] for one in runs if one.evaluation.get("accuracy")]
    asked = f", {100 * statistics.mean(told):.1f}% read as the digit asked for" if told else ""
    when = "at the end" if exhibit.folder.is_finished else "by then"
    curves = run.history.until(trained.images).curves
    judged = [f"{curves[f'accuracy.{key}'].values[-1]:.0%} of {word}" for key, word in JUDGED.items()]
    return (
        f"{whose}{trained.images:,} images ({trained.epochs:,.1f} epochs), {length}, in {in_words(trained.seconds)} of "
        f"training steps; D is right on {' and '.join(judged)} images {when}. {seeds}{ratio} F{asked}. "
        f"{diagnosed(exhibit)}"
    )


def diagnosed(exhibit: Exhibit) -> str:
    """What the runs said of themselves on the way to what is shown of them, in a sentence."""
    times: dict[str, list[int]] = {}
    for run, length in zip(exhibit.runs, exhibit.lengths, strict=True):
        for finding in run.findings:  # those of no time are of the model's drawings
            if seen := [images for images in finding.images if images <= length.images]:
                times.setdefault(finding.sentence.partition(":")[0], []).extend(seen)
    said = "; ".join(f"*{what}* ({at_images(seen)})" for what, seen in times.items())
    return f"On the way the [diagnosis](diagnosis.md) {f'said: {said}' if said else 'was silent'}."


def at_images(seen: Sequence[int]) -> str:
    """When something was said, in images shown to D."""
    first, last = min(seen), max(seen)
    return f"after {first:,} images" if first == last else f"after {first:,} to {last:,} images"


def lay_out_model(exhibit: Exhibit) -> list[str] | None:
    """Put the small model of a finished run where users find it; returns its row of models/README.md."""
    content, forge = exhibit.forge.path.read_bytes(), exhibit.forge
    if not exhibit.is_whole or len(content) > LARGEST_MODEL:
        return None
    path = MODELS / f"{exhibit.show.name}.onnx"
    write_whole(path, content)
    kind = "any digit on demand" if forge.is_told else "digits, sorted by the classifier where one is asked for"
    ratio = f"{exhibit.runs[0].evaluation['ratio']['value']:,.1f}"
    learned = f"`{forge.card.data.name}`"
    return [f"`{path.name}`", learned, kind, f"{len(content) / 1e6:.1f} MB", ratio, f"`{forge.sha256}`"]


def models_passage(rows: list[list[str]]) -> str:
    """What models/README.md shows: how to use the first of the models, and a row a model."""
    first = f"models/{rows[0][0].strip('`')}"
    commands = f"digitforge generate {first} --digit 7 --out sevens.png\ndigitforge evaluate {first}"
    return f"```\n{commands}\n```\n\n{markdown([['file', 'learned from', 'draws', 'size', 'F', 'SHA-256'], *rows])}"


if __name__ == "__main__":
    main()

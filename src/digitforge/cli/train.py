"""`digitforge train`: from the words of a command to a run, its progress shown live."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from digitforge.errors import RecipeError, UserError
from digitforge.files import at_home
from digitforge.training import need_training

if TYPE_CHECKING:
    from digitforge.forge import Forge
    from digitforge.runs import RunFolder, SpecialistsFolder

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "32"]
# What `specialists` takes too.
RecipeName = Annotated[str | None, typer.Argument(help="A recipe's name or .toml file.", show_default="express")]
DataName = Annotated[
    str | None, typer.Option(help="A data set's name, or a path to your own.", show_default="the recipe's")
]
Seed = Annotated[int | None, typer.Option(help="Seed of every random number.", show_default="the recipe's")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting of the recipe, such as training.batch_size=64; may be given again.",
    ),
]
Device = Annotated[DeviceName | None, typer.Option(help="auto, cpu, cuda or mps.", show_default="the recipe's")]
ChosenPrecision = Annotated[
    Precision | None, typer.Option(help="auto, bf16 or 32 (plain float32).", show_default="the recipe's")
]


def train(
    recipe: RecipeName = None,
    data: DataName = None,
    digits: Annotated[
        str | None, typer.Option(help="Train on these labels alone, such as 3,5.", show_default="the recipe's")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Time in training steps, such as 60s, 5m or 2h.", show_default="the recipe's length"),
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data set, in the place of --budget.")] = None,
    images: Annotated[
        int | None, typer.Option(help="Real images shown to the discriminator, in the place of --budget.")
    ] = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="runs/NAME-SEED")] = None,
    set_: Settings = None,
    device: Device = None,
    precision: ChosenPrecision = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, or begin it if there is none.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the whole recipe, and what it would take; train nothing.")
    ] = False,
) -> None:
    """Train a GAN: any digit on demand after 60 s with the default recipe."""
    lengths = {"training.seconds": parse_budget(budget), "training.epochs": epochs, "training.images": images}
    settings = chosen_settings(
        set_ or [],
        lengths,
        {
            "data.name": data,
            "data.digits": digits,
            "training.seed": seed,
            "compute.device": device,
            "compute.precision": precision,
        },
    )
    need_training()
    if dry_run:
        if resume:
            raise UserError("--dry-run tells of a new run; leave out --resume, which goes on with one as it is")
        _show_recipe(recipe, settings)
        return
    from digitforge.cli.display import Display, download_progress
    from digitforge.runs import RunFolder
    from digitforge.training.train import train as train_recipe

    display = Display()
    place = out and at_home(out)
    if resume and place is not None and "training.seconds" in settings:
        _tell_length(RunFolder(place))
    with download_progress() as progress:
        folder = train_recipe(
            recipe, settings=settings, out=place, resume=resume, observers=[display], progress=progress
        )
    if int(os.environ.get("RANK", 0)) == 0:  # of several processes the first one alone speaks
        if not display.has_started:
            typer.echo(f"{folder.path} had finished already")
        report(folder)


def _tell_length(folder: RunFolder) -> None:
    """Say that a run which goes on keeps its length, where a time is asked for."""
    if not folder.recipe.is_file():
        return
    saved = folder.read_recipe()
    way_on = "train anew with another --out" if saved.has_schedule else "give more --images"
    typer.echo(
        f"the run in {folder.path} keeps its length of {saved.training.images:,} images, whatever the time; to train "
        f"longer, {way_on}",
        err=True,
    )


def parse_budget(text: str | None) -> float | None:
    """Seconds from "60s", "5m", "2h" or a plain number of seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not seconds > 0:
        raise UserError(f'a budget is a time above zero, such as 60s, 5m or 2h, not "{text}"')
    return seconds


def chosen_settings(
    assignments: list[str], lengths: dict[str, float | int | None], options: dict[str, Any]
) -> dict[str, object]:
    """Every setting that the command line gives, by dotted key; an option and --set may not contradict each other."""
    from digitforge.recipe import parse_setting

    settings: dict[str, object] = {}
    given = [key for key, value in lengths.items() if value is not None]
    if len(given) > 1:
        raise UserError("a run has one length: give --budget, --epochs or --images, not several")
    for key, value in [*options.items(), *lengths.items(), *map(parse_setting, assignments)]:
        if value is None:
            continue
        if key in settings and settings[key] != value:
            raise RecipeError(f"{key} is given twice, as {settings[key]} and as {value}; give it once")
        settings[key] = value
    return settings


def report(folder: RunFolder | SpecialistsFolder) -> None:
    """Say what a finished run, or job, reached and where it lies."""
    from digitforge.cli.display import as_word
    from digitforge.forge import Forge

    forge = Forge.load(folder.model)
    card = forge.card
    typer.echo(f"{folder.path}: {card.images:,} images")
    lines = summary(dict(card.figures)) if card.figures else [why_no_figures(forge, folder.path)]
    for line in lines:
        typer.echo(f"  {line}")
    typer.echo(f"  sheet   {folder.final_sheet}")
    typer.echo(f"  model   {folder.model}")
    can_choose = forge.is_told or card.figures  # by the model itself, or by a classifier that reads it
    wanted = ["--digit", card.names[card.trained[-1]]] if can_choose else []
    typer.echo(f"next: {shlex.join(['digitforge', 'generate', as_word(folder.path), *wanted])}")


def why_no_figures(forge: Forge, path: Path) -> str:
    """Why the model of the run, or job, at a path came to its end without figures, and the way to them."""
    from digitforge.classifier import classifier_for
    from digitforge.cli.display import as_word
    from digitforge.metrics.frechet import LEAST

    card = forge.card
    evaluate = shlex.join(["digitforge", "evaluate", as_word(path)])
    if card.data.count < LEAST:
        return f"no figures: they are held against {LEAST} training images or more; train on more"
    if classifier_for(card.shape, forge.names, all_names=card.names) is not None:
        return f"no figures: {card.data.name} is gone or holds other images now; once it is back, {evaluate} takes them"
    if len(card.names) == 1:
        return "no figures: they come from a classifier, which learns from images of two labels or more"
    if forge.classifier is not None:
        return f"no figures yet: {evaluate} takes them"
    return f"no figures yet: {evaluate} trains a classifier on these images first"


def summary(figures: dict[str, Any]) -> list[str]:
    """The key figures of a model that has them, in words."""
    from digitforge.data.digits import FEW_LABELS

    frechet, floor, ratio, accuracy = (figures[key] for key in ("frechet", "floor", "ratio", "accuracy"))
    notes = figures.get("notes", [])
    lines = [f"Frechet distance {frechet['value']:.3f} (n = {frechet['n']:,} against {frechet['reference_n']:,} real)"]
    if ratio is not None:
        own_count = "" if ratio["n"] == frechet["n"] or notes else f" (n = {ratio['n']:,}, as few images raise both)"
        real_n = ratio.get("real_n", floor["n"])  # which cards of older versions lack
        of_real = f"= {floor['value']:.3f} is that of" if real_n == floor["n"] else f"is that of {real_n:,}"
        lines[0] += f": {ratio['value']:.1f} F{own_count}, where F {of_real} real test images"
    if accuracy is not None:
        lines.append(f"read as the digit asked for: {accuracy['value']:.2%} (n = {accuracy['n']:,})")
    histogram = figures.get("histogram", {})
    if histogram.get("modes_in_data", 0) > FEW_LABELS:  # which models of older versions lack
        lines.append(f"labels drawn: {histogram['modes']:,} of {histogram['modes_in_data']:,}")
    return [*lines, *notes]


def _show_recipe(recipe: str | None, settings: dict[str, object]) -> None:
    """Print the resolved recipe, and as comments to it what it would take, if its data are here.

    What cannot be trained raises before anything is printed.
    """
    from digitforge.data import is_at_hand, load_data
    from digitforge.resuming import asked_recipe
    from digitforge.training.compute import resolve_compute
    from digitforge.training.forecast import forecast

    asked = asked_recipe(recipe).with_settings(settings)
    resolved = asked.model_copy(update={"compute": resolve_compute(asked.compute)})
    if is_at_hand(asked.data.name):
        data_set = load_data(asked.data.name)
        comments = [*data_set.notes, *forecast(asked, data_set).sentences()]
    else:
        comments = [f"how long it takes is told once the data are here: digitforge data {asked.data.name}"]
    typer.echo(resolved.to_toml())
    for comment in comments:
        typer.echo(f"# {comment}")

"""`digitforge evaluate`: what models, or another program's images, measure, as tables or as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.errors import ModelError, OutputError, UserError, to_install
from digitforge.files import at_home

if TYPE_CHECKING:
    from rich.table import Table

    from digitforge.classifier import Classifier
    from digitforge.data.sources import Progress
    from digitforge.forge import Forge
    from digitforge.metrics.evaluation import Evaluation
    from digitforge.metrics.subject import Subject
    from digitforge.report.quantities import Measured, Quantity


def evaluate(
    models: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[MODEL]...", help="Run folders or model files.", show_default="the pretrained model"),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Images that another program drew: a folder, .npz, .mat or idx file; needs --data.",
            show_default="none",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="A data set's name or path to hold them against.", show_default="what each model was trained on"
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="How many images to draw from each model, or to take of others.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed by which images are drawn, or chosen.")] = 0,
    tstr: Annotated[
        bool, typer.Option("--tstr", help="Also train a classifier on the model's images and test it on real ones.")
    ] = False,
    tstr_variety: Annotated[
        float | None,
        typer.Option(help="Variety of the images that --tstr trains on, 0 to 1.5.", show_default="1"),
    ] = None,
    inception: Annotated[
        bool, typer.Option("--inception", help="Also take FID in Inception's features, whose weights are fetched.")
    ] = False,
    copies: Annotated[
        Path | None,
        typer.Option(help="A .png of the images most like a training image, each beside it.", show_default="none"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, one entry a model.")] = False,
) -> None:
    """Measure models, or another program's images: how far from real digits, which digits, how varied, any copies?"""
    from digitforge.cli.display import download_progress, notify
    from digitforge.forge import Forge
    from digitforge.metrics.evaluate import measure_subject
    from digitforge.metrics.subject import Subject

    forges = [Forge.load(model) for model in models] if models else [] if images else [Forge.load()]
    copies = copies and at_home(copies)
    _check_images(images, data, tstr or inception)
    _check_copies(copies, len(forges) + len(images or ()), count)
    _check_variety(tstr_variety, tstr)
    _check_judges(forges, tstr, inception)
    subjects = [Subject.of_model(forge) for forge in forges]
    evaluations: list[Evaluation] = []
    notify_once = cache(notify)  # what holds for several models
    try:
        with download_progress() as progress:
            if images and data:
                subjects += _subjects(images, data, progress)
                _check_copies(copies, len(subjects), min(count, *(each.most or count for each in subjects)))
            for place, subject in enumerate(subjects):
                reader = _reader(subject, data, progress)
                found = measure_subject(
                    subject, data, count, seed, classifier=reader, notify=notify_once, progress=progress
                )
                evaluations.append(found)
                if tstr or inception:
                    variety = (1.0 if tstr_variety is None else tstr_variety) if tstr else None
                    found = _judged(found, forges[place], data, seed, progress, tstr=variety, inception=inception)
                    evaluations[-1] = found
    finally:  # whatever fails, what was measured before is told
        if as_json and evaluations:
            print(json.dumps([evaluation.as_dict() for evaluation in evaluations], indent=2))
        elif evaluations:
            names = [str(path) for path in (*(models or ()), *(images or ()))] or ["pretrained"]
            _print_figures(evaluations, names[: len(evaluations)])
    if copies is not None:
        with download_progress() as progress:
            _write_copies(copies, subjects[0], evaluations[0], data, progress)


def _check_images(images: list[Path] | None, data: str | None, judged: bool) -> None:
    """Refuse images without anything to hold them against, and for judges that a model alone can have."""
    if images and data is None:
        raise UserError("--images are held against a data set: name it with --data, such as --data mnist")
    if images and judged:
        raise UserError("--tstr and --inception have a model draw for them; leave them or --images out")


def _subjects(images: list[Path], data: str, progress: Progress) -> list[Subject]:
    """Images at paths, with the labels that the data have."""
    from digitforge.data import load_data
    from digitforge.data.loose import read_images
    from digitforge.metrics.subject import Subject

    loaded = load_data(data, progress=progress)
    return [Subject.of_images(read_images(path), data, loaded) for path in images]


def _reader(subject: Subject, data: str | None, progress: Progress) -> Classifier | None:
    """What reads a model's images: None leaves it to what is there, else a classifier of the user's own data."""
    from importlib.util import find_spec

    from digitforge.classifier import is_stand_in

    found = subject.classifier()
    can_train = find_spec("torch") is not None
    if found is not None and not (can_train and is_stand_in(found, subject.data_sha256)):
        return None
    if not can_train:
        raise ModelError(
            f"no classifier here reads what {subject.path.name} draws, and training one needs what the plain install "
            f"leaves out: {to_install('train')}"
        )
    from digitforge.cli.display import notify
    from digitforge.data import load_data
    from digitforge.judges.own_classifier import own_classifier

    loaded = load_data(data or subject.data, progress=progress)
    if found is not None and found.learnt_from(loaded.train.sha256):
        return found
    return own_classifier(loaded, notify)


def _check_judges(forges: list[Forge], tstr: bool, inception: bool) -> None:
    """Refuse what judges that learn cannot judge, before anything is measured."""
    if not (tstr or inception):
        return
    from digitforge.training import need_training

    need_training()
    if tstr:
        from digitforge.judges.synthetic import check_model

        for forge in forges:
            check_model(forge)
    if inception:
        from digitforge.judges.inception import need_fidelity

        need_fidelity()


def _judged(
    found: Evaluation,
    forge: Forge,
    data: str | None,
    seed: int,
    progress: Progress,
    *,
    tstr: float | None,
    inception: bool,
) -> Evaluation:
    """The evaluation with the figures of judges that learn; tstr: the variety of what one learns from, if any does."""
    from digitforge.cli.display import notify
    from digitforge.data import load_data

    loaded = load_data(data or forge.card.data.name, progress=progress)
    if tstr is not None:
        from digitforge.judges.synthetic import train_on_synthetic

        taught = train_on_synthetic(forge, loaded, seed=seed, variety=tstr, notify=notify)
        note = () if tstr == 1 else (f"a classifier was trained on images of variety {tstr:g}, not 1",)
        found = replace(found, tstr=taught, notes=(*found.notes, *note))
    if inception:
        from digitforge.judges.inception import inception_distance

        distance = inception_distance(forge, loaded, found.count, seed, notify=notify, progress=progress)
        found = replace(found, inception=distance)
    return found


def _check_variety(variety: float | None, tstr: bool) -> None:
    """Refuse a variety that nothing is trained on, or that no image can have, before anything is measured."""
    from digitforge.forge import check_variety

    if variety is None:
        return
    if not tstr:
        raise UserError("--tstr-variety is of the images that --tstr trains a classifier on; give both")
    check_variety(variety, "--tstr-variety")


def _check_copies(path: Path | None, columns: int, count: int) -> None:
    """Refuse what can't be written before anything is measured."""
    from digitforge.metrics.evaluate import MIN_DETAILED
    from digitforge.places import check_place

    if path is None:
        return
    if path.suffix.lower() != ".png":
        raise OutputError(f"copies are shown in a .png picture, not in {path}; give --copies such a name")
    if columns > 1:
        raise UserError("--copies shows those of one model; evaluate the models one by one")
    if count < MIN_DETAILED:
        raise UserError(f"copies are looked for among {MIN_DETAILED} images or more, not {count}; take as many")
    check_place(path)


def _write_copies(path: Path, subject: Subject, found: Evaluation, data: str | None, progress: Progress) -> None:
    from digitforge.data import load_data
    from digitforge.places import write_file
    from digitforge.report.copies import copies_of
    from digitforge.sheets import png_bytes

    sheet = copies_of(subject, found.as_dict(), load_data(data or subject.data, progress=progress))
    if sheet is None:
        raise ModelError(
            f"no image of {found.data} can be held beside what {subject.path.name} draws; leave out --copies"
        )
    write_file(path, png_bytes(sheet))


def _print_figures(evaluations: list[Evaluation], names: list[str]) -> None:
    """A row a figure and a column a model, with what real held-out images measure beside each value."""
    from rich.console import Console
    from rich.markup import escape

    from digitforge.cli.display import print_columns
    from digitforge.data.digits import FEW_LABELS
    from digitforge.report.quantities import FURTHER_FIGURES, KEY_FIGURES, PROPERTIES, measured

    console = Console()
    plain = [evaluation.as_dict() for evaluation in evaluations]
    rows = {}
    for quantity in (*KEY_FIGURES, *FURTHER_FIGURES, *PROPERTIES):
        values = [measured(one, quantity) for one in plain]
        if any(value is not None for value in values):
            rows[quantity.title] = [_cell(value, quantity) for value in values]
    heads = [f"{name}, {one.data}" for name, one in zip(names, evaluations, strict=True)]
    print_columns("figure", heads, rows, justify="right")
    for name, one in zip(names, evaluations, strict=True):
        if len(one.histogram.drawn) <= FEW_LABELS:
            console.print(_table_by_label(one, name))
        for sentence in (*one.findings, *one.notes):
            console.print(f"{escape(name)}: {escape(sentence)}", highlight=False, soft_wrap=True)
    counts = ", ".join(dict.fromkeys(f"{one.count:,}" for one in evaluations))
    readers = list(dict.fromkeys(one.classifier_sha256[:16] for one in evaluations))
    console.print(
        f"from {counts} images each, in brackets what real held-out images measure in their place; "
        f"{'classifier' if len(readers) == 1 else 'classifiers'} {', '.join(readers)}",
        highlight=False,
    )


def _table_by_label(evaluation: Evaluation, name: str) -> Table:
    """A row a label: how many images were read as it, and of its own figures those that fit a terminal."""
    from rich.markup import escape
    from rich.table import Table

    from digitforge.report.quantities import by_label, measured

    def shown(label: str) -> list[Quantity]:
        return [quantity for quantity in by_label(label) if quantity.place[-1] != "kernel"]

    plain = evaluation.as_dict()
    table = Table(title=f"{escape(name)} by label", title_justify="left")
    for heading in ("label", "read as it", *(quantity.title for quantity in shown(""))):
        table.add_column(heading, justify="right")
    for label, count in evaluation.histogram.drawn.items():
        if count or evaluation.histogram.data.get(label):
            cells = [_cell(measured(plain, quantity), quantity) for quantity in shown(label)]
            table.add_row(escape(label), f"{count:,}", *cells)
    return table


def _cell(value: Measured | None, quantity: Quantity) -> str:
    """A value, with what real images measure in brackets."""
    from digitforge.report.quantities import written, written_real

    if value is None:
        return "-"
    real = written_real(value, quantity)
    return written(value.value, quantity) + (f" ({real})" if real else "")

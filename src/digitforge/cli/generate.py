"""`digitforge generate`: digits from a model, as a picture, a folder of pictures, an .npz, a .mat or idx files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitforge.files import at_home

if TYPE_CHECKING:
    from digitforge.forge import Drawn
    from digitforge.writing import Written

_SLOW = 2_000  # images from which on a progress bar is worth the import


def generate(
    model: Annotated[
        Path | None, typer.Argument(help="A run folder or a model file.", show_default="the pretrained model")
    ] = None,
    digit: Annotated[
        str | None, typer.Option(help="Which digit to draw.", show_default="as frequent as in training")
    ] = None,
    count: Annotated[int, typer.Option(help="How many images.")] = 64,
    seed: Annotated[int, typer.Option(help="Another seed, other digits.")] = 0,
    variety: Annotated[
        float, typer.Option(help="0 to 1.5: below 1 cleaner and more alike, above 1 wilder than in training.")
    ] = 1.0,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Equally many of every digit, not as frequent as in training.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .png picture, an .npz or a .mat file, NAME.idx, or a folder of PNGs, one sub-folder a label.",
            show_default="digits.png or digit-7.png, numbered if it exists",
        ),
    ] = None,
) -> None:
    """Draw digits, any one on demand."""
    from digitforge.forge import Forge
    from digitforge.places import as_file_name, free_path
    from digitforge.writing import Order, check, numbering, write

    forge = Forge.load(model)
    batches = forge.batches(digit, count, seed, variety, balanced=balanced)
    names = forge.label_names
    path = out or free_path(Path("digits.png" if digit is None else f"digit-{as_file_name(digit)}.png"))
    order = Order(at_home(path), count, forge.card.shape, names, seed)
    check(order)
    written = write(order, _with_progress(batches, count))
    print(_describe(written, digit))
    holds_numbers = any(path.suffix.lower() == ".npz" or "idx1" in path.name for path in written.paths)
    if holds_numbers and (meant := numbering(names)):
        print(f"it holds labels as numbers: {meant}")


def _describe(written: Written, digit: str | None) -> str:
    """One line on what was written where, and on the yield where digits were picked out."""
    paths = " and ".join(map(str, written.paths))
    text = f"{paths}: {written.count:,} {'image' if written.count == 1 else 'images'}"
    if written.drawn > written.count:
        share = written.count / written.drawn
        why = "kept, equally many of every digit" if digit is None else f"read as {digit} and kept"
        text += f"; of {written.drawn:,} drawn, {share:.1%} were {why}"
    return text


def _with_progress(batches: Iterator[Drawn], count: int) -> Iterator[Drawn]:
    """The batches, with a bar on the terminal that moves as they pass."""
    if count < _SLOW or not sys.stderr.isatty():
        yield from batches
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("drawing", total=count)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch.digits))

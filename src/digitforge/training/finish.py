"""The end of a run: its networks as ONNX files, the model file's figures, pictures, and the hashes of it all."""

from __future__ import annotations

import json
from dataclasses import replace

from digitforge.errors import DataError, ModelError
from digitforge.files import make_folder, write_whole
from digitforge.forge import Forge
from digitforge.metrics.evaluate import evaluate
from digitforge.networks.players import Discriminator, Generator
from digitforge.networks.to_onnx import discriminator_to_onnx, generator_to_onnx, weights_sha256, with_card
from digitforge.report.figures import figure_bytes, run_figure
from digitforge.report.history import read_history
from digitforge.report.page import report_page, shown_run
from digitforge.report.pictures import BEST_A_LABEL, best_digits, evolution_sheet
from digitforge.runs import RunFolder
from digitforge.sheets import labelled_sheet, model_sheet, png_bytes
from digitforge.training.figures import reader_of
from digitforge.training.plan import Plan


def finish(plan: Plan, generator: Generator, discriminator: Discriminator, images: int, folder: RunFolder) -> None:
    """Write what a finished run leaves behind; the figures are those of the images that the model file draws.

    generator: as it will be used, in evaluation mode. images: real images shown to the discriminator.
    """
    card = plan.card(weights_sha256(generator), images)
    networks = plan.recipe.networks
    model = generator_to_onnx(generator, networks, plan.train.shape, card.to_json())
    write_whole(folder.model, model)
    if reader_of(plan) is not None:
        try:
            found = evaluate(folder.model, details=False)
            # Images that were handed in may have the name of others.
            card = replace(card, figures=found.for_card() if found.data_sha256 == plan.data_sha256 else {})
        except (DataError, ModelError):  # or have gone since: the model is no worse for that
            card = replace(card, figures={})
        write_whole(folder.model, with_card(model, card.to_json()))
    told = json.dumps({"kind": "discriminator"})
    judge = discriminator_to_onnx(discriminator, networks, plan.train.shape, plan.classes, told)
    write_whole(folder.discriminator, judge)
    write_pictures(Forge.load(folder.model), folder)
    folder.write_hashes()


def write_pictures(forge: Forge, folder: RunFolder) -> None:
    """Draw what a run came to: its model's sheet, curves, samples over time, what is read best; and a page of all."""
    write_whole(folder.final_sheet, png_bytes(model_sheet(forge)))
    history = read_history(folder)
    make_folder(folder.curves.parent)
    write_whole(folder.curves, figure_bytes(run_figure(history)))
    write_whole(folder.evolution, png_bytes(evolution_sheet(folder, history.epochs)))
    if forge.classifier is not None and len(best := best_digits(forge)):
        write_whole(folder.best, png_bytes(labelled_sheet(best, BEST_A_LABEL)))
    write_whole(folder.report, report_page([shown_run(folder, forge=forge)]).encode())

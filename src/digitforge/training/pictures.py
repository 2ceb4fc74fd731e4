"""Pictures of a run on its way: what its generator draws, and what it trains on in the same layout."""

from __future__ import annotations

import numpy as np

from digitforge.data import Digits
from digitforge.data.digits import few_of
from digitforge.randomness import stream
from digitforge.sheets import MODEL_COLUMNS, Picture, enlarged, grid, labelled_sheet
from digitforge.training.plan import Plan

UNLABELLED_COUNT = 100  # images of a sheet without labels


def run_sheet(digits: Digits, conditional: bool) -> Picture:
    """Images in the layout of a run's samples: a row of ten a label where the generator is told labels, else ten a row.

    Returns uint8 [H, W] or [H, W, 3].
    """
    if conditional:
        return np.asarray(labelled_sheet(digits, MODEL_COLUMNS))
    return enlarged(grid(digits.images, MODEL_COLUMNS))


def real_sheet(plan: Plan) -> Picture:
    """Real training images in the layout of the run's samples: uint8 [H, W] or [H, W, 3].

    Ten of each label, of 26 labels at most, where the generator is told labels; else a hundred as they come. Fewer
    where there are fewer. Always the same of one data set, so that runs can be held against each other.
    """
    conditional = plan.recipe.networks.conditional
    order = stream(0, "real sheet").permutation(len(plan.train))
    chosen = [order[:UNLABELLED_COUNT]]
    if conditional:
        labels = plan.train.labels[order]
        chosen = [order[labels == label][:MODEL_COLUMNS] for label in few_of(np.flatnonzero(plan.train.counts))]
    return run_sheet(plan.train.take(np.concatenate(chosen)), conditional)

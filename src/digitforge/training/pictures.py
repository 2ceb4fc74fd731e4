"""Pictures of what a run trains on."""

from __future__ import annotations

import numpy as np

from digitforge.randomness import stream
from digitforge.sheets import MODEL_COLUMNS, Picture, enlarged, grid, labelled_sheet
from digitforge.training.plan import Plan

_UNLABELLED = 100  # images of a sheet without labels


def real_sheet(plan: Plan) -> Picture:
    """Real training images in the layout of the run's samples: uint8 [H, W] or [H, W, 3].

    A row of ten a label where the generator is told labels; else a hundred as they come, ten a row. Fewer where there
    are fewer. Always the same of one data set, so that runs can be held against each other.
    """
    order = stream(0, "real sheet").permutation(len(plan.train))
    if not plan.recipe.networks.conditional:
        return enlarged(grid(plan.train.images[order[:_UNLABELLED]], MODEL_COLUMNS))
    labels = plan.train.labels[order]
    chosen = [order[labels == label][:MODEL_COLUMNS] for label in np.flatnonzero(plan.train.counts)]
    return np.asarray(labelled_sheet(plan.train.take(np.concatenate(chosen)), MODEL_COLUMNS))

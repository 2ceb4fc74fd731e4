"""A recipe of digitforge as a contestant: `python ours.py RECIPE [SETTING=VALUE...]` serves its steps."""

from __future__ import annotations

import sys

from contest import serve

from digitforge.data import load_data
from digitforge.recipe import load_recipe, parse_setting
from digitforge.training.compute import start_fabric
from digitforge.training.plan import make_plan, with_images
from digitforge.training.trainer import Trainer

ENDLESS = 2**40  # images; no run here ends

if __name__ == "__main__":
    settings = dict(map(parse_setting, sys.argv[2:]))
    fixed = {"training.images": ENDLESS, "training.batch_doublings": 0, "training.pretrain_images": 0}
    recipe = load_recipe(sys.argv[1]).with_settings(fixed | settings)
    plan = with_images(make_plan(recipe, load_data(recipe.data.name)), ENDLESS)
    serve(Trainer(plan, start_fabric(plan.recipe)).step, recipe.training.batch_size)

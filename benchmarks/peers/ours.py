"""A recipe of digitforge as a contestant: `python ours.py RECIPE [SETTING=VALUE...]` serves its steps."""

from __future__ import annotations

import sys

from contest import serve

from digitforge.data import load_data
from digitforge.recipe import load_recipe, parse_setting
from digitforge.studies.bench import stepper

if __name__ == "__main__":
    recipe = load_recipe(sys.argv[1]).with_settings(dict(map(parse_setting, sys.argv[2:])))
    serve(stepper(recipe, load_data(recipe.data.name)), recipe.training.batch_size)

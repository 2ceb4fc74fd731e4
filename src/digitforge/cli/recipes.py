"""`digitforge recipes`: the recipes there are, or one of them in full."""

from __future__ import annotations

from typing import Annotated

import typer


def recipes(
    name: Annotated[str | None, typer.Argument(help="A recipe to print in full.", show_default="list them all")] = None,
) -> None:
    """List the recipes, or print one with every setting, as TOML."""
    from digitforge.recipe import load_recipe

    if name is None:
        _print_list()
    else:
        print(load_recipe(name).to_toml(), end="")


def _print_list() -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from digitforge.recipe import load_recipe, recipe_names

    table = Table("recipe", "document", "data", "length", "summary")
    for name in recipe_names():
        recipe = load_recipe(name)
        cells = (recipe.name, recipe.document, recipe.data.name, recipe.training.said_length, recipe.summary)
        table.add_row(*map(escape, cells))
    Console().print(table)

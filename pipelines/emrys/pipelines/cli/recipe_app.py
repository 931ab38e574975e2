"""Commands for recipes: init, check, recipe show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

recipes = typer.Typer(help="Recipes that ship with Emrys.", no_args_is_help=True, rich_markup_mode="markdown")


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(init)
    app.command()(check)
    recipes.command()(show)
    recipes.callback()(_group)
    app.add_typer(recipes, name="recipe")


def _group() -> None:
    """Recipes that ship with Emrys."""


def init(
    data: Annotated[
        str,
        typer.Argument(
            help="File, folder or glob of the log: Parquet, CSV, TSV or JSON lines; or the name of a data set.",
            metavar="PATH",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; recipe.yaml by default.", metavar="FILE")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a first recipe for a log, with the reason for each guess.

    For example:

        emrys init clicks.csv -o clicks.yaml

        emrys init "events/day=*/" -o shop.yaml
    """
    from emrys.pipelines.cli import recipe_commands

    recipe_commands.init(data, output or Path("recipe.yaml"), force=force)


def check(
    recipe: Annotated[Path, typer.Argument(help="The recipe.", metavar="RECIPE")],
) -> None:
    """Check a recipe against the first rows of its log: all that is wrong, before anything runs.

    The exit status is 0 if nothing is wrong, else 2. What the columns are is printed, with the reason where it is
    inferred.

    For example:

        emrys check recipe.yaml
    """
    from emrys.pipelines.cli import recipe_commands

    recipe_commands.check(recipe)


def show(
    name: Annotated[str, typer.Argument(help="'ml-100k', 'ml-1m' or 'synthetic'.", metavar="NAME")],
    task: Annotated[str, typer.Option(help="'ranking' or 'retrieval'.")] = "ranking",
) -> None:
    """Print the recipe of a data set.

    For example:

        emrys recipe show ml-1m

        emrys recipe show ml-1m --task retrieval > ml-1m.yaml
    """
    from emrys.pipelines.cli import recipe_commands

    recipe_commands.show(name, task)

"""The command that prints the JSON Schema of a configuration file."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command()(schema)


def schema(pipeline: Annotated[str, typer.Argument(help="'ranking' or 'retrieval'.", metavar="NAME")]) -> None:
    """Print the JSON Schema of a configuration file: what may be set, what it means, what it is by default.

    Editors complete and check a file with it that begins with: # yaml-language-server: $schema=ranking.schema.json

    For example:

        emrys schema ranking > ranking.schema.json
    """
    from emrys.pipelines.config.config_schema import schema_text

    print(schema_text(pipeline), end="")

"""Options of the commands for the model registry: versions, promote, rollback."""

from __future__ import annotations

from typing import Annotated

import typer

Registry = Annotated[
    str,
    typer.Option(help="Registry of versions: a folder or gs://bucket/folder.", envvar="EMRYS_REGISTRY", metavar="URI"),
]
Name = Annotated[str, typer.Option(help="Name of the model.", metavar="NAME")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(versions)
    app.command()(promote)
    app.command()(rollback)


def versions(
    registry: Registry,
    name: Name = "ranking",
    tidy: Annotated[bool, typer.Option("--tidy", help="Remove unfinished versions of interrupted writers.")] = False,
    dry_run: DryRun = False,
) -> None:
    """List the versions of a model; the one in production is marked.

    For example:

        emrys versions --registry gs://my-models --name ranking
    """
    from emrys.pipelines.cli import registry_commands as commands

    commands.show_versions(registry, name, tidy=tidy, dry_run=dry_run)


def promote(
    version: Annotated[str, typer.Argument(help="A version, or the folder of a run.", metavar="VERSION|DIR")],
    registry: Registry,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the model; by default that of the run, or 'ranking' for a version.", metavar="NAME"),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Put a version into production. The folder of a run is added first, if its model passed the gate.

    For example:

        emrys promote runs/demo --registry models --dry-run

        emrys promote 20260131T081500.250Z-1f0e4c22 --registry models
    """
    from emrys.pipelines.cli import registry_commands as commands

    commands.promote(version, registry, name, dry_run=dry_run)


def rollback(registry: Registry, name: Name = "ranking", dry_run: DryRun = False) -> None:
    """Put the previous version back into production.

    For example:

        emrys rollback --registry gs://my-models --dry-run
    """
    from emrys.pipelines.cli import registry_commands as commands

    commands.rollback(registry, name, dry_run=dry_run)

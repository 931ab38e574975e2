"""The commands of `emrys` and their options; each imports its implementation when it is called."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from emrys.pipelines.cli import cluster_app, pipeline_app, recipe_app, registry_app


class _InOrder(TyperGroup):
    """Lists the commands in the order of their usual use."""

    def list_commands(self, ctx: Any) -> list[str]:
        recipes, local = ["init", "check", "recipe"], ["run", "compile", "schema", "serve", "predict"]
        return [*recipes, *local, "submit", "schedule", "runs", "wait", "versions", "promote", "rollback"]


app = typer.Typer(
    cls=_InOrder,
    rich_markup_mode="markdown",
    help="Recommender pipelines: from a log to a Triton ensemble that serves requests.",
    epilog="Start with: emrys init clicks.csv, or emrys run ranking --output runs/demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Protocol(enum.StrEnum):
    """Protocol between `emrys predict` and the server."""

    GRPC = "grpc"
    HTTP = "http"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        print(f"emrys {metadata.version('emrys')}")
        raise typer.Exit()


@app.callback()
def _emrys(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, or an exported Triton repository.", metavar="DIR")],
    http_port: Annotated[int, typer.Option(help="Port for HTTP; 0 takes a free one.", min=0, max=65535)] = 8000,
    grpc_port: Annotated[int, typer.Option(help="Port for gRPC; 0 takes a free one.", min=0, max=65535)] = 8001,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    log: Annotated[Path | None, typer.Option(help="File for the server's log.", metavar="FILE")] = None,
) -> None:
    """Serve an exported ensemble with Triton, until Ctrl-C.

    For example:

        emrys serve runs/demo

        emrys serve runs/demo/triton --http-port 9000 --grpc-port 9001
    """
    from emrys.pipelines.cli.serve_command import serve_folder

    serve_folder(folder, http_port=http_port, grpc_port=grpc_port, address=address, log=log)


@app.command()
def predict(
    rows: Annotated[
        Path | None,
        typer.Option(
            help="Raw rows: a JSON, JSON lines, CSV, TSV or Parquet file, possibly compressed.", metavar="FILE"
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run, whose test split provides rows.", metavar="DIR")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", "-n", help="Maximum number of rows; by default all of a file, or 5 of a run.", min=1),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Host and port; by default port 8001 (gRPC) or 8000 (HTTP) of this machine.", metavar="URL"),
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="Protocol of the requests.")] = Protocol.GRPC,
    model: Annotated[
        str | None, typer.Option(help="Name of the ensemble; by default the only one on the server.", metavar="NAME")
    ] = None,
) -> None:
    """Send raw rows to a served ensemble and print the scores, or the recommended items.

    For example:

        emrys predict --from runs/demo -n 3

        emrys predict --rows rows.json --protocol http --url localhost:8000
    """
    from emrys.pipelines.cli.predict_command import predict_rows

    predict_rows(rows, run, number=number, url=url, protocol=protocol.value, model=model)


recipe_app.add_to(app)
pipeline_app.add_to(app)
cluster_app.add_to(app)
registry_app.add_to(app)

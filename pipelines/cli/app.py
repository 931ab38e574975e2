"""The commands of `emrys` and their options; what they do is imported when one of them is called."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipelines.cli import cluster_app, registry_app
from pipelines.run_request import Runner


class _InOrder(TyperGroup):
    """Lists the commands in the order in which one meets them."""

    def list_commands(self, ctx: Any) -> list[str]:
        local, cluster = ["run", "compile", "serve", "predict"], ["submit", "schedule", "runs", "wait"]
        return [*local, *cluster, "versions", "promote", "rollback"]


app = typer.Typer(
    cls=_InOrder,
    rich_markup_mode="markdown",
    help="Recommender pipelines: from a rating log to a Triton ensemble that answers requests.",
    epilog="Start with: emrys run ranking --output runs/demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
runs = typer.Typer(help="Run a pipeline on this machine.", no_args_is_help=True, rich_markup_mode="markdown")
compiles = typer.Typer(
    help="Compile a pipeline to the YAML of Kubeflow Pipelines.", no_args_is_help=True, rich_markup_mode="markdown"
)
app.add_typer(runs, name="run")
app.add_typer(compiles, name="compile")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file: default arguments, images, and resources per step.", metavar="FILE"),
]


class Protocol(str, enum.Enum):
    """How `emrys predict` talks to the server."""

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


@runs.command("ranking")
def run_ranking(
    dataset: Annotated[
        str | None,
        typer.Option(
            help="'synthetic', 'ml-100k', 'ml-1m', or the path of a MovieLens zip or of its extracted folder. "
            "By default what the configuration says, which is 'synthetic'.",
            metavar="NAME|PATH",
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for everything that the run leaves.", metavar="DIR")] = Path(
        "runs/ranking"
    ),
    runner: Annotated[Runner, typer.Option(help="Where the steps run.")] = Runner.SUBPROCESS,
    config: ConfigFile = None,
    epochs: Annotated[int | None, typer.Option(help="Most epochs of training.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows in a batch of training.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that draws numbers.", min=0)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the raw log instead of progress.")] = False,
) -> None:
    """Train a ranker, evaluate it, and export it as a Triton ensemble.

    The steps are ingest, preprocess, infer schema, build model, train, evaluate and export ensemble. DIR then holds
    report.html, metrics.json, the compiled pipeline (ranking.yaml), the Triton repository (triton) and the log
    (run.log). An interrupted training goes on when the same command is given again.

    For example:

        emrys run ranking --output runs/demo

        emrys run ranking --dataset ml-100k.zip --epochs 10 --output runs/ml-100k

        emrys run ranking --dataset ml-1m --runner docker --output runs/ml-1m
    """
    from pipelines.cli.running import run

    arguments = {"dataset": dataset, "epochs": epochs, "batch_size": batch_size, "seed": seed}
    given = {name: value for name, value in arguments.items() if value is not None}
    run("ranking", given, output=output, runner=runner, config_file=config, verbose=verbose)


@compiles.command("ranking")
def compile_ranking(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.", metavar="FILE")] = Path(
        "ranking.yaml"
    ),
    config: ConfigFile = None,
) -> None:
    """Compile the ranking pipeline. The same input gives the same bytes every time.

    For example:

        emrys compile ranking -o ranking.yaml

        emrys compile ranking --config cluster.yaml -o ranking.yaml
    """
    from pipelines.cli.compiling import compile_to

    compile_to("ranking", output, config)


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
    from pipelines.cli.serving import serve_folder

    serve_folder(folder, http_port=http_port, grpc_port=grpc_port, address=address, log=log)


@app.command()
def predict(
    rows: Annotated[
        Path | None,
        typer.Option(help="Raw rows: a .json, .jsonl, .csv or .parquet file.", metavar="FILE"),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run; takes rows of its test split.", metavar="DIR")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", "-n", help="Most rows to send; all of a file, or 5 of a run, by default.", min=1),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Host and port; by default port 8001 (gRPC) or 8000 (HTTP) of this machine.", metavar="URL"),
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="How to talk to the server.")] = Protocol.GRPC,
    model: Annotated[str, typer.Option(help="Name of the ensemble.", metavar="NAME")] = "ranking",
) -> None:
    """Send raw rows to a served ensemble and print the scores.

    For example:

        emrys predict --from runs/demo -n 3

        emrys predict --rows rows.json --protocol http --url localhost:8000
    """
    from pipelines.cli.predicting import predict_rows

    predict_rows(rows, run, number=number, url=url, protocol=protocol.value, model=model)


cluster_app.add_to(app)
registry_app.add_to(app)

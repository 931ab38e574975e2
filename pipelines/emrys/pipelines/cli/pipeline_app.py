"""Commands on a pipeline as it is here: run, compile. There is one of each for every pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from emrys.pipelines.config.config import Runner

#: The pipelines and what `emrys run` does with each; the catalogue, which has more of them, takes long to import.
PIPELINES = {
    "ranking": "Train a ranker, judge it, and export it as a Triton ensemble if it is good enough.",
    "retrieval": "Train a model that finds items in the whole catalogue, judge it, and export it as a Triton ensemble "
    "if it is good enough.",
}

_RUN_HELP = """{summary}

    DIR then holds the report of the run (report.html), metrics.json, the compiled pipeline ({name}.yaml), the log
    (run.log) and, if the model passed the gate, the Triton repository (triton). An interrupted training goes on when
    the same command is given again.

    The exit status is 0 where the model passed the gate and 3 where it did not: then nothing is exported, and the last
    table says why. It is 2 for a mistake in what was given, data that validate stops included, and 1 for a failure.

    For example:

        emrys run {name} --output runs/demo

        emrys run {name} --dataset ml-100k.zip --set epochs=10 --output runs/ml-100k

        emrys run {name} --dataset ml-1m --registry models --runner docker --output runs/ml-1m
"""
_COMPILE_HELP = """Compile the {name} pipeline. The same input gives the same bytes every time.

    For example:

        emrys compile {name} -o {name}.yaml

        emrys compile {name} --config cluster.yaml --set dataset=ml-1m -o {name}.yaml
"""

runs = typer.Typer(help="Run a pipeline on this machine.", no_args_is_help=True, rich_markup_mode="markdown")
compiles = typer.Typer(
    help="Compile a pipeline to the YAML of Kubeflow Pipelines.", no_args_is_help=True, rich_markup_mode="markdown"
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file: default arguments, images, and resources per step.", metavar="FILE"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A parameter of the pipeline, any of them; may be given several times.", metavar="NAME=VALUE"
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    for name, summary in PIPELINES.items():
        runs.command(name, help=_RUN_HELP.format(name=name, summary=summary), short_help=summary)(run)
        compiles.command(name, help=_COMPILE_HELP.format(name=name))(compile_one)
    app.add_typer(runs, name="run")
    app.add_typer(compiles, name="compile")


def run(
    context: typer.Context,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="'synthetic', 'ml-100k', 'ml-1m', or the path of a MovieLens zip or of its extracted folder. "
            "By default what the configuration says, which is 'synthetic'.",
            metavar="NAME|PATH",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for everything that the run leaves; runs/PIPELINE by default.", metavar="DIR"),
    ] = None,
    runner: Annotated[
        Runner | None, typer.Option(help="Where the steps run; in processes of this machine by default.")
    ] = None,
    config: ConfigFile = None,
    epochs: Annotated[int | None, typer.Option(help="Most epochs of training.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows in a batch of training.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that draws numbers.", min=0)] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            help="Where promoted versions are kept: a folder or gs://bucket/folder. The model is compared with the one "
            "in production there, and takes its place if it passes the gate.",
            metavar="URI",
        ),
    ] = None,
    set_: Settings = None,
    reuse: Annotated[
        bool | None,
        typer.Option(
            "--reuse", help="Take ingest to train from the last run in DIR, as far as data and arguments are equal."
        ),
    ] = None,
    verbose: Annotated[
        bool | None, typer.Option("--verbose", "-v", help="Show the raw log instead of progress.")
    ] = None,
) -> None:
    """Runs the pipeline that the command is named after."""

    pipeline = str(context.info_name)
    parameters = {"dataset": dataset, "epochs": epochs, "batch_size": batch_size, "seed": seed, "registry": registry}
    options = {"output": None if output is None else str(output), "runner": runner, "reuse": reuse, "verbose": verbose}
    running.run(pipeline, _given(parameters), _given(options), settings=set_ or [], config_file=config)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def compile_one(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; PIPELINE.yaml by default.", metavar="FILE")
    ] = None,
    config: ConfigFile = None,
    set_: Settings = None,
) -> None:
    """Compiles the pipeline that the command is named after."""
    from emrys.pipelines.cli.run_command import compile_to

    pipeline = str(context.info_name)
    compile_to(pipeline, output or Path(f"{pipeline}.yaml"), config, set_ or [])

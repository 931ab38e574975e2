"""The commands run and compile, with one subcommand for each pipeline, and schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from emrys.pipelines.config.config import Runner
from emrys.pipelines.spec import SPECS, pipeline_spec

_RUN_HELP = """{summary}

    DIR then contains the report of the run (report.html), metrics.json, the compiled pipeline ({name}.yaml), the log
    (run.log) and, if the model passed the gate, the Triton repository (triton). The same command resumes an
    interrupted training.

    The exit status is 0 if the model passed the gate and 3 if it did not: then nothing is exported, and the table at
    the end gives the reason. It is 2 for invalid input, including data that validate rejects, and 1 for a failure.

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

_RECIPE_HELP = {
    "run": """Run the pipeline of a recipe, the path of a YAML file: `emrys run recipe.yaml --output runs/mine`.

    The recipe is checked first, as by `emrys check`. Its paths are relative to its folder. Parameters of `--set`
    override it.
""",
    "compile": """Compile the pipeline of a recipe, the path of a YAML file: `emrys compile recipe.yaml -o mine.yaml`.

    The recipe becomes the default of the pipeline's parameter `recipe`. The log itself is not read.
""",
}
#: Name of the command that stands for the path of any recipe.
_RECIPE = "RECIPE"


class _PipelinesAndRecipes(TyperGroup):
    """Takes the path of a recipe where the name of a pipeline may stand."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        return super().get_command(ctx, _RECIPE) if command is None and is_recipe(cmd_name) else command


def is_recipe(name: str) -> bool:
    """Whether a name is the path of a recipe, and not the name of a pipeline."""
    return name not in SPECS and (Path(name).suffix.lower() in (".yaml", ".yml") or Path(name).is_file())


runs = typer.Typer(
    cls=_PipelinesAndRecipes,
    help="Run a pipeline, or that of a recipe, on this machine.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
compiles = typer.Typer(
    cls=_PipelinesAndRecipes,
    help="Compile a pipeline, or that of a recipe, to the YAML of Kubeflow Pipelines.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file: default arguments, images, and resources per step.", metavar="FILE"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any parameter of the pipeline; may be repeated.", metavar="NAME=VALUE"),
]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    for name, spec in SPECS.items():
        text = _RUN_HELP.format(name=name, summary=spec.summary)
        runs.command(name, help=text, short_help=spec.summary)(run)
        compiles.command(name, help=_COMPILE_HELP.format(name=name))(compile_one)
    runs.command(_RECIPE, help=_RECIPE_HELP["run"])(run)
    compiles.command(_RECIPE, help=_RECIPE_HELP["compile"])(compile_one)
    app.add_typer(runs, name="run")
    app.add_typer(compiles, name="compile")
    app.command()(schema)


def run(
    context: typer.Context,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="'synthetic', 'ml-100k', 'ml-1m', or the path of a MovieLens zip or of its extracted folder. "
            "By default the one in the configuration, which is 'synthetic'.",
            metavar="NAME|PATH",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the results of the run; runs/PIPELINE by default.", metavar="DIR"),
    ] = None,
    runner: Annotated[
        Runner | None, typer.Option(help="Where the steps run; in processes of this machine by default.")
    ] = None,
    config: ConfigFile = None,
    epochs: Annotated[int | None, typer.Option(help="Maximum number of epochs.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows per training batch.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.", min=0)] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            help="Registry of promoted versions: a folder or gs://bucket/folder. The model is compared with the one in "
            "production there, and replaces it if it passes the gate.",
            metavar="URI",
        ),
    ] = None,
    set_: Settings = None,
    reuse: Annotated[
        bool | None,
        typer.Option(
            "--reuse", help="Reuse ingest to train from the last run in DIR where data and arguments are equal."
        ),
    ] = None,
    verbose: Annotated[
        bool | None, typer.Option("--verbose", "-v", help="Show the raw log instead of progress.")
    ] = None,
) -> None:
    """Runs the pipeline with the name of the command, or that of a recipe."""
    from emrys.pipelines.cli import run_command

    pipeline = str(context.info_name)
    parameters = {"dataset": dataset, "epochs": epochs, "batch_size": batch_size, "seed": seed, "registry": registry}
    options = {"output": None if output is None else str(output), "runner": runner, "reuse": reuse, "verbose": verbose}
    run_command.run(pipeline, _present(parameters), _present(options), settings=set_ or [], config_file=config)


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def compile_one(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; PIPELINE.yaml by default.", metavar="FILE")
    ] = None,
    config: ConfigFile = None,
    set_: Settings = None,
) -> None:
    """Compiles the pipeline with the name of the command, or that of a recipe."""
    from emrys.pipelines.cli.compile_command import compile_to

    pipeline = str(context.info_name)
    compile_to(pipeline, output, config, set_ or [])


def schema(pipeline: Annotated[str, typer.Argument(help="'ranking' or 'retrieval'.", metavar="NAME")]) -> None:
    """Print the JSON Schema of a configuration file: keys, descriptions and defaults.

    Editors complete and check a file that begins with: # yaml-language-server: $schema=ranking.schema.json

    For example:

        emrys schema ranking > ranking.schema.json
    """
    from emrys.pipelines.config.config_schema import schema_text

    print(schema_text(pipeline, pipeline_spec(pipeline).config), end="")

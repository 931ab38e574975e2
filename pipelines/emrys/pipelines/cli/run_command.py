"""Implementation of `emrys run`."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from emrys.blocks.errors import ConfigError
from emrys.pipelines.cli.recipe_commands import checked_recipe
from emrys.pipelines.config.arguments import checked_arguments, read_arguments
from emrys.pipelines.config.config import Runner
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.recipe_arguments import arguments_of, pipeline_of
from emrys.pipelines.local.progress import BarProgress, Progress
from emrys.pipelines.local.run import run_pipeline
from emrys.pipelines.local.run_request import RunRequest
from emrys.pipelines.local.summary import RunSummary
from emrys.pipelines.spec import SPECS, pipeline_spec

#: Names of data sets; every other value is a path.
DATASETS = ("synthetic", "ml-100k", "ml-1m")

#: Exit status if the model does not pass the gate.
NOT_PASSED = 3


def run(
    pipeline: str,
    parameters: dict[str, Any],
    options: dict[str, Any],
    *,
    settings: Sequence[str],
    config_file: Path | None,
) -> None:
    """Runs a pipeline, shows its progress, and prints its results.

    Args:
        pipeline: Name of the pipeline, or path of a recipe.
        parameters: Arguments of the pipeline from options of their own; they override `settings`.
        options: Fields of `RunOptions` from the command line; they override the configuration.
        settings: Other arguments of the pipeline as `name=value`.
        config_file: Configuration of the pipeline.

    Raises:
        Exit: with status 3, if the model does not pass the gate.
    """
    given = {**read_arguments(settings), **parameters}
    of_recipe: dict[str, Any] = {}
    code = None
    if pipeline in SPECS:
        name = pipeline
    else:
        path = Path(pipeline)
        pipeline, of_recipe = _recipe_arguments(path, given)
        name, code = path.stem, path.resolve().parent
    spec = pipeline_spec(pipeline)
    config = read_config(config_file, spec.config)
    chosen = dataclasses.replace(config.run, **options)
    output = Path(chosen.output or f"runs/{name}")
    folder = output.resolve()
    if folder.exists() and not folder.is_dir():
        raise ConfigError("the output folder is a file", path=output, fix="Choose another --output.")
    arguments = checked_arguments(pipeline, spec.config, {**of_recipe, **given})
    arguments |= _local_arguments({**dataclasses.asdict(config.parameters), **arguments}, folder, chosen.runner)
    file = None if config_file is None else config_file.resolve()
    request = RunRequest(folder, chosen.runner, file, arguments, pipeline, chosen.reuse, code)
    started = time.monotonic()
    with _progress(spec.steps, chosen.verbose) as progress:
        run_pipeline(request, progress, _echo if chosen.verbose else None)
    summary = RunSummary.publish(request, time.monotonic() - started)
    _print(summary)
    if not summary.passed:
        raise typer.Exit(NOT_PASSED)


def _recipe_arguments(path: Path, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name of the pipeline of a recipe, and its arguments.

    Args:
        path: File of the recipe.
        given: Arguments of the user, of which `dataset` is the path of the log in place of the recipe's.
    """
    checked = checked_recipe(path, str(given.get("dataset") or ""))
    checked.raise_faults(path)
    for name, reason in checked.schema.unused.items():
        print(f"emrys: the column {name!r} is left out: {reason}", file=sys.stderr)
    return pipeline_of(checked.recipe, checked.schema), arguments_of(checked.recipe, checked.schema)


def _local_arguments(arguments: dict[str, Any], folder: Path, runner: Runner) -> dict[str, Any]:
    """Arguments that a local run overrides: paths become absolute, since the steps run in another folder.

    Args:
        arguments: All arguments of the run.
        folder: Folder of the run.
        runner: Where the steps run.
    """
    # The paths of a recipe are absolute, and a list of them is no path.
    local = {"dataset": arguments["dataset"] if arguments["recipe"] else _resolved(arguments["dataset"])}
    local["checkpoint_dir"] = _resolved(arguments["checkpoint_dir"]) or str(folder / "pipeline" / "checkpoints")
    for name in ("registry", "previous_statistics", "cache_dir"):
        if arguments[name]:
            local[name] = _resolved(arguments[name])
    if local.get("registry") and "://" not in local["registry"]:
        Path(local["registry"]).mkdir(parents=True, exist_ok=True)  # Docker can only mount an existing folder
    if runner is Runner.DOCKER and not arguments["cache_dir"]:
        local["cache_dir"] = _cache_folder()  # the home of a container does not outlive it
    return local


def _resolved(path: str) -> str:
    return path if path in ("", *DATASETS) or "://" in path else str(Path(path).expanduser().resolve())


def _cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "emrys"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _progress(steps: tuple[str, ...], verbose: bool) -> Progress:
    console = Console(stderr=True)
    return BarProgress(steps, console) if console.is_terminal and not verbose else Progress(steps)


def _echo(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(summary: RunSummary) -> None:
    console = Console(highlight=False)
    rows = list(summary.rows())
    width = max(len(name) for name, _ in rows)
    for name, value in rows:  # no wrapping, so that paths can be copied
        console.print(Text.assemble((f"{name:<{width}}", "bold"), f"  {value}"), soft_wrap=True)

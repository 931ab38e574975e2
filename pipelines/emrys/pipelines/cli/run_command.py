"""What `emrys run` does."""

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
from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config.arguments import checked_arguments, read_arguments, with_arguments
from emrys.pipelines.config.config import Runner
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.local.progress import Progress
from emrys.pipelines.local.run import run_pipeline
from emrys.pipelines.local.run_request import RunRequest
from emrys.pipelines.local.summary import RunSummary
from emrys.pipelines.spec import definition

#: Names that stand for a data set; anything else is a path.
DATASETS = ("synthetic", "ml-100k", "ml-1m")

#: Exit status of a run whose model does not pass the gate.
NOT_PASSED = 3


def run(
    pipeline: str,
    parameters: dict[str, Any],
    options: dict[str, Any],
    *,
    settings: Sequence[str],
    config_file: Path | None,
) -> None:
    """Runs a pipeline, shows how it gets on, and prints what came of it.

    Args:
        pipeline: Name of the pipeline.
        parameters: Arguments of the pipeline that were given as options of their own; they come before `settings`.
        options: Those of `RunOptions` that were given; they come before those of the configuration.
        settings: Other arguments of the pipeline as `name=value`.
        config_file: Configuration of the pipeline.

    Raises:
        Exit: with status 3, if the model does not pass the gate.
    """
    wanted = definition(pipeline)
    config = read_config(config_file, wanted.config)
    chosen = dataclasses.replace(config.run, **options)
    output = Path(chosen.output or f"runs/{pipeline}")
    folder = output.resolve()
    if folder.exists() and not folder.is_dir():
        raise ConfigError("the output folder is a file", path=output, fix="Choose another --output.")
    given = checked_arguments(wanted, {**read_arguments(settings), **parameters})
    given = _for_this_machine({**dataclasses.asdict(config.parameters), **given}, given, folder, chosen.runner)
    file = None if config_file is None else config_file.resolve()
    request = RunRequest(folder, chosen.runner, file, given, pipeline, chosen.reuse)
    started = time.monotonic()
    with _progress(wanted.steps, chosen.verbose) as progress:
        run_pipeline(request, progress, _echo if chosen.verbose else None)
    summary = RunSummary.publish(request, time.monotonic() - started)
    _print(summary)
    if not summary.passed:
        raise typer.Exit(NOT_PASSED)


def _for_this_machine(arguments: dict[str, Any], given: dict[str, Any], folder: Path, runner: Runner) -> dict[str, Any]:
    """Arguments of a local run: its steps work in another folder, so that paths have to be absolute.

    Args:
        arguments: All arguments.
        given: Those that differ from the configuration's.
        folder: Folder of the run.
        runner: Where the steps run.
    """
    own = {"dataset": _resolved(arguments["dataset"])}
    own["checkpoint_dir"] = _resolved(arguments["checkpoint_dir"]) or str(folder / "pipeline" / "checkpoints")
    for name in ("registry", "previous_statistics", "cache_dir"):
        if arguments[name]:
            own[name] = _resolved(arguments[name])
    if own.get("registry") and "://" not in own["registry"]:
        Path(own["registry"]).mkdir(parents=True, exist_ok=True)  # a container is given what is there
    if runner is Runner.DOCKER and not arguments["cache_dir"]:
        own["cache_dir"] = _cache_folder()  # a container has no home that lasts
    return {**given, **own}


def _resolved(path: str) -> str:
    return path if path in ("", *DATASETS) or "://" in path else str(Path(path).expanduser().resolve())


def _cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "emrys"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _progress(steps: tuple[str, ...], verbose: bool) -> Progress:
    console = Console(stderr=True)
    if verbose or not console.is_terminal:
        return Progress(steps)
    from emrys.pipelines.local.progress import BarProgress

    return BarProgress(steps, console)


def _echo(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(summary: RunSummary) -> None:
    console = Console(highlight=False)
    rows = list(summary.rows())
    width = max(len(name) for name, _ in rows)
    for name, value in rows:  # paths stay on one line, so that they can be copied
        console.print(Text.assemble((f"{name:<{width}}", "bold"), f"  {value}"), soft_wrap=True)


def compile_to(pipeline: str, output: Path, config_file: Path | None, settings: Sequence[str] = ()) -> None:
    """Compiles a pipeline and says where it is.

    Args:
        pipeline: Name of the pipeline.
        output: The file to write.
        config_file: Configuration of the pipeline; None for the defaults.
        settings: Parameters as `name=value`, before those of the configuration; they become the defaults.
    """
    wanted = definition(pipeline)
    config = with_arguments(
        read_config(config_file, wanted.config), checked_arguments(wanted, read_arguments(settings))
    )
    compile_pipeline(wanted.build(config), output)
    print(output)

"""What `emrys run` does."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from blocks.errors import ConfigError
from pipelines.catalogue import definition
from pipelines.config_file import read_config
from pipelines.progress import Progress
from pipelines.run_request import Runner, RunRequest
from pipelines.running import run_pipeline
from pipelines.summary import RunSummary

#: Names that stand for a data set; anything else is a path.
DATASETS = ("synthetic", "ml-100k", "ml-1m")


def run(
    pipeline: str,
    arguments: dict[str, Any],
    *,
    output: Path,
    runner: Runner,
    config_file: Path | None,
    verbose: bool,
) -> None:
    """Runs a pipeline, shows how it gets on, and prints what came of it.

    Args:
        pipeline: Name of the pipeline.
        arguments: Arguments of the pipeline that the user gave.
        output: Folder of the run.
        runner: Where the steps run.
        config_file: Configuration of the pipeline.
        verbose: Whether to show the log instead of bars.
    """
    wanted = definition(pipeline)
    config = read_config(config_file, wanted.config)
    folder = output.resolve()
    if folder.exists() and not folder.is_dir():
        raise ConfigError("the output folder is a file", path=output, fix="Choose another --output.")
    dataset = arguments.get("dataset", config.parameters.dataset)
    given = {"checkpoint_dir": str(folder / "pipeline" / "checkpoints"), **arguments, "dataset": _resolved(dataset)}
    if config.parameters.checkpoint_dir:
        given["checkpoint_dir"] = config.parameters.checkpoint_dir
    if runner is Runner.DOCKER and not config.parameters.cache_dir:
        given["cache_dir"] = _cache_folder()  # a container has no home that lasts
    file = None if config_file is None else config_file.resolve()
    request = RunRequest(folder, runner, file, given, pipeline)
    started = time.monotonic()
    with _progress(wanted.steps, verbose) as progress:
        run_pipeline(request, progress, _echo if verbose else None)
    _print(RunSummary.publish(request, time.monotonic() - started))


def _resolved(dataset: str) -> str:
    return dataset if dataset in DATASETS or "://" in dataset else str(Path(dataset).expanduser().resolve())


def _cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "emrys"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _progress(steps: tuple[str, ...], verbose: bool) -> Progress:
    console = Console(stderr=True)
    if verbose or not console.is_terminal:
        return Progress(steps)
    from pipelines.bar_progress import BarProgress

    return BarProgress(steps, console)


def _echo(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(summary: RunSummary) -> None:
    console = Console(highlight=False)
    rows = list(summary.rows())
    width = max(len(name) for name, _ in rows)
    for name, value in rows:  # paths stay on one line, so that they can be copied
        console.print(Text.assemble((f"{name:<{width}}", "bold"), f"  {value}"), soft_wrap=True)

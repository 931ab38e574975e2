"""Executes a pipeline with `kfp.local`, in the process that was started for it."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfp import dsl, local

from blocks.io import read_json, write_json
from pipelines.catalogue import definition
from pipelines.compiling import compile_pipeline
from pipelines.config import PipelineConfig
from pipelines.config_file import read_config
from pipelines.run_request import Runner, RunRequest


class StepFailed(Exception):  # noqa: N818 - an outcome, and no error of this process
    """A step of the pipeline failed."""


def execute(request: RunRequest) -> None:
    """Compiles the pipeline, runs it, and notes where its artifacts are.

    Args:
        request: What to run.

    Raises:
        EmrysError: if the configuration cannot be used, or a runner is missing.
        StepFailed: if a step fails; it has reported the reason itself, unless it was killed.
    """
    wanted = definition(request.pipeline)
    config = read_config(request.config_file, wanted.config)
    pipeline = wanted.build(config)
    compile_pipeline(pipeline, request.compiled)
    _drop_other_runs(request)
    with _runner(request, config) as runner:
        local.init(runner, pipeline_root=str(request.pipeline_root))
        try:
            outputs = pipeline(**request.arguments).outputs
        except Exception as error:  # KFP says it in several ways, depending on the runner
            raise StepFailed from error
    write_json(request.outcome, {name: _describe(artifact) for name, artifact in outputs.items()})
    _drop_other_runs(request)


@contextlib.contextmanager
def _runner(request: RunRequest, config: PipelineConfig) -> Iterator[Any]:
    if request.runner is Runner.SUBPROCESS:
        yield local.SubprocessRunner(use_venv=False)
        return
    from pipelines.docker_engine import DockerEngine  # only this runner needs the docker package

    arguments = {"dataset": config.parameters.dataset, "cache_dir": config.parameters.cache_dir, **request.arguments}
    engine = DockerEngine(request.output, dataclasses.asdict(config.images).values())
    data, cache = Path(arguments["dataset"]), Path(arguments["cache_dir"] or ".")
    try:
        yield engine.runner(
            read_only=[data] if data.is_absolute() and data.exists() else [],
            writable=[cache] if cache.is_absolute() and cache.is_dir() else [],
        )
    finally:
        engine.stop_containers()


def _describe(artifact: dsl.Artifact) -> dict[str, Any]:
    return {"path": artifact.path, "metadata": artifact.metadata}


def _drop_other_runs(request: RunRequest) -> None:
    """Removes the artifacts of all runs but the last one that finished."""
    finished = read_json(request.outcome) if request.outcome.is_file() else {}
    kept = {parent for artifact in finished.values() for parent in Path(artifact["path"]).parents}
    for folder in request.pipeline_root.glob(f"{request.pipeline}-*"):
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)

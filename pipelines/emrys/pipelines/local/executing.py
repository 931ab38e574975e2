"""Executes a pipeline with `kfp.local`, in the process that was started for it."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfp import dsl, local

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json
from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config.config import PipelineConfig, Runner
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.local.outcome import Outcome, artifacts_of
from emrys.pipelines.local.run_request import RunRequest
from emrys.pipelines.spec import PIPELINES, definition

#: Outputs of steps behind the gate that a run is asked for later.
_BEHIND_GATE = ("repository", "page")


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
        local.init(
            runner,
            pipeline_root=str(request.pipeline_root),
            enable_caching=request.reuse,
            cache_root=str(request.pipeline_root / ".cache"),
        )
        try:
            outputs = pipeline(**request.arguments).outputs
        except Exception as error:  # KFP says it in several ways, depending on the runner
            raise StepFailed from error
    found = {name: {"path": artifact.path, "metadata": artifact.metadata} for name, artifact in outputs.items()}
    behind, version = _behind_gate(outputs["evaluation"])
    Outcome(request.pipeline, found | behind, version).write(request)
    _drop_other_runs(request)


def _behind_gate(evaluation: dsl.Artifact) -> tuple[dict[str, Any], str]:
    """What the steps behind the gate gave. It is no output of the pipeline: not every run has it.

    Args:
        evaluation: An artifact that every run makes anew, and beside which its other steps have their folders.

    Returns:
        The artifacts by name, and the version that was promoted, empty for none.
    """
    found: dict[str, Any] = {}
    version = ""
    for file in sorted(Path(evaluation.path).parents[1].glob("*/executor_output.json")):
        told = read_json(file)
        for name, artifacts in told.get("artifacts", {}).items():
            if name in _BEHIND_GATE:
                (artifact,) = artifacts["artifacts"]
                found[name] = {"path": artifact["uri"], "metadata": artifact.get("metadata", {})}
        if file.parent.name == "promote":
            version = str(told.get("parameterValues", {}).get("Output", ""))
    return found, version


@contextlib.contextmanager
def _runner(request: RunRequest, config: PipelineConfig) -> Iterator[Any]:
    if request.runner is Runner.SUBPROCESS:
        yield local.SubprocessRunner(use_venv=False)
        return
    from emrys.pipelines.local.docker_engine import DockerEngine  # only this runner needs the docker package

    arguments = {**dataclasses.asdict(config.parameters), **request.arguments}
    engine = DockerEngine(request.output, dataclasses.asdict(config.images).values())
    try:
        yield engine.runner(
            read_only=_there(arguments, "dataset", "previous_statistics"),
            writable=_there(arguments, "cache_dir", "registry"),
        )
    finally:
        engine.stop_containers()


def _there(arguments: dict[str, Any], *names: str) -> list[Path]:
    """The files and folders of this machine that arguments name."""
    paths = [Path(arguments[name].removeprefix("file://")) for name in names if arguments[name]]
    return [path for path in paths if path.is_absolute() and path.exists()]


def _drop_other_runs(request: RunRequest) -> None:
    """Removes the artifacts of all runs but the last one that finished."""
    try:
        finished = artifacts_of(request.output)
    except ArtifactError:
        finished = {}
    kept = {parent for path in finished.values() for parent in path.parents}
    for folder in request.pipeline_root.glob("*-*"):
        if folder not in kept and folder.name.startswith(PIPELINES):
            shutil.rmtree(folder, ignore_errors=True)

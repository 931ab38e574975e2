"""Executes a local run with `kfp.local`, as a process of its own: `python -m emrys.pipelines.local.executing`.

The process reads the request from its standard input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfp import local

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json
from emrys.components.events import one_line_errors
from emrys.components.recipe.reading import recipe_of
from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config.config import PipelineConfig, Runner
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.recipe_arguments import local_paths
from emrys.pipelines.local.outcome import Outcome, artifacts_of
from emrys.pipelines.local.run_request import RunRequest
from emrys.pipelines.spec import SPECS, pipeline_spec

#: Artifacts from the branches of the pipeline, which are not among its outputs.
_BRANCH_ARTIFACTS = ("repository", "page")


class StepFailed(Exception):  # noqa: N818 - an outcome, and no error of this process
    """A step of the pipeline failed."""


def execute(request: RunRequest) -> None:
    """Compiles and runs a pipeline, and records the paths of its artifacts.

    Args:
        request: The run.

    Raises:
        EmrysError: if the configuration is invalid, or the runner is not available.
        StepFailed: if a step fails; the step has reported the reason itself, unless it was killed.
    """
    spec = pipeline_spec(request.pipeline)
    config = read_config(request.config_file, spec.config)
    pipeline = spec.builder(config)
    compile_pipeline(pipeline, request.compiled)
    _remove_other_runs(request)
    with _runner(request, config) as runner:
        local.init(
            runner,
            pipeline_root=str(request.pipeline_root),
            enable_caching=request.reuse,
            cache_root=str(request.pipeline_root / ".cache"),
        )
        try:
            outputs = pipeline(**request.arguments).outputs
        except Exception as error:  # the type depends on the runner
            raise StepFailed from error
    artifacts = {name: {"path": artifact.path, "metadata": artifact.metadata} for name, artifact in outputs.items()}
    branch_artifacts, version = _branch_outputs(Path(outputs["evaluation"].path).parents[1])
    Outcome(request.pipeline, artifacts | branch_artifacts, version).write(request)
    _remove_other_runs(request)


def _branch_outputs(run: Path) -> tuple[dict[str, Any], str]:
    """Reads the outputs of the steps after the gate from the files in which KFP's executor records them.

    They cannot be outputs of the pipeline: `dsl.OneOf` needs the same output in both branches, but repository and
    version exist in one of them; and local runs of KFP 2.17 fail on a `dsl.OneOf` of artifacts ("Expected 1 artifact in
    ArtifactSelectorSpec. Got: 2").

    Args:
        run: Folder of the run, with a folder for each task.

    Returns:
        The artifacts by name, and the promoted version, empty for none.
    """
    branch_artifacts: dict[str, Any] = {}
    version = ""
    for file in sorted(run.glob("*/executor_output.json")):
        outputs = read_json(file)
        for name, artifacts in outputs.get("artifacts", {}).items():
            if name in _BRANCH_ARTIFACTS:
                (artifact,) = artifacts["artifacts"]
                branch_artifacts[name] = {"path": artifact["uri"], "metadata": artifact.get("metadata", {})}
        if file.parent.name == "promote":
            version = str(outputs.get("parameterValues", {}).get("Output", ""))
    return branch_artifacts, version


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
            read_only=[*_existing_paths(arguments, "dataset", "previous_statistics"), *_recipe_paths(arguments)],
            writable=_existing_paths(arguments, "cache_dir", "registry"),
        )
    finally:
        engine.stop_containers()


def _existing_paths(arguments: dict[str, Any], *names: str) -> list[Path]:
    """Lists the existing files and folders of this machine among the values of arguments."""
    paths = [Path(arguments[name].removeprefix("file://")) for name in names if arguments[name]]
    return [path for path in paths if path.is_absolute() and path.exists()]


def _recipe_paths(arguments: dict[str, Any]) -> list[Path]:
    """Lists the files and folders of this machine that a recipe reads."""
    return local_paths(recipe_of(arguments["recipe"])) if arguments["recipe"] else []


def _remove_other_runs(request: RunRequest) -> None:
    """Removes the artifacts of all runs except the last one that finished."""
    try:
        finished = artifacts_of(request.output)
    except ArtifactError:
        finished = {}
    kept = {parent for path in finished.values() for parent in path.parents}
    for folder in request.pipeline_root.glob("*-*"):
        if folder not in kept and folder.name.startswith(tuple(SPECS)):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell in the background may have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    with one_line_errors("pipeline"):
        try:
            execute(RunRequest.from_json(sys.stdin.read()))
        except StepFailed:
            traceback.print_exc()
            sys.exit(1)

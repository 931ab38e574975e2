"""Submitting a pipeline to a cluster from Python."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emrys.pipelines.config.arguments import checked_arguments
from emrys.pipelines.config.config import PipelineConfig
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.spec import PipelineSpec, pipeline_spec

if TYPE_CHECKING:
    from emrys.pipelines.cluster.cluster import Cluster, PipelineVersion


def submit(
    pipeline: str,
    *,
    host: str,
    namespace: str | None = None,
    token: str | None = None,
    config: str | os.PathLike[str] | None = None,
    arguments: dict[str, Any] | None = None,
    experiment: str | None = None,
    run_name: str | None = None,
    service_account: str | None = None,
) -> str:
    """Runs a pipeline on Kubeflow Pipelines.

    The compiled pipeline is uploaded under its name, as a new version if it has changed, and that version runs.

    Args:
        pipeline: `ranking` or `retrieval`.
        host: Address of Kubeflow Pipelines.
        namespace: Namespace of the user's profile, in a multi-user installation.
        token: Bearer token. Default: the one that KFP's client is configured with.
        config: Configuration file of the pipeline. Default: the defaults.
        arguments: Arguments that differ from the configuration's.
        experiment: Experiment of the run. Default: the pipeline's name.
        run_name: Name of the run. Default: the pipeline's name and the time.
        service_account: Service account of the pods.

    Returns:
        Id of the run.

    Raises:
        ConfigError: if the pipeline, the configuration or an argument is invalid.
        ClusterError: if Kubeflow Pipelines refuses the request or does not answer.

    Example:
        >>> from emrys import pipelines
        >>> pipelines.submit("ranking", host="http://localhost:8080")  # doctest: +SKIP
        '6f2c0f5e-...'
    """
    from emrys.pipelines.cluster.cluster import Cluster  # KFP takes seconds to import

    spec = pipeline_spec(pipeline)
    checked = checked_arguments(pipeline, spec.config, arguments or {})
    configuration = read_config(config, spec.config)
    cluster = Cluster(host, namespace, token)
    return cluster.submit(
        upload(cluster, spec, configuration),
        run_name=run_name or f"{pipeline} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        experiment=experiment or pipeline,
        arguments=checked,
        service_account=service_account,
    )


def upload(cluster: Cluster, spec: PipelineSpec, config: PipelineConfig) -> PipelineVersion:
    """Compiles a pipeline and uploads it.

    Args:
        cluster: The cluster.
        spec: The pipeline.
        config: Its configuration.

    Returns:
        The version on the cluster.
    """
    from emrys.pipelines.compiling import compile_pipeline

    pipeline = spec.builder(config)
    with tempfile.TemporaryDirectory(prefix="emrys-") as folder:
        package = Path(folder) / f"{spec.name}.yaml"
        compile_pipeline(pipeline, package)
        return cluster.upload(package, spec.name, pipeline.description or "")

"""Submitting a pipeline to a cluster from Python."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emrys.pipelines.config.arguments import checked_arguments
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.spec import Definition, definition

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

    The compiled pipeline is uploaded under its name, as a new version where it has changed, and that version is run.

    Args:
        pipeline: `ranking` or `retrieval`.
        host: Address of Kubeflow Pipelines.
        namespace: Namespace of the user's profile, in an installation for several users.
        token: Bearer token. Default: what KFP's client finds.
        config: Configuration file of the pipeline. Default: the defaults.
        arguments: Arguments that differ from the configuration's.
        experiment: Experiment of the run. Default: the pipeline's name.
        run_name: Name of the run. Default: the pipeline's name and the time.
        service_account: Service account of the pods.

    Returns:
        Id of the run.

    Raises:
        ConfigError: if the pipeline, the configuration or an argument is wrong.
        ClusterError: if Kubeflow Pipelines refuses or does not answer.

    Example:
        >>> import pipelines
        >>> pipelines.submit("ranking", host="http://localhost:8080")  # doctest: +SKIP
        '6f2c0f5e-...'
    """
    from emrys.pipelines.cluster.cluster import Cluster  # KFP takes seconds to import

    wanted = definition(pipeline)
    given = checked_arguments(wanted, arguments or {})
    cluster = Cluster(host, namespace, token)
    return cluster.submit(
        upload(cluster, wanted, config),
        run_name=run_name or f"{pipeline} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        experiment=experiment or pipeline,
        arguments=given,
        service_account=service_account,
    )


def upload(cluster: Cluster, wanted: Definition, config: str | os.PathLike[str] | None) -> PipelineVersion:
    """Compiles a pipeline and makes it known to a cluster.

    Args:
        cluster: The cluster.
        wanted: The pipeline.
        config: Its configuration file.

    Returns:
        The version that the cluster knows.
    """
    from emrys.pipelines.compiling import compile_pipeline

    built = wanted.build(read_config(config, wanted.config))
    with tempfile.TemporaryDirectory(prefix="emrys-") as folder:
        package = Path(folder) / f"{wanted.name}.yaml"
        compile_pipeline(built, package)
        return cluster.upload(package, wanted.name, built.description or "")

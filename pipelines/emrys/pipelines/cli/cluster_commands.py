"""Implementation of the commands for Kubeflow Pipelines: submit, schedule, runs, wait."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from emrys.blocks.errors import ConfigError
from emrys.pipelines.cli.pipeline_arguments import pipeline_and_arguments
from emrys.pipelines.cluster.cluster import Cluster
from emrys.pipelines.cluster.submitting import upload
from emrys.pipelines.config.config import ClusterOptions, PipelineConfig
from emrys.pipelines.config.config_file import read_config

_DAY = 86_400.0


def connect(host: str, namespace: str | None, token_file: Path | None) -> Cluster:
    """Connects to the cluster; the token comes from a file, so that it stays out of the shell's history."""
    token = None
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"the token cannot be read ({error.strerror})", path=token_file) from None
    return Cluster(host, namespace, token)


def submit_run(
    pipeline: str,
    options: Mapping[str, Any],
    *,
    config: Path | None,
    settings: Sequence[str],
    run_name: str | None,
    wait: bool,
) -> None:
    """Uploads and starts a pipeline, and prints the id and the address of the run.

    Args:
        pipeline: Name of the pipeline, or path of a recipe.
        options: Fields of `ClusterOptions` from the command line; those that are not None override the configuration.
        config: Configuration file of the pipeline.
        settings: Arguments of the pipeline as `name=value`.
        run_name: Name of the run.
        wait: Whether to wait for the end of the run.
    """
    spec, arguments = pipeline_and_arguments(pipeline, settings)
    configuration = read_config(config, spec.config)
    cluster, chosen = _connect(configuration, options)
    run_id = cluster.submit(
        upload(cluster, spec, configuration),
        run_name=run_name or f"{spec.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        experiment=chosen.experiment or spec.name,
        arguments=arguments,
        service_account=chosen.service_account or None,
    )
    print(run_id)
    print(cluster.run_url(run_id))
    if wait:
        wait_for_run(cluster, run_id, timeout=_DAY)


def put_schedule(
    pipeline: str,
    options: Mapping[str, Any],
    *,
    update: bool,
    name: str,
    cron: str,
    config: Path | None,
    settings: Sequence[str],
) -> None:
    """Creates or replaces a schedule.

    Args:
        pipeline: Name of the pipeline, or path of a recipe.
        options: Fields of `ClusterOptions` from the command line, see `submit_run`.
        update: Whether to replace a schedule with this name.
        name: Name of the schedule.
        cron: Cron expression of six fields.
        config: Configuration file of the pipeline.
        settings: Arguments of the pipeline as `name=value`.
    """
    spec, arguments = pipeline_and_arguments(pipeline, settings)
    configuration = read_config(config, spec.config)
    cluster, chosen = _connect(configuration, options)
    version = upload(cluster, spec, configuration)
    put = cluster.update_schedule if update else cluster.create_schedule
    schedule = put(
        version,
        name=name,
        cron=cron,
        experiment=chosen.experiment or spec.name,
        arguments=arguments,
        service_account=chosen.service_account or None,
    )
    print(f"{schedule}  {name}  {cron}  {spec.name} {version.name}")


def _connect(config: PipelineConfig, options: Mapping[str, Any]) -> tuple[Cluster, ClusterOptions]:
    """Connects to the cluster of the command line or, by default, of the configuration; returns all options too."""
    chosen = dataclasses.replace(
        config.cluster, **{name: str(value) for name, value in options.items() if value is not None}
    )
    if not chosen.host:
        raise ConfigError(
            "the address of Kubeflow Pipelines is not known",
            fix="Give --host or, in the configuration, cluster.host; or set KF_PIPELINES_ENDPOINT.",
        )
    token = Path(chosen.token_file) if chosen.token_file else None
    return connect(chosen.host, chosen.namespace or None, token), chosen


def show_schedules(cluster: Cluster) -> None:
    """Prints the schedules."""
    rows = [
        (schedule.display_name, _cron(schedule), str(schedule.status or ""), schedule.recurring_run_id)
        for schedule in cluster.schedules()
    ]
    _print("There are no schedules.", ("name", "cron", "status", "id"), rows)


def show_runs(cluster: Cluster, experiment: str | None, number: int) -> None:
    """Prints the latest runs."""
    rows = [
        (f"{run.created_at:%Y-%m-%d %H:%M}", run.display_name, str(run.state or "PENDING"), run.run_id)
        for run in cluster.runs(experiment, number)
    ]
    _print("There are no runs.", ("started", "name", "state", "id"), rows)


def wait_for_run(cluster: Cluster, run_id: str, *, timeout: float, pause: float = 10.0) -> None:
    """Waits for a run, prints each new state, and exits with status 1 unless it succeeded."""
    state = cluster.wait(run_id, timeout=timeout, pause=pause, on_state=print)
    if state != "SUCCEEDED":
        raise typer.Exit(1)


def _cron(schedule: Any) -> str:
    cron = getattr(schedule.trigger, "cron_schedule", None)
    return str(cron.cron) if cron is not None else ""


def _print(if_empty: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        print(if_empty)
        return
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, soft_wrap=True).print(table)

"""Commands that talk to Kubeflow Pipelines: submit, schedule, runs, wait."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Pipeline = Annotated[str, typer.Argument(help="'ranking' or 'retrieval'.", metavar="PIPELINE")]
Host = Annotated[
    str,
    typer.Option(help="Address of Kubeflow Pipelines.", envvar="KF_PIPELINES_ENDPOINT", metavar="URL"),
]
ConfiguredHost = Annotated[
    str | None,
    typer.Option(
        help="Address of Kubeflow Pipelines; by default what the configuration says.",
        envvar="KF_PIPELINES_ENDPOINT",
        metavar="URL",
    ),
]
Namespace = Annotated[
    str | None, typer.Option(help="Namespace of your profile, where there are several users.", metavar="NAME")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="File with a bearer token. By default what KFP's client finds, such as KF_PIPELINES_SA_TOKEN_PATH.",
        metavar="FILE",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file: default arguments, images, and resources per step.", metavar="FILE"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="An argument of the pipeline; may be given several times.", metavar="NAME=VALUE"),
]
Experiment = Annotated[
    str | None, typer.Option(help="Experiment of the run; the pipeline's name by default.", metavar="NAME")
]
ServiceAccount = Annotated[str | None, typer.Option(help="Service account of the pods.", metavar="NAME")]
ScheduleName = Annotated[str, typer.Option(help="Name of the schedule.", metavar="NAME")]
Cron = Annotated[
    str,
    typer.Option(help="When: six fields, seconds first, in UTC: '0 0 3 * * *' is 3 a.m. every day.", metavar="CRON"),
]

schedules = typer.Typer(help="Runs that recur on a cluster.", no_args_is_help=True, rich_markup_mode="markdown")


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command()(submit)
    app.add_typer(schedules, name="schedule")
    app.command()(runs)
    app.command()(wait)


def submit(
    pipeline: Pipeline,
    host: ConfiguredHost = None,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    config: ConfigFile = None,
    set_: Settings = None,
    experiment: Experiment = None,
    run_name: Annotated[str | None, typer.Option(help="Name of the run.", metavar="NAME")] = None,
    service_account: ServiceAccount = None,
    wait_for: Annotated[bool, typer.Option("--wait", help="Wait until the run is over.")] = False,
) -> None:
    """Run a pipeline on Kubeflow Pipelines.

    The pipeline is compiled and uploaded under its name, as a new version where it has changed.

    For example:

        emrys submit ranking --host http://localhost:8080 --set dataset=ml-1m --set epochs=5
    """

    cluster.submit_run(
        pipeline,
        _options(host, namespace, token_file, experiment, service_account),
        config=config,
        settings=set_ or [],
        run_name=run_name,
        wait=wait_for,
    )


def _options(
    host: str | None,
    namespace: str | None,
    token_file: Path | None,
    experiment: str | None,
    service_account: str | None,
) -> dict[str, Any]:
    return {
        "host": host,
        "namespace": namespace,
        "token_file": token_file,
        "experiment": experiment,
        "service_account": service_account,
    }


@schedules.command("create")
def create_schedule(
    pipeline: Pipeline,
    name: ScheduleName,
    cron: Cron,
    host: ConfiguredHost = None,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    config: ConfigFile = None,
    set_: Settings = None,
    experiment: Experiment = None,
    service_account: ServiceAccount = None,
) -> None:
    """Run a pipeline again and again: one run at a time, missed ones not caught up on, pinned to today's version.

    For example:

        emrys schedule create ranking --name nightly --cron '0 0 3 * * *' --host http://localhost:8080
    """

    cluster.put_schedule(
        pipeline,
        _options(host, namespace, token_file, experiment, service_account),
        update=False,
        name=name,
        cron=cron,
        config=config,
        settings=set_ or [],
    )


@schedules.command("update")
def update_schedule(
    pipeline: Pipeline,
    name: ScheduleName,
    cron: Cron,
    host: ConfiguredHost = None,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    config: ConfigFile = None,
    set_: Settings = None,
    experiment: Experiment = None,
    service_account: ServiceAccount = None,
) -> None:
    """Replace a schedule with one of today's version, or make it where there is none.

    For example:

        emrys schedule update ranking --name nightly --cron '0 30 2 * * *' --host http://localhost:8080
    """

    cluster.put_schedule(
        pipeline,
        _options(host, namespace, token_file, experiment, service_account),
        update=True,
        name=name,
        cron=cron,
        config=config,
        settings=set_ or [],
    )


@schedules.command("list")
def list_schedules(host: Host, namespace: Namespace = None, token_file: TokenFile = None) -> None:
    """List the schedules of a cluster."""

    cluster.show_schedules(cluster.connect(host, namespace, token_file))


@schedules.command("delete")
def delete_schedule(name: ScheduleName, host: Host, namespace: Namespace = None, token_file: TokenFile = None) -> None:
    """Delete a schedule; runs that have started go on."""

    count = cluster.connect(host, namespace, token_file).delete_schedule(name)
    print(f"deleted {count} of the name {name!r}")


def runs(
    host: Host,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    experiment: Experiment = None,
    number: Annotated[int, typer.Option("--number", "-n", help="Most runs to show.", min=1, max=200)] = 20,
) -> None:
    """List the latest runs of a cluster."""

    cluster.show_runs(cluster.connect(host, namespace, token_file), experiment, number)


def wait(
    run_id: Annotated[str, typer.Argument(help="Id of the run.", metavar="RUN")],
    host: Host,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    timeout: Annotated[float, typer.Option(help="Most seconds to wait.", min=1)] = 86_400,
    pause: Annotated[float, typer.Option(help="Seconds between two questions.", min=0.1)] = 10,
) -> None:
    """Wait until a run is over; the exit status is 0 where it succeeded and 1 otherwise."""

    cluster.wait_for_run(cluster.connect(host, namespace, token_file), run_id, timeout=timeout, pause=pause)

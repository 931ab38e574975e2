"""Commands that talk to Kubeflow Pipelines: submit, schedule, runs, wait."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Pipeline = Annotated[str, typer.Argument(help="'ranking', 'retrieval' or the path of a recipe.", metavar="PIPELINE")]
Host = Annotated[
    str,
    typer.Option(help="Address of Kubeflow Pipelines.", envvar="KF_PIPELINES_ENDPOINT", metavar="URL"),
]
ConfiguredHost = Annotated[
    str | None,
    typer.Option(
        help="Address of Kubeflow Pipelines; by default the one in the configuration.",
        envvar="KF_PIPELINES_ENDPOINT",
        metavar="URL",
    ),
]
Namespace = Annotated[
    str | None, typer.Option(help="Namespace of your profile, in a multi-user installation.", metavar="NAME")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="File with a bearer token. By default the one that KFP's client uses, such as KF_PIPELINES_SA_TOKEN_PATH.",
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

schedules = typer.Typer(help="Recurring runs on a cluster.", no_args_is_help=True, rich_markup_mode="markdown")


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
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
    wait_for: Annotated[bool, typer.Option("--wait", help="Wait until the run has ended.")] = False,
) -> None:
    """Run a pipeline on Kubeflow Pipelines.

    The pipeline is compiled and uploaded under its name, as a new version if it has changed.

    For example:

        emrys submit ranking --host http://localhost:8080 --set dataset=ml-1m --set epochs=5
    """
    from emrys.pipelines.cli import cluster_commands

    cluster_commands.submit_run(
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
    """Run a pipeline on a schedule: one run at a time, no catching up on missed runs, pinned to the current version.

    For example:

        emrys schedule create ranking --name nightly --cron '0 0 3 * * *' --host http://localhost:8080
    """
    from emrys.pipelines.cli import cluster_commands

    cluster_commands.put_schedule(
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
    """Replace a schedule by one that runs the current version, or create it.

    For example:

        emrys schedule update ranking --name nightly --cron '0 30 2 * * *' --host http://localhost:8080
    """
    from emrys.pipelines.cli import cluster_commands

    cluster_commands.put_schedule(
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
    from emrys.pipelines.cli import cluster_commands

    cluster_commands.show_schedules(cluster_commands.connect(host, namespace, token_file))


@schedules.command("delete")
def delete_schedule(name: ScheduleName, host: Host, namespace: Namespace = None, token_file: TokenFile = None) -> None:
    """Delete a schedule; running runs continue."""
    from emrys.pipelines.cli import cluster_commands

    count = cluster_commands.connect(host, namespace, token_file).delete_schedule(name)
    print(f"deleted {count} named {name!r}")


def runs(
    host: Host,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    experiment: Experiment = None,
    number: Annotated[int, typer.Option("--number", "-n", help="Maximum number of runs.", min=1, max=200)] = 20,
) -> None:
    """List the latest runs of a cluster."""
    from emrys.pipelines.cli import cluster_commands

    cluster_commands.show_runs(cluster_commands.connect(host, namespace, token_file), experiment, number)


def wait(
    run_id: Annotated[str, typer.Argument(help="Id of the run.", metavar="RUN")],
    host: Host,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    timeout: Annotated[float, typer.Option(help="Maximum seconds to wait.", min=1)] = 86_400,
    pause: Annotated[float, typer.Option(help="Seconds between two requests.", min=0.1)] = 10,
) -> None:
    """Wait until a run has ended; the exit status is 0 if it succeeded and 1 otherwise."""
    from emrys.pipelines.cli import cluster_commands

    cluster_commands.wait_for_run(
        cluster_commands.connect(host, namespace, token_file), run_id, timeout=timeout, pause=pause
    )

"""Client of Kubeflow Pipelines on a cluster: versions of pipelines, runs, and schedules."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import urllib3

from emrys.blocks.errors import ConfigError, EmrysError

#: States of a run that has ended.
FINISHED = ("SUCCEEDED", "FAILED", "SKIPPED", "ERROR", "CANCELED")
_PAGE = 100


class ClusterError(EmrysError):
    """Kubeflow Pipelines refuses a request or does not answer."""


@dataclass(frozen=True)
class PipelineVersion:
    """A version of a pipeline on the cluster."""

    pipeline_id: str
    version_id: str
    name: str


class Cluster:
    """Kubeflow Pipelines, accessed through KFP's own client.

    Args:
        host: Address of the API or of the UI, such as `https://kubeflow.example.com/pipeline`.
        namespace: Namespace of the user's profile, in a multi-user installation. Default: none.
        token: Bearer token. Default: the one that KFP's client is configured with, such as by
            `KF_PIPELINES_SA_TOKEN_PATH` in a pod.

    Raises:
        ClusterError: if the server does not answer, or refuses.
    """

    def __init__(self, host: str, namespace: str | None = None, token: str | None = None) -> None:
        self.host = host.rstrip("/")
        self.namespace = namespace
        with self._one_line_errors("connect"), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about API version 2
            self._client = kfp.Client(host=self.host, namespace=namespace or "kubeflow", existing_token=token)

    def upload(self, package: Path, name: str, description: str = "") -> PipelineVersion:
        """Uploads a compiled pipeline, as a new version if the cluster has a pipeline with this name.

        The version's name is the version of Emrys and a hash of the content, so that the same pipeline is uploaded
        once.

        Args:
            package: The compiled pipeline.
            name: Name of the pipeline.
            description: Description for the UI.
        """
        digest = hashlib.sha256(package.read_bytes()).hexdigest()[:12]
        version_name = f"{metadata.version('emrys')}-{digest}"
        with self._one_line_errors(f"upload {name}"), _quiet():
            pipeline_id = self._client.get_pipeline_id(name)
            if pipeline_id is None:
                # KFP names the first version after the pipeline; the package is uploaded again under our version name.
                uploaded = self._client.upload_pipeline(str(package), pipeline_name=name, description=description)
                pipeline_id = str(uploaded.pipeline_id)
            known = self._client.list_pipeline_versions(
                pipeline_id, page_size=1, filter=_equals("display_name", version_name)
            )
            if known.pipeline_versions:
                version = known.pipeline_versions[0]
            else:
                version = self._client.upload_pipeline_version(
                    str(package), pipeline_version_name=version_name, pipeline_id=pipeline_id, description=description
                )
        return PipelineVersion(pipeline_id, str(version.pipeline_version_id), version_name)

    def submit(
        self,
        version: PipelineVersion,
        *,
        run_name: str,
        experiment: str,
        arguments: dict[str, Any] | None = None,
        service_account: str | None = None,
        caching: bool | None = None,
    ) -> str:
        """Starts a run.

        Args:
            version: Version of the pipeline to run.
            run_name: Name of the run.
            experiment: Experiment of the run; created if it is missing.
            arguments: Arguments that differ from the pipeline's defaults.
            service_account: Kubernetes service account of its pods. Default: the installation's.
            caching: Whether steps may reuse cached outputs. Default: the settings of the pipeline.

        Returns:
            Id of the run.
        """
        with self._one_line_errors(f"submit {run_name}"), _quiet():
            run = self._client.run_pipeline(
                self._experiment(experiment),
                run_name,
                params=arguments or {},
                pipeline_id=version.pipeline_id,
                version_id=version.version_id,
                service_account=service_account,
                enable_caching=caching,
            )
        return str(run.run_id)

    def runs(self, experiment: str | None = None, limit: int = 20) -> list[kfp_server_api.V2beta1Run]:
        """Lists the latest runs, newest first."""
        with self._one_line_errors("list runs"):
            where = {"experiment_id": self._experiment_id(experiment)} if experiment else {"namespace": self.namespace}
            page = self._client.list_runs(page_size=limit, sort_by="created_at desc", **where)
        return list(page.runs or [])

    def wait(
        self, run_id: str, *, timeout: float, pause: float = 10.0, on_state: Callable[[str], None] | None = None
    ) -> str:
        """Waits until a run has ended.

        Args:
            run_id: The run.
            timeout: Maximum seconds to wait.
            pause: Seconds between two requests.
            on_state: Called with the state whenever it changes.

        Returns:
            The state in which it ended, one of `FINISHED`.

        Raises:
            ClusterError: if the run has not ended in time.
        """
        end, last = time.monotonic() + timeout, ""
        while True:
            with self._one_line_errors(f"run {run_id}"):
                state = str(self._client.get_run(run_id).state or "PENDING")
            if state != last and on_state is not None:
                on_state(state)
            last = state
            if state in FINISHED:
                return state
            if time.monotonic() + pause > end:
                raise ClusterError(f"run {run_id} has not ended", got=f"{state} after {timeout:g} s")
            time.sleep(pause)

    def schedules(self, name: str | None = None) -> list[kfp_server_api.V2beta1RecurringRun]:
        """Lists recurring runs; all of them, or those with one name."""
        schedules: list[kfp_server_api.V2beta1RecurringRun] = []
        token = ""
        with self._one_line_errors("list schedules"):
            while True:
                page = self._client.list_recurring_runs(
                    page_token=token,
                    page_size=_PAGE,
                    namespace=self.namespace,
                    filter=None if name is None else _equals("display_name", name),
                )
                schedules += page.recurring_runs or []
                token = page.next_page_token or ""
                if not token:
                    return schedules

    def create_schedule(
        self,
        version: PipelineVersion,
        *,
        name: str,
        cron: str,
        experiment: str,
        arguments: dict[str, Any] | None = None,
        service_account: str | None = None,
    ) -> str:
        """Schedules a version of a pipeline: one run at a time, without catching up on missed ones.

        Args:
            version: The version; later versions of the pipeline do not change the schedule.
            name: Name of the schedule.
            cron: Cron expression of six fields, seconds first, such as `0 0 3 * * *` for every night at three (UTC).
            experiment: Experiment of its runs.
            arguments: Arguments that differ from the pipeline's defaults.
            service_account: Service account of its pods.

        Returns:
            Id of the schedule.

        Raises:
            ConfigError: if `cron` does not have six fields, or the name is in use.
        """
        _check_cron(cron)
        if self.schedules(name):
            fix = "Use `emrys schedule update`, or another --name."
            raise ConfigError(f"the schedule {name!r} exists already", fix=fix)
        return self._create_schedule(version, name, cron, experiment, arguments, service_account)

    def update_schedule(
        self,
        version: PipelineVersion,
        *,
        name: str,
        cron: str,
        experiment: str,
        arguments: dict[str, Any] | None = None,
        service_account: str | None = None,
    ) -> str:
        """Replaces or creates a schedule; the old one is deleted after the new one exists.

        Arguments, result and errors are those of `create_schedule`, except that the name may be in use.
        """
        _check_cron(cron)
        old = self.schedules(name)
        created = self._create_schedule(version, name, cron, experiment, arguments, service_account)
        with self._one_line_errors(f"update schedule {name}"):
            for schedule in old:
                self._client.delete_recurring_run(schedule.recurring_run_id)
        return created

    def delete_schedule(self, name: str) -> int:
        """Deletes the schedules with a name; runs that have started continue.

        Returns:
            The number of deleted schedules.

        Raises:
            ConfigError: if there is none.
        """
        schedules = self.schedules(name)
        if not schedules:
            known = sorted({str(schedule.display_name) for schedule in self.schedules()})
            raise ConfigError(f"there is no schedule {name!r}", expected=f"one of {', '.join(known) or 'none'}")
        with self._one_line_errors(f"delete schedule {name}"):
            for schedule in schedules:
                self._client.delete_recurring_run(schedule.recurring_run_id)
        return len(schedules)

    def run_url(self, run_id: str) -> str:
        """Returns the address of a run in the UI."""
        return f"{self.host}/#/runs/details/{run_id}"

    def _create_schedule(
        self,
        version: PipelineVersion,
        name: str,
        cron: str,
        experiment: str,
        arguments: dict[str, Any] | None,
        service_account: str | None,
    ) -> str:
        with self._one_line_errors(f"create schedule {name}"):
            created = self._client.create_recurring_run(
                self._experiment(experiment),
                name,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=True,
                params=arguments or {},
                pipeline_id=version.pipeline_id,
                version_id=version.version_id,
                service_account=service_account,
            )
        return str(created.recurring_run_id)

    def _experiment(self, name: str) -> str:
        with _quiet():
            return str(self._client.create_experiment(name, namespace=self.namespace).experiment_id)

    def _experiment_id(self, name: str) -> str:
        try:
            return str(self._client.get_experiment(experiment_name=name, namespace=self.namespace).experiment_id)
        except ValueError:
            raise ConfigError(f"there is no experiment {name!r}") from None

    @contextlib.contextmanager
    def _one_line_errors(self, action: str) -> Iterator[None]:
        """Converts errors of the client into a `ClusterError` of one line."""
        try:
            yield
        except kfp_server_api.ApiException as error:
            fix = None
            if error.status in (401, 403):
                fix = "Give a token (--token-file) that may use this namespace."
            text = f"{action}: Kubeflow Pipelines answers {error.status} {error.reason}"
            raise ClusterError(text, path=self.host, got=_message(error.body), fix=fix) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(f"{action}: no answer ({_short(error)})", path=self.host, fix="Check --host.") from error


def _equals(key: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def _check_cron(cron: str) -> None:
    if len(cron.split()) != 6:
        raise ConfigError("--cron", expected="six fields, seconds first, such as '0 0 3 * * *'", got=repr(cron))


def _message(body: Any) -> str | None:
    """Extracts the message from a response of the API, cut to a line."""
    try:
        text = str(json.loads(body).get("message") or body)
    except (ValueError, TypeError, AttributeError):
        text = str(body or "")
    return " ".join(text.split())[:300] or None


def _short(error: BaseException) -> str:
    return " ".join(str(getattr(error, "reason", None) or error).split())[:200]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses the links that KFP's client prints; the command prints its own."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield

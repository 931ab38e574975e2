"""Kubeflow Pipelines on a cluster: versions of pipelines, runs, and runs that recur."""

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

#: States in which a run is over.
FINISHED = ("SUCCEEDED", "FAILED", "SKIPPED", "ERROR", "CANCELED")
_PAGE = 100


class ClusterError(EmrysError):
    """Kubeflow Pipelines refuses or does not answer."""


@dataclass(frozen=True)
class PipelineVersion:
    """A pipeline as it is known to the cluster."""

    pipeline_id: str
    version_id: str
    name: str


class Cluster:
    """Kubeflow Pipelines, through KFP's own client.

    Args:
        host: Address of the API or of the UI, such as `https://kubeflow.example.com/pipeline`.
        namespace: Namespace of the user's profile, in an installation for several users. Default: none.
        token: Bearer token. Default: what KFP's client finds, such as `KF_PIPELINES_SA_TOKEN_PATH` in a pod.

    Raises:
        ClusterError: if nothing answers there.
    """

    def __init__(self, host: str, namespace: str | None = None, token: str | None = None) -> None:
        self.host = host.rstrip("/")
        self.namespace = namespace
        with self._said("connect"), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that it talks to version 2
            self._client = kfp.Client(host=self.host, namespace=namespace or "kubeflow", existing_token=token)

    def upload(self, package: Path, name: str, description: str = "") -> PipelineVersion:
        """Makes a compiled pipeline known under its name, as a new version where the name is known.

        The version is named after the project's version and the content, so that the same pipeline is uploaded once.

        Args:
            package: The compiled pipeline.
            name: Name of the pipeline.
            description: For the UI.
        """
        digest = hashlib.sha256(package.read_bytes()).hexdigest()[:12]
        version_name = f"{metadata.version('emrys')}-{digest}"
        with self._said(f"upload {name}"), _quiet():
            pipeline_id = self._client.get_pipeline_id(name)
            if pipeline_id is None:
                # The first version of a pipeline takes the pipeline's name; ours goes beside it, and is the one used.
                uploaded = self._client.upload_pipeline(str(package), pipeline_name=name, description=description)
                pipeline_id = str(uploaded.pipeline_id)
            known = self._client.list_pipeline_versions(
                pipeline_id, page_size=1, filter=_equals("display_name", version_name)
            )
            if known.pipeline_versions:
                found = known.pipeline_versions[0]
            else:
                found = self._client.upload_pipeline_version(
                    str(package), pipeline_version_name=version_name, pipeline_id=pipeline_id, description=description
                )
        return PipelineVersion(pipeline_id, str(found.pipeline_version_id), version_name)

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
            version: What to run.
            run_name: Name of the run.
            experiment: Experiment that it belongs to; made when it is missing.
            arguments: Arguments that differ from the pipeline's defaults.
            service_account: Kubernetes service account of its pods. Default: the installation's.
            caching: Whether steps whose inputs are known are taken from the cache. Default: as the pipeline says.

        Returns:
            Id of the run.
        """
        with self._said(f"submit {run_name}"), _quiet():
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

    def runs(self, experiment: str | None = None, most: int = 20) -> list[Any]:
        """The latest runs, newest first, as `kfp_server_api.V2beta1Run`."""
        with self._said("list runs"):
            where = {"experiment_id": self._experiment_id(experiment)} if experiment else {"namespace": self.namespace}
            found = self._client.list_runs(page_size=most, sort_by="created_at desc", **where)
        return list(found.runs or [])

    def wait(
        self, run_id: str, *, timeout: float, pause: float = 10.0, on_state: Callable[[str], None] | None = None
    ) -> str:
        """Waits until a run is over.

        Args:
            run_id: The run.
            timeout: Most seconds to wait.
            pause: Seconds between two questions.
            on_state: Is told the state whenever it changes.

        Returns:
            The state in which it ended, one of `FINISHED`.

        Raises:
            ClusterError: if the time is over.
        """
        end, last = time.monotonic() + timeout, ""
        while True:
            with self._said(f"run {run_id}"):
                state = str(self._client.get_run(run_id).state or "PENDING")
            if state != last and on_state is not None:
                on_state(state)
            last = state
            if state in FINISHED:
                return state
            if time.monotonic() + pause > end:
                raise ClusterError(f"run {run_id} is not over", got=f"{state} after {timeout:g} s")
            time.sleep(pause)

    def schedules(self, name: str | None = None) -> list[Any]:
        """Recurring runs, as `kfp_server_api.V2beta1RecurringRun`; those of one name where it is given."""
        found: list[Any] = []
        token = ""
        with self._said("list schedules"):
            while True:
                page = self._client.list_recurring_runs(
                    page_token=token,
                    page_size=_PAGE,
                    namespace=self.namespace,
                    filter=None if name is None else _equals("display_name", name),
                )
                found += page.recurring_runs or []
                token = page.next_page_token or ""
                if not token:
                    return found

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
        """Makes a version of a pipeline run again and again, one run at a time, without catching up on missed ones.

        Args:
            version: The version; later ones of the pipeline do not change what runs.
            name: Name of the schedule.
            cron: When: six fields, seconds first, such as `0 0 3 * * *` for every night at three (UTC).
            experiment: Experiment of its runs.
            arguments: Arguments that differ from the pipeline's defaults.
            service_account: Service account of its pods.

        Returns:
            Id of the schedule.

        Raises:
            ConfigError: if `cron` has not six fields, or the name is taken.
        """
        _check_cron(cron)
        if self.schedules(name):
            fix = "Use `emrys schedule update`, or another --name."
            raise ConfigError(f"there is a schedule {name!r} already", fix=fix)
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
        """Replaces a schedule, or makes it where there is none; the old one goes when the new one is there.

        Args, returns and errors are those of `create_schedule`, but for the name, which may be taken.
        """
        _check_cron(cron)
        old = self.schedules(name)
        created = self._create_schedule(version, name, cron, experiment, arguments, service_account)
        with self._said(f"update schedule {name}"):
            for schedule in old:
                self._client.delete_recurring_run(schedule.recurring_run_id)
        return created

    def delete_schedule(self, name: str) -> int:
        """Deletes the schedules of a name; runs that have started go on.

        Returns:
            How many there were.

        Raises:
            ConfigError: if there was none.
        """
        found = self.schedules(name)
        if not found:
            known = sorted({str(schedule.display_name) for schedule in self.schedules()})
            raise ConfigError(f"there is no schedule {name!r}", expected=f"one of {', '.join(known) or 'none'}")
        with self._said(f"delete schedule {name}"):
            for schedule in found:
                self._client.delete_recurring_run(schedule.recurring_run_id)
        return len(found)

    def run_url(self, run_id: str) -> str:
        """Where the UI shows a run."""
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
        with self._said(f"create schedule {name}"):
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
    def _said(self, doing: str) -> Iterator[None]:
        """Turns what the client raises into one line."""
        try:
            yield
        except kfp_server_api.ApiException as error:
            fix = None
            if error.status in (401, 403):
                fix = "Give a token (--token-file) that may use this namespace."
            text = f"{doing}: Kubeflow Pipelines answers {error.status} {error.reason}"
            raise ClusterError(text, path=self.host, got=_message(error.body), fix=fix) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(
                f"{doing}: nothing answers ({_short(error)})", path=self.host, fix="Check --host."
            ) from error


def _equals(key: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def _check_cron(cron: str) -> None:
    if len(cron.split()) != 6:
        raise ConfigError("--cron", expected="six fields, seconds first, such as '0 0 3 * * *'", got=repr(cron))


def _message(body: Any) -> str | None:
    """What an answer of the API says, cut to a line."""
    try:
        text = str(json.loads(body).get("message") or body)
    except (ValueError, TypeError, AttributeError):
        text = str(body or "")
    return " ".join(text.split())[:300] or None


def _short(error: BaseException) -> str:
    return " ".join(str(getattr(error, "reason", None) or error).split())[:200]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """KFP's client prints links; ours are printed by the command."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield

"""The v2beta1 API of Kubeflow Pipelines, as far as the client calls it.

Every body has to be one that kfp-server-api's model of it takes whole; every request is recorded.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api


@dataclass
class KubeflowApi:
    """State of the fake cluster, and the requests that it received.

    `states` are the successive states of a run; `fail` is the status of every response, if set.
    """

    url: str = ""
    requests: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    pipelines: dict[str, str] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    schedules: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["SUCCEEDED"])
    fail: int = 0


@contextlib.contextmanager
def kubeflow_api() -> Iterator[KubeflowApi]:
    """Starts it."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        api = KubeflowApi(f"http://127.0.0.1:{server.server_address[1]}")
        server.api = api
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield api
        server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer_one(self) -> None:
        api: KubeflowApi = self.server.api
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        api.requests.append(f"{self.command} {parts.path.removeprefix('/apis/v2beta1')}")
        api.tokens.add(self.headers.get("Authorization"))
        if api.fail:
            self._send(api.fail, {"message": "permission denied:\n user has no access"})
            return
        for method, pattern, answer in _ROUTES:
            match = re.fullmatch("/apis/v2beta1" + pattern, parts.path)
            if match and method == self.command:
                content = body if "upload" in parts.path else json.loads(body or b"{}")
                self._send(200, answer(api, query, content, *match.groups()))
                return
        self._send(404, {"message": f"no such path: {parts.path}"})

    def _send(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer_one  # noqa: N815 - the names that http.server calls

    def log_message(self, *arguments: object) -> None:
        pass


def _checked(content: dict[str, Any], model: type) -> dict[str, Any]:
    """Holds a body against a model of kfp-server-api: no unknown field, and values that the model takes."""
    names = {model.attribute_map[name]: name for name in model.openapi_types}
    assert set(content) <= set(names), f"{model.__name__} has no {set(content) - set(names)}"
    model(**{names[key]: value for key, value in content.items()})
    for key, value in content.items():
        inner = getattr(kfp_server_api, model.openapi_types[names[key]], None)
        if isinstance(value, dict) and inner is not None and hasattr(inner, "attribute_map"):
            _checked(value, inner)
    return content


def _healthz(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    return {"multi_user": False}


def _pipelines(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    (wanted,) = json.loads(query["filter"])["predicates"]
    name = wanted.get("string_value") or wanted["stringValue"]
    found = [{"pipeline_id": api.pipelines[name], "display_name": name}] if name in api.pipelines else []
    return {"pipelines": found, "total_size": len(found)}


def _file_in(body: bytes) -> bytes:
    boundary = body.split(b"\r\n", 1)[0][2:].decode()
    head = f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    (part,) = [part for part in message.iter_parts() if part.get_filename()]
    return part.get_payload(decode=True)


def _upload(api: KubeflowApi, query: dict[str, str], body: bytes) -> dict[str, Any]:
    name = query["name"]
    api.pipelines[name] = f"pipeline-{len(api.pipelines) + 1}"
    api.versions[api.pipelines[name]] = {name: "version-0"}
    assert b"deploymentSpec" in _file_in(body)
    return {"pipeline_id": api.pipelines[name], "display_name": name}


def _upload_version(api: KubeflowApi, query: dict[str, str], body: bytes) -> dict[str, Any]:
    versions = api.versions[query["pipelineid"]]
    versions[query["name"]] = f"version-{len(versions)}"
    assert b"deploymentSpec" in _file_in(body)
    return {"pipeline_id": query["pipelineid"], "pipeline_version_id": versions[query["name"]]}


def _versions(api: KubeflowApi, query: dict[str, str], body: Any, pipeline: str) -> dict[str, Any]:
    (wanted,) = json.loads(query["filter"])["predicates"]
    found = api.versions[pipeline].get(wanted["stringValue"])
    return {"pipeline_versions": [{"pipeline_id": pipeline, "pipeline_version_id": found}] if found else []}


def _experiments(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    (wanted,) = json.loads(query["filter"])["predicates"]
    name = wanted.get("string_value") or wanted["stringValue"]
    found = [{"experiment_id": api.experiments[name], "display_name": name}] if name in api.experiments else []
    return {"experiments": found, "total_size": len(found)}


def _create_experiment(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    name = _checked(body, kfp_server_api.V2beta1Experiment)["display_name"]
    api.experiments[name] = f"experiment-{len(api.experiments) + 1}"
    return {**body, "experiment_id": api.experiments[name]}


def _create_run(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    api.bodies.append(_checked(body, kfp_server_api.V2beta1Run))
    run = {**body, "run_id": f"run-{len(api.runs) + 1}", "created_at": "2026-01-31T08:15:00Z", "state": "PENDING"}
    api.runs.append(run)
    return run


def _list_runs(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    return {"runs": api.runs[: int(query["page_size"])]}


def _get_run(api: KubeflowApi, query: dict[str, str], body: Any, run: str) -> dict[str, Any]:
    state = api.states.pop(0) if len(api.states) > 1 else api.states[0]
    return {"run_id": run, "state": state}


def _create_schedule(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    api.bodies.append(_checked(body, kfp_server_api.V2beta1RecurringRun))
    number = 1 + max((int(one["recurring_run_id"].split("-")[1]) for one in api.schedules), default=0)
    api.schedules.append({**body, "recurring_run_id": f"schedule-{number}", "status": "ENABLED"})
    return api.schedules[-1]


def _list_schedules(api: KubeflowApi, query: dict[str, str], body: Any) -> dict[str, Any]:
    found = api.schedules
    if "filter" in query:
        (wanted,) = json.loads(query["filter"])["predicates"]
        found = [one for one in found if one["display_name"] == wanted["stringValue"]]
    start = int(query.get("page_token") or 0)
    page = {"recurringRuns": found[start : start + 2]}
    return page | ({"next_page_token": str(start + 2)} if len(found) > start + 2 else {})


def _delete_schedule(api: KubeflowApi, query: dict[str, str], body: Any, schedule: str) -> dict[str, Any]:
    api.schedules[:] = [one for one in api.schedules if one["recurring_run_id"] != schedule]
    return {}


_ROUTES = [
    ("GET", "/healthz", _healthz),
    ("GET", "/pipelines", _pipelines),
    ("POST", "/pipelines/upload", _upload),
    ("POST", "/pipelines/upload_version", _upload_version),
    ("GET", "/pipelines/([^/]+)/versions", _versions),
    ("GET", "/experiments", _experiments),
    ("POST", "/experiments", _create_experiment),
    ("POST", "/runs", _create_run),
    ("GET", "/runs", _list_runs),
    ("GET", "/runs/([^/]+)", _get_run),
    ("POST", "/recurringruns", _create_schedule),
    ("GET", "/recurringruns", _list_schedules),
    ("DELETE", "/recurringruns/([^/]+)", _delete_schedule),
]

"""A real Triton, started with the chart's own arguments: it answers the probes, exports the metrics, and stops."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.installation import TritonInstallation
from emrys.components.serving.server import choose_port
from tests.charts import rendering
from tests.charts.rendering import SERVING, STABLE, merged, of_kind
from tests.components.serving.conftest import need_server
from tests.components.serving.small_ensemble import ROWS, write_small_repository

ROOT = Path(__file__).resolve().parents[2]

#: What Triton exports only where there is a GPU; after its documentation, docs/user_guide/metrics.md.
GPU_METRICS = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes"}

MONITORED = merged(STABLE, {"autoscaling": {"enabled": True}, "dashboard": {"enabled": True}})


class Served:
    """A running server and the objects that describe it."""

    def __init__(self, process: subprocess.Popen[bytes], objects: list[dict[str, Any]]) -> None:
        self.process = process
        self.container = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
        self.ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}

    def status(self, probe: str) -> int:
        """Status of the server's answer to a probe; 0 without an answer."""
        asked = self.container[probe]["httpGet"]
        try:
            url = f"http://127.0.0.1:{self.ports[asked['port']]}{asked['path']}"
            return urllib.request.urlopen(url, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def metrics(self) -> dict[str, list[dict[str, str]]]:
        """Labels of every series, by metric."""
        url = f"http://127.0.0.1:{self.ports['metrics']}/metrics"
        text = urllib.request.urlopen(url, timeout=5).read().decode()
        found: dict[str, list[dict[str, str]]] = {}
        for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
            found.setdefault(name, []).append(dict(re.findall(r'(\w+)="([^"]*)"', labels)))
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    need_server()
    folder = tmp_path_factory.mktemp("served")
    write_small_repository(folder / "models", folder)
    files = TritonInstallation.find()
    files.lay_out_backends(folder / "backends")
    with contextlib.ExitStack() as held:
        ports = {name: choose_port("127.0.0.1", 0, held) for name in ("http", "grpc", "metrics")}
    objects = rendering.render(SERVING, merged(MONITORED, {"ports": ports}))
    container = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    arguments = [text.replace("/repository/models", str(folder / "models")) for text in container["args"]]
    environment = {
        **os.environ,
        **{one["name"]: one["value"] for one in container["env"] if one["name"] != "HOME"},
        "LD_LIBRARY_PATH": os.pathsep.join([str(files.libraries), str(files.python_library.parent)]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    with (folder / "log").open("wb") as log:
        # Only the places of the programs and the backends differ from a pod: the wheel keeps them elsewhere.
        places = {"python3": sys.executable, "tritonserver": str(files.binary)}
        program = [places.get(text, text) for text in container["command"]]
        command = [*program, *arguments, f"--backend-directory={folder / 'backends'}"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT)
    running = Served(process, objects)
    try:
        deadline = time.monotonic() + 90
        while running.status("startupProbe") != 200:
            assert process.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with EnsembleClient(f"127.0.0.1:{ports['grpc']}") as client:
            client.predict(ROWS)
        yield running
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_probes_are_answered(served):
    assert [served.status(probe) for probe in ("startupProbe", "readinessProbe", "livenessProbe")] == [200, 200, 200]


@pytest.mark.slow
def test_a_claimed_shape_is_refused(served):
    one = {"name": "userId", "datatype": "INT64", "shape": [10**9, 1], "data": [1]}
    url = f"http://127.0.0.1:{served.ports['http']}/v2/models/ranking/infer"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, data=json.dumps({"inputs": [one]}).encode(), timeout=5)
    with caught.value as response:
        assert response.code == 400
        assert "expected 1000000000 values" in json.loads(response.read())["error"]


@pytest.mark.slow
def test_the_rule_of_the_autoscaler_finds_its_series(served):
    objects = rendering.render(SERVING, MONITORED)
    rule = _rule(objects)
    metric = of_kind(objects, "HorizontalPodAutoscaler")["spec"]["metrics"][0]
    assert metric["type"] == "Pods"
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": "5000"}

    series = _labelled(served.metrics())
    queue, requests = _selected(_filled(rule["metricsQuery"]), series)
    # All waiting, over the requests of the ensemble alone.
    assert queue == ("nv_inference_queue_duration_us", {"ranking", "ranking_transform", "ranking_model"})
    assert requests == ("nv_inference_request_success", {"ranking"})
    assert _selected(rule["seriesQuery"], series) == [("nv_inference_queue_duration_us", {"ranking"})]
    assert re.fullmatch(rule["name"]["matches"], "nv_inference_queue_duration_us")


@pytest.mark.slow
def test_the_dashboard_shows_what_triton_exports(served):
    name, text = next(iter(of_kind(rendering.render(SERVING, MONITORED), "ConfigMap", "-dashboard")["data"].items()))
    assert name == "rank-emrys-serving.json"
    dashboard = json.loads(text)
    assert dashboard["title"] == "Emrys: rank-emrys-serving (ranking)"
    assert "@" not in text
    series = _labelled(served.metrics())
    asked = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m").replace("$namespace", rendering.NAMESPACE)
            for metric, models in _selected(query, series):
                asked.add(metric)
                assert models or metric in GPU_METRICS, query
    assert asked - set(series) == GPU_METRICS
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(places) == len(set(places)) == len({panel["id"] for panel in dashboard["panels"]})


@pytest.mark.slow
def test_the_server_stops_in_order(served):  # the last: nothing answers afterwards
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0


def _rule(objects: list[dict[str, Any]]) -> dict[str, Any]:
    values = yaml.safe_load(of_kind(objects, "ConfigMap", "-adapter-rule")["data"]["values.yaml"])
    (rule,) = values["rules"]["custom"]
    return rule


def _filled(query: str) -> str:
    """Query that the adapter makes of a rule when the autoscaler asks for the pods of a namespace."""
    matchers = f'namespace="{rendering.NAMESPACE}",pod=~"rank-1|rank-2"'
    return query.replace("<<.LabelMatchers>>", matchers).replace("<<.GroupBy>>", "pod")


def _labelled(metrics: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """The series as Prometheus stores them: with the labels of the pod that was asked."""
    pod = {"namespace": rendering.NAMESPACE, "pod": "rank-1", "track": "stable"}
    return {name: [{**labels, **pod} for labels in series] for name, series in metrics.items()}


def _selected(query: str, series: dict[str, list[dict[str, str]]]) -> list[tuple[str, set[str]]]:
    """Each metric that a query reads, and the models whose series it finds."""
    found = []
    for selector in _selectors(promql_parser.parse(query)):
        matching = [
            labels
            for labels in series.get(selector.name, [])
            if all(_fits(one, labels) for one in selector.matchers.matchers)
        ]
        found.append((selector.name, {labels["model"] for labels in matching}))
    return found


def _selectors(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "vector_selector"):
        if hasattr(node, name):
            yield from _selectors(getattr(node, name))
    for argument in getattr(node, "args", []):
        yield from _selectors(argument)


def _fits(matcher: Any, labels: dict[str, str]) -> bool:
    value = labels.get(matcher.name, "")
    if matcher.op == promql_parser.MatchOp.Equal:
        return value == matcher.value
    if matcher.op == promql_parser.MatchOp.NotEqual:
        return value != matcher.value
    assert matcher.op == promql_parser.MatchOp.Re
    return re.fullmatch(matcher.value, value) is not None

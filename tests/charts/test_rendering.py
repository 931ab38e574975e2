"""Every example and every case of the matrices renders to objects that Kubernetes takes."""

from __future__ import annotations

import re

import helm_python as helm
import pytest
import yaml

from tests.charts import rendering
from tests.charts.rendering import PIPELINES, SERVING, VERSIONS, containers, errors, pod_templates

CASES = [
    pytest.param(chart, values, id=f"{chart.name} {name}")
    for chart, cases in ((SERVING, rendering.serving_matrix()), (PIPELINES, rendering.pipelines_matrix()))
    for name, values in cases.items()
]


@pytest.mark.slow
@pytest.mark.parametrize(("chart", "values"), CASES)
def test_objects_are_valid_and_safe(chart, values):
    objects = rendering.render(chart, values)
    for version in VERSIONS:
        assert [text for one in objects for text in errors(one, version)] == []
    assert "Secret" not in rendering.kinds(objects)
    check_labels(objects)
    check_selectors(objects)
    for name, template in pod_templates(objects):
        check_pod(name, template)


def check_labels(objects):
    for one in objects:
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "rank"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        for value in labels.values():
            assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", value)
        assert len(one["metadata"]["name"]) <= 63


def check_selectors(objects):
    """Every selector finds the pods that it is meant for, and every port has its container."""
    pods = {name: template for name, template in pod_templates(objects)}
    for one in objects:
        if one["kind"] == "Deployment":
            found = _found(pods, one["spec"]["selector"]["matchLabels"])
            assert found == [one["metadata"]["name"]]
            for spread in pods[found[0]]["spec"]["topologySpreadConstraints"]:
                assert _found(pods, spread["labelSelector"]["matchLabels"]) == found
        if one["kind"] == "Service":
            found = _found(pods, one["spec"]["selector"])
            track = one["metadata"]["labels"].get("emrys.dev/track")
            assert found == [name for name in found if track is None or name.endswith(track)] != []
            for port in one["spec"]["ports"]:
                for name in found:
                    ports = {each["name"]: each["containerPort"] for each in containers(pods[name])[-1]["ports"]}
                    assert ports[port["targetPort"]] == port["port"]
        if one["kind"] == "PodDisruptionBudget":
            assert [name[-6:] for name in _found(pods, one["spec"]["selector"]["matchLabels"])] == ["stable"]


def _found(pods, selector):
    return [name for name, pod in pods.items() if selector.items() <= pod["metadata"]["labels"].items()]


def check_pod(name, template):
    spec = template["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True, name
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert not any("hostPath" in volume for volume in volumes.values())
    mounted = set()
    for container in containers(template):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
        assert re.fullmatch(r"\S+(:[\w][\w.-]*|@sha256:[0-9a-f]{64})", container["image"])
        assert not container["image"].endswith(":latest")
        assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]
        for variable in container.get("env", []):  # a secret comes from a secret, or as a file
            assert "valueFrom" in variable or not re.search("TOKEN$|PASSWORD|SECRET|_KEY$", variable["name"])
        mounted |= {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == volumes.keys()
    for volume in volumes.values():
        if "emptyDir" in volume:
            assert "sizeLimit" in volume["emptyDir"]


@pytest.mark.parametrize("chart", [SERVING, PIPELINES], ids=lambda chart: chart.name)
@pytest.mark.parametrize("name", ["values-gke.yaml", "values-onprem.yaml"])
def test_helm_finds_nothing_to_complain_of(chart, name):
    report = helm.lint(chart, rendering.example(chart, name), strict=True, kube_version="v1.31.0")
    # Information (severity 1) is that the chart has no icon.
    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


@pytest.mark.parametrize("chart", [SERVING, PIPELINES], ids=lambda chart: chart.name)
def test_the_chart_has_the_version_of_the_project(chart):
    project = (chart.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.*)"$', project, re.MULTILINE)[1]
    description = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    assert (description["version"], description["appVersion"]) == (version, version)
    assert description["kubeVersion"] == f">={VERSIONS[0]}.0-0"


@pytest.mark.parametrize("chart", [SERVING, PIPELINES], ids=lambda chart: chart.name)
def test_long_names_stay_within_what_kubernetes_takes(chart):
    values = rendering.example(chart, "values-gke.yaml")
    for one in rendering.render(chart, values, name="a-release-with-a-name-that-is-as-long-as-helm-takes"):
        assert len(one["metadata"]["name"]) <= 63


def test_faults_are_found():
    """The validation of this file can fail: of Kubernetes' own kinds, and of the others."""
    objects = rendering.render(SERVING, rendering.example(SERVING, "values-gke.yaml"))
    deployment = rendering.of_kind(objects, "Deployment")
    deployment["spec"]["replica"] = 2
    for version in VERSIONS:
        assert errors(deployment, version) == [
            "Deployment rank-emrys-serving-stable: $.spec: Additional properties are not allowed "
            "('replica' was unexpected)"
        ]
    route = rendering.of_kind(objects, "HTTPRoute")
    route["spec"]["rules"][0]["backendRefs"][0]["weight"] = -1
    assert errors(route, VERSIONS[0]) == [
        "HTTPRoute rank-emrys-serving: $.spec.rules[0].backendRefs[0].weight: -1 is less than the minimum of 0"
    ]

"""Every value is documented and in the schema, and what cannot be is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import helm_python as helm
import jsonschema
import pytest
import yaml

from tests.charts import rendering
from tests.charts.rendering import PIPELINES, SERVING, STABLE, merged

CHARTS = pytest.mark.parametrize("chart", [SERVING, PIPELINES], ids=lambda chart: chart.name)


def schema_of(chart: Path) -> dict[str, Any]:
    return json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))


@CHARTS
def test_the_schema_is_one(chart):
    jsonschema.Draft202012Validator.check_schema(schema_of(chart))


@CHARTS
def test_every_value_has_a_comment(chart):
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    assert _bare(yaml.compose(text), text.splitlines(), "", covered=False) == []


def _bare(node: yaml.Node, lines: list[str], path: str, covered: bool) -> list[str]:
    """Values without a comment above them. What is above a group is enough where none inside has one of its own."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        return [] if covered else [path]
    told = [lines[key.start_mark.line - 1].strip().startswith("#") for key, _ in node.value]
    inherited = covered and not any(told)
    return [
        found
        for (key, value), own in zip(node.value, told, strict=True)
        for found in _bare(value, lines, f"{path}.{key.value}", own or inherited)
    ]


@CHARTS
def test_every_value_is_in_the_schema(chart):
    schema = schema_of(chart)
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    assert set(schema["properties"]) - {"global"} == set(values)
    assert _open_objects(schema) == []


def _open_objects(schema: Any, path: str = "$") -> list[str]:
    """Objects of the schema that name their properties and yet take others."""
    if isinstance(schema, list):
        return [found for number, one in enumerate(schema) for found in _open_objects(one, f"{path}[{number}]")]
    if not isinstance(schema, dict):
        return []
    found = []
    if schema.get("type") == "object" and "properties" in schema and schema.get("additionalProperties") is not False:
        found.append(path)
    return found + [each for key, one in schema.items() for each in _open_objects(one, f"{path}.{key}")]


SERVING_REFUSED = {
    "no repository": ({}, "at '/repository/gcs/url': '' does not match pattern"),
    "unknown value": (merged(STABLE, {"replica": 3}), "additional properties 'replica' not allowed"),
    "unknown inside": (
        merged(STABLE, {"autoscaling": {"max": 3}}),
        "at '/autoscaling': additional properties 'max' not allowed",
    ),
    "latest": (merged(STABLE, {"image": {"tag": "latest"}}), "at '/image/tag': 'not' failed"),
    "tag in the name": (
        merged(STABLE, {"image": {"repository": "emrys/serve:1"}}),
        "at '/image/repository': 'emrys/serve:1' does not match pattern",
    ),
    "root": (merged(STABLE, {"security": {"runAsUser": 0}}), "at '/security/runAsUser': minimum: got 0, want 1"),
    "device": (
        merged(STABLE, {"device": {"kind": "tpu"}}),
        "at '/device/kind': value must be one of 'cpu', 'gpu'",
    ),
    "claim without name": (
        {"repository": {"source": "claim"}},
        "at '/repository/claim/name': minLength: got 0, want 1",
    ),
    "image without tag": (
        {"repository": {"source": "image", "image": {"repository": "models"}}},
        "at '/repository/image/tag': minLength: got 0, want 1",
    ),
    "canary without models": (
        merged(STABLE, {"canary": {"enabled": True}}),
        "at '/canary/repository/gcs/url': '' does not match pattern",
    ),
    "weight": (
        merged(STABLE, {"canary": {"weight": 100}}),
        "at '/canary/weight': maximum: got 100, want 99",
    ),
    "secret in clear text": (
        merged(STABLE, {"server": {"env": [{"name": "A", "value": "x", "secret": "s", "key": "k"}]}}),
        "at '/server/env/0': 'oneOf' failed",
    ),
    "gateway without gateways": (
        merged(STABLE, {"gateway": {"enabled": True}}),
        "at '/gateway/gateways': minItems: got 0, want 1",
    ),
    "compare without rows": (
        merged(STABLE, {"compare": {"enabled": True}}),
        "at '/compare/rows/configMap': minLength: got 0, want 1",
    ),
    "command without arguments": (
        merged(STABLE, {"server": {"command": ["serve"]}}),
        "at '/server/args': minItems: got 0, want 1",
    ),
    "memory as a number": (
        merged(STABLE, {"resources": {"limits": {"memory": 4}}}),
        "at '/resources/limits/memory': got number, want string",
    ),
}

PIPELINES_REFUSED = {
    "unknown step": (
        {"pipelines": {"ranking": {"steps": {"tran": {"cpu": "1", "memory": "1Gi"}}}}},
        "at '/pipelines/ranking/steps': additional properties 'tran' not allowed",
    ),
    "unknown parameter": (
        {"pipelines": {"ranking": {"parameters": {"epoch": 3}}}},
        "at '/pipelines/ranking/parameters': additional properties 'epoch' not allowed",
    ),
    "parameter of another type": (
        {"pipelines": {"ranking": {"parameters": {"epochs": "many"}}}},
        "at '/pipelines/ranking/parameters/epochs': got string, want integer",
    ),
    "cron of five fields": (
        {"retraining": {"schedules": [{"name": "a", "pipeline": "ranking", "cron": "0 3 * * 1", "experiment": "e"}]}},
        "at '/retraining/schedules/0/cron': '0 3 * * 1' does not match pattern",
    ),
    "gpu without a type": (
        {"pipelines": {"ranking": {"steps": {"train": {"gpus": 1}}}}},
        "at '/pipelines/ranking/steps/train': missing property 'gpuType'",
    ),
    "claim without a mode": (
        {"claims": [{"name": "models", "size": "1Gi", "accessModes": []}]},
        "at '/claims/0/accessModes': minItems: got 0, want 1",
    ),
    "latest": ({"images": {"train": {"tag": "latest"}}}, "at '/images/train/tag': 'not' failed"),
    "one image for all": ({"image": {"tag": "1"}}, "additional properties 'image' not allowed"),
}


@pytest.mark.parametrize(
    ("chart", "values", "text"),
    [
        pytest.param(chart, values, text, id=f"{chart.name} {name}")
        for chart, cases in ((SERVING, SERVING_REFUSED), (PIPELINES, PIPELINES_REFUSED))
        for name, (values, text) in cases.items()
    ],
)
def test_values_that_cannot_be_are_refused(chart, values, text):
    with pytest.raises(helm.HelmError) as caught:
        rendering.render(chart, values)
    assert text in str(caught.value)


CONTRADICTIONS = [
    (
        SERVING,
        merged(STABLE, {"shadow": {"enabled": True, **STABLE}}),
        "shadow.enabled needs gateway.enabled: plain Kubernetes cannot copy requests",
    ),
    (
        SERVING,
        merged(STABLE, {"compare": {"enabled": True, "rows": {"configMap": "rows"}}}),
        'compare.candidate is "canary", and canary.enabled is false',
    ),
    (
        SERVING,
        merged(STABLE, {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}),
        "autoscaling.minReplicas (5) is over autoscaling.maxReplicas (2)",
    ),
    (
        SERVING,
        merged(STABLE, {"ports": {"grpc": 8000}}),
        "ports.http, ports.grpc and ports.metrics must differ, got 8000, 8000, 8002",
    ),
    (
        SERVING,
        merged(STABLE, {"gateway": {"enabled": True, "gateways": [{"name": "edge"}], "http": {"enabled": False}}}),
        "gateway.enabled needs gateway.http.enabled or gateway.grpc.enabled",
    ),
    (
        PIPELINES,
        {"pipelines": {"ranking": {"steps": {"train": {"gpus": 1, "gpuType": "l4"}}}}},
        'pipelines.ranking.steps.train.gpuType is "l4", and gpuTypes has no such type; it has '
        "nvidia-h100-80gb, nvidia-l4, "
        "nvidia-tesla-a100, nvidia-tesla-t4",
    ),
    (
        PIPELINES,
        {
            "retraining": {
                "enabled": True,
                "schedules": [{"name": "a", "pipeline": "rnaking", "cron": "0 0 3 * * 1", "experiment": "e"}],
            }
        },
        'retraining.schedules: "a" is to run "rnaking", and pipelines has no such one; it has ranking',
    ),
]


@pytest.mark.parametrize(("chart", "values", "text"), CONTRADICTIONS, ids=[text[:40] for *_, text in CONTRADICTIONS])
def test_values_that_contradict_each_other_are_refused(chart, values, text):
    with pytest.raises(helm.HelmRenderError) as caught:
        rendering.render(chart, values)
    assert text in str(caught.value)

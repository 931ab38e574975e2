"""Renders the charts with Helm's own engine, and validates what comes out."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import helm_python as helm
import jsonschema
import referencing
import yaml

CHARTS = Path(__file__).resolve().parents[2] / "charts"
SERVING = CHARTS / "emrys-serving"
PIPELINES = CHARTS / "emrys-pipelines"

#: The oldest Kubernetes that the charts say they are for, and the newest whose schemas there are.
VERSIONS = ("1.31", "1.37")
NAMESPACE = "recsys"

Values = dict[str, Any]
Object = dict[str, Any]


def merged(*several: Mapping[str, Any]) -> Values:
    """Values one over the other, as Helm does it with several files."""
    result: Values = {}
    for values in several:
        for key, value in values.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def example(chart: Path, name: str) -> Values:
    """Values of an example file, such as `values-gke.yaml`."""
    return yaml.safe_load((chart / name).read_text(encoding="utf-8"))


def manifests(chart: Path, values: Values, name: str = "rank", **options: Any) -> dict[str, str]:
    """Manifests that Helm renders, by template."""
    with helm.Chart.load(chart) as loaded:
        rendered = loaded.render(values, name=name, namespace=NAMESPACE, **options)
    return {Path(template).name: text for template, text in rendered.items()}


def render(chart: Path, values: Values, name: str = "rank", **options: Any) -> list[Object]:
    """Every object that Helm renders; no two have the same kind and name."""
    objects = [
        one
        for template, text in manifests(chart, values, name, **options).items()
        if template.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one is not None
    ]
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names)), names
    return objects


def notes(chart: Path, values: Values) -> str:
    """Notes that Helm prints after an installation."""
    return manifests(chart, values)["NOTES.txt"]


def of_kind(objects: list[Object], kind: str, suffix: str = "") -> Object:
    """The one object of a kind whose name ends so."""
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, [one["metadata"]["name"] for one in found]
    return found[0]


def kinds(objects: list[Object]) -> set[str]:
    """The kinds that there are."""
    return {one["kind"] for one in objects}


def pod_templates(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name of each deployment and job, and the template of its pods."""
    for one in objects:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]


def containers(template: Object) -> list[Object]:
    """All containers of a pod, those of its start included."""
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def errors(one: Object, version: str) -> list[str]:
    """Faults that Kubernetes of a version, or the resource's own schema, would report."""
    found = _errors(json.dumps(one, sort_keys=True), version)
    return [f"{one['kind']} {one['metadata']['name']}: {text}" for text in found]


@functools.cache
def _errors(text: str, version: str) -> tuple[str, ...]:
    one = json.loads(text)
    validator = _validator(one["apiVersion"], one["kind"], version)
    return tuple(f"{error.json_path}: {error.message}" for error in validator.iter_errors(one))


@functools.cache
def _validator(api_version: str, kind: str, version: str) -> Any:
    own = Path(__file__).with_name("schemas") / f"{kind.lower()}.json"
    if own.is_file():
        return jsonschema.Draft202012Validator(json.loads(own.read_text(encoding="utf-8")))
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], number) if part)
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    schema = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, registry=_registry(version, schema.get("$id", "")))


@functools.cache
def _registry(version: str, _: str) -> Any:
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    definitions = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))
    return referencing.Resource.from_contents(definitions) @ referencing.Registry()


STABLE = {"repository": {"gcs": {"url": "gs://models/ranking/1"}}}
_DIGEST = "sha256:" + "0123456789abcdef" * 4
_SOURCES: dict[str, Values] = {
    "gcs": {"source": "gcs", "gcs": {"url": "gs://models/ranking/2"}},
    "gcs-secret": {"source": "gcs", "gcs": {"url": "gs://models/ranking/2", "credentials": {"secret": "reader"}}},
    "claim": {"source": "claim", "claim": {"name": "models", "path": "ranking/2"}},
    "image": {"source": "image", "image": {"repository": "registry.example.com/models", "tag": "2"}},
    "image-volume": {
        "source": "image",
        "image": {"repository": "registry.example.com/models", "digest": _DIGEST, "mount": "volume"},
    },
}
_GATEWAY: Values = {"gateway": {"enabled": True, "gateways": [{"name": "edge", "namespace": "gateways"}]}}
_MONITORED: Values = {
    "autoscaling": {"enabled": True},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboard": {"enabled": True},
    "imagePullSecrets": ["login"],
    "priorityClassName": "serving",
    "server": {"env": [{"name": "A", "value": "1"}, {"name": "B", "secret": "tokens", "key": "b"}]},
}
_DEVICES: dict[str, Values] = {
    "cpu": {},
    "gpu": {
        "device": {"kind": "gpu", "gpus": 2},
        "nodeSelector": {"accelerator": "l4"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    },
}


def _releases(source: Values) -> dict[str, Values]:
    canary: Values = {"canary": {"enabled": True, "weight": 25, "image": {"tag": "9.9.9"}, "repository": source}}
    shadow: Values = {"shadow": {"enabled": True, "percent": 50, "repository": source}}
    routes: Values = {"gateway": {"grpc": {"enabled": True, "hostnames": ["grpc.example.com"]}, "gkeHealthCheck": True}}
    compared: Values = {"compare": {"enabled": True, "rows": {"configMap": "rows"}}}
    return {
        "alone": {},
        "canary": merged(canary, compared),
        "canary-gateway": merged(canary, _GATEWAY, routes, {"networkPolicy": {"enabled": False}}),
        "shadow": merged(shadow, _GATEWAY, compared, {"compare": {"candidate": "shadow"}}),
        "all": merged(canary, shadow, _GATEWAY, routes, compared, {"serviceAccount": {"create": False}}),
    }


def serving_matrix() -> dict[str, Values]:
    """Values of emrys-serving: devices, sources, releases, monitored or not; and the examples."""
    cases = {path.name: example(SERVING, path.name) for path in sorted(SERVING.glob("values-*.yaml"))}
    for device, source, monitored in itertools.product(_DEVICES, _SOURCES, (False, True)):
        for release, values in _releases(_SOURCES[source]).items():
            parts: list[Values] = [_DEVICES[device], {"repository": _SOURCES[source]}, values]
            name = f"{device} {source} {release}{' monitored' if monitored else ''}"
            cases[name] = merged(*parts, _MONITORED if monitored else {})
    return cases


def pipelines_matrix() -> dict[str, Values]:
    """Values of emrys-pipelines: with and without each part; and the examples."""
    cases = {path.name: example(PIPELINES, path.name) for path in sorted(PIPELINES.glob("values-*.yaml"))}
    schedule: Values = {"retraining": {"enabled": True}}
    accounts: Values = {"serviceAccounts": {"runner": {"create": False}, "scheduler": {"create": False}}}
    claim: Values = {"claims": [{"name": "models", "size": "1Gi", "accessModes": ["ReadWriteOnce"]}]}
    gpu: Values = {"pipelines": {"ranking": {"steps": {"train": {"gpus": 2, "gpuType": "nvidia-l4"}}}}}
    cases |= {
        "defaults": {},
        "schedule": schedule,
        "profiles": merged(schedule, {"retraining": {"multiUser": True}}),
        "no accounts": merged(schedule, accounts),
        "no roles": {"rbac": {"create": False}},
        "claims": merged(claim, {"rbac": {"createClaims": True}}),
        "gpu and quota": merged(gpu, {"quota": {"enabled": True}}),
        "digest": merged(schedule, {"images": {"preprocess": {"digest": _DIGEST}}, "imagePullSecrets": ["login"]}),
    }
    return cases

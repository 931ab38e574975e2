"""Manifests of emrys-serving do what they are for."""

from __future__ import annotations

import re

import pytest
import yaml

from emrys.components.serving import canary
from tests.charts import rendering
from tests.charts.rendering import SERVING, STABLE, merged, of_kind

GATEWAY = {"gateway": {"enabled": True, "gateways": [{"name": "edge"}]}}
NEXT = {"repository": {"gcs": {"url": "gs://models/ranking/2"}}}
CANARY = {"canary": {"enabled": True, **NEXT}}
SHADOW = {"shadow": {"enabled": True, **NEXT}}


def render(*values):
    return rendering.render(SERVING, merged(STABLE, *values))


def server(objects, track="stable"):
    return of_kind(objects, "Deployment", track)["spec"]["template"]["spec"]["containers"][0]


def test_probes_ask_triton_for_health():
    container = server(render({"probes": {"startup": {"periodSeconds": 3, "failureThreshold": 100}}}))
    ready = {"path": "/v2/health/ready", "port": "http"}
    assert container["startupProbe"] == {
        "httpGet": ready,
        "periodSeconds": 3,
        "timeoutSeconds": 2,
        "failureThreshold": 100,
    }
    assert container["readinessProbe"]["httpGet"] == ready
    assert container["livenessProbe"]["httpGet"] == {"path": "/v2/health/live", "port": "http"}


def test_a_pod_gets_the_time_to_drain_and_to_finish():
    objects = render({"server": {"drainSeconds": 20, "exitSeconds": 40}})
    spec = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
    assert spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "20"]
    assert "--exit-timeout-secs=40" in spec["containers"][0]["args"]
    assert spec["terminationGracePeriodSeconds"] == 20 + 40 + 15


def test_http_is_answered_by_the_endpoint_that_checks_shapes():
    container = server(render())
    assert container["command"][1:] == ["-P", "-m", "emrys.components.serving.http_endpoint", "tritonserver"]
    assert not any("allow-http" in argument for argument in container["args"])


def test_the_memory_limit_is_the_sum_of_its_parts():
    lines = (SERVING / "values.yaml").read_text().splitlines()
    parts = [float(match[1]) for line in lines if (match := re.match(r"#   ([0-9.]+) GiB  ", line))]
    assert len(parts) == 4
    assert server(render())["resources"]["limits"]["memory"] == f"{sum(parts):g}Gi"
    assert parts[1] == 0.5
    assert "sharedMemory: 512Mi" in "\n".join(lines)


def test_ports_are_the_same_everywhere():
    objects = render({"ports": {"http": 9000, "grpc": 9001, "metrics": 9002}}, GATEWAY)
    arguments = server(objects)["args"]
    assert {"--http-port=9000", "--grpc-port=9001", "--metrics-port=9002"} <= set(arguments)
    service = of_kind(objects, "Service", "rank-emrys-serving")
    policy = of_kind(objects, "NetworkPolicy")["spec"]
    allowed = [[port["port"] for port in rule["ports"]] for rule in policy["ingress"]]
    assert allowed == [[port["port"] for port in service["spec"]["ports"]], [9002]]
    assert of_kind(objects, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0]["port"] == 9000


def test_the_network_policy_lets_in_and_out_what_is_listed():
    clients = [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}]
    objects = render({"networkPolicy": {"clients": clients, "cloudStorage": False}})
    policy = of_kind(objects, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"][0]["from"][0] == clients[0]
    assert policy["ingress"][1]["from"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "monitoring"
    }
    # Names, and nothing else.
    assert policy["egress"] == [{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]
    reached = [
        (to["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for rule in of_kind(render(), "NetworkPolicy")["spec"]["egress"]
        for to in rule.get("to", [])
    ]
    assert reached == [("0.0.0.0/0", 443), ("169.254.169.252/32", 988), ("169.254.169.254/32", 80)]


def test_the_job_that_compares_may_ask_even_when_clients_are_listed():
    compare = {"compare": {"enabled": True, "rows": {"configMap": "rows"}}}
    objects = render(CANARY, compare, {"networkPolicy": {"clients": [{"podSelector": {"matchLabels": {"a": "b"}}}]}})
    selector = of_kind(objects, "NetworkPolicy")["spec"]["ingress"][0]["from"][-1]["podSelector"]["matchLabels"]
    labels = of_kind(objects, "Job")["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()


def test_models_from_cloud_storage():
    objects = render({"repository": {"gcs": {"credentials": {"secret": "reader", "key": "sa.json"}}}})
    spec = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
    fetch = spec["initContainers"][0]
    assert fetch["command"] == ["python3", "-m", "emrys.components.serving.sync"]
    assert fetch["args"] == ["gs://models/ranking/1", "/repository/models"]
    assert {"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/credentials/sa.json"} in fetch["env"]
    assert [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume] == ["reader"]
    assert spec["containers"][0]["args"][0] == "--model-repository=/repository/models"
    # Triton itself gets neither the key nor the right to write.
    mounts = {mount["name"]: mount.get("readOnly") for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts == {"repository": True, "tmp": None, "shm": None}


@pytest.mark.parametrize(
    ("repository", "volume", "folder", "starters"),
    [
        (
            {"source": "claim", "claim": {"name": "models", "path": "a/b"}},
            {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
            "/repository/a/b",
            0,
        ),
        (
            {"source": "claim", "claim": {"name": "models"}},
            {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
            "/repository",
            0,
        ),
        (
            {"source": "image", "image": {"repository": "r.example.com/m", "tag": "3", "mount": "volume"}},
            {"image": {"reference": "r.example.com/m:3", "pullPolicy": "IfNotPresent"}},
            "/repository/models",
            0,
        ),
        (
            {"source": "image", "image": {"repository": "r.example.com/m", "tag": "3", "size": "2Gi"}},
            {"emptyDir": {"sizeLimit": "2Gi"}},
            "/repository/models",
            1,
        ),
    ],
)
def test_models_from_a_claim_or_an_image(repository, volume, folder, starters):
    spec = of_kind(render({"repository": repository}), "Deployment")["spec"]["template"]["spec"]
    assert spec["volumes"][0] == {"name": "repository", **volume}
    assert spec["containers"][0]["args"][0] == f"--model-repository={folder}"
    starting = spec.get("initContainers", [])
    assert [one["image"] for one in starting] == ["r.example.com/m:3"] * starters
    assert [one["args"] for one in starting] == [["-R", "/models/.", "/repository/models"]] * starters


def test_gpu_or_cpu_by_value():
    assert "nvidia.com/gpu" not in server(render())["resources"]["limits"]
    container = server(render({"device": {"kind": "gpu", "gpus": 2, "resource": "nvidia.com/mig-1g.10gb"}}))
    assert container["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == 2
    assert container["resources"]["requests"]["nvidia.com/mig-1g.10gb"] == 2
    assert "--allow-gpu-metrics=true" in container["args"]
    assert "--allow-gpu-metrics=false" in server(render())["args"]


def test_where_pods_run():
    values = {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
    }
    spec = of_kind(render(values), "Deployment")["spec"]["template"]["spec"]
    assert {name: spec[name] for name in values} == values
    keys = [one["topologyKey"] for one in of_kind(render(), "Deployment")["spec"]["template"]["spec"]
            ["topologySpreadConstraints"]]  # fmt: skip
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_the_autoscaler_owns_the_number_of_pods():
    assert of_kind(render({"replicas": 5}), "Deployment")["spec"]["replicas"] == 5
    objects = render({"autoscaling": {"enabled": True}})
    assert "replicas" not in of_kind(objects, "Deployment")["spec"]
    target = of_kind(objects, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "rank-emrys-serving-stable")


def test_a_canary_behind_a_gateway_gets_its_weight():
    objects = render(GATEWAY, CANARY, {"canary": {"weight": 5, "replicas": 3, "image": {"tag": "2.0.0"}}})
    backends = of_kind(objects, "HTTPRoute")["spec"]["rules"][0]["backendRefs"]
    assert [(one["name"], one["weight"]) for one in backends] == [
        ("rank-emrys-serving-stable", 95),
        ("rank-emrys-serving-canary", 5),
    ]
    assert of_kind(objects, "Deployment", "canary")["spec"]["replicas"] == 3
    assert server(objects, "canary")["image"] == "emrys/serve:2.0.0"
    # Who goes past the gateway gets the stable release.
    assert _tracks(objects) == {"stable"}


@pytest.mark.parametrize(
    ("stable", "weight", "pods"),
    [(2, 10, 1), (9, 10, 1), (18, 10, 2), (3, 50, 3), (2, 75, 6)],  # stable * weight / (100 - weight), one at least
)
def test_a_canary_without_a_gateway_has_pods_by_its_weight(stable, weight, pods):
    objects = render(CANARY, {"replicas": stable, "canary": {"weight": weight}})
    assert of_kind(objects, "Deployment", "canary")["spec"]["replicas"] == pods
    assert _tracks(objects) == {"stable", "canary"}


def _tracks(objects):
    """Releases whose pods the clients' service finds."""
    selector = of_kind(objects, "Service", "rank-emrys-serving")["spec"]["selector"]
    templates = dict(rendering.pod_templates(objects))
    return {
        pod["metadata"]["labels"]["emrys.dev/track"]
        for pod in templates.values()
        if selector.items() <= pod["metadata"]["labels"].items()
    }


def test_a_canary_changes_nothing_about_the_stable_pods():
    """Otherwise every canary would start them anew."""
    before = of_kind(render(), "Deployment", "stable")["spec"]["template"]
    for values in (CANARY, merged(CANARY, GATEWAY), merged(SHADOW, GATEWAY)):
        assert of_kind(render(values), "Deployment", "stable")["spec"]["template"] == before


def test_a_shadow_gets_copies_and_answers_nobody():
    objects = render(GATEWAY, SHADOW, {"shadow": {"percent": 30}})
    rule = of_kind(objects, "HTTPRoute")["spec"]["rules"][0]
    mirror = {"backendRef": {"name": "rank-emrys-serving-shadow", "port": 8000}, "percent": 30}
    assert rule["filters"] == [{"type": "RequestMirror", "requestMirror": mirror}]
    assert [(one["name"], one["weight"]) for one in rule["backendRefs"]] == [("rank-emrys-serving-stable", 100)]
    assert _tracks(objects) == {"stable"}


def test_the_digest_of_all_is_not_that_of_a_canary_with_a_tag():
    digest = "sha256:" + "a" * 64
    objects = render(CANARY, {"image": {"digest": digest}, "canary": {"image": {"tag": "2.0.0"}}})
    assert server(objects)["image"] == f"emrys/serve@{digest}"
    assert server(objects, "canary")["image"] == "emrys/serve:2.0.0"
    same = render(CANARY, {"image": {"digest": digest}})
    assert server(same, "canary")["image"] == f"emrys/serve@{digest}"


def test_the_comparison_asks_both_releases(capsys):
    values = {"compare": {"enabled": True, "rows": {"configMap": "rows"}, "maxMeanDifference": 0.02}}
    objects = rendering.render(SERVING, merged(STABLE, CANARY, values), revision=7)
    job = of_kind(objects, "Job")
    assert job["metadata"]["name"] == "rank-emrys-serving-compare-7"
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["python3", "-m", "emrys.components.serving.canary"]
    assert container["args"] == [
        "rank-emrys-serving-stable:8001",
        "rank-emrys-serving-canary:8001",
        "--model=ranking",
        "--rows=/rows/rows.jsonl",
        "--max-mean-difference=0.02",
        "--min-rank-correlation=0.9",
        "--wait=600",
    ]
    services = {one["metadata"]["name"] for one in objects if one["kind"] == "Service"}
    # The program knows these arguments: what it lacks here is the file.
    assert canary.main(container["args"]) == 2
    assert "compare: /rows/rows.jsonl: " in capsys.readouterr().err
    assert {argument.split(":")[0] for argument in container["args"][:2]} <= services


def test_gke_gets_the_health_check_of_every_release():
    objects = render(GATEWAY, CANARY, SHADOW, {"gateway": {"gkeHealthCheck": True}})
    checks = [one for one in objects if one["kind"] == "HealthCheckPolicy"]
    assert [one["spec"]["targetRef"]["name"].rsplit("-", 1)[1] for one in checks] == ["stable", "canary", "shadow"]
    probe = server(objects)["readinessProbe"]["httpGet"]
    for one in checks:
        assert one["spec"]["default"]["config"]["httpHealthCheck"] == {"port": 8000, "requestPath": probe["path"]}


def test_notes_say_what_to_do_next():
    text = rendering.notes(SERVING, merged(STABLE, CANARY, {"autoscaling": {"enabled": True}}))
    assert "kubectl -n recsys rollout status deployment/rank-emrys-serving-stable" in text
    assert "get configmap rank-emrys-serving-adapter-rule" in text
    assert "pods/*/emrys_ranking_queue_us_per_request" in text
    assert "by number of pods: 1 beside 2 stable" in text
    assert "canary.enabled=false" in text
    plain = rendering.notes(SERVING, STABLE)
    assert "Canary" not in plain
    assert "adapter" not in plain


def test_another_name_of_the_ensemble_goes_everywhere():
    values = {"model": {"name": "shop-ranking"}, "autoscaling": {"enabled": True}, "dashboard": {"enabled": True}}
    objects = render(values)
    metric = of_kind(objects, "HorizontalPodAutoscaler")["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert metric == "emrys_shop_ranking_queue_us_per_request"
    rule = yaml.safe_load(of_kind(objects, "ConfigMap", "adapter-rule")["data"]["values.yaml"])["rules"]["custom"][0]
    assert rule["name"]["as"] == metric
    assert 'model=~"shop-ranking(_transform|_model)?"' in rule["metricsQuery"]

"""Manifests of emrys-pipelines fit Kubeflow Pipelines and the pipeline itself."""

from __future__ import annotations

import dataclasses
import json
from importlib import metadata

import pytest

from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.ranking_config import RankingParameters
from emrys.pipelines.config.resources import Resources, TaintEffect, Toleration, TolerationOperator
from emrys.pipelines.spec import SPECS, pipeline_spec
from tests.charts import regenerate, rendering
from tests.charts.rendering import PIPELINES, merged, of_kind

GPU = {
    "pipelines": {"ranking": {"steps": {"train": {"cpu": "8", "memory": "32Gi", "gpus": 2, "gpuType": "nvidia-l4"}}}}
}
SCHEDULE = {"retraining": {"enabled": True}}
NIGHTLY = {"name": "nightly", "pipeline": "ranking", "cron": "0 30 2 * * *", "experiment": "nights"}


def render(*values, **options):
    return rendering.render(PIPELINES, merged(*values), **options)


def configuration(objects, tmp_path, name="ranking"):
    """The configuration that the chart writes, as the pipeline reads it."""
    file = tmp_path / f"{name}.yaml"
    file.write_text(of_kind(objects, "ConfigMap", "-config")["data"][f"{name}.yaml"], encoding="utf-8")
    return read_config(file, pipeline_spec(name).config)


@pytest.mark.parametrize("name", SPECS)
def test_the_defaults_are_those_of_the_pipeline(name, tmp_path):
    assert configuration(render(), tmp_path, name) == pipeline_spec(name).config()


def test_the_schema_has_the_names_of_the_configurations():
    """After a change: python -m tests.charts.regenerate, and a new step into values.yaml."""
    assert json.loads(regenerate.SCHEMA.read_text(encoding="utf-8")) == regenerate.whole_schema()


def test_values_reach_the_pipeline(tmp_path):
    parameters = {"dataset": "ml-1m", "epochs": 3, "top_layers": [32, 16], "dropout": 0.5}
    own = {"key": "team", "operator": "Equal", "value": "ml", "effect": "NoExecute"}
    steps = {"train": {"nodeSelector": {"pool": "ml"}, "tolerations": [own]}, "ingest": {"cpu": "500m"}}
    values = merged(GPU, {"pipelines": {"ranking": {"parameters": parameters, "steps": steps}}})
    config = configuration(render(values), tmp_path)
    assert config.parameters == RankingParameters(dataset="ml-1m", epochs=3, top_layers=(32, 16), dropout=0.5)
    assert config.steps.ingest == Resources(cpu="500m", memory="2Gi")
    assert config.steps.train == Resources(
        cpu="8",
        memory="32Gi",
        gpus=2,
        accelerator="nvidia.com/gpu",
        node_selector={"pool": "ml", "cloud.google.com/gke-accelerator": "nvidia-l4"},
        tolerations=(
            Toleration("team", TolerationOperator.EQUAL, "ml", TaintEffect.NO_EXECUTE),
            Toleration("nvidia.com/gpu", TolerationOperator.EXISTS, "", TaintEffect.NO_SCHEDULE),
        ),
    )


@pytest.mark.parametrize("name", ["values-gke.yaml", "values-onprem.yaml"])
def test_the_examples_are_configurations(name, tmp_path):
    values = rendering.example(PIPELINES, name)
    config = configuration(render(values), tmp_path)
    for kind, image in dataclasses.asdict(config.images).items():
        assert image == f"{values['images'][kind]['repository']}:{metadata.version('emrys')}"
    table = merged(render_defaults()["gpuTypes"], values.get("gpuTypes", {}))
    chosen = table[values["pipelines"]["ranking"]["steps"]["train"]["gpuType"]]
    assert config.steps.train.gpus == 1
    assert config.steps.train.node_selector == chosen["nodeSelector"]


def render_defaults():
    return rendering.example(PIPELINES, "values.yaml")


def test_runs_may_do_no_more_than_they_must():
    objects = render({"rbac": {"readSecrets": ["store"], "launcherConfig": "launcher"}})
    assert of_kind(objects, "Role", "-runner")["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["launcher"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["store"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    ]
    assert not any("secrets" in rule["resources"] for rule in _rules({"rbac": {"readSecrets": []}}))


@pytest.mark.parametrize("values", rendering.pipelines_matrix().values(), ids=rendering.pipelines_matrix())
def test_no_role_is_wide(values):
    for rule in _rules(values):
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
        assert rule["resources"] != ["secrets"] or rule["resourceNames"]


def _rules(values):
    return [rule for one in render(values) if one["kind"] == "Role" for rule in one["rules"]]


def test_roles_are_bound_to_the_accounts():
    objects = render(SCHEDULE, {"retraining": {"multiUser": True}})
    accounts = {one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"}
    assert accounts == {"rank-emrys-pipelines-runner", "rank-emrys-pipelines-scheduler"}
    for role in ("-runner", "-scheduler"):
        binding = of_kind(objects, "RoleBinding", role)
        assert binding["roleRef"]["name"] == of_kind(objects, "Role", role)["metadata"]["name"]
        (subject,) = binding["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": f"rank-emrys-pipelines{role}", "namespace": "recsys"}
    kept = render({"serviceAccounts": {"runner": {"create": False, "name": "default-editor"}}})
    assert of_kind(kept, "RoleBinding")["subjects"][0]["name"] == "default-editor"


def test_the_schedule_is_made_by_a_job():
    assert "Job" not in rendering.kinds(render())
    values = merged(SCHEDULE, {"retraining": {"schedules": [NIGHTLY]}})
    job = of_kind(render(values), "Job")
    assert job["metadata"]["annotations"] == {
        "helm.sh/hook": "post-install,post-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }
    spec = job["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert container["command"] == ["emrys", "schedule", "create", "ranking"]
    assert {
        "--cron=0 30 2 * * *",
        "--name=nightly",
        "--experiment=nights",
        "--config=/config/ranking.yaml",
        "--namespace=recsys",
        "--service-account=rank-emrys-pipelines-runner",
    } <= set(container["args"])
    assert {"name": "config", "configMap": {"name": "rank-emrys-pipelines-config"}} in spec["volumes"]
    upgraded = of_kind(render(values, is_upgrade=True, is_install=False), "Job")
    assert upgraded["spec"]["template"]["spec"]["containers"][0]["command"][2] == "update"


def test_with_profiles_the_job_carries_a_token_for_kubeflow_pipelines_alone():
    spec = of_kind(render(SCHEDULE, {"retraining": {"multiUser": True}}), "Job")["spec"]["template"]["spec"]
    (token,) = [volume for volume in spec["volumes"] if volume["name"] == "token"]
    assert token["projected"]["sources"] == [
        {
            "serviceAccountToken": {
                "path": "token",
                "audience": "pipelines.kubeflow.org",
                "expirationSeconds": 7200,
            }
        }
    ]
    (path,) = [one["value"] for one in spec["containers"][0]["env"] if one["name"] == "KF_PIPELINES_SA_TOKEN_PATH"]
    (mount,) = [one["mountPath"] for one in spec["containers"][0]["volumeMounts"] if one["name"] == "token"]
    assert path == f"{mount}/token"


def test_the_quota_follows_from_the_steps():
    objects = render(GPU, {"quota": {"enabled": True, "parallelSteps": 3, "overhead": {"cpu": "500m"}}})
    limits = of_kind(objects, "LimitRange")["spec"]["limits"][0]
    assert limits["max"] == {"cpu": "8000m", "memory": "32768Mi"}  # the largest step: train
    # 3 x 8000m + 500m; 3 x 32 Gi + 4 Gi; 3 x 2 GPUs; 3 steps and 20 pods besides.
    assert of_kind(objects, "ResourceQuota")["spec"]["hard"] == {
        "requests.cpu": "24500m",
        "limits.cpu": "24500m",
        "requests.memory": "102400Mi",
        "limits.memory": "102400Mi",
        "requests.nvidia.com/gpu": "6",
        "pods": "23",
    }
    without = of_kind(render({"quota": {"enabled": True}}), "ResourceQuota")["spec"]["hard"]
    assert without["requests.nvidia.com/gpu"] == "0"  # no step asks for one


def test_amounts_in_other_units():
    steps = {"train": {"cpu": "2.5", "memory": "1Ti"}, "ingest": {"cpu": "700m", "memory": "512Mi"}}
    limits = of_kind(render({"pipelines": {"ranking": {"steps": steps}}, "quota": {"enabled": True}}), "LimitRange")
    assert limits["spec"]["limits"][0]["max"] == {"cpu": "2500m", "memory": "1048576Mi"}


def test_claims_are_kept_and_images_are_pulled_with_secrets():
    claim = {"name": "models", "size": "5Gi", "storageClass": "nfs", "accessModes": ["ReadWriteMany"]}
    objects = render({"claims": [claim], "imagePullSecrets": ["login"]}, SCHEDULE)
    made = of_kind(objects, "PersistentVolumeClaim")
    assert made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert made["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "nfs",
        "resources": {"requests": {"storage": "5Gi"}},
    }
    for account in (one for one in objects if one["kind"] == "ServiceAccount"):
        assert account["imagePullSecrets"] == [{"name": "login"}]
    assert of_kind(objects, "Job")["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "login"}]


def test_notes_say_what_to_do_next():
    text = rendering.notes(PIPELINES, {})
    assert "get configmap rank-emrys-pipelines-config" in text
    assert "emrys compile ranking --config cluster.yaml -o ranking.yaml" in text
    assert "retraining.enabled=true" in text
    assert "logs job/rank-emrys-pipelines-schedule-ranking-retraining" in rendering.notes(PIPELINES, SCHEDULE)

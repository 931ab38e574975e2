"""Requests of the client to Kubeflow Pipelines."""

from __future__ import annotations

import json
import re

import pytest

from emrys import pipelines
from emrys.blocks.errors import ConfigError
from emrys.pipelines.cli.main import call
from emrys.pipelines.cluster.cluster import Cluster, ClusterError
from emrys.pipelines.config.arguments import checked_arguments, read_arguments
from emrys.pipelines.config.ranking_config import RankingConfig
from tests.pipelines.cluster.kubeflow_api import kubeflow_api

UPLOAD_FIRST = [
    "GET /healthz",
    "GET /pipelines",
    "POST /pipelines/upload",
    "GET /pipelines/pipeline-1/versions",
    "POST /pipelines/upload_version",
]
NEW_EXPERIMENT = ["GET /experiments", "POST /experiments"]


@pytest.fixture
def api(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # KFP's client keeps settings there
    for name in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_SA_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    with kubeflow_api() as running:
        yield running


def emrys(capsys, *arguments: str) -> tuple[int, str, str]:
    status = call(arguments)
    return status, *capsys.readouterr()


@pytest.mark.slow
def test_submit_from_python(api):
    run = pipelines.submit("ranking", host=api.url, arguments={"epochs": 3}, token="secret")
    assert run == "run-1"
    assert api.requests == [*UPLOAD_FIRST, *NEW_EXPERIMENT, "POST /runs"]
    assert api.tokens == {"Bearer secret"}
    (body,) = api.bodies
    assert body.pop("display_name").startswith("ranking 20")
    assert body == {
        "experiment_id": "experiment-1",
        "pipeline_version_reference": {"pipeline_id": "pipeline-1", "pipeline_version_id": "version-1"},
        "runtime_config": {"parameters": {"epochs": 3}},
    }


@pytest.mark.slow
def test_the_same_pipeline_is_uploaded_once_and_a_changed_one_as_a_version(api, tmp_path):
    pipelines.submit("ranking", host=api.url)
    api.requests.clear()
    pipelines.submit("ranking", host=api.url)
    known = ["GET /healthz", "GET /pipelines", "GET /pipelines/pipeline-1/versions"]
    assert api.requests == [*known, "GET /experiments", "POST /runs"]
    (tmp_path / "config.yaml").write_text("parameters: {epochs: 7}", encoding="utf-8")
    pipelines.submit("ranking", host=api.url, config=tmp_path / "config.yaml", experiment="other")
    assert list(api.pipelines) == ["ranking"], "not a second pipeline"
    assert api.runs[-1]["pipeline_version_reference"]["pipeline_version_id"] == "version-2"
    assert re.fullmatch(r"\d+\.\d+\.\d+-[0-9a-f]{12}", list(api.versions["pipeline-1"])[-1])


@pytest.mark.slow
def test_submit_and_wait(api, capsys):
    api.states = ["RUNNING", "RUNNING", "SUCCEEDED"]
    status, out, _ = emrys(
        capsys, "submit", "ranking", "--host", api.url, "--set", "epochs=2", "--set", "top_layers=[8, 4]",
        "--service-account", "runner", "--experiment", "nightly",
    )  # fmt: skip
    assert status == 0
    assert out.splitlines() == ["run-1", f"{api.url}/#/runs/details/run-1"]
    assert api.bodies[0]["runtime_config"] == {"parameters": {"epochs": 2, "top_layers": [8, 4]}}
    assert api.bodies[0]["service_account"] == "runner"
    assert api.experiments == {"nightly": "experiment-1"}
    api.requests.clear()
    status, out, _ = emrys(capsys, "wait", "run-1", "--host", api.url, "--pause", "0.1")
    assert (status, out.split()) == (0, ["RUNNING", "SUCCEEDED"])
    assert api.requests == ["GET /healthz", *["GET /runs/run-1"] * 3]
    api.states = ["CANCELED"]
    assert emrys(capsys, "wait", "run-1", "--host", api.url)[:2] == (1, "CANCELED\n")
    api.states = ["RUNNING"]
    status, _, err = emrys(capsys, "wait", "run-1", "--host", api.url, "--timeout", "1", "--pause", "0.5")
    assert status == 1
    assert "run run-1 has not ended; got RUNNING after 1 s" in err


@pytest.mark.slow
def test_submit_a_recipe(api, capsys, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("data: {path: gs://b/log}\nmodel: {name: two-tower}\ntrain: {epochs: 9}\n", encoding="utf-8")
    status, _, _ = emrys(capsys, "submit", str(recipe), "--host", api.url, "--set", "patience=7")
    assert status == 0
    assert api.experiments == {"retrieval": "experiment-1"}
    parameters = api.bodies[0]["runtime_config"]["parameters"]
    assert parameters["recipe"] == {
        "data": {"path": "gs://b/log"}, "model": {"name": "two-tower"}, "train": {"epochs": 9},
    }  # fmt: skip
    assert (parameters["epochs"], parameters["patience"], parameters["architecture"]) == (9, 7, "two-tower")


@pytest.mark.slow
def test_options_come_from_the_command_line_before_the_configuration(api, capsys, tmp_path):
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    file = tmp_path / "config.yaml"
    options = {"host": api.url, "token_file": str(tmp_path / "token"), "experiment": "own", "service_account": "runner"}
    file.write_text(json.dumps({"cluster": options, "parameters": {"epochs": 7}}), encoding="utf-8")
    status, out, _ = emrys(capsys, "submit", "ranking", "--config", str(file), "--experiment", "other")
    assert (status, out.splitlines()[0]) == (0, "run-1")
    assert api.tokens == {"Bearer secret"}
    assert (api.bodies[0]["service_account"], api.experiments) == ("runner", {"other": "experiment-1"})
    nightly = ("--name", "nightly", "--cron", "0 0 3 * * *", "--config", str(file))
    assert emrys(capsys, "schedule", "create", "ranking", *nightly)[0] == 0
    assert api.bodies[1]["service_account"] == "runner"
    assert api.experiments == {"other": "experiment-1", "own": "experiment-2"}


@pytest.mark.slow
def test_a_schedule_is_created_replaced_listed_and_deleted(api, capsys):
    host = ("--host", api.url)
    nightly = ("--name", "nightly", "--cron", "0 0 3 * * *")
    status, out, _ = emrys(capsys, "schedule", "create", "ranking", *nightly, *host, "--set", "dataset=ml-1m")
    assert status == 0
    assert out.startswith("schedule-1  nightly  0 0 3 * * *  ranking ")
    assert api.requests == [
        "GET /healthz",
        *UPLOAD_FIRST[1:],
        "GET /recurringruns",
        *NEW_EXPERIMENT,
        "POST /recurringruns",
    ]
    assert api.bodies == [
        {
            "display_name": "nightly",
            "experiment_id": "experiment-1",
            "max_concurrency": "1" if isinstance(api.bodies[0]["max_concurrency"], str) else 1,
            "mode": "ENABLE",
            "no_catchup": True,
            "pipeline_version_reference": {"pipeline_id": "pipeline-1", "pipeline_version_id": "version-1"},
            "runtime_config": {"parameters": {"dataset": "ml-1m"}},
            "trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}},
        }
    ]
    status, _, err = emrys(capsys, "schedule", "create", "ranking", *nightly, *host)
    assert status == 2
    assert "the schedule 'nightly' exists already" in err

    api.requests.clear()
    later = ("--name", "nightly", "--cron", "0 30 2 * * *")
    assert emrys(capsys, "schedule", "update", "ranking", *later, *host)[0] == 0
    assert api.requests == [
        "GET /healthz",
        "GET /pipelines",
        "GET /pipelines/pipeline-1/versions",
        "GET /recurringruns",
        "GET /experiments",
        "POST /recurringruns",
        "DELETE /recurringruns/schedule-1",
    ]
    assert [one["trigger"]["cron_schedule"]["cron"] for one in api.schedules] == ["0 30 2 * * *"]
    status, out, _ = emrys(capsys, "schedule", "list", *host)
    assert "nightly" in out
    assert "0 30 2 * * *" in out

    assert emrys(capsys, "schedule", "delete", "--name", "nightly", *host)[1] == "deleted 1 named 'nightly'\n"
    assert api.requests[-2:] == ["GET /recurringruns", "DELETE /recurringruns/schedule-2"]
    status, _, err = emrys(capsys, "schedule", "delete", "--name", "nightly", *host)
    assert status == 2
    assert "there is no schedule 'nightly'; expected one of none" in err
    assert emrys(capsys, "schedule", "list", *host)[1] == "There are no schedules.\n"


@pytest.mark.slow
def test_an_update_makes_a_schedule_that_is_missing(api, capsys):
    arguments = ("--name", "weekly", "--cron", "0 0 3 * * 1", "--host", api.url)
    assert emrys(capsys, "schedule", "update", "ranking", *arguments)[0] == 0
    assert [one["display_name"] for one in api.schedules] == ["weekly"]


def test_schedules_on_several_pages(api):
    cluster = Cluster(api.url)
    api.schedules = [{"display_name": f"s{n}", "recurring_run_id": f"schedule-{n}"} for n in range(5)]
    assert [one.display_name for one in cluster.schedules()] == ["s0", "s1", "s2", "s3", "s4"]


@pytest.mark.slow
def test_runs(api, capsys):
    assert emrys(capsys, "runs", "--host", api.url)[1] == "There are no runs.\n"
    pipelines.submit("ranking", host=api.url, run_name="mine")
    out = emrys(capsys, "runs", "--host", api.url, "-n", "5")[1]
    assert out.split() == ["started", "name", "state", "id", "2026-01-31", "08:15", "mine", "PENDING", "run-1"]
    status, _, err = emrys(capsys, "runs", "--host", api.url, "--experiment", "none")
    assert status == 2
    assert "there is no experiment 'none'" in err


class TestUsedWrongly:
    def test_an_unknown_parameter(self, api, capsys):
        status, _, err = emrys(capsys, "submit", "ranking", "--host", api.url, "--set", "epoch=3")
        assert status == 2
        assert "ranking has no parameter 'epoch'" in err
        assert "Did you mean 'epochs'?" in err
        assert "POST /runs" not in api.requests

    def test_a_value_of_another_type(self, api, capsys):
        status, _, err = emrys(capsys, "submit", "ranking", "--host", api.url, "--set", "epochs=many")
        assert status == 2
        assert "ranking: epochs: Input should be a valid integer" in err

    def test_no_address(self, api, capsys):
        status, _, err = emrys(capsys, "submit", "ranking")
        assert status == 2
        assert "the address of Kubeflow Pipelines is not known" in err
        assert "Give --host or, in the configuration, cluster.host; or set KF_PIPELINES_ENDPOINT." in err

    def test_an_unknown_pipeline(self, api, capsys):
        status, _, err = emrys(capsys, "submit", "rankin", "--host", api.url)
        assert status == 2
        assert "no such pipeline: 'rankin'" in err

    @pytest.mark.slow
    def test_a_cron_of_five_fields(self, api, capsys):
        arguments = ("--name", "n", "--cron", "0 3 * * *", "--host", api.url)
        status, _, err = emrys(capsys, "schedule", "create", "ranking", *arguments)
        assert status == 2
        assert "--cron; expected six fields" in err

    def test_access_denied(self, api, capsys):
        api.fail = 403
        status, _, err = emrys(capsys, "schedule", "list", "--host", api.url, "--namespace", "team")
        assert status == 1
        assert err.count("\n") == 1
        assert (
            "list schedules: Kubeflow Pipelines answers 403 Forbidden; got permission denied: user has no access" in err
        )

    def test_nothing_there(self, capsys, api):
        status, _, err = emrys(capsys, "runs", "--host", "http://127.0.0.1:9", "--namespace", "team")
        assert status == 1
        assert "no answer" in err
        assert "Check --host." in err

    def test_a_missing_token(self, api, capsys, tmp_path):
        status, _, err = emrys(capsys, "runs", "--host", api.url, "--token-file", str(tmp_path / "nope"))
        assert status == 2
        assert "nope: the token cannot be read (No such file or directory)" in err


def test_arguments_are_yaml():
    arguments = read_arguments(["epochs=3", "dataset=a=b", "top_layers=[1, 2]", "seed=  4"])
    assert arguments == {"epochs": 3, "dataset": "a=b", "top_layers": [1, 2], "seed": 4}
    assert checked_arguments("ranking", RankingConfig, {"learning_rate": 1}) == {"learning_rate": 1.0}
    with pytest.raises(ConfigError, match="--set; expected NAME=VALUE, got 'epochs'"):
        read_arguments(["epochs"])


def test_the_timeout_of_wait(api):
    api.states = ["RUNNING"]
    with pytest.raises(ClusterError, match="run r has not ended"):
        Cluster(api.url).wait("r", timeout=0.1, pause=0.2)

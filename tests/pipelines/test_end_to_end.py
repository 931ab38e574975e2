"""Whole pipelines on a small log, through the command line, as a user runs them: a model that passes the gate."""

import contextlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from kfp import components

from blocks.errors import DependencyError
from components.artifacts.evaluation import Evaluation
from components.artifacts.gate_decision import GateDecision
from components.artifacts.model import ModelArtifact
from components.artifacts.splits import Splits
from components.artifacts.statistics import Statistics
from components.artifacts.triton_repository import TritonRepository
from components.export_ensemble.server_files import ServerFiles
from components.registry.registry import Registry
from pipelines.catalogue import definition
from pipelines.cli.main import call
from pipelines.summary import artifacts_of
from tests.pipelines.conftest import EMRYS


def has_server():
    try:
        ServerFiles.find()
    except DependencyError:
        # Continuous integration has to have the server.
        return bool(os.environ.get("CI"))
    return True


@pytest.fixture(params=["ranking", "retrieval"])
def pipeline(request):
    return request.param


@pytest.fixture
def finished(pipeline, request):
    found = request.getfixturevalue(f"{pipeline}_run")
    assert found.status == 0, "\n".join(found.said)
    return found


def test_every_step_is_told_with_its_time_and_the_log_stays_in_its_file(pipeline, finished):
    steps = definition(pipeline).steps
    ends = [match for line in finished.said if (match := re.fullmatch(r"\[(\d+)/12\] (.+) done in [\d.]+ s", line))]
    assert [match.groups() for match in ends] == [
        (str(place), step.replace("_", " ")) for place, step in enumerate(steps, start=1)
    ]
    assert "KFP Executor" not in "\n".join(finished.said)
    assert "KFP Executor" in (finished.out / "run.log").read_text()


def test_the_table_tells_where_things_are(pipeline, finished):
    out, table = finished.out, finished.table
    metrics = json.loads((out / "metrics.json").read_text())
    assert table["rows"] == f"{metrics['train_rows']:,} train, {metrics['rows']:,} test"
    assert re.fullmatch(r"passed \d+ checks", table["gate"])
    assert Path(table["report"]) == out / "report.html"
    assert Path(table["pipeline"]) == out / f"{pipeline}.yaml"
    assert Path(table["Triton repository"]) == out / "triton"
    assert re.fullmatch(rf"(\S+/)?emrys serve {re.escape(str(out))}", table["serve it"])


def test_the_table_tells_the_metrics_of_ranking(ranking_run):
    metrics = json.loads((ranking_run.out / "metrics.json").read_text())
    table = ranking_run.table
    assert table["AUC"] == f"{metrics['auc']:.4f} (user mean + item mean {metrics['mean_baseline_auc']:.4f})"
    assert table["NDCG@10"] == f"{metrics['ndcg_at_10']:.4f} (popularity {metrics['popularity_ndcg_at_10']:.4f})"


def test_the_table_tells_the_metrics_of_retrieval(retrieval_run):
    metrics = json.loads((retrieval_run.out / "metrics.json").read_text())
    for title, name in (("NDCG@10", "ndcg_at_10"), ("Recall@50", "recall_at_50")):
        others = f"popularity {metrics[f'popularity_{name}']:.4f}, last item {metrics[f'last_item_{name}']:.4f}"
        assert retrieval_run.table[title] == f"{metrics[name]:.4f} ({others})"
    assert "in production" not in retrieval_run.table


def test_what_the_table_names_is_there_and_whole(pipeline, finished):
    out, artifacts = finished.out, artifacts_of(finished.out)
    assert (out / "report.html").read_bytes() == artifacts["page"].read_bytes()
    assert json.loads((out / "metrics.json").read_text()) == Evaluation(artifacts["evaluation"]).metrics
    assert TritonRepository(out / "triton").name == "small"
    assert GateDecision(artifacts["decision"]).passed
    assert Statistics(artifacts["statistics"]).verdict == "passed"
    assert components.load_component_from_text((out / f"{pipeline}.yaml").read_text()).name == pipeline


def test_arguments_come_from_the_command_line_before_the_configuration(ranking_run):
    artifacts = artifacts_of(ranking_run.out)
    assert len(ModelArtifact(artifacts["model"]).history) == 1  # --epochs 1, where the file says 5
    assert sum(Splits(artifacts["splits"]).metadata["rows"].values()) == 4000


def test_what_passed_is_in_production(ranking_run, workplace):
    registry = Registry(workplace / "registry", "small")
    version = registry.current()
    assert ranking_run.table["in production"] == version.name
    assert version.facts["metrics"] == json.loads((ranking_run.out / "metrics.json").read_text())
    kept = registry.fetch(version, workplace / "fetched", "repository")
    assert (kept / "manifest.json").read_bytes() == (ranking_run.out / "triton" / "manifest.json").read_bytes()


def test_a_run_is_promoted_under_its_own_name(ranking_run, tmp_path, capsys):
    command = ["promote", str(ranking_run.out), "--registry", str(tmp_path / "models")]
    assert call([*command, "--dry-run"]) == 0
    assert f"to {tmp_path}/models/small, and put them into production" in capsys.readouterr().out
    assert call(command) == 0
    assert capsys.readouterr().out.startswith("small: went from none to 20")
    assert Registry(tmp_path / "models", "small").current() is not None


def test_kfp_has_the_metrics_and_the_curve(ranking_run):
    out = ranking_run.out
    (steps,) = (out / "pipeline").glob("ranking-*")
    told = {file.parent.name: json.loads(file.read_text()) for file in steps.glob("*/executor_output.json")}
    outputs = json.loads((out / "pipeline" / "outputs.json").read_text())["artifacts"]
    assert outputs["metrics"]["metadata"] == pytest.approx(json.loads((out / "metrics.json").read_text()))
    points = told["evaluate"]["artifacts"]["roc"]["artifacts"][0]["metadata"]["confidenceMetrics"]
    assert (points[0]["falsePositiveRate"], points[0]["recall"]) == (0.0, 0.0)
    assert (points[-1]["falsePositiveRate"], points[-1]["recall"]) == (1.0, 1.0)


@contextlib.contextmanager
def served(folder):
    """A server started by `emrys serve`; gives its addresses."""
    command = [*EMRYS, "serve", str(folder), "--http-port", "0", "--grpc-port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        assert line, server.stderr.read()
        yield dict(re.findall(r"(gRPC|HTTP) (\S+?)[,;]", line))
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert server.returncode == 0


@pytest.mark.skipif(not has_server(), reason="no Triton server is installed")
def test_serve_and_predict_answer_over_grpc_and_http_with_the_same_scores(ranking_run, tmp_path):
    out = ranking_run.out
    rows = Splits(artifacts_of(out)["splits"]).read("test").slice(0, 3).to_pylist()
    rows.append({name: None for name in rows[0]})  # nothing is known of this one
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    answers = []
    with served(out) as urls:
        for protocol, url in (("grpc", urls["gRPC"]), ("http", urls["HTTP"])):
            command = ["predict", "--rows", str(tmp_path / "rows.json"), "--model", "small"]
            result = subprocess.run(
                [*EMRYS, *command, "--protocol", protocol, "--url", url], capture_output=True, text=True, check=False
            )
            assert result.returncode == 0, result.stderr
            answers.append(result.stdout)
        sampled = subprocess.run(
            [*EMRYS, "predict", "--from", str(out), "-n", "2", "--model", "small", "--url", urls["gRPC"]],
            capture_output=True,
            text=True,
            check=True,
        )
    assert answers[0] == answers[1]
    scores = [float(value) for value in re.findall(r"│ (\d\.\d{4}) │$", answers[0], re.MULTILINE)]
    assert len(scores) == 4
    assert all(0 < score < 1 for score in scores)
    assert len(re.findall(r"│ \d\.\d{4} │$", sampled.stdout, re.MULTILINE)) == 2

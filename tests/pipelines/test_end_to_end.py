"""The whole pipeline on a small synthetic log, through the command line, as a user runs it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp import components

from blocks.errors import DependencyError
from components.artifacts.evaluation import Evaluation
from components.artifacts.model import ModelArtifact
from components.artifacts.splits import Splits
from components.artifacts.triton_repository import TritonRepository
from components.export_ensemble.server_files import ServerFiles
from pipelines.catalogue import definition
from pipelines.summary import artifacts_of

EMRYS = [sys.executable, "-c", "from pipelines.cli import main; main()"]
CONFIG = {"parameters": {"rows": 4000, "epochs": 5, "patience": 1, "model_name": "small"}}

STEPS = definition("ranking").steps


def has_server():
    try:
        ServerFiles.find()
    except DependencyError:
        # Continuous integration has to have the server.
        return bool(os.environ.get("CI"))
    return True


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, and what the command said."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    result = subprocess.run(
        [*EMRYS, "run", "ranking", "--config", "config.yaml", "--epochs", "1", "--output", "out"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder / "out", result


def test_every_step_is_told_with_its_time_and_the_log_stays_in_its_file(finished):
    out, result = finished
    ends = re.findall(r"^\[(\d)/7\] (.+) done in [\d.]+ s$", result.stderr, re.MULTILINE)
    assert ends == [(str(place), step.replace("_", " ")) for place, step in enumerate(STEPS, start=1)]
    assert "KFP Executor" not in result.stdout + result.stderr
    assert "oneDNN" not in result.stdout + result.stderr
    assert "KFP Executor" in (out / "run.log").read_text()


def test_the_table_tells_the_metrics_and_where_things_are(finished):
    out, result = finished
    metrics = json.loads((out / "metrics.json").read_text())
    table = dict(re.split(r" {2,}", line.strip(), maxsplit=1) for line in result.stdout.strip().splitlines())
    assert table["rows"] == f"{metrics['train_rows']:,} train, {metrics['rows']:,} test"
    assert table["AUC"].startswith(f"{metrics['auc']:.4f} (user mean + item mean {metrics['mean_baseline_auc']:.4f}, ")
    assert f"best reachable {metrics['best_auc']:.4f}" in table["AUC"]
    assert table["log loss"].startswith(f"{metrics['log_loss']:.4f} ")
    assert table["NDCG@10"] == f"{metrics['ndcg_at_10']:.4f} (popularity {metrics['popularity_ndcg_at_10']:.4f})"
    assert Path(table["report"]) == out / "report.html"
    assert Path(table["pipeline"]) == out / "ranking.yaml"
    assert Path(table["Triton repository"]) == out / "triton"
    assert re.fullmatch(rf"(\S+/)?emrys serve {re.escape(str(out))}", table["serve it"])


def test_what_the_table_names_is_there_and_whole(finished):
    out, _ = finished
    artifacts = artifacts_of(out)
    assert (out / "report.html").read_bytes() == Evaluation(artifacts["evaluation"]).report.read_bytes()
    assert TritonRepository(out / "triton").name == "small"
    assert components.load_component_from_text((out / "ranking.yaml").read_text()).name == "ranking"


def test_arguments_come_from_the_command_line_before_the_configuration(finished):
    out, _ = finished
    artifacts = artifacts_of(out)
    assert len(ModelArtifact(artifacts["model"]).history) == 1  # --epochs 1, where the file says 5
    assert sum(Splits(artifacts["splits"]).metadata["rows"].values()) == 4000


def test_kfp_has_the_metrics_the_report_and_the_curve(finished):
    out, _ = finished
    outputs = json.loads((out / "pipeline" / "outputs.json").read_text())
    metrics = json.loads((out / "metrics.json").read_text())
    assert outputs["metrics"]["metadata"] == pytest.approx(metrics)
    assert Path(outputs["report"]["path"]).read_bytes() == (out / "report.html").read_bytes()
    # The curve is no output of the pipeline; KFP finds it in what the step left for it.
    told = json.loads(next((out / "pipeline").glob("ranking-*/evaluate/executor_output.json")).read_text())
    points = told["artifacts"]["roc"]["artifacts"][0]["metadata"]["confidenceMetrics"]
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
def test_serve_and_predict_answer_over_grpc_and_http_with_the_same_scores(finished, tmp_path):
    out, _ = finished
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

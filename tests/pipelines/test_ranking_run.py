"""The ranking pipeline on a small log, through the command line, as a user runs it: past the gate, refused, stopped."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import DependencyError
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.model_registry.registry import Registry
from emrys.components.serving.installation import TritonInstallation
from emrys.pipelines.cli.main import call
from emrys.pipelines.local.outcome import artifacts_of
from tests.pipelines.conftest import EMRYS, emrys
from tests.pipelines.finished_run import FinishedRun

pytestmark = pytest.mark.slow


class TestPassed(FinishedRun):
    pipeline = "ranking"

    @pytest.fixture
    def finished(self, ranking_run):
        return ranking_run


def has_server():
    try:
        TritonInstallation.find()
    except DependencyError:
        # Continuous integration has to have the server.
        return bool(os.environ.get("CI"))
    return True


def test_the_table_has_the_metrics_of_ranking(ranking_run):
    metrics = json.loads((ranking_run.out / "metrics.json").read_text())
    table = ranking_run.table
    assert table["AUC"] == f"{metrics['auc']:.4f} (user mean + item mean {metrics['mean_baseline_auc']:.4f})"
    assert table["NDCG@10"] == f"{metrics['ndcg_at_10']:.4f} (popularity {metrics['popularity_ndcg_at_10']:.4f})"


def test_arguments_come_from_the_command_line_before_the_configuration(ranking_run):
    artifacts = artifacts_of(ranking_run.out)
    assert len(ModelArtifact(artifacts["model"]).history) == 1  # --epochs 1, where the file says 5
    assert sum(Splits(artifacts["splits"]).metadata["rows"].values()) == 4000


def test_a_model_that_passes_goes_into_production(ranking_run, workplace):
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
    outputs_of = {file.parent.name: json.loads(file.read_text()) for file in steps.glob("*/executor_output.json")}
    outputs = json.loads((out / "pipeline" / "outputs.json").read_text())["artifacts"]
    assert outputs["metrics"]["metadata"] == pytest.approx(json.loads((out / "metrics.json").read_text()))
    points = outputs_of["evaluate"]["artifacts"]["roc"]["artifacts"][0]["metadata"]["confidenceMetrics"]
    assert (points[0]["falsePositiveRate"], points[0]["recall"]) == (0.0, 0.0)
    assert (points[-1]["falsePositiveRate"], points[-1]["recall"]) == (1.0, 1.0)


@contextlib.contextmanager
def served(folder):
    """Starts a server with `emrys serve`, and yields its addresses."""
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


@pytest.fixture(scope="module")
def refused(ranking_run, workplace):
    """A second run of the same data and configuration, with a model in production and a threshold out of reach."""
    shutil.copytree(ranking_run.out, workplace / "again")
    options = ("--config", "ranking.yaml", "--epochs", 1, "--registry", "registry", "--reuse")
    changed = ("--set", "thresholds={auc: 0.99}", "--set", f"checkpoint_dir={ranking_run.out}/pipeline/checkpoints")
    return emrys("run", "ranking", *options, *changed, "--output", "again", cwd=workplace)


def test_it_ends_with_a_table_that_says_why_and_a_status_of_its_own(refused):
    metrics = json.loads((refused.out / "metrics.json").read_text())
    assert refused.status == 3, "\n".join(refused.stderr_lines)
    assert refused.table["gate"].startswith(f"not passed: auc is {metrics['auc']:.4f}; its lower bound 0.")
    assert refused.table["gate"].endswith("must be at least 0.99")
    assert "Triton repository" not in refused.table
    assert "serve it" not in refused.table


def test_nothing_is_exported_and_production_stays(refused, workplace):
    assert not (refused.out / "triton").exists(), "nor is that of the earlier run left"
    artifacts = artifacts_of(refused.out)
    assert "repository" not in artifacts
    assert not GateDecision(artifacts["decision"]).passed
    assert (refused.out / "report.html").read_bytes() == artifacts["page"].read_bytes()
    assert len(Registry(workplace / "registry", "small").versions()) == 1
    assert call(["promote", str(refused.out), "--registry", str(workplace / "registry"), "--name", "small"]) == 2


def test_it_is_compared_with_the_model_in_production(refused):
    metrics = json.loads((refused.out / "metrics.json").read_text())
    assert metrics["production_auc"] == pytest.approx(metrics["auc"])  # the same data, the same seed
    checks = GateDecision(artifacts_of(refused.out)["decision"]).decision["checks"]
    (beside,) = [check for check in checks if check["against"] == "production" and check["slice"] == "all"]
    assert beside["estimate"] == pytest.approx(0.0, abs=1e-6)


def test_equal_data_are_not_trained_on_again(refused):
    taken = ["ingest", "preprocess", "infer_schema", "build_model", "train"]
    assert refused.steps("skipped") == [*taken, "export_ensemble", "promote"]
    assert refused.steps("done in") == ["fingerprint", "validate", "evaluate", "gate", "report"]


def test_a_drifted_column_stops_the_run_and_is_named(refused, workplace):
    log = pq.read_table(workplace / "log.parquet")
    older = pc.add(log["age"], pa.scalar(20, log["age"].type))
    at = log.column_names.index("age")
    pq.write_table(log.set_column(at, "age", older), workplace / "older.parquet")
    options = ("--config", "ranking.yaml", "--registry", "registry", "--reuse", "--dataset", "older.parquet")
    stopped = emrys("run", "ranking", *options, "--output", "again", cwd=workplace)
    assert stopped.status == 2
    assert stopped.table == {}
    assert stopped.steps("done in") == ["fingerprint", "ingest"], "the data have changed: ingested again"
    last = stopped.stderr_lines[-1]
    assert last.startswith("emrys: validate: ")
    assert "column 'age': drift: " in last
    page = stopped.out / "validation.html"
    assert f"See {page}" in last
    assert "age" in page.read_text(encoding="utf-8")
    # The results of the last finished run are kept.
    assert json.loads((refused.out / "metrics.json").read_text())

"""The results of a run in its folder, and the table at its end."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import write_json
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.contracts.statistics import Statistics
from emrys.pipelines.local.outcome import Outcome, artifacts_of
from emrys.pipelines.local.run_request import RunRequest
from emrys.pipelines.local.summary import RunSummary, command_name, score_rows

METRICS = {
    "auc": 0.76543,
    "mean_baseline_auc": 0.7,
    "best_auc": 0.8,
    "share_of_best_auc": 0.8848,
    "log_loss": 0.5,
    "mean_baseline_log_loss": 0.61,
    "ndcg_at_10": 0.912,
    "popularity_ndcg_at_10": 0.9,
    "rows": 6000,
    "train_rows": 48000,
}
REASONS = ["auc is 0.7654; its lower bound 0.7500 must be at least 0.9", "auc: the lift over popularity is +0.0100"]


@pytest.fixture
def finished(tmp_path):
    """Creates a finished run with its artifacts in the folders of KFP, and returns its request."""

    def make(passed: bool = True, version: str = "", findings: Sequence[dict[str, str | None]] = ()) -> RunRequest:
        request = RunRequest(tmp_path / "my run")
        artifacts = request.pipeline_root / "ranking-1"
        with Evaluation.create(artifacts / "evaluation", {}) as work:
            write_json(work / "metrics.json", METRICS)
            (work / "curves.json").write_text("{}")
            (work / "report.html").write_text("of the evaluation alone")
            MeasuredRows(np.zeros(0, "int64")).write(work / "rows.parquet")
        with GateDecision.create(artifacts / "decision", {}) as work:
            decision = {"passed": passed, "reasons": [] if passed else REASONS, "checks": [{}] * 7}
            write_json(work / "decision.json", decision)
        with Statistics.create(artifacts / "statistics", {}) as work:
            write_json(work / "statistics.json", {"rows": {}, "columns": []})
            write_json(work / "validation.json", {"verdict": "marked" if findings else "passed", "findings": findings})
            (work / "report.html").write_text("of the data alone")
        (artifacts / "page").write_text("<html>report</html>")
        names = ["evaluation", "decision", "statistics", "page"]
        if passed:
            (artifacts / "repository" / "models").mkdir(parents=True, exist_ok=True)
            (artifacts / "repository" / "models" / "config.pbtxt").write_text("new")
            names.append("repository")
        places = {name: {"path": str(artifacts / name), "metadata": {}} for name in names}
        Outcome("ranking", places, version).write(request)
        return request

    return make


def test_results_are_copied_and_replace_those_of_an_earlier_run(finished):
    request = finished()
    (request.output / "triton").mkdir()
    (request.output / "triton" / "old").write_text("old")
    request.validation.write_text("about other data")
    summary = RunSummary.publish(request)
    assert summary.passed
    assert summary.report.read_text() == "<html>report</html>"
    assert json.loads((request.output / "metrics.json").read_text()) == METRICS
    assert (summary.repository / "models" / "config.pbtxt").read_text() == "new"
    assert not (summary.repository / "old").exists()
    assert not request.validation.exists()


def test_the_table_has_every_number_with_its_baselines(finished):
    request = finished(version="20260131T081500.250Z-1f0e4c22")
    output = request.output
    assert dict(RunSummary.publish(request, seconds=83.4).rows()) == {
        "rows": "48,000 train, 6,000 test",
        "AUC": "0.7654 (user mean + item mean 0.7000, best reachable 0.8000, 88% of the way from 0.5)",
        "log loss": "0.5000 (means 0.6100)",
        "NDCG@10": "0.9120 (popularity 0.9000)",
        "gate": "passed 7 checks",
        "in production": "20260131T081500.250Z-1f0e4c22",
        "time": "83 s",
        "report": f"{output}/report.html",
        "pipeline": f"{output}/ranking.yaml",
        "Triton repository": f"{output}/triton",
        "serve it": f"{command_name()} serve '{output}'",
    }


def test_a_model_that_did_not_pass_leaves_no_repository_and_the_table_says_why(finished):
    request = finished(passed=False)
    (request.output / "triton").mkdir()
    summary = RunSummary.publish(request)
    assert not summary.passed
    assert not summary.repository.exists()
    rows = dict(summary.rows())
    assert rows["gate"] == f"not passed: {REASONS[0]} (and 1 more in the report)"
    assert list(rows)[-3:] == ["gate", "report", "pipeline"]
    one = dict(dataclasses.replace(summary, reasons=tuple(REASONS[:1])).rows())
    assert one["gate"] == f"not passed: {REASONS[0]}"


def test_errors_of_validate_are_shown(finished):
    drift = {"check": "drift", "column": "age", "severity": "error", "problem": "unlike those of the previous run"}
    rows = {"check": "rows", "column": None, "severity": "error", "problem": "too few rows"}
    nulls = {"check": "nulls", "column": "age", "severity": "warning", "problem": "many nulls"}
    table = dict(RunSummary.publish(finished(findings=[drift, nulls])).rows())
    assert table["data"] == "failed validation: drift in 'age': unlike those of the previous run"
    table = dict(RunSummary.publish(finished(findings=[rows, drift])).rows())
    assert table["data"] == "failed validation: rows: too few rows (and 1 more in the report)"


def test_real_data_has_no_best_reachable_auc():
    known = {name: value for name, value in METRICS.items() if name not in ("best_auc", "share_of_best_auc")}
    rows = dict(score_rows("ranking", {**known, "production_auc": 0.75}))
    assert rows["AUC"] == "0.7654 (user mean + item mean 0.7000, in production 0.7500)"


def test_the_table_of_retrieval():
    metrics = {
        "rows": 2000, "train_rows": 7000, "queries": 900, "items": 1500,
        "ndcg_at_5": 0.1, "popularity_ndcg_at_5": 0.05, "last_item_ndcg_at_5": 0.06, "production_ndcg_at_5": 0.09,
        "recall_at_50": 0.4, "popularity_recall_at_50": 0.2, "last_item_recall_at_50": 0.3,
        "coverage_at_5": 0.5, "mrr_at_5": 0.2,
    }  # fmt: skip
    assert list(score_rows("retrieval", metrics)) == [
        ("rows", "7,000 train, 2,000 test"),
        ("queries", "900, over 1,500 items"),
        ("NDCG@5", "0.1000 (popularity 0.0500, last item 0.0600, in production 0.0900)"),
        ("Recall@50", "0.4000 (popularity 0.2000, last item 0.3000)"),
        ("coverage@5", "0.5000"),
    ]


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"no run has finished in this folder\. Start one: emrys run ranking --out"):
        artifacts_of(tmp_path)


def test_a_run_of_an_earlier_version_is_refused(tmp_path):
    request = RunRequest(tmp_path)
    request.pipeline_root.mkdir()
    write_json(request.outcome, {"splits": {"path": "/nowhere", "metadata": {}}})
    with pytest.raises(ArtifactError, match=r"the run is from an earlier version of Emrys\. Run the pipeline again\."):
        artifacts_of(tmp_path)


def test_a_regression_and_two_targets():
    regression = {"rmse": 0.91, "constant_rmse": 1.2, "mean_baseline_rmse": 1.0, "rows": 10, "train_rows": 90}
    assert list(score_rows("ranking", regression)) == [
        ("rows", "90 train, 10 test"),
        ("RMSE", "0.9100 (user mean + item mean 1.0000, constant 1.2000)"),
    ]
    tasks = {"click/auc": 0.7, "click/mean_baseline_auc": 0.6, "buy/auc": 0.8, "buy/production_auc": 0.75}
    assert list(score_rows("ranking", tasks))[1:] == [
        ("buy AUC", "0.8000 (in production 0.7500)"),
        ("click AUC", "0.7000 (user mean + item mean 0.6000)"),
    ]

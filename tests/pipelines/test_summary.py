"""What is left of a run, and the table at its end."""

import json

import pytest

from blocks.errors import ArtifactError
from components.artifacts.evaluation import Evaluation
from pipelines.program import program
from pipelines.run_request import RunRequest
from pipelines.summary import RunSummary, artifacts_of

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


@pytest.fixture
def request_of_a_run(tmp_path):
    """A finished run whose artifacts lie where KFP puts them."""
    request = RunRequest(tmp_path / "my run")
    artifacts = request.pipeline_root / "ranking-1"
    with Evaluation.create(artifacts / "evaluation", {}) as work:
        (work / "metrics.json").write_text(json.dumps(METRICS))
        (work / "curves.json").write_text("{}")
        (work / "rows.parquet").touch()
        (work / "report.html").write_text("<html>report</html>")
    (artifacts / "repository" / "models").mkdir(parents=True)
    (artifacts / "repository" / "models" / "config.pbtxt").write_text("new")
    places = {name: {"path": str(artifacts / name), "metadata": {}} for name in ("evaluation", "repository")}
    request.outcome.write_text(json.dumps(places))
    return request


def test_results_get_lasting_places_and_those_of_an_earlier_run_go(request_of_a_run):
    output = request_of_a_run.output
    (output / "triton").mkdir()
    (output / "triton" / "old").write_text("old")
    summary = RunSummary.publish(request_of_a_run)
    assert summary.report.read_text() == "<html>report</html>"
    assert json.loads((output / "metrics.json").read_text()) == METRICS
    assert (summary.repository / "models" / "config.pbtxt").read_text() == "new"
    assert not (output / "triton" / "old").exists()


def test_the_table_has_every_number_with_what_it_is_held_against(request_of_a_run):
    summary = RunSummary.publish(request_of_a_run, seconds=83.4)
    output = request_of_a_run.output
    assert dict(summary.rows()) == {
        "rows": "48,000 train, 6,000 test",
        "AUC": "0.7654 (user mean + item mean 0.7000, best reachable 0.8000, 88% of the way from 0.5)",
        "log loss": "0.5000 (means 0.6100)",
        "NDCG@10": "0.9120 (popularity 0.9000)",
        "time": "83 s",
        "report": f"{output}/report.html",
        "pipeline": f"{output}/ranking.yaml",
        "Triton repository": f"{output}/triton",
        "serve it": f"{program()} serve '{output}'",
    }


def test_real_data_has_no_best_reachable_auc(request_of_a_run):
    known = {name: value for name, value in METRICS.items() if name not in ("best_auc", "share_of_best_auc")}
    rows = dict(RunSummary(request_of_a_run.output, known).rows())
    assert rows["AUC"] == "0.7654 (user mean + item mean 0.7000)"
    assert "time" not in rows


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"no run has finished in this folder\. Start one: emrys run ranking\."):
        artifacts_of(tmp_path)

import numpy as np
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import write_json
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.measured_rows import MeasuredRows

CURVE = {"false_positive_rate": [0.0, 1.0], "true_positive_rate": [0.0, 1.0], "thresholds": [0.6, 0.5]}


def write(path):
    with Evaluation.create(path, {"target": "like"}) as work:
        write_json(work / "metrics.json", {"auc": 0.75, "rows": 4})
        write_json(work / "curves.json", {"roc": CURVE, "calibration": None})
        MeasuredRows(np.array([0, 1]), {("ndcg", "model"): np.array([0.5, np.nan])}).write(work / "rows.parquet")
        (work / "report.html").write_text("<!DOCTYPE html>", encoding="utf-8")


def test_round_trip(tmp_path):
    write(tmp_path / "evaluation")
    evaluation = Evaluation(tmp_path / "evaluation")
    assert evaluation.metrics == {"auc": 0.75, "rows": 4}
    assert evaluation.roc == ([0.0, 1.0], [0.0, 1.0], [0.6, 0.5])
    assert evaluation.curves["calibration"] is None
    assert evaluation.report.read_text(encoding="utf-8") == "<!DOCTYPE html>"
    assert evaluation.rows.units.tolist() == [0, 1]
    assert evaluation.rows.metrics == ["ndcg"]
    assert evaluation.metadata == {"target": "like"}


def test_a_missing_report(tmp_path):
    write(tmp_path / "evaluation")
    (tmp_path / "evaluation" / "report.html").unlink()
    with pytest.raises(ArtifactError, match=r"report.html: a file of the artifact is missing"):
        Evaluation(tmp_path / "evaluation")


def test_a_step_that_forgot_the_metrics(tmp_path):
    with (
        pytest.raises(ArtifactError, match=r"evaluation: the step wrote no metrics.json"),
        Evaluation.create(tmp_path / "evaluation", {}) as work,
    ):
        (work / "report.html").write_text("", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []

"""Runs that do not end in an export: a model that does not pass the gate, and data that are not fit."""

import json
import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from components.artifacts.gate_decision import GateDecision
from components.registry.registry import Registry
from pipelines.cli.main import call
from pipelines.summary import artifacts_of
from tests.pipelines.conftest import emrys


@pytest.fixture(scope="module")
def refused(ranking_run, workplace):
    """The same data and configuration again, beside what is in production by now; this time the gate is too high."""
    shutil.copytree(ranking_run.out, workplace / "again")
    given = ("--config", "ranking.yaml", "--epochs", 1, "--registry", "registry", "--reuse")
    changed = ("--set", "thresholds={auc: 0.99}", "--set", f"checkpoint_dir={ranking_run.out}/pipeline/checkpoints")
    return emrys("run", "ranking", *given, *changed, "--output", "again", cwd=workplace)


def test_it_ends_with_a_table_that_says_why_and_a_status_of_its_own(refused):
    metrics = json.loads((refused.out / "metrics.json").read_text())
    assert refused.status == 3, "\n".join(refused.said)
    assert refused.table["gate"].startswith(f"not passed: auc is {metrics['auc']:.4f}; its lower bound 0.")
    assert refused.table["gate"].endswith("has to be at least 0.99")
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


def test_it_was_judged_beside_what_is_in_production(refused):
    metrics = json.loads((refused.out / "metrics.json").read_text())
    assert metrics["production_auc"] == pytest.approx(metrics["auc"])  # the same data, the same seed
    checks = GateDecision(artifacts_of(refused.out)["decision"]).decision["checks"]
    (beside,) = [check for check in checks if check["against"] == "production" and check["slice"] == "all"]
    assert beside["estimate"] == pytest.approx(0.0, abs=1e-6)


def test_equal_data_are_not_trained_on_again(refused):
    taken = ["ingest", "preprocess", "infer_schema", "build_model", "train"]
    assert refused.steps("left out") == [*taken, "export_ensemble", "promote"]
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
    last = stopped.said[-1]
    assert last.startswith("emrys: validate: ")
    assert "column 'age': drift: " in last
    page = stopped.out / "validation.html"
    assert f"See {page}" in last
    assert "age" in page.read_text(encoding="utf-8")
    # What the last finished run has left is still there.
    assert json.loads((refused.out / "metrics.json").read_text())

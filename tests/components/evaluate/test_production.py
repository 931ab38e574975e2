import pytest

from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.evaluate.step import EvaluateConfig, run
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.ingest.step import IngestConfig
from emrys.components.ingest.step import run as ingest
from emrys.components.model_registry.registry import Registry
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from tests.components.reporting.reading import Page


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Everything up to an untrained model, which orders rows in some way too."""
    root = tmp_path_factory.mktemp("made")
    ingest(IngestConfig(synthetic_rows=1500), root / "splits")
    preprocess(root / "splits", PreprocessConfig(), data=root / "data", workflow=root / "workflow")
    infer_schema(root / "data", root / "workflow", SchemaConfig(), root / "schema")
    build_model(root / "schema", BuildModelConfig(embedding_dim=4, bottom_layers=(4,), top_layers=(4,)), root / "model")
    return root


def evaluate(made, output, registry):
    config = EvaluateConfig(registry=str(registry))
    return run(made / "splits", made / "data", made / "model", made / "schema", config, output)


@pytest.mark.slow
def test_the_model_in_production_is_evaluated_beside_from_raw_rows(made, tmp_path):
    registry = Registry(tmp_path / "registry", "ranking")
    version = registry.add({part: made / part for part in ("workflow", "schema", "model")})
    registry.promote(version.name)
    found = evaluate(made, tmp_path / "out", tmp_path / "registry")
    # It is the evaluated model itself, through its own workflow.
    assert found.metrics["production_auc"] == pytest.approx(found.metrics["auc"], abs=1e-6)
    assert found.metrics["production_log_loss"] == pytest.approx(found.metrics["log_loss"], abs=1e-6)
    assert found.metadata["production"] == version.name
    words = Page(found.report.read_text(encoding="utf-8")).words
    assert f"In production {found.metrics['production_auc']:.4f}" in words


@pytest.mark.slow
def test_nothing_in_production(made, tmp_path, capfd):
    found = evaluate(made, tmp_path / "out", tmp_path / "registry")
    assert "production" not in found.rows.scorers
    assert found.metadata["production"] is None
    where = Registry(tmp_path / "registry", "ranking").store.uri
    assert f"nothing is in production in {where}" in capfd.readouterr().err

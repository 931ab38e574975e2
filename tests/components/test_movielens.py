"""The steps with their defaults on real data: MovieLens 100K, split in time."""

from __future__ import annotations

import pytest

from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.evaluate.step import EvaluateConfig
from emrys.components.evaluate.step import run as evaluate
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.ingest.step import IngestConfig
from emrys.components.ingest.step import run as ingest
from emrys.components.preprocess.step import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from emrys.components.train.step import TrainConfig
from emrys.components.train.step import run as train
from tests import real_data

pytestmark = pytest.mark.slow


def test_the_model_beats_user_and_item_means(tmp_path):
    ingest(IngestConfig(dataset=str(real_data.path("ml-100k.zip"))), tmp_path / "splits")
    preprocess(tmp_path / "splits", PreprocessConfig(), data=tmp_path / "data", workflow=tmp_path / "workflow")
    infer_schema(tmp_path / "data", tmp_path / "workflow", SchemaConfig(), tmp_path / "schema")
    build_model(tmp_path / "schema", BuildModelConfig(dropout=0.3, ema_momentum=0.99), tmp_path / "model")
    train(tmp_path / "data", tmp_path / "schema", tmp_path / "model", TrainConfig(), tmp_path / "trained")
    found = evaluate(
        tmp_path / "splits", tmp_path / "data", tmp_path / "trained", tmp_path / "schema", EvaluateConfig(),
        tmp_path / "evaluation",
    )  # fmt: skip
    assert found.metrics["auc"] > found.metrics["mean_baseline_auc"]
    assert found.metrics["log_loss"] < found.metrics["mean_baseline_log_loss"]
    assert found.metrics["ndcg_at_10"] > found.metrics["popularity_ndcg_at_10"]

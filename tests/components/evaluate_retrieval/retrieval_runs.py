"""A small run of the retrieval steps on made data, and a log that is small enough to count by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emrys.components.build_model.step import Architecture, BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.ingest.step import IngestConfig
from emrys.components.ingest.step import run as ingest
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from emrys.components.retrieval.queries import InteractionLog
from emrys.components.train.step import TrainConfig
from emrys.components.train.step import run as train

SMALL = {"embedding_dim": 8, "tower_layers": (8,), "learning_rate": 0.01, "ema_momentum": 0.0}
FAST = TrainConfig(epochs=2, batch_size=256, monitor="val_ndcg_at_10", patience=2)


def prepare(root: Path, dataset: str = "synthetic", rows: int = 1500, history: int = 20) -> Path:
    """Makes `splits`, `data`, `workflow` and `schema` in a folder."""
    config = IngestConfig(dataset=dataset, split="per_user", test_fraction=0.2, synthetic_rows=rows, history=history)
    ingest(config, root / "splits")
    preprocess(root / "splits", PreprocessConfig(task="retrieval"), data=root / "data", workflow=root / "workflow")
    infer_schema(root / "data", root / "workflow", SchemaConfig(), root / "schema")
    return root


def fit(root: Path, architecture: Architecture, config: TrainConfig = FAST, **sizes: object) -> Path:
    """Makes a trained model of what `prepare` has left in a folder."""
    built, trained = root / f"built-{architecture.value}", root / f"trained-{architecture.value}"
    build_model(root / "schema", BuildModelConfig(**{"architecture": architecture, **SMALL, **sizes}), built)
    train(root / "data", root / "schema", built, config, trained)
    return trained


def log(*rows: tuple[int, int, int]) -> InteractionLog:
    """Rows of user, item and label."""
    users, items, liked = zip(*rows, strict=True)
    return InteractionLog(np.array(users), np.array(items), np.array(liked, bool))

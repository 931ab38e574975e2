"""Ratings that can be learnt: every user and every item has a level, and the label follows their sum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.components.build_model.step import BuildModelConfig
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.train.step import TrainConfig

ROWS = {"train": 3000, "valid": 1000, "test": 10}
SMALL = BuildModelConfig(
    embedding_dim=4, bottom_layers=(8,), top_layers=(8,), dropout=0.2, learning_rate=0.01, ema_momentum=0.9
)
#: Fast enough to be past its best epoch soon.
FAST = TrainConfig(epochs=30, batch_size=256, learning_rate=0.1, monitor="val_loss", patience=2, seed=42)


def schema() -> Schema:
    """Ids 0 to 41 of users, 0 to 31 of items, 0 to 7 of genres; 40 and 41, 30 and 31 never occur."""
    return Schema(
        [
            mm.create_categorical_column("userId", 41, tags=[Tags.USER_ID, Tags.USER], dtype="int64"),
            mm.create_categorical_column("movieId", 31, tags=[Tags.ITEM_ID, Tags.ITEM], dtype="int64"),
            mm.create_categorical_column("genres", 7, dtype="int64", min_value_count=0, max_value_count=3),
            mm.create_continuous_column("release_year", tags=[Tags.ITEM]),
            ColumnSchema("rating_binary", dtype="int8", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION]),
            ColumnSchema("rating", dtype="float32", tags=[Tags.TARGET, Tags.REGRESSION]),
        ]
    )


def ratings(rows: int, seed: int) -> pa.Table:
    levels = np.random.default_rng(9).normal(scale=1.2, size=(2, 42))
    draw = np.random.default_rng(seed)
    users, items = draw.integers(3, 40, rows), draw.integers(3, 30, rows)
    years = draw.normal(size=rows).astype(np.float32)
    genres = [draw.integers(3, 8, count).tolist() for count in draw.integers(0, 4, rows)]
    likes = draw.random(rows) < 1 / (1 + np.exp(-(levels[0][users] + levels[1][items] + years)))
    return pa.table(
        {
            "userId": users,
            "movieId": items,
            "genres": pa.array(genres, pa.list_(pa.int64())),
            "release_year": years,
            "rating_binary": likes.astype(np.int8),
            "rating": np.where(likes, 5, 2).astype(np.float32),
        }
    )


def write_data(path: Path, seed: int = 1) -> None:
    with Transformed.create(path, {}) as work:
        for place, (split, rows) in enumerate(ROWS.items()):
            pq.write_table(ratings(rows, 10 * seed + place), work / f"{split}.parquet")


def write_schema(path: Path) -> None:
    FeatureSchema.write(path, schema(), {})


def state_of(artifact: ModelArtifact) -> dict[str, Any]:
    """Every bit of the weights and of the optimizer, by place and shape."""
    model = artifact.load()
    variables = [*model.weights, *model.optimizer.variables]
    return {f"{place}: {variable.shape}": variable.numpy().tobytes() for place, variable in enumerate(variables)}

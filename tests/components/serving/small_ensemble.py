"""A small fitted workflow, a SavedModel without Keras, and the same model in NumPy for expected scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from emrys.blocks.workflow import Categorify, FillNormalize, FittedWorkflow, TargetEncoding
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.serving.repository import write_ranking_repository

CONFIG = ExportConfig(max_batch_size=128, preferred_batch_sizes=(64,), parity_rows=200, start_timeout=90.0)

#: One row for each case: known, unseen, and null values.
ROWS: list[dict[str, Any]] = [
    {"userId": 7, "gender": "F", "genres": ["Drama", "War"], "release_year": 1999.0},
    {"userId": 9, "gender": "M", "genres": ["Comedy"], "release_year": 1950.0},
    {"userId": 123456789, "gender": "zebra", "genres": ["Kaiju", "Drama"], "release_year": 2050.0},
    {"userId": None, "gender": None, "genres": None, "release_year": None},
    {"userId": 8, "gender": "M", "genres": [], "release_year": 1995.0},
]

_RANDOM = np.random.default_rng(5)
WEIGHTS = {
    "userId": _RANDOM.normal(size=6).astype(np.float32),
    "gender": _RANDOM.normal(size=5).astype(np.float32),
    "genres": _RANDOM.normal(size=6).astype(np.float32),
}


def make_workflow() -> FittedWorkflow:
    users = pa.table({"value": [7, 8, 9], "count": [5, 3, 2]})
    genders = pa.table({"value": ["M", "F"], "count": [6, 4]})
    genres = pa.table({"value": ["Drama", "Comedy", "War"], "count": [7, 4, 2]})
    groups = pa.table({"value": ["F", "M"], "count": [4, 6], "sum": [16.0, 21.0]})
    return FittedWorkflow(
        [
            Categorify("userId", "int64", users),
            Categorify("gender", "string", genders),
            Categorify("genres", "string", genres, is_list=True),
            FillNormalize("release_year", fill=1995.0, mean=1990.0, std=10.0),
            TargetEncoding(
                "gender",
                "string",
                "rating",
                groups,
                target_mean=3.7,
                smoothing=20.0,
                mean=3.6,
                std=0.2,
                folds=5,
                fold_seed=1,
            ),
        ],
        targets=("rating_binary",),
    )


class SmallModel(tf.Module):
    """sigmoid(user + gender + sum of genres + 0.5 release_year - 0.25 TE_gender_rating)."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = {name: tf.Variable(weights) for name, weights in WEIGHTS.items()}

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, 1), tf.int64, name="userId"),
            tf.TensorSpec((None, 1), tf.int64, name="gender"),
            tf.TensorSpec((None,), tf.int64, name="genres__values"),
            tf.TensorSpec((None,), tf.int32, name="genres__offsets"),
            tf.TensorSpec((None, 1), tf.float32, name="release_year"),
            tf.TensorSpec((None, 1), tf.float32, name="TE_gender_rating"),
        ]
    )
    def serve(self, userId, gender, genres__values, genres__offsets, release_year, TE_gender_rating):
        genres = tf.RaggedTensor.from_row_splits(tf.gather(self.tables["genres"], genres__values), genres__offsets)
        logits = (
            tf.gather(self.tables["userId"], userId)
            + tf.gather(self.tables["gender"], gender)
            + tf.reduce_sum(genres, axis=1)[:, None]
            + 0.5 * release_year
            - 0.25 * TE_gender_rating
        )
        return {"rating_binary/binary_output": tf.sigmoid(logits)}


def save_model(path: Path) -> None:
    model = SmallModel()
    tf.saved_model.save(model, str(path), signatures={"serving_default": model.serve})


def scores_of(transformed: pa.Table) -> np.ndarray:
    """Computes the scores in NumPy from the output of the workflow: (B,)."""
    genres = [sum(float(WEIGHTS["genres"][i]) for i in row) for row in transformed["genres"].to_pylist()]
    logits = (
        WEIGHTS["userId"][transformed["userId"].to_numpy()]
        + WEIGHTS["gender"][transformed["gender"].to_numpy()]
        + np.array(genres)
        + 0.5 * transformed["release_year"].to_numpy()
        - 0.25 * transformed["TE_gender_rating"].to_numpy()
    )
    return 1 / (1 + np.exp(-logits))


def raw_table(rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema(
        {"userId": pa.int64(), "gender": pa.string(), "genres": pa.list_(pa.string()), "release_year": pa.float32()}
    )
    return pa.Table.from_pylist(rows, schema=schema)


def expected_scores(rows: list[dict[str, Any]]) -> np.ndarray:
    return scores_of(make_workflow().transform_table(raw_table(rows)))


def random_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    genres = ["Drama", "Comedy", "War", "Kaiju"]
    return [
        {
            "userId": int(random.integers(6, 12)),
            "gender": ["M", "F", "X", None][random.integers(4)],
            "genres": [genres[i] for i in random.integers(0, 4, size=random.integers(0, 5))],
            "release_year": float(np.float32(random.integers(1930, 2000))),
        }
        for _ in range(count)
    ]


def write_small_repository(models: Path, work: Path, config: ExportConfig = CONFIG) -> None:
    """Writes the repository of the small ensemble into `models`; `work` holds its inputs."""
    make_workflow().save(work / "workflow")
    save_model(work / "saved_model")
    models.mkdir(parents=True)
    write_ranking_repository(models, work / "workflow", work / "saved_model", config, {"emrys": "test"})

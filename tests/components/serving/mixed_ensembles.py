"""A ranking and a retrieval ensemble whose raw rows have a column of every type that a workflow takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.workflow import Categorify, FillNormalize, FittedWorkflow
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.serving.backends.model_step import ModelStep
from emrys.components.serving.backends.retrieve_step import RetrieveStep
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.in_process import ServingStep
from emrys.components.serving.repository import write_ranking_repository
from emrys.components.serving.retrieval_repository import Recommender, write_retrieval_repository

CONFIGS: dict[str, EnsembleConfig] = {
    "ranking": ExportConfig(name="ranking", max_batch_size=64, preferred_batch_sizes=(32,)),
    "retrieval": ExportRetrievalConfig(name="retrieval", k=5, max_batch_size=64, preferred_batch_sizes=(32,)),
}
STEPS: dict[str, type[ServingStep]] = {"ranking": ModelStep, "retrieval": RetrieveStep}

SCHEMA = pa.schema(
    {
        "user": pa.int64(),
        "city": pa.string(),
        "age": pa.float32(),
        "history": pa.list_(pa.int64()),
        "tags": pa.list_(pa.string()),
    }
)

#: Raw ids of items; 0 is one of them, as in many logs.
ITEMS = list(range(20))
CITIES = ["Ada", "Bo", "Cam"]
TAGS = ["new", "old", "red", "blue"]

_RANDOM = np.random.default_rng(11)
_DIM = 6


def make_workflow() -> FittedWorkflow:
    def table(values: list[Any]) -> pa.Table:
        return pa.table({"value": values, "count": list(range(len(values), 0, -1))})

    return FittedWorkflow(
        [
            Categorify("user", "int64", table([0, 1, 2, 3])),
            Categorify("city", "string", table(CITIES)),
            FillNormalize("age", fill=30.0, mean=25.0, std=10.0),
            Categorify("history", "int64", table(ITEMS), is_list=True),
            Categorify("tags", "string", table(TAGS), is_list=True),
        ]
    )


def draw_rows(random: np.random.Generator, count: int, most: int = 6) -> list[dict[str, Any]]:
    """Rows with known, unseen and null values, and lists of 0 to `most` values."""

    def one(values: list[Any]) -> Any:
        return values[random.integers(len(values))]

    def several(values: list[Any]) -> list[Any]:
        return [one(values) for _ in range(random.integers(0, most + 1))]

    return [
        {
            "user": one([0, 1, 2, 3, 99, None]),
            "city": one([*CITIES, "Elsewhere", None]),
            "age": one([0.0, 18.0, 44.5, None]),
            "history": several([*ITEMS, 99]),
            "tags": several([*TAGS, "unseen"]),
        }
        for _ in range(count)
    ]


class Tower(tf.Module):
    """The sum of a vector for each value; as a ranking model, the sigmoid of its sum."""

    def __init__(self, ranks: bool) -> None:
        super().__init__()
        self.ranks = ranks
        sizes = {"user": 4, "city": len(CITIES), "history": len(ITEMS), "tags": len(TAGS)}
        self.tables = {
            name: tf.Variable(_RANDOM.normal(size=(3 + size, _DIM)).astype(np.float32)) for name, size in sizes.items()
        }
        self.age = tf.Variable(_RANDOM.normal(size=_DIM).astype(np.float32))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, 1), tf.int64, name="user"),
            tf.TensorSpec((None, 1), tf.int64, name="city"),
            tf.TensorSpec((None, 1), tf.float32, name="age"),
            tf.TensorSpec((None,), tf.int64, name="history__values"),
            tf.TensorSpec((None,), tf.int32, name="history__offsets"),
            tf.TensorSpec((None,), tf.int64, name="tags__values"),
            tf.TensorSpec((None,), tf.int32, name="tags__offsets"),
        ]
    )
    def serve(self, user, city, age, history__values, history__offsets, tags__values, tags__offsets):
        vectors = tf.gather(self.tables["user"], user[:, 0]) + tf.gather(self.tables["city"], city[:, 0])
        vectors += age * self.age
        for name, values, offsets in (
            ("history", history__values, history__offsets),
            ("tags", tags__values, tags__offsets),
        ):
            lists = tf.RaggedTensor.from_row_splits(tf.gather(self.tables[name], values), offsets)
            vectors += tf.reduce_sum(lists, axis=1)
        if self.ranks:
            return {"out": tf.sigmoid(tf.reduce_sum(vectors, axis=1, keepdims=True))}
        return {"vectors": vectors}


def write_mixed_repository(kind: str, models: Path, work: Path) -> None:
    """Writes the repository of `ranking` or `retrieval` into `models`; `work` holds its inputs."""
    make_workflow().save(work / "workflow")
    tower = Tower(ranks=kind == "ranking")
    tf.saved_model.save(tower, str(work / "saved_model"), signatures={"serving_default": tower.serve})
    models.mkdir(parents=True)
    if kind == "ranking":
        write_ranking_repository(models, work / "workflow", work / "saved_model", CONFIGS[kind], {"emrys": "test"})
        return
    ids = np.arange(3, 3 + len(ITEMS))
    recommender = Recommender(
        tower=work / "saved_model",
        index=mm.BruteForce(k=5).index(_RANDOM.normal(size=(len(ITEMS), _DIM)).astype(np.float32), ids),
        items=pa.table({"id": pa.array(ids, pa.int64()), "key": pa.array(ITEMS, pa.int64())}),
        seen=mm.SeenItems(
            pa.table({"user": pa.array([0, 2], pa.int64()), "item": pa.array([[3, 4], [9]], pa.list_(pa.int64()))})
        ),
        user="user",
        histories={"history": "history"},
    )
    write_retrieval_repository(models, work / "workflow", recommender, CONFIGS[kind], {"emrys": "test"})

"""A shop's log that can be learnt: visitors and goods have levels, and visitors have a shelf that they like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.train.step import TrainConfig
from emrys.components.train.step import run as train

#: Ids 3 to 32 of visitors and 3 to 22 of goods occur; 2 stands for values that are not in train.
VISITORS, GOODS, FIRST = 30, 20, 3
ROWS = {"train": 3000, "valid": 600, "test": 30}

TARGETS = (
    Target("click", TargetKind.BINARY),
    Target("buy", TargetKind.BINARY),
    Target("spend", TargetKind.REGRESSION),
    Target("grade", TargetKind.CLASSES, classes=("low", "middle", "high")),
)


def feature_schema() -> Schema:
    ids = {"dtype": "int64"}
    lists = {**ids, "min_value_count": 0, "max_value_count": 4}
    item, target = Tags.ITEM, Tags.TARGET
    return Schema(
        [
            mm.create_categorical_column("visitor", FIRST + VISITORS - 1, tags=[Tags.USER_ID, Tags.USER], **ids),
            mm.create_categorical_column("sku", FIRST + GOODS - 1, tags=[Tags.ITEM_ID, item], **ids),
            mm.create_categorical_column("shelf", 6, tags=[item], **ids),
            mm.create_categorical_column("labels", 6, tags=[item], **lists),
            mm.create_categorical_column(
                "recent", FIRST + GOODS - 1, domain_name="sku", tags=[Tags.USER, Tags.SEQUENCE], **lists
            ),
            mm.create_continuous_column("price", tags=[item]),
            ColumnSchema("sizes", dtype="float32", tags=[Tags.CONTINUOUS, item], is_list=True, is_ragged=True,
                properties={"value_count": {"min": 0, "max": 3}},
            ),
            ColumnSchema("look", dtype="float32", tags=[Tags.CONTINUOUS, item], is_list=True, is_ragged=False,
                properties={"value_count": {"min": 2, "max": 2}},
            ),
            ColumnSchema("click", dtype="int8", tags=[Tags.BINARY_CLASSIFICATION, target]),
            ColumnSchema("buy", dtype="int8", tags=[Tags.BINARY_CLASSIFICATION, target]),
            ColumnSchema("spend", dtype="float32", tags=[Tags.REGRESSION, target]),
            ColumnSchema("grade", dtype="int64", tags=[Tags.MULTI_CLASS_CLASSIFICATION, target]),
        ]
    )  # fmt: skip


def data_schema(targets: tuple[Target, ...] = TARGETS, weight: bool = False) -> DataSchema:
    columns = [
        DataColumn("visitor", "string", Role.USER_ID),
        DataColumn("sku", "string", Role.ITEM_ID),
        DataColumn("shelf", "string", Role.ITEM),
        DataColumn("price", "float32", Role.ITEM, continuous=True),
        DataColumn("recent", "string", Role.HISTORY, is_list=True, history_of="sku", max_length=4),
    ]
    return DataSchema((*columns, *([DataColumn("trust", "float32", Role.WEIGHT)] if weight else [])), targets)


def rows(count: int, seed: int) -> pa.Table:
    """Goods follow their predecessor by number, or come from the visitor's shelf; levels decide clicks and the rest."""
    levels = np.random.default_rng(4).normal(scale=1.3, size=(2, FIRST + VISITORS))
    draw = np.random.default_rng(seed)
    visitors = draw.integers(FIRST, FIRST + VISITORS, count)
    recent = [draw.integers(FIRST, FIRST + GOODS, size).tolist() for size in draw.integers(0, 5, count)]
    follows = np.array([(each[-1] - FIRST + 1) % GOODS + FIRST if each else -1 for each in recent])
    of_shelf = FIRST + (visitors % 4) * 5 + draw.integers(0, 5, count)
    goods = np.where((follows >= 0) & (draw.random(count) < 0.5), follows, of_shelf)
    price = draw.normal(size=count).astype("float32")
    level = levels[0][visitors] + levels[1][goods] + price
    click = draw.random(count) < 1 / (1 + np.exp(-level))
    buy = click & (draw.random(count) < 1 / (1 + np.exp(-2 * levels[1][goods])))
    lists = pa.list_(pa.int64())
    return pa.table(
        {
            "visitor": visitors,
            "sku": goods,
            "shelf": FIRST + (goods - FIRST) // 5,
            "labels": pa.array([[FIRST + each % 4] for each in goods], lists),
            "recent": pa.array(recent, lists),
            "price": price,
            "sizes": pa.array([[1.0] * (each % 3) for each in goods], pa.list_(pa.float32())),
            "look": pa.array([[np.sin(each), np.cos(each)] for each in goods], pa.list_(pa.float32())),
            "click": click.astype("int8"),
            "buy": buy.astype("int8"),
            "spend": (level + draw.normal(scale=0.1, size=count)).astype("float32"),
            "grade": np.digitize(level, [-1, 1]).astype("int64"),
            "trust": np.ones(count, "float32"),
        }
    )


def write_log(root: Path, schema: Schema | None = None, data: DataSchema | None = None, change=None) -> None:
    """Writes the transformed rows and their schema below `root`; `change` replaces the table of a split."""
    schema = feature_schema() if schema is None else schema
    data = data_schema() if data is None else data
    with Transformed.create(root / "data", {}) as work:
        for seed, (split, count) in enumerate(ROWS.items()):
            table = rows(count, seed) if change is None else change(rows(count, seed), split)
            pq.write_table(table, work / f"{split}.parquet")
    FeatureSchema.write(root / "schema", schema, {})
    data.write(root / "schema")


def fit(inputs: Path, output: Path, config: BuildModelConfig, **training: object) -> ModelArtifact:
    """Builds and trains a model on the log below `inputs`."""
    build_model(inputs / "schema", config, output / "built")
    settings = {"epochs": 1, "batch_size": 32, **training}
    return train(inputs / "data", inputs / "schema", output / "built", TrainConfig(**settings), output / "trained")

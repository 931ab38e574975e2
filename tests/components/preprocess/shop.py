"""Random rows of a shop with every type of column, and its data schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.preprocess.step import PreprocessConfig, run
from tests.components.preprocess.raw import recipe

SCHEMA = DataSchema(
    (
        DataColumn("visitor", "string", Role.USER_ID),
        DataColumn("sku", "int64", Role.ITEM_ID),
        DataColumn("ts", "int64", Role.TIME, unit="ms"),
        DataColumn("trust", "float32", Role.WEIGHT),
        DataColumn("last_sku", "int64", Role.CONTEXT),
        DataColumn("plan", "string", Role.USER),
        DataColumn("price", "float32", Role.ITEM, continuous=True),
        DataColumn("stock", "int64", Role.ITEM, continuous=True),
        DataColumn("tags", "string", Role.ITEM, is_list=True),
        DataColumn("codes", "int64", Role.ITEM, is_list=True),
        DataColumn("prices", "float32", Role.CONTEXT, is_list=True, continuous=True),
        DataColumn("image", "float32", Role.ITEM, is_list=True, length=3, continuous=True),
        DataColumn("recent", "int64", Role.HISTORY, is_list=True, history_of="sku", max_length=4),
        DataColumn("stay", "float32", Role.SOURCE),
    ),
    (
        Target("bought", TargetKind.BINARY),
        Target("stayed", TargetKind.BINARY, source="stay"),
        Target("stars", TargetKind.CLASSES, classes=(1, 2, 3)),
    ),
)
YEAR = 365 * 86_400_000


def rows(number: int, seed: int, skus: int = 12) -> pa.Table:
    """Rows with nulls, NaN, infinities, empty strings and empty lists in the features."""
    draw = np.random.default_rng(seed)

    def some(values: Sequence[Any], gone: float = 0.15) -> list[Any]:
        return [None if lost else value for value, lost in zip(values, draw.random(number) < gone, strict=True)]

    def lists(make: Any, longest: int = 5) -> list[Any]:
        return some([[make() for _ in range(length)] for length in draw.integers(0, longest, number)])

    def price() -> float | None:
        return draw.choice([draw.lognormal(2, 1), -1.5, np.nan, np.inf, -np.inf, 3e38, None], p=[0.7] + [0.05] * 6)

    columns: Mapping[str, list[Any]] = {
        "visitor": [f"v{i}" for i in draw.integers(0, 9, number)],
        "sku": [2**40 + int(i) for i in draw.integers(0, skus, number)],
        "ts": draw.integers(-YEAR, 3 * YEAR, number).tolist(),
        "trust": draw.random(number).tolist(),
        "last_sku": some([2**40 + int(i) for i in draw.integers(0, skus + 5, number)]),
        "plan": some(draw.choice(["free", "paid", "", "größer"], number).tolist()),
        "price": [price() for _ in range(number)],
        "stock": some(draw.integers(-3, 2**40, number).tolist()),
        "tags": lists(lambda: draw.choice(np.array(["a", "b", "", None, f"t{draw.integers(0, 9)}"], object))),
        "codes": lists(lambda: draw.choice(np.array([1, 2, None, int(draw.integers(0, 2**50))], object))),
        "prices": lists(price),
        "image": some([[price() for _ in range(3)] for _ in range(number)]),
        "recent": lists(lambda: 2**40 + int(draw.integers(0, skus + 5)), 4),
        "stay": draw.random(number).tolist(),
        "bought": draw.integers(0, 2, number).tolist(),
        "stayed": draw.integers(0, 2, number).tolist(),
        "stars": draw.integers(0, 3, number).tolist(),
    }
    return table(columns)


def table(columns: Mapping[str, Sequence[Any]], schema: DataSchema = SCHEMA) -> pa.Table:
    """Rows of the columns of a data schema."""
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema.arrow})


def fit(
    folder: Path, features: Mapping[str, Any] | None, schema: DataSchema, *tables: pa.Table, **sections: Any
) -> tuple[Transformed, FittedWorkflowArtifact]:
    """Runs the step on splits; a split that is not given is the one before."""
    train, valid, test = [*tables, *[tables[-1]] * (3 - len(tables))]
    Splits.write(folder / "splits", {"train": train, "valid": valid, "test": test}, {}, schema)
    config = PreprocessConfig(recipe(None if features is None else dict(features), **sections))
    return run(folder / "splits", config, data=folder / "data", workflow=folder / "workflow")

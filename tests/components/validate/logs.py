"""Small rating logs whose columns are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from emrys.components.contracts.column_statistics import ColumnKind
from emrys.components.contracts.splits import SPLIT_SCHEMA, Splits
from emrys.components.contracts.statistics import Statistics
from emrys.components.validate.step import ValidateConfig, run

START = 1_000_000_000
NOW = START + 100 * 86_400
GENRES = ("Drama", "Comedy", "War")
#: Limits as in the recipe of this log.
LIMITS = {"rating": {"min": 0.5, "max": 5.0}, "age": {"min": 0, "max": 120}}


def log(rows=2000, seed=0, start=START, **replaced):
    """Independent columns, one row a second; what is given takes their place, None leaves a column out."""
    draw = np.random.default_rng(seed)
    rating = draw.integers(1, 6, rows).astype(float)
    columns = {
        "userId": draw.integers(1, 101, rows).tolist(),
        "movieId": draw.integers(1, 201, rows).tolist(),
        "timestamp": list(range(start, start + rows)),
        "rating": rating.tolist(),
        "title": [f"Film {i}" for i in draw.integers(0, 200, rows)],
        "genres": [[GENRES[i]] for i in draw.choice(3, rows, p=[0.5, 0.3, 0.2])],
        "release_year": draw.integers(1960, 2001, rows).astype(float).tolist(),
        "gender": [("F", "M")[i] for i in draw.integers(0, 2, rows)],
        "age": draw.integers(18, 61, rows).tolist(),
        "occupation": [("artist", "doctor", "writer")[i] for i in draw.integers(0, 3, rows)],
        "zipcode": [f"{i:05d}" for i in draw.integers(0, 50, rows)],
        **replaced,
    }
    if "rating_binary" not in columns:
        columns["rating_binary"] = [int(value > 3) for value in columns["rating"]]
    columns = {name: values for name, values in columns.items() if values is not None}
    schema = pa.schema([field for field in SPLIT_SCHEMA if field.name in columns])
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema}, schema=schema)


def write(path: Path, train=None, valid=None, test=None, split="time") -> Path:
    """The splits of a log in the order of time; metadata as ingest writes it."""
    tables = {
        "train": log() if train is None else train,
        "valid": log(200, 1, START + 10_000) if valid is None else valid,
        "test": log(200, 2, START + 20_000) if test is None else test,
    }
    metadata = {"dataset": "made", "split": split, "rows": {name: one.num_rows for name, one in tables.items()}}
    Splits.write(path, tables, metadata)
    return path


def validate(folder: Path, name="run", previous=None, config=None, **splits) -> Statistics:
    """Writes splits into `folder` and validates them; the previous run is named as the one before was."""
    settings = dict(config or {})
    settings["columns"] = {**LIMITS, **settings.get("columns", {})}
    raw = write(folder / f"{name}-splits", **splits)
    earlier = None if previous is None else folder / previous
    return run(raw, ValidateConfig(**settings), folder / name, earlier, now=NOW)


def kind_of(name: str) -> ColumnKind:
    """Kind of a column of the log."""
    if name in ("userId", "movieId"):
        return ColumnKind.IDENTIFIER
    kinds = {"timestamp": ColumnKind.TIME, "rating_binary": ColumnKind.LABEL, "genres": ColumnKind.LIST}
    return kinds.get(name, ColumnKind.NUMBER if name in ("age", "rating", "release_year") else ColumnKind.TEXT)

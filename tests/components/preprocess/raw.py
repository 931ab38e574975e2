"""Raw splits to try the steps on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emrys.components.contracts.splits import SPLIT_SCHEMA, Splits


def table(**columns: list[Any]) -> pa.Table:
    """Rows as ingest writes them; what is not given is the same in every row."""
    rows = len(next(iter(columns.values())))
    given = {
        "userId": list(range(rows)),
        "movieId": [1] * rows,
        "timestamp": list(range(rows)),
        "rating": [float(row % 5 + 1) for row in range(rows)],
        **columns,
    }
    given.setdefault("rating_binary", [int(rating > 3) for rating in given["rating"]])
    schema = pa.schema([field for field in SPLIT_SCHEMA if field.name in given])
    return pa.table({field.name: pa.array(given[field.name], field.type) for field in schema}, schema=schema)


def random_table(rows: int, seed: int, users: int = 60, movies: int = 90) -> pa.Table:
    """Rows with nulls in every feature, lists that are null, empty or hold nulls, and NaN."""
    rng = np.random.default_rng(seed)

    def some(values: Sequence[object]) -> list[object]:
        return [None if gone else value for value, gone in zip(values, rng.random(rows) < 0.1, strict=True)]

    user, movie = rng.integers(0, users, rows).tolist(), rng.zipf(1.3, rows).clip(max=movies).tolist()
    words = ["Drama", "Comedy", "Film-Noir", None, "", "Children's"]
    genres = [[words[i] for i in rng.integers(0, len(words), rng.integers(0, 5))] for _ in range(rows)]
    years = rng.integers(1930, 2000, rows).astype(float)
    years[rng.random(rows) < 0.05] = np.nan
    return table(
        userId=some(user),
        movieId=some([2**53 + 2 * i + 1 for i in movie]),
        rating=rng.integers(1, 6, rows).astype(float).tolist(),
        title=some([f"Title {i} (é)" for i in movie]),
        genres=some(genres),
        release_year=some(years.tolist()),
        gender=some(["M" if i % 2 else "F" for i in user]),
        age=some([-i % 7 for i in user]),
        occupation=some([("", "artist", "doctor")[i % 3] for i in user]),
        zipcode=some([f"{i * 37:05d}" for i in user]),
    )


def write(path: Path, row_group_size: int | None = None, **splits: pa.Table) -> Path:
    """Writes an artifact; a split that is not given is the train split."""
    tables: Mapping[str, pa.Table] = {name: splits.get(name, splits["train"]) for name in ("train", "valid", "test")}
    with Splits.create(path, {}) as folder:
        for name, rows in tables.items():
            pq.write_table(rows, folder / f"{name}.parquet", row_group_size=row_group_size)
    return path


def recipe(features: dict[str, object] | None = None, **sections: object) -> dict[str, object]:
    """A recipe as JSON values."""
    return {"data": {"path": "log"}, "model": {"name": "dlrm"}, "features": features, **sections}


#: Features of the logs of this module, as the recipes of such logs have them.
RANKING: dict[str, object] = {
    **{
        name: ["categorify", {"target_encoding": "rating"}]
        for name in ("userId", "movieId", "gender", "age", "occupation", "zipcode")
    },
    "title": ["categorify"],
    "genres": ["categorify"],
    "release_year": [{"fill": "mean"}, "normalize"],
}

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes columns to a Parquet file and gives its path."""

    def to_file(columns: dict[str, Any] | pa.Table, name: str = "rows.parquet", rows_per_group: int = 10) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pq.write_table(table, path, row_group_size=rows_per_group)
        return path

    return to_file


@pytest.fixture
def numbered(write: Write) -> Path:
    """100 rows in 10 row groups: `id` counts from 0, `y` is `id` odd, `x` is half of `id`."""
    return write({
        "id": pa.array(range(100), pa.int64()),
        "x": pa.array([i / 2 for i in range(100)], pa.float64()),
        "y": pa.array([i % 2 for i in range(100)], pa.int8()),
    })  # fmt: skip

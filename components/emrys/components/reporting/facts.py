"""What pages tell about where their numbers come from."""

from __future__ import annotations

import dataclasses
import datetime
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.components.contracts.column_roles import tags_of


@dataclasses.dataclass(frozen=True)
class SplitFacts:
    """One split in a line.

    Args:
        name: Name of the split.
        rows: Number of rows.
        positive: Share of rows with a positive label.
        begin: Day of the first event, UTC; None without timestamps.
        end: Day of the last event, UTC; None without timestamps.
    """

    name: str
    rows: int
    positive: float
    begin: str | None
    end: str | None

    @classmethod
    def of(cls, file: Path, target: str) -> SplitFacts:
        """Reads the facts of a raw split.

        Args:
            file: The Parquet file; `timestamp`, where it is there, is in Unix seconds.
            target: Column of the label.
        """
        schema = pq.read_schema(file)
        timed = "timestamp" in schema.names and pa.types.is_integer(schema.field("timestamp").type)
        table = pq.read_table(file, columns=[target, "timestamp"] if timed else [target], partitioning=None)
        ends = pc.min_max(table.column("timestamp")).as_py() if timed else {"min": None, "max": None}
        positive = pc.mean(table.column(target).cast(pa.float64())).as_py()
        return cls(file.stem, table.num_rows, positive or 0.0, day(ends["min"]), day(ends["max"]))


@dataclasses.dataclass(frozen=True)
class ColumnFacts:
    """One column of the schema in a line.

    Args:
        name: Name of the column.
        dtype: Element type, with "list of" in front where it is one.
        cardinality: Number of ids; None for numbers.
        tags: Its tags, sorted.
    """

    name: str
    dtype: str
    cardinality: int | None
    tags: tuple[str, ...]

    @classmethod
    def of(cls, column: Any) -> ColumnFacts:
        """Reads the facts of a column of a Merlin schema."""
        domain = column.int_domain
        return cls(
            name=str(column.name),
            dtype=("list of " if column.is_list else "") + str(column.dtype.name),
            cardinality=int(domain.max) + 1 if domain is not None and domain.max is not None else None,
            tags=tuple(sorted(tags_of(column))),
        )


def plain_facts(values: Mapping[str, Any]) -> dict[str, str]:
    """The texts and numbers among the metadata of an artifact, as text."""
    kept = {key: value for key, value in values.items() if isinstance(value, (str, int, float))}
    return {key.replace("_", " "): str(value) for key, value in kept.items()}


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {}
    for name in ("emrys", "keras", "tensorflow", "tensorflow-cpu", "scikit-learn", "numpy", "pyarrow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "python": platform.python_version()}


def day(seconds: float | None) -> str | None:
    """The day of a time in seconds since 1970, UTC."""
    if seconds is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return str(seconds)  # no date, but worth seeing

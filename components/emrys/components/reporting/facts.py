"""Facts about splits, columns and metadata, as shown on pages."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.components.contracts.column_roles import tags_of
from emrys.components.contracts.data_schema import TIME_UNITS, DataSchema, TargetKind

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.schema import ColumnSchema


@dataclasses.dataclass(frozen=True)
class SplitFacts:
    """Facts about a split, one line of a table.

    Args:
        name: Name of the split.
        rows: Number of rows.
        positive: Share of rows with a positive label; None without a binary target.
        begin: Day of the first event, UTC; None without timestamps.
        end: Day of the last event, UTC; None without timestamps.
    """

    name: str
    rows: int
    positive: float | None
    begin: str | None
    end: str | None

    @classmethod
    def of(cls, file: Path, schema: DataSchema, target: str | None = None) -> SplitFacts:
        """Reads the facts of a raw split.

        Args:
            file: The Parquet file.
            schema: Its columns and targets.
            target: Name of the target whose positives are counted. Default: the first binary one, if there is one.
        """
        binary = [each.name for each in schema.targets if each.kind is TargetKind.BINARY]
        label = next((name for name in binary if target in (None, name)), None)
        columns = [name for name in (label, schema.time) if name is not None]
        table = pq.read_table(file, columns=columns, partitioning=None)
        ends = {"min": None, "max": None}
        if schema.time is not None:
            ticks = TIME_UNITS[schema.column(schema.time).unit or "s"]
            found = pc.min_max(table.column(schema.time)).as_py()
            ends = {end: None if value is None else value // ticks for end, value in found.items()}
        positive = None if label is None else pc.mean(table.column(label).cast(pa.float64())).as_py() or 0.0
        rows = pq.read_metadata(file).num_rows
        return cls(file.stem, rows, positive, day(ends["min"]), day(ends["max"]))


@dataclasses.dataclass(frozen=True)
class ColumnFacts:
    """Facts about a column of the schema, one line of a table.

    Args:
        name: Name of the column.
        dtype: Element type, prefixed by "list of" for lists.
        cardinality: Number of ids; None for numbers.
        tags: Its tags, sorted.
    """

    name: str
    dtype: str
    cardinality: int | None
    tags: tuple[str, ...]

    @classmethod
    def of(cls, column: ColumnSchema) -> ColumnFacts:
        """Reads the facts of a column of a Merlin schema."""
        domain = column.int_domain
        return cls(
            name=str(column.name),
            dtype=("list of " if column.is_list else "") + str(column.dtype.name),
            cardinality=int(domain.max) + 1 if domain is not None and domain.max is not None else None,
            tags=tuple(sorted(tags_of(column))),
        )


def plain_facts(values: Mapping[str, Any]) -> dict[str, str]:
    """Texts and numbers among the metadata of an artifact, as text."""
    kept = {key: value for key, value in values.items() if isinstance(value, (str, int, float))}
    return {key.replace("_", " "): str(value) for key, value in kept.items()}


def day(seconds: float | None) -> str | None:
    """UTC date of a time in seconds since 1970."""
    if seconds is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return str(seconds)  # out of the range of dates: shown as a number

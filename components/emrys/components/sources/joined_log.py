"""The log of a recipe with its side tables joined to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.contracts.data_schema import TIME_UNITS
from emrys.components.recipe.recipe import DataSource, Recipe, SideTable
from emrys.components.sources.open_source import open_source
from emrys.components.sources.source import Source

Ints = npt.NDArray[np.int64]


class JoinCounts(TypedDict):
    """Match of the keys of a log with those of a side table."""

    rows: int
    log_keys: int
    log_keys_missing: int
    log_rows_missing: int
    keys_without_events: int


class JoinedLog:
    """The source of a recipe, whose rows get the columns of their row in each side table.

    A row without a match in a side table gets nulls there. The key and the time of a side table are not joined.

    Args:
        recipe: The recipe.
        seed: Seed of the synthetic reader. Default: 42.

    Attributes:
        source: The log without side tables.
        counts: How the keys met, by side table, after `read`.

    Raises:
        DataError: if a file cannot be used, a key is missing, or two tables have a column of one name.
    """

    def __init__(self, recipe: Recipe, seed: int = 42) -> None:
        self.source = open_source(recipe.data, seed)
        self._tables = {name: _Side(name, table, self.source) for name, table in recipe.tables.items()}
        self.counts: dict[str, JoinCounts] = {}
        owners = dict.fromkeys(self.source.schema.names, "the log")
        for name, side in self._tables.items():
            for column in side.columns:
                if column in owners:
                    raise DataError(
                        f"the table {name} and {owners[column]} both have the column",
                        path=side.source.path,
                        column=column,
                        fix="Rename it in one of them.",
                    )
                owners[column] = f"the table {name}"

    @property
    def table_columns(self) -> dict[str, tuple[str, ...]]:
        """Columns that come from each side table."""
        return {name: tuple(side.columns) for name, side in self._tables.items()}

    @property
    def skipped(self) -> tuple[str, ...]:
        """Files without rows, of the log and of the side tables."""
        sides = (name for side in self._tables.values() for name in side.source.skipped)
        return (*self.source.skipped, *sides)

    def head(self, rows: int) -> pa.Table:
        """The first rows with the columns of the side tables; of several rows of a key, the last one's."""
        table = self.source.head(rows)
        for side in self._tables.values():
            table = side.join(table, side.last_rows(table))
        return table

    def read(self, columns: Sequence[str] | None = None, time: str = "", unit: str = "") -> pa.Table:
        """All rows.

        Args:
            columns: Columns to read. Default: all.
            time: Column of the time of the events, for side tables whose rows hold from a time on.
            unit: Its unit if it is a number.
        """
        keys = [side.log_key for side in self._tables.values()]
        wanted = None if columns is None else {*columns, *keys}
        table = self.source.read([name for name in self.source.schema.names if wanted is None or name in wanted])
        for name, side in self._tables.items():
            positions = side.rows_at(table, time, unit) if side.table.time else side.only_rows(table)
            self.counts[name] = side.count(table, positions)
            table = side.join(table, positions)
        return table if columns is None else table.select(list(columns))

    def items(self, columns: Sequence[str]) -> pa.Table | None:
        """The key, under its name in the log, and some columns of the table of items; the last row of each key.

        Args:
            columns: Columns to read; those that are not in the table are ignored.

        Returns:
            The rows; None if the recipe has no such table.
        """
        side = self._tables.get("items")
        if side is None:
            return None
        rows = side.content.take(pa.array(side.last))
        kept = [name for name in columns if name in side.columns]
        return pa.table({side.log_key: rows[side.table.key], **{name: rows[name] for name in kept}})


class _Side:
    """A side table."""

    def __init__(self, name: str, table: SideTable, log: Source) -> None:
        self.name, self.table = name, table
        self.source = open_source(DataSource(path=table.path, reader=table.reader))
        self.log_key = table.log_key or table.key
        known = self.source.schema.names
        for column, key in ((table.key, "key"), (table.time, "time")):
            if column and column not in known:
                raise DataError(
                    "the column is missing",
                    path=self.source.path,
                    column=column,
                    got=", ".join(known),
                    fix=f"Correct tables.{name}.{key}.",
                )
        if self.log_key not in log.schema.names:
            raise DataError(
                f"the log has no key of the table {name}",
                path=log.path,
                column=self.log_key,
                got=", ".join(log.schema.names),
                fix=f"Name its column in tables.{name}.log_key.",
            )
        self.columns = [column for column in known if column not in (table.key, table.time)]
        self._content: pa.Table | None = None
        self._last: Ints | None = None

    @property
    def content(self) -> pa.Table:
        """All rows of the table, read once; in the order of time if it has one."""
        if self._content is None:
            content = self.source.read()
            if self.table.time:
                content = content.take(pa.array(np.argsort(_nanoseconds(content[self.table.time]), kind="stable")))
            if content[self.table.key].null_count:
                raise DataError(
                    "keys are missing",
                    path=self.source.path,
                    column=self.table.key,
                    expected="a key in every row",
                    got=f"{content[self.table.key].null_count} nulls",
                    fix="Remove these rows.",
                )
            self._content = content
        return self._content

    @property
    def last(self) -> Ints:
        """Number of the last row of each key, ascending."""
        if self._last is None:
            codes = _codes(self.content[self.table.key])
            rows = np.full(codes.max(initial=-1) + 1, -1, np.int64)
            rows[codes] = np.arange(len(codes))  # the last one remains
            self._last = np.sort(rows)
        return self._last

    def join(self, table: pa.Table, positions: pa.Array) -> pa.Table:
        """Adds the columns of the rows at positions; null for none."""
        joined = self.content.select(self.columns).take(positions)
        for column in self.columns:
            table = table.append_column(column, joined[column])
        return table

    def only_rows(self, table: pa.Table) -> pa.Array:
        """Position of the row of each key of the log; keys must be unique."""
        if len(self.last) < self.content.num_rows:
            counts = pc.value_counts(self.content[self.table.key])
            twice = counts.filter(pc.greater(counts.field("counts"), 1))[0].as_py()
            raise DataError(
                "the key has several rows",
                path=self.source.path,
                column=self.table.key,
                expected="one row of each key",
                got=f"{twice['counts']} of {twice['values']!r}",
                fix=f"Remove the others, or name the column of the time in tables.{self.name}.time.",
            )
        return self.last_rows(table)

    def last_rows(self, table: pa.Table) -> pa.Array:
        """Position of the last row of each key of the log."""
        last = pa.array(self.last)
        keys, known = self._comparable(table)
        return last.take(pc.index_in(keys, value_set=known.take(last)))

    def rows_at(self, table: pa.Table, time: str, unit: str) -> pa.Array:
        """Position of the latest row of each key of the log that is no later than the event."""
        if not time:
            raise DataError(
                f"the table {self.name} has a time, but the log has none",
                path=self.source.path,
                column=self.table.time,
                fix=f"Name the log's in columns.time, or remove tables.{self.name}.time.",
            )
        keys, known = self._comparable(table)
        both = _codes(pa.chunked_array([*known.chunks, *keys.chunks]))
        # Events whose key or time is null match nothing.
        usable = pc.and_(pc.is_valid(keys), pc.is_valid(table[time])).to_numpy(zero_copy_only=False)
        events = pd.DataFrame({"key": both[len(known) :], "time": _nanoseconds(table[time], unit)})[usable]
        rows = pd.DataFrame({"key": both[: len(known)], "time": _nanoseconds(self.content[self.table.time])})
        rows["row"] = np.arange(len(rows))
        events = events.rename_axis("event").reset_index().sort_values("time", kind="stable")
        matches = pd.merge_asof(events, rows, on="time", by="key")
        found = np.full(table.num_rows, -1, np.int64)
        found[matches["event"]] = matches["row"].fillna(-1).to_numpy(np.int64)
        return pa.array(found, mask=found < 0)

    def count(self, table: pa.Table, positions: pa.Array) -> JoinCounts:
        """Match of the keys."""
        keys, known = self._comparable(table)
        distinct, held = keys.drop_null().unique(), known.unique()
        return {
            "rows": self.content.num_rows,
            "log_keys": len(distinct),
            "log_keys_missing": pc.index_in(distinct, value_set=held).null_count,
            "log_rows_missing": positions.null_count,
            "keys_without_events": pc.index_in(held, value_set=distinct).null_count,
        }

    def _comparable(self, table: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Keys of the log and of the table, of one type."""
        keys, known = table[self.log_key], self.content[self.table.key]
        if keys.type == known.type:
            return keys, known
        numbers = [pa.types.is_integer(each.type) or pa.types.is_floating(each.type) for each in (keys, known)]
        try:
            if all(numbers):
                return keys.cast(pa.int64()), known.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
        raise DataError(
            "the key is of another type than in the log",
            path=self.source.path,
            column=self.table.key,
            expected=f"{keys.type} as {self.log_key!r} of the log",
            got=str(known.type),
            fix="Write both with one type.",
        )


def _codes(values: pa.ChunkedArray) -> Ints:
    """A number for each distinct value."""
    encoded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    codes: Ints = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _nanoseconds(column: pa.ChunkedArray, unit: str = "") -> Ints:
    """Times as nanoseconds since 1970; 0 for null. The unit of numbers is found by their size if it is not given."""
    if pa.types.is_string(column.type):
        column = _parsed(column)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        times = column.cast(pa.timestamp("ns", getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
        return np.asarray(times.fill_null(0).to_numpy(), np.int64)
    numbers = column.fill_null(0).to_numpy()
    unit = unit or time_unit(float(np.abs(numbers).max(initial=0)))
    ticks = 1_000_000_000 // TIME_UNITS[unit]
    if numbers.dtype.kind == "f":
        return np.asarray(np.floor(np.nan_to_num(numbers) * ticks), np.int64)
    return np.asarray(numbers.astype(np.int64) * ticks, np.int64)


def _parsed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts in the form of ISO 8601 as times; those with an offset in UTC."""
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    try:
        return column.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        pass
    try:
        return column.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"a time of a side table cannot be read ({error})", fix="Write it as 2026-11-01T12:00:00."
        ) from None


def time_unit(largest: float) -> str:
    """Unit of times since 1970, by the largest of them: years up to about 5000."""
    return next((unit for unit, limit in (("s", 1e11), ("ms", 1e14), ("us", 1e17)) if largest < limit), "ns")

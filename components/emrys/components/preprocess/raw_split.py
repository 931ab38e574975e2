"""Reader of a raw split in parts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import RawColumn
from emrys.blocks.workflow.request import nearest
from emrys.blocks.workflow.tables import cast_column, clean_column
from emrys.components.contracts.data_schema import DataColumn, DataSchema
from emrys.components.recipe.operators import Feature


class RawSplit:
    """The columns of a raw split that the step needs, in parts of whole row groups.

    Args:
        path: The Parquet file.
        schema: Columns and targets of the splits.
        plan: The features.
        rows_per_partition: Rows of a part, rounded up to whole row groups.

    Raises:
        DataError: if the file is damaged or empty, or a column is missing or of the wrong type.
    """

    def __init__(
        self, path: str | os.PathLike[str], schema: DataSchema, plan: Sequence[Feature], rows_per_partition: int
    ) -> None:
        self.path = Path(path)
        self._file = self._open()
        if not self._file.metadata.num_rows:
            raise DataError("the split has no rows", path=self.path, fix="Split the data so that every split has rows.")
        fields = self._file.schema_arrow
        read = {column.name: column for feature in plan for column in (feature.column, *feature.others)}
        keys = {feature.column.name: feature.key for feature in reversed(plan)}
        self.columns = tuple(raw_column(column) for column in read.values())
        for name in read:
            self._type(fields, name, f"Remove {keys.get(name, 'it')} from the recipe.")
        self.copied = copied_columns(schema)
        self._weight = schema.weight
        for name in self.copied:
            dtype = self._type(fields, name, "Run the ingest step again.")
            if not (pa.types.is_integer(dtype) or pa.types.is_floating(dtype)):
                raise DataError(
                    "the column has the wrong type", path=self.path, column=name, expected="a number", got=str(dtype)
                )
        self.parts = tuple(self._partition(rows_per_partition))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self._file.metadata.num_rows)

    def read(self, part: int, names: Sequence[str] | None = None) -> pa.Table:
        """Reads a part.

        Args:
            part: Index into `parts`.
            names: Names of the columns; None for all that the step needs.

        Returns:
            The feature columns with the types of raw columns and null for missing values, and the unchanged targets
            and weight.

        Raises:
            DataError: if the file is damaged, or a target or a weight is null.
        """
        columns = [column for column in self.columns if names is None or column.name in names]
        copied = [name for name in self.copied if names is None or name in names]
        try:
            table = self._file.read_row_groups(
                list(self.parts[part]), columns=[*(column.name for column in columns), *copied]
            )
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None
        arrays = {}
        for column in columns:
            try:
                arrays[column.name] = clean_column(column, cast_column(column, table[column.name]))
            except DataError as error:
                error.path = str(self.path)
                raise
        for name in copied:
            if table[name].null_count:
                is_weight = name == self._weight
                raise DataError(
                    f"the {'weight' if is_weight else 'target'} holds nulls",
                    path=self.path,
                    column=name,
                    expected="a value in every row",
                    got=f"{table[name].null_count} nulls",
                    fix=f"Remove the rows without a {'weight' if is_weight else 'label'}, or say columns.nulls: drop.",
                )
            arrays[name] = table[name].combine_chunks()
        return pa.table(arrays)

    def __iter__(self) -> Iterator[pa.Table]:
        for part in range(len(self.parts)):
            yield self.read(part)

    def _open(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DataError:
        fix = "Run the ingest step again."
        return DataError(f"the Parquet file cannot be read ({error})", path=self.path, fix=fix)

    def _partition(self, rows: int) -> Iterator[tuple[int, ...]]:
        groups: list[int] = []
        rows_in_part = 0
        for group in range(self._file.metadata.num_row_groups):
            groups.append(group)
            rows_in_part += self._file.metadata.row_group(group).num_rows
            if rows_in_part >= rows:
                yield tuple(groups)
                groups, rows_in_part = [], 0
        if rows_in_part:
            yield tuple(groups)

    def _type(self, schema: pa.Schema, name: str, fix: str) -> pa.DataType:
        if name not in schema.names:
            hint = nearest(name, schema.names) or fix
            raise DataError("the column is missing", path=self.path, column=name, got=", ".join(schema.names), fix=hint)
        return schema.field(name).type


def raw_column(column: DataColumn) -> RawColumn:
    """The raw column of the workflow for a column of the data; lists of codes have any length."""
    is_vector = column.continuous or column.dtype == "float32"
    return RawColumn(column.name, column.dtype, column.is_list, column.length if is_vector else None)


def copied_columns(schema: DataSchema) -> tuple[str, ...]:
    """Columns that the transformed splits hold unchanged: targets, numbers that they are made of, and the weight."""
    targets = [target.name for target in schema.targets]
    weights = [schema.weight] if schema.weight is not None else []
    return (*targets, *number_sources(schema), *weights)


def number_sources(schema: DataSchema) -> tuple[str, ...]:
    """Columns of numbers that targets are made of."""
    sources = dict.fromkeys(target.source for target in schema.targets)
    columns = {column.name: column for column in schema.columns}
    return tuple(
        name for name in sources if name in columns and columns[name].dtype != "string" and not columns[name].is_list
    )

"""Reader of a raw split in parts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import RawColumn
from emrys.blocks.workflow.request import nearest
from emrys.blocks.workflow.tables import cast_column, clean_column
from emrys.components.preprocess.config import PreprocessConfig


class RawSplit:
    """The columns of a raw split that the step needs, in parts of whole row groups.

    Args:
        path: The Parquet file.
        config: Settings with the columns.

    Raises:
        DataError: if the file is damaged or empty, or a column is missing or of the wrong type.
    """

    def __init__(self, path: str | os.PathLike[str], config: PreprocessConfig) -> None:
        self.path = Path(path)
        self._file = self._open()
        if not self._file.metadata.num_rows:
            raise DataError("the split has no rows", path=self.path, fix="Split the data so that every split has rows.")
        schema = self._file.schema_arrow
        self.columns = tuple(self._column(schema, name, config) for name in config.features)
        self.targets = tuple(dict.fromkeys((*config.targets, config.encoding_target)))
        for name in self.targets:
            dtype = self._type(schema, name)
            if not (pa.types.is_integer(dtype) or pa.types.is_floating(dtype)):
                raise self._wrong_type(name, "an integer or a float", dtype)
        self.parts = tuple(self._partition(config.rows_per_partition))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self._file.metadata.num_rows)

    def read(self, part: int) -> pa.Table:
        """Reads a part.

        Args:
            part: Index into `parts`.

        Returns:
            The feature columns with the types of raw columns and null for missing values, and the unchanged targets.

        Raises:
            DataError: if the file is damaged, or a target holds a null.
        """
        names = [column.name for column in self.columns]
        try:
            table = self._file.read_row_groups(list(self.parts[part]), columns=[*names, *self.targets])
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None
        arrays = {}
        for column in self.columns:
            try:
                arrays[column.name] = clean_column(column, cast_column(column, table[column.name]))
            except DataError as error:
                error.path = str(self.path)
                raise
        for name in self.targets:
            if table[name].null_count:
                raise DataError(
                    "the target holds nulls",
                    path=self.path,
                    column=name,
                    expected="a value in every row",
                    got=f"{table[name].null_count} nulls",
                    fix="Remove the rows without a label.",
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

    def _type(self, schema: pa.Schema, name: str) -> pa.DataType:
        if name not in schema.names:
            hint = nearest(name, schema.names) or "Remove it from the configuration, or rename a column."
            raise DataError("the column is missing", path=self.path, column=name, got=", ".join(schema.names), fix=hint)
        return schema.field(name).type

    def _column(self, schema: pa.Schema, name: str, config: PreprocessConfig) -> RawColumn:
        dtype = self._type(schema, name)
        if name in config.continuous:
            if not (pa.types.is_floating(dtype) or pa.types.is_integer(dtype)):
                raise self._wrong_type(name, "a float or an integer", dtype)
            return RawColumn(name, "float32")
        is_list = name in config.lists
        if is_list != (pa.types.is_list(dtype) or pa.types.is_large_list(dtype)):
            raise self._wrong_type(name, "a list of keys" if is_list else "a single key", dtype)
        return RawColumn(name, self._key_type(name, dtype.value_type if is_list else dtype), is_list)

    def _key_type(self, name: str, dtype: pa.DataType) -> Literal["int64", "string"]:
        if pa.types.is_dictionary(dtype):
            dtype = dtype.value_type
        if pa.types.is_integer(dtype):
            return "int64"
        if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
            return "string"
        raise self._wrong_type(name, "int64 or string", dtype)

    def _wrong_type(self, name: str, expected: str, dtype: pa.DataType) -> DataError:
        fix = "Convert the column, or list it as another kind of column in the configuration."
        return DataError(
            "the column has the wrong type", path=self.path, column=name, expected=expected, got=str(dtype), fix=fix
        )


def check_same_columns(train: RawSplit, others: Sequence[RawSplit]) -> None:
    """Checks that the columns of the other splits have the types of the train split.

    Raises:
        DataError: with the first column that differs.
    """
    for other in others:
        for mine, theirs in zip(train.columns, other.columns, strict=True):
            if mine != theirs:
                raise DataError(
                    "the column has another type than in the train split",
                    path=other.path,
                    column=mine.name,
                    expected=mine.dtype,
                    got=theirs.dtype,
                )

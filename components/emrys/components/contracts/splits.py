"""Artifact of the step ingest: the raw splits train, valid and test."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.datasets.log_schema import LOG_ROLES, LOG_SCHEMA, REQUIRED_COLUMNS
from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.data_schema import (
    DATA_SCHEMA_FILE,
    DataColumn,
    DataSchema,
    Role,
    Target,
    TargetKind,
    ValueType,
)

SPLITS = ("train", "valid", "test")
#: Optional file of the artifact: the catalogue, one row per item, with the item id and the features of items.
ITEMS_FILE = "items.parquet"

_ROW_GROUP = 65_536

# Splits of earlier releases have no data schema: they are logs of MovieLens with these columns.
TARGET = "rating_binary"
SPLIT_SCHEMA = LOG_SCHEMA.insert(len(REQUIRED_COLUMNS), pa.field(TARGET, pa.int8()))
HISTORY = pa.field("history", pa.list_(pa.int64()))
_ROLES = {name: Role(role) for name, role in LOG_ROLES.items()}
_DTYPES: dict[pa.DataType, ValueType] = {pa.int64(): "int64", pa.float32(): "float32"}


def stored_data_schema(artifact: Artifact) -> DataSchema:
    """The data schema in the folder of an artifact; those of earlier releases have none and hold logs of MovieLens."""
    if DATA_SCHEMA_FILE in artifact.files:
        return DataSchema.read(artifact.path)
    return _rating_log((*LOG_SCHEMA.names, HISTORY.name))


class SplitFiles(Artifact):
    """Base class of artifacts with the files `train.parquet`, `valid.parquet` and `test.parquet`."""

    required = tuple(f"{split}.parquet" for split in SPLITS)

    def file(self, split: str) -> Path:
        """Path of the Parquet file of `split`: train, valid or test."""
        if split not in SPLITS:
            raise ArtifactError("no such split", path=self.path, expected=", ".join(SPLITS), got=repr(split))
        return self.path / f"{split}.parquet"

    def read(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Reads a split, or some of its columns."""
        return pq.read_table(self.file(split), columns=None if columns is None else list(columns))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(pq.read_schema(self.file("train")).names)

    @property
    def data_schema(self) -> DataSchema:
        """Columns and targets of the log; artifacts of earlier releases hold logs of MovieLens."""
        return stored_data_schema(self)


class Splits(SplitFiles):
    """`train.parquet`, `valid.parquet` and `test.parquet`: raw columns and targets.

    `data_schema.json` says which columns and targets there are. `items.parquet` is there if the recipe has a table of
    items.

    Metadata: `dataset` (its name or path), `split` (the method) and `seed`; `columns`; by split, `rows`, `positives`
    (by binary target, the rows that are positive) and `time_range` (first and last time, if there is one); `content`
    (SHA-256 of the values, independent of the Parquet writer); `best_auc` by split, or None if it is not known;
    `joined` (counts of keys by side table); `skipped` (files without rows); `dropped` (rows that were left out, by
    reason); and `config` (settings of the step).

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "splits"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        expected = DataSchema.read(self.path) if DATA_SCHEMA_FILE in self.files else None
        for split in SPLITS:
            _check_schema(pq.read_schema(self.file(split)), expected, self.file(split))

    @property
    def data_schema(self) -> DataSchema:
        """Columns and targets of the log; splits of earlier releases are logs of MovieLens."""
        return DataSchema.read(self.path) if DATA_SCHEMA_FILE in self.files else _rating_log(self.columns)

    @property
    def items(self) -> pa.Table | None:
        """The catalogue: the item id and the features of each item; None if the recipe has no table of items."""
        return pq.read_table(self.path / ITEMS_FILE) if ITEMS_FILE in self.files else None

    @classmethod
    def write(
        cls,
        path: str | os.PathLike[str],
        tables: Mapping[str, pa.Table | Iterable[pa.Table]],
        metadata: Mapping[str, Any],
        schema: DataSchema | None = None,
        items: pa.Table | None = None,
    ) -> Splits:
        """Writes one table per split, atomically.

        Args:
            path: Folder of the artifact.
            tables: Table of every split, whole or in blocks, with the columns of the schema.
            metadata: Metadata for the manifest.
            schema: Columns and targets. Default: those of a log of MovieLens, as far as they are in the tables.
            items: The catalogue. Default: none.

        Returns:
            The artifact.
        """
        with cls.create(path, dict(metadata)) as folder:
            for split in SPLITS:
                table = tables[split]
                _write(table, folder / f"{split}.parquet", schema, Path(path))
                if schema is None and isinstance(table, pa.Table):
                    schema = _rating_log(table.column_names)
            if schema is not None:
                schema.write(folder)
            if items is not None:
                _write_table(items, folder / ITEMS_FILE, Path(path))
        return cls(path)


def _write(table: pa.Table | Iterable[pa.Table], file: Path, schema: DataSchema | None, target: Path) -> None:
    """Writes the file of a split, whose schema is checked first."""
    if isinstance(table, pa.Table):
        _check_schema(table.schema, schema, target / file.name)
        _write_table(table, file, target)
        return
    writer = None
    try:
        for block in table:
            if writer is None:
                _check_schema(block.schema, schema, target / file.name)
                writer = pq.ParquetWriter(file, block.schema, compression="zstd")
            writer.write_table(block, row_group_size=_ROW_GROUP)
    except OSError as error:
        error.filename = error.filename or str(target / file.name)  # Arrow does not say what it was writing
        raise
    finally:
        if writer is not None:
            writer.close()


def _write_table(table: pa.Table, file: Path, target: Path) -> None:
    try:
        pq.write_table(table, file, row_group_size=_ROW_GROUP, compression="zstd")
    except OSError as error:
        error.filename = error.filename or str(target / file.name)
        raise


def _rating_log(names: Iterable[str]) -> DataSchema:
    """Data schema of the logs that releases without data schemas wrote."""
    names = tuple(names)
    columns = []
    for field in LOG_SCHEMA:
        if field.name in names:
            is_list = pa.types.is_list(field.type)
            dtype = _DTYPES.get(field.type, "string")
            unit = "s" if _ROLES[field.name] is Role.TIME else ""
            columns.append(
                DataColumn(field.name, dtype, _ROLES[field.name], is_list, unit=unit, continuous=dtype == "float32")
            )
    if HISTORY.name in names:
        columns.append(
            DataColumn(HISTORY.name, "int64", Role.HISTORY, is_list=True, history_of=_with_role(Role.ITEM_ID))
        )
    return DataSchema(tuple(columns), (Target(TARGET, TargetKind.BINARY, source=_with_role(Role.SOURCE)),))


def _with_role(role: Role) -> str:
    return next(name for name, each in _ROLES.items() if each is role)


def _check_schema(schema: pa.Schema, data_schema: DataSchema | None, path: Path) -> None:
    """Checks that a file has exactly the columns of a data schema, of their types; None for one of MovieLens."""
    known = SPLIT_SCHEMA.append(HISTORY) if data_schema is None else data_schema.arrow
    for name in (*REQUIRED_COLUMNS, TARGET) if data_schema is None else known.names:
        if name not in schema.names:
            raise ArtifactError("the column is missing", path=path, column=name)
    for field in schema:
        if field.name not in known.names:
            raise ArtifactError("a split has no such column", path=path, column=field.name)
        wanted = known.field(field.name).type
        # Writers name the element of a list differently: only the types are compared.
        if not field.type.equals(wanted):
            raise ArtifactError(
                "the column has the wrong type", path=path, column=field.name, expected=str(wanted), got=str(field.type)
            )

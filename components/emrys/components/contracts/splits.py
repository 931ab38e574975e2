"""Artifact of the step ingest: the raw splits train, valid and test."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.datasets.log_schema import LOG_SCHEMA, REQUIRED_COLUMNS
from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.artifact import Artifact

SPLITS = ("train", "valid", "test")
TARGET = "rating_binary"
#: Columns of the Parquet files in order; feature columns are optional.
SPLIT_SCHEMA = LOG_SCHEMA.insert(len(REQUIRED_COLUMNS), pa.field(TARGET, pa.int8()))
#: Optional last column: items with a positive rating of the user in train, without the item of the row itself.
HISTORY = pa.field("history", pa.list_(pa.int64()))
_KNOWN = SPLIT_SCHEMA.append(HISTORY)

_ROW_GROUP = 65_536


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


class Splits(SplitFiles):
    """`train.parquet`, `valid.parquet` and `test.parquet`: raw columns and the target.

    The columns are those of `SPLIT_SCHEMA`, in its order, optionally followed by `HISTORY`.

    Metadata: `dataset` (its name or path), `split` (the method) and `seed`; `columns`; `rows`, `positives` (rows with
    a rating above 3) and `time_range` (first and last second since 1970) by split; `content` (SHA-256 of the values,
    independent of the Parquet writer); `best_auc` by split, or None if it is not known; and `config` (settings of
    the step).

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "splits"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        for split in SPLITS:
            _check_schema(pq.read_schema(self.file(split)), self.file(split))

    @classmethod
    def write(cls, path: str | os.PathLike[str], tables: Mapping[str, pa.Table], metadata: Mapping[str, Any]) -> Splits:
        """Writes one table per split, atomically.

        Args:
            path: Folder of the artifact.
            tables: Table of every split, with columns as in `SPLIT_SCHEMA`.
            metadata: Metadata for the manifest.

        Returns:
            The artifact.
        """
        with cls.create(path, dict(metadata)) as folder:
            for split in SPLITS:
                file = Path(path) / f"{split}.parquet"
                _check_schema(tables[split].schema, file)
                try:
                    pq.write_table(tables[split], folder / file.name, row_group_size=_ROW_GROUP, compression="zstd")
                except OSError as error:
                    error.filename = error.filename or str(file)  # Arrow does not say what it was writing
                    raise
        return cls(path)


def _check_schema(schema: pa.Schema, path: Path) -> None:
    for name in (*REQUIRED_COLUMNS, TARGET):
        if name not in schema.names:
            raise ArtifactError("the column is missing", path=path, column=name)
    for field in schema:
        if field.name not in _KNOWN.names:
            raise ArtifactError("a split has no such column", path=path, column=field.name)
        wanted = _KNOWN.field(field.name).type
        # Writers name the element of a list differently: only the types are compared.
        if not field.type.equals(wanted):
            raise ArtifactError(
                "the column has the wrong type", path=path, column=field.name, expected=str(wanted), got=str(field.type)
            )

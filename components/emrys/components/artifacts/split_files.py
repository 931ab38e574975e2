"""What holds one Parquet file for each split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import ArtifactError
from emrys.components.artifacts.base import Artifact

SPLITS = ("train", "valid", "test")


class SplitFiles(Artifact):
    """An artifact with `train.parquet`, `valid.parquet` and `test.parquet`."""

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

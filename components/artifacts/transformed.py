"""The artifact of the step preprocess: the splits after the workflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blocks.errors import ArtifactError
from components.artifacts.base import Artifact
from components.artifacts.splits import SPLITS


class Transformed(Artifact):
    """`train.parquet`, `valid.parquet` and `test.parquet`: features and targets, row by row those of the splits.

    Metadata: `rows` of every split, `columns` (features), `targets`, `splits` and `workflow` (fingerprints of what it
    was made from and with).

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "transformed"
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
        """Names of the columns, features and targets, in order."""
        return tuple(pq.read_schema(self.file("train")).names)

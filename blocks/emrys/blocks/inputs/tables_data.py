"""The rows of several tables as data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
from merlin.schema import Tags

from emrys.blocks.core.l2_normalize import l2_normalize
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.io import atomic_file

if TYPE_CHECKING:
    from merlin.io import Dataset


class TablesData:
    """What `EmbeddingFeatures` says of the rows of its tables."""

    name: str
    branches: dict[str, Any]

    def get_embedding_table(self, table_name: str | Tags, l2_normalization: bool = False) -> Any:
        """The rows of a table, a variable (number of ids, D); a tensor if they are scaled.

        Args:
            table_name: Name of the table, or a tag of a column that it is for.
            l2_normalization: Whether rows are scaled to length 1. Default: False.

        Raises:
            ConfigError: if there is no such table.
        """
        rows = self._table_of(table_name).embeddings
        return l2_normalize(keras.ops.convert_to_tensor(rows)) if l2_normalization else rows

    def embedding_table_df(
        self, table_name: str | Tags, l2_normalization: bool = False, gpu: bool = True
    ) -> pd.DataFrame:
        """The rows of a table as a data frame; see `get_embedding_table` and `EmbeddingTable.to_df`."""
        frame = self._table_of(table_name).to_df(gpu)
        if l2_normalization:
            rows = np.asarray(self.get_embedding_table(table_name, l2_normalization=True))
            frame = pd.DataFrame(rows, columns=frame.columns)
        return frame

    def embedding_table_dataset(
        self, table_name: str | Tags, l2_normalization: bool = False, gpu: bool = True
    ) -> Dataset:
        """The rows of a table as a `merlin.io.Dataset`; see `embedding_table_df`."""
        from merlin.io import Dataset  # starts Dask, which is not everybody's

        return Dataset(self.embedding_table_df(table_name, l2_normalization, gpu))

    def export_embedding_table(
        self,
        table_name: str | Tags,
        export_path: str | os.PathLike[str],
        l2_normalization: bool = False,
        gpu: bool = True,
    ) -> None:
        """Writes the rows of a table to a Parquet file; see `embedding_table_df`."""
        with atomic_file(export_path) as path:
            self.embedding_table_df(table_name, l2_normalization, gpu).to_parquet(path)

    def _table_of(self, table_name: str | Tags) -> EmbeddingTable:
        tables: dict[str, EmbeddingTable] = self.branches
        for name, table in tables.items():
            if name == table_name or (isinstance(table_name, Tags) and len(table.schema.select_by_tag(table_name))):
                return table
        raise ConfigError(f"{self.name} has no such table", expected=", ".join(self.branches), got=str(table_name))

"""Embedding tables as data frames, and from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import keras
import pandas as pd
from merlin.schema import ColumnSchema, Tags

from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.tensor_initializer import TensorInitializer

if TYPE_CHECKING:
    from merlin.io import Dataset


class TableData:
    """How the rows of an `EmbeddingTable` come from a data frame, and become one."""

    name: str
    dim: int

    @property
    def embeddings(self) -> Any:
        """The rows; None as long as the table is not built."""
        raise NotImplementedError

    @classmethod
    def from_pretrained(
        cls,
        data: Dataset | pd.DataFrame,
        trainable: bool = True,
        name: str | None = None,
        col_schema: ColumnSchema | None = None,
        **kwargs: Any,
    ) -> Self:
        """Makes a table that starts with given values.

        Args:
            data: A `merlin.io.Dataset` or a data frame with one row for each id from 0 on; see
                `TensorInitializer.from_dataset`.
            trainable: Whether the values change in training. Default: True.
            name: Name of the table. Default: that of the column's domain.
            col_schema: The column that is looked up. Default: one called `name`, with as many ids as `data` has rows.
            **kwargs: Further arguments of the table.

        Returns:
            The table.

        Raises:
            ConfigError: if neither a name nor a column is given, or the column has another number of ids.
        """
        values = TensorInitializer.from_dataset(data).weights
        if col_schema is None:
            if name is None:
                raise ConfigError("from_pretrained knows no column", fix="Give name= or col_schema=.")
            domain = {"name": name, "min": 0, "max": len(values) - 1}
            col_schema = ColumnSchema(name, dtype="int32", tags=[Tags.CATEGORICAL], properties={"domain": domain})
        make: Any = cls
        return make(int(values.shape[1]), col_schema, trainable=trainable, name=name, weights=values, **kwargs)

    @classmethod
    def from_dataset(
        cls,
        data: Dataset | pd.DataFrame,
        trainable: bool = True,
        name: str | None = None,
        col_schema: ColumnSchema | None = None,
        **kwargs: Any,
    ) -> Self:
        """The same as `from_pretrained`."""
        return cls.from_pretrained(data, trainable=trainable, name=name, col_schema=col_schema, **kwargs)

    def to_df(self, gpu: bool | None = None) -> pd.DataFrame:
        """The rows as a data frame: one row for each id, columns `"0"` to `"D - 1"`.

        Args:
            gpu: Kept, without effect: the frame is always a pandas one.

        Raises:
            ConfigError: if the table is not built yet.
        """
        if self.embeddings is None:
            raise ConfigError(f"EmbeddingTable {self.name!r} has no rows yet", fix="Build it, or call it on a batch.")
        rows = keras.ops.convert_to_numpy(self.embeddings)
        return pd.DataFrame(rows, columns=[str(column) for column in range(self.dim)])

    def to_dataset(self, gpu: bool | None = None) -> Dataset:
        """The rows as a `merlin.io.Dataset`; see `to_df`."""
        from merlin.io import Dataset  # starts Dask, which is not everybody's

        return Dataset(self.to_df(gpu))

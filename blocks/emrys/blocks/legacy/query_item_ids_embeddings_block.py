"""A table of queries and one of items, as the first generation writes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.l2_normalize import l2_normalize
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.io import atomic_file
from emrys.blocks.legacy.dual_encoder_block import DualEncoderBlock
from emrys.blocks.models.embedding_encoder import EmbeddingEncoder
from emrys.blocks.schema.functions import id_column


@keras.saving.register_keras_serializable("emrys")
class QueryItemIdsEmbeddingsBlock(DualEncoderBlock):
    """A vector for each user and one for each item. Deprecated: use `EmbeddingEncoder`, two of them.

    Args:
        schema: The columns, those of the ids among them.
        dim: Size of the vectors.
        query_id_tag: Tag of the column of users. Default: `Tags.USER_ID`.
        item_id_tag: Tag of the column of items. Default: `Tags.ITEM_ID`.
        embeddings_initializers: Initializer of both tables, or initializers by name of a column. Default: a truncated
            normal distribution with standard deviation 0.05.
        embeddings_l2_reg: Weight, in the loss, of the sum of squares of what a batch looks up. Default: 0.
        **kwargs: Further arguments of `DualEncoderBlock`.

    Input shape:
        Dictionary with both columns, (B, 1) each.

    Output shape:
        Dictionary of `"query"` and `"item"`, (B, dim) each, or what `aggregation` makes of it.

    Raises:
        SchemaError: if not one column has each of the tags, or one has no domain.
    """

    def __init__(
        self,
        schema: Schema,
        dim: int,
        query_id_tag: Tags = Tags.USER_ID,
        item_id_tag: Tags = Tags.ITEM_ID,
        embeddings_initializers: Any = None,
        embeddings_l2_reg: float = 0.0,
        **kwargs: Any,
    ) -> None:
        tags = ((query_id_tag, "query_id_tag"), (item_id_tag, "item_id_tag"))
        columns = [id_column(schema, tag, type(self).__name__, argument) for tag, argument in tags]
        # Those that are there already come from a configuration.
        towers = kwargs.pop("towers", None) or [
            EmbeddingEncoder(
                column,
                dim,
                embeddings_initializer=_initializer(embeddings_initializers, column),
                embeddings_l2_batch_regularization=embeddings_l2_reg,
            )
            for column in columns
        ]
        super().__init__(*towers, **kwargs)

    def get_embedding_table(self, table_name: str | Tags, l2_normalization: bool = False) -> Any:
        """The rows of a table, a variable (number of ids, D); a tensor if they are scaled.

        Args:
            table_name: Name of the table, or a tag of its column.
            l2_normalization: Whether rows are scaled to length 1. Default: False.

        Raises:
            ConfigError: if there is no such table.
        """
        rows = self._table_of(table_name).embeddings
        return l2_normalize(keras.ops.convert_to_tensor(rows)) if l2_normalization else rows

    def embedding_table_df(
        self, table_name: str | Tags, l2_normalization: bool = False, gpu: bool = True
    ) -> pd.DataFrame:
        """The rows of a table as a data frame; see `get_embedding_table`.

        Args:
            table_name: Name of the table, or a tag of its column.
            l2_normalization: Whether rows are scaled to length 1. Default: False.
            gpu: Kept, without effect: the frame is always a pandas one.
        """
        rows = np.asarray(keras.ops.convert_to_numpy(self.get_embedding_table(table_name, l2_normalization)))
        return pd.DataFrame(rows, columns=[str(number) for number in range(rows.shape[1])])

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
        tables = [encoder.table for encoder in (self["query"], self["item"])]
        for table in tables:
            if table.name == table_name or len(table.schema.select_by_tag(table_name)):
                return table
        names = ", ".join(table.name for table in tables)
        raise ConfigError(f"{self.name} has no such table", expected=names, got=str(table_name))

    @classmethod
    def _of_towers(cls, query: keras.layers.Layer, item: keras.layers.Layer, **kwargs: Any) -> Self:
        tags = (Tags.USER_ID, Tags.ITEM_ID)
        columns = [tower.table.schema.first for tower in (query, item)]
        kwargs["schema"] = Schema([column.with_tags([tag]) for column, tag in zip(columns, tags, strict=True)])
        return cls(dim=query.table.dim, towers=[query, item], **kwargs)


def _initializer(value: Any, column: ColumnSchema) -> Any:
    found = value.get(column.name) if isinstance(value, Mapping) else value
    if found is None:
        return keras.initializers.TruncatedNormal(stddev=0.05)
    # One that two tables have draws the same numbers for both.
    return found.clone() if isinstance(found, keras.initializers.Initializer) else found

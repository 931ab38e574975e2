"""Embedding tables of users and items as a two-tower block, and their export (first generation)."""

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
    """An embedding for each user and each item. Deprecated: use two `EmbeddingEncoder`s.

    Args:
        schema: Schema with the id columns.
        dim: Dimension of the embeddings.
        query_id_tag: Tag of the user id. Default: `Tags.USER_ID`.
        item_id_tag: Tag of the item id. Default: `Tags.ITEM_ID`.
        embeddings_initializers: Initializer of both tables, or initializers by column name. Default: a truncated
            normal distribution with standard deviation 0.05.
        embeddings_l2_reg: Weight of the L2 regularization of the embeddings of a batch. Default: 0.
        **kwargs: Further arguments of `DualEncoderBlock`.

    Input shape:
        Dictionary with both columns, (B, 1) each.

    Output shape:
        Dictionary of `"query"` and `"item"`, (B, dim) each, or the output of `aggregation`.

    Raises:
        SchemaError: if not exactly one column has each of the tags, or one has no domain.
    """

    def __init__(
        self,
        schema: Schema,
        dim: int,
        query_id_tag: Tags = Tags.USER_ID,
        item_id_tag: Tags = Tags.ITEM_ID,
        embeddings_initializers: str
        | keras.initializers.Initializer
        | Mapping[str, str | keras.initializers.Initializer]
        | None = None,
        embeddings_l2_reg: float = 0.0,
        **kwargs: Any,
    ) -> None:
        tags = ((query_id_tag, "query_id_tag"), (item_id_tag, "item_id_tag"))
        columns = [id_column(schema, tag, type(self).__name__, argument) for tag, argument in tags]
        # `_of_towers` passes the towers when the block is restored from its configuration.
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
        """The rows of a table: a variable (number of ids, D), or a tensor with `l2_normalization`.

        Args:
            table_name: Name of the table, or a tag of its column.
            l2_normalization: Whether to normalize rows to length 1. Default: False.

        Raises:
            ConfigError: if the table is unknown.
        """
        rows = self._table_of(table_name).embeddings
        return l2_normalize(keras.ops.convert_to_tensor(rows)) if l2_normalization else rows

    def embedding_table_df(
        self, table_name: str | Tags, l2_normalization: bool = False, gpu: bool = True
    ) -> pd.DataFrame:
        """The rows of a table as a data frame; see `get_embedding_table`.

        Args:
            table_name: Name of the table, or a tag of its column.
            l2_normalization: Whether to normalize rows to length 1. Default: False.
            gpu: Accepted for compatibility; the data frame is always a pandas one.
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
        raise ConfigError(f"{self.name}: unknown table", expected=f"one of {names}", got=str(table_name))

    @classmethod
    def _of_towers(cls, query: keras.layers.Layer, item: keras.layers.Layer, **kwargs: Any) -> Self:
        tags = (Tags.USER_ID, Tags.ITEM_ID)
        columns = [tower.table.schema.first for tower in (query, item)]
        kwargs["schema"] = Schema([column.with_tags([tag]) for column, tag in zip(columns, tags, strict=True)])
        return cls(dim=query.table.dim, towers=[query, item], **kwargs)


def _initializer(value: Any, column: ColumnSchema) -> Any:
    initializer = value.get(column.name) if isinstance(value, Mapping) else value
    if initializer is None:
        return keras.initializers.TruncatedNormal(stddev=0.05)
    # A shared initializer would draw the same values for both tables.
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer

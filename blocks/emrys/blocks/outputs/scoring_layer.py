"""What outputs that score items accept as `to_call`."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.outputs.categorical_target import CategoricalTarget, only_column
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction


def as_scoring_layer(to_call: Any, owner: str) -> tuple[keras.layers.Layer, Schema | None]:
    """The layer that scores, and the columns whose ids it scores, where a column or a table was given.

    Args:
        to_call: A column, a schema of one, an `EmbeddingTable` or a layer.
        owner: The class that was given it, for errors.

    Raises:
        ConfigError: if it is something else.
        SchemaError: if a schema has not exactly one column.
    """
    if isinstance(to_call, (ColumnSchema, Schema)):
        column = only_column(to_call, owner)
        return CategoricalTarget(column), Schema([column])
    if isinstance(to_call, EmbeddingTable):
        return EmbeddingTablePrediction(to_call), to_call.schema
    if not isinstance(to_call, keras.layers.Layer):
        raise ConfigError(
            f"{owner}: to_call",
            expected="a column, a schema of one, an EmbeddingTable or a layer",
            got=type(to_call).__name__,
        )
    return to_call, None

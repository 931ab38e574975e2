"""`ItemsPredictionWeightTying`: scores of all items by the rows of the input's embedding table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import SchemaError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction


@keras.saving.register_keras_serializable("emrys")
class ItemsPredictionWeightTying(Block):
    """A logit for every item, `x Eᵀ + b`, with E the embedding table of the items in the model's input.

    The `Model` ties it to the first table of the column tagged ITEM_ID. Without such a table, or outside a model, it
    creates its own. For a known table, use `EmbeddingTablePrediction`.

    Args:
        schema: Schema with the column tagged ITEM_ID.
        bias_initializer: Initializer of b. Default: `"zeros"`.
        table: The table. Default: the `Model` finds it.

    Input shape:
        (B, D), with the table's D

    Output shape:
        (B, N), float32

    Raises:
        SchemaError: if the schema has not one such column.
        ConfigError: when built, if the input has another D than the table.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([mm.create_categorical_column("item_id", num_items=3, tags=[Tags.ITEM_ID])])
        >>> tuple(mm.ItemsPredictionWeightTying(schema)(np.ones((5, 2), "float32")).shape)
        (5, 4)

    Reference:
        Inan, Khosravi, Socher. Tying Word Vectors and Word Classifiers: A Loss Framework for Language Modeling.
        ICLR 2017.
    """

    def __init__(
        self,
        schema: Schema,
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        table: EmbeddingTable | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        ids = schema.select_by_tag(Tags.ITEM_ID)
        if len(ids) != 1:
            raise SchemaError(
                "ItemsPredictionWeightTying: schema",
                expected="one column tagged ITEM_ID",
                got=", ".join(ids.column_names) or f"none among {', '.join(schema.column_names)}",
            )
        self.item_id = next(iter(ids))
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.prediction: Any = None
        self.tie([] if table is None else [table])

    def tie(self, tables: Iterable[EmbeddingTable]) -> None:
        """Uses the first of `tables` that holds the items, unless it has a table already."""
        for table in tables:
            if self.prediction is None and self.item_id.name in table.schema.column_names:
                self.prediction = EmbeddingTablePrediction(table, self.bias_initializer, use_bias=True, name="scores")

    def build(self, input_shape: Shape) -> None:
        """Builds the prediction, with its own table if there is no other."""
        shape = as_shape(input_shape)
        if self.prediction is None:
            self.tie([EmbeddingTable(shape[-1], self.item_id)])
        build_layer(self.prediction, shape)
        self.built = True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the scores."""
        return call_layer(self.prediction, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, N)."""
        return (*as_shape(input_shape)[:-1], int(self.item_id.int_domain.max) + 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(Schema([self.item_id])),
            "bias_initializer": to_config(self.bias_initializer),
            "table": None if self.prediction is None else to_config(self.prediction.table),
        }

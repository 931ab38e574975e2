"""`EmbeddingTablePrediction`: logits of all ids of an embedding table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_table import EmbeddingTable


@keras.saving.register_keras_serializable("emrys")
class EmbeddingTablePrediction(Block):
    """A logit for every id of an embedding table, from its rows: `x Eᵀ (+ b)`. Input and output share the weights.

    Args:
        table: The table E, (N, D).
        bias_initializer: Initializer of b. Default: `"zeros"`.
        use_bias: Whether there is a bias. Default: False.

    Input shape:
        (B, D), with the table's D

    Output shape:
        (B, N), float32 in every precision policy

    Raises:
        ConfigError: if `table` is no `EmbeddingTable`; when built, if the input has another D.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> table = mm.EmbeddingTable(2, mm.create_categorical_column("item_id", num_items=3))
        >>> tuple(mm.EmbeddingTablePrediction(table)(np.ones((5, 2), "float32")).shape)
        (5, 4)
    """

    def __init__(
        self,
        table: EmbeddingTable,
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        use_bias: bool = False,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(table, EmbeddingTable):
            raise ConfigError("EmbeddingTablePrediction: table", expected="an EmbeddingTable", got=type(table).__name__)
        self.table = table
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.use_bias = use_bias
        self.bias: Any = None

    def children(self) -> list[keras.layers.Layer]:
        """Returns no layers: the table belongs to the input block."""
        return []

    def build(self, input_shape: Shape) -> None:
        """Builds the table, unless it is built, and creates the bias, (N,)."""
        last = as_shape(input_shape)[-1]
        if last is not None and last != self.table.dim:
            raise ConfigError(
                f"{self.name} compares its input with the rows of {self.table.name!r}",
                expected=f"input of size {self.table.dim}",
                got=str(last),
                fix="End the block before it with the table's dimension.",
            )
        if not self.table.built:
            self.table.build((None, 1))
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.table.input_dim,), initializer=self.bias_initializer, name="bias")
        self.built = True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the scores."""
        table = tf.cast(self.table.embeddings.value, self.compute_dtype)
        scores = tf.matmul(tf.cast(inputs, self.compute_dtype), table, transpose_b=True)
        scores = tf.cast(scores, "float32")
        return scores if self.bias is None else scores + tf.cast(self.bias, "float32")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, N)."""
        return (*as_shape(input_shape)[:-1], self.table.input_dim)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "table": to_config(self.table),
            "bias_initializer": to_config(self.bias_initializer),
            "use_bias": self.use_bias,
        }

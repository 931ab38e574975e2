"""Linear model on categorical and continuous features."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.interactions.wide_columns import WideColumns


@keras.saving.register_keras_serializable("emrys")
class WideLogit(Block):
    """Linear model with one weight for each id and each continuous feature: `y = b + Σ_ids w_id + Σ_j w_j x_j`.

    It equals a dense layer on one-hot (for lists multi-hot) features, but looks the weights up: its cost does not grow
    with the number of ids. Repeated ids of a list count once.

    Args:
        schema: The columns; targets, and columns tagged neither CATEGORICAL nor CONTINUOUS, are ignored.
        kernel_initializer: Initializer of the weights. Default: `"glorot_uniform"`.
        bias_initializer: Initializer of the bias. Default: `"zeros"`.
        kernel_regularizer: Regularizer of the weights. Default: none.

    Input shape:
        Dictionary of ids, (B, 1) or lists of them, and of numbers (B, 1), by column name.

    Output shape:
        (B, 1)

    Raises:
        SchemaError: if there are no columns, or a categorical one has no domain; when built, if one is missing.
        DataError: when called, if an id is outside the domain (`tf.errors.InvalidArgumentError` from a graph).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("item", 9), mm.create_continuous_column("price")])
        >>> layer = mm.WideLogit(schema, kernel_initializer="ones")
        >>> layer({"item": np.array([[7]]), "price": np.array([[0.5]])}).numpy().tolist()
        [[1.5]]
    """

    is_input = True

    def __init__(
        self,
        schema: Schema,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        kernel_regularizer: str | keras.regularizers.Regularizer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        self._columns = WideColumns(schema, self.name)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel: Any = None
        self.bias: Any = None
        self._widths: dict[str, int] = {}

    @property
    def schema(self) -> Schema:
        """The input columns."""
        return self._columns.schema

    def build(self, input_shape: Shape) -> None:
        """Creates the weights, one for each position, and the bias."""
        self._widths = self._columns.widths(input_shape)
        self.kernel = self.add_weight(
            shape=(sum(self._widths.values()), 1),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
            autocast=False,
        )
        self.bias = self.add_weight(shape=(1,), initializer=self.bias_initializer, name="bias", autocast=False)
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor]) -> Any:
        """Computes the logit."""
        offset = 0
        total = self.bias.value[tf.newaxis, :]
        for name, positions, values in self._columns.positions(inputs):
            weights = tf.gather(self.kernel.value, positions + offset)
            total += tf.reduce_sum(weights * values[:, :, tf.newaxis], axis=1)
            offset += self._widths[name]
        return tf.cast(total, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, 1)."""
        self._columns.widths(input_shape)
        return (next(iter(as_shape(input_shape).values()))[0], 1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self._columns.schema),
            "kernel_initializer": to_config(self.kernel_initializer),
            "bias_initializer": to_config(self.bias_initializer),
            "kernel_regularizer": to_config(self.kernel_regularizer),
        }

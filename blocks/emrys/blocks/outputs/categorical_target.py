"""`CategoricalTarget`: logits of all ids of a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import number_of_ids


@keras.saving.register_keras_serializable("emrys")
class CategoricalTarget(keras.layers.Dense):
    """A dense layer with one logit for every id of a column: `x W + b`.

    Args:
        feature: The column, or a schema of one; the number of ids is the maximum of its domain + 1. Default: none,
            with the number of ids as `units`.
        activation: Activation of the scores. Default: none.
        use_bias: Whether there is a bias. Default: True.
        kernel_initializer: Initializer of W. Default: `"glorot_uniform"`.
        bias_initializer: Initializer of b. Default: `"zeros"`.
        kernel_regularizer: Regularizer of W. Default: none.
        bias_regularizer: Regularizer of b. Default: none.
        activity_regularizer: Regularizer of the scores. Default: none.
        kernel_constraint: Constraint of W. Default: none.
        bias_constraint: Constraint of b. Default: none.
        **kwargs: `units`, and the arguments of every layer: `name`, `dtype`, `trainable`.

    Input shape:
        (B, D)

    Output shape:
        (B, N), float32 in every precision policy

    Raises:
        SchemaError: if the column has no domain.
        ConfigError: if both the column and `units` are missing.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.CategoricalTarget(mm.create_categorical_column("item_id", num_items=19)).units
        20
    """

    def __init__(
        self,
        feature: ColumnSchema | Schema | None = None,
        activation: str | Callable[[tf.Tensor], tf.Tensor] | keras.layers.Layer | None = None,
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        kernel_regularizer: str | keras.regularizers.Regularizer | None = None,
        bias_regularizer: str | keras.regularizers.Regularizer | None = None,
        activity_regularizer: str | keras.regularizers.Regularizer | None = None,
        kernel_constraint: str | keras.constraints.Constraint | None = None,
        bias_constraint: str | keras.constraints.Constraint | None = None,
        **kwargs: object,
    ) -> None:
        if feature is not None:
            kwargs["units"] = number_of_ids(only_column(feature, "CategoricalTarget"))
        if "units" not in kwargs:
            raise ConfigError("CategoricalTarget does not know how many ids there are", expected="a column, or units")
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None) -> Any:
        """Returns the scores."""
        return tf.cast(super().call(inputs, training=training), "float32")


def only_column(feature: ColumnSchema | Schema, owner: str) -> ColumnSchema:
    """Returns the column itself, or the only one of a schema.

    Raises:
        SchemaError: if the schema has another number of columns.
    """
    if isinstance(feature, ColumnSchema):
        return feature
    columns = list(feature)
    if len(columns) != 1:
        raise SchemaError(
            f"{owner} takes one column", expected="a schema of one", got=", ".join(feature.column_names) or "none"
        )
    return columns[0]

"""The mean of a list of embeddings, weighted by another column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.transforms.sequence_aggregator import SequenceAggregator


@keras.saving.register_keras_serializable("emrys")
class AverageEmbeddingsByWeightFeature(Block):
    """Weighted mean of the embeddings of a list: `Σ_l w_l x_l / Σ_l w_l`, with weights from a column of the batch.

    Weights that add up to 0 give nan, an empty ragged list zeros.

    Args:
        weight_feature_name: The column with the weights, one for each position of the list.
        axis: Axis of the list. Default: 1.
        weight_column: That column. Default: lists of float32; or the one of that name in the schema passed to
            `set_schema`.

    Input shape:
        Embeddings (B, L, D), dense or ragged; in `features`, weights (B, L) or (B, L, 1), ragged as they are.

    Output shape:
        (B, D)

    Raises:
        SchemaError: when called, if the batch lacks the column.
        ConfigError: when called, if either of embeddings and weights is ragged and the other not; if embeddings are
            ragged and `axis` is not 1.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mean = mm.AverageEmbeddingsByWeightFeature("w")
        >>> mean(np.array([[[1.0], [5.0]]]), features={"w": np.array([[3.0, 1.0]])}).numpy().tolist()
        [[2.0]]
    """

    def __init__(
        self,
        weight_feature_name: str,
        axis: int = 1,
        weight_column: ColumnSchema | Schema | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.weight_feature_name = weight_feature_name
        self.axis = axis
        self._column: ColumnSchema | None = weight_column.first if isinstance(weight_column, Schema) else weight_column

    @property
    def schema(self) -> Schema:
        """The column with the weights."""
        if self._column is not None:
            return Schema([self._column])
        kind = {"dtype": "float32", "is_list": True, "is_ragged": True}
        return Schema([ColumnSchema(self.weight_feature_name, tags=[Tags.CONTINUOUS, Tags.SEQUENCE], **kind)])

    def set_schema(self, schema: Schema | None) -> Self:
        """Takes the column with the weights from the schema, if it has one, and returns the block."""
        if self._column is None and schema is not None and self.weight_feature_name in schema.column_names:
            self._column = schema[self.weight_feature_name]
        return self

    @classmethod
    def from_schema_convention(
        cls, schema: Schema, weight_features_name_suffix: str = "_weight"
    ) -> dict[str, keras.layers.Layer]:
        """Creates a combiner for each categorical list, weighted where the schema has a column of weights for it.

        Args:
            schema: The columns. Those tagged both CATEGORICAL and SEQUENCE get a combiner.
            weight_features_name_suffix: Suffix of the name of a column's weights. Default: `"_weight"`.

        Returns:
            Combiners by column, for the `sequence_combiner` of `Embeddings`; a plain mean where there are no weights.
        """
        combiners: dict[str, keras.layers.Layer] = {}
        for name in schema.select_by_tag(Tags.CATEGORICAL).select_by_tag(Tags.SEQUENCE).column_names:
            weights = f"{name}{weight_features_name_suffix}"
            combiners[name] = (
                cls(weights, weight_column=schema[weights])
                if weights in schema.column_names
                else SequenceAggregator("mean")
            )
        return combiners

    def call(self, inputs: tf.Tensor | tf.RaggedTensor, features: Mapping[str, tf.Tensor] | None = None) -> Any:
        """Returns the weighted means."""
        if features is None or self.weight_feature_name not in features:
            raise SchemaError(
                f"{self.name} finds no weights in the batch",
                column=self.weight_feature_name,
                got=", ".join(sorted(features or {})) or "no features",
            )
        weights = features[self.weight_feature_name]
        if isinstance(inputs, tf.RaggedTensor) != isinstance(weights, tf.RaggedTensor):
            raise ConfigError(
                f"{self.name} needs weights as ragged as the embeddings",
                column=self.weight_feature_name,
                expected=_kind(inputs),
                got=_kind(weights),
            )
        if isinstance(inputs, tf.RaggedTensor):
            return self._ragged_mean(inputs, weights)
        weights = tf.cast(weights, inputs.dtype)
        if len(weights.shape) < len(inputs.shape):
            weights = tf.expand_dims(weights, -1)
        return tf.reduce_sum(inputs * weights, self.axis) / tf.reduce_sum(weights, self.axis)

    def _ragged_mean(self, inputs: Any, weights: Any) -> Any:
        if self.axis != 1:
            raise ConfigError(f"{self.name}: axis", expected="1 for ragged embeddings", got=str(self.axis))
        flat = tf.reshape(tf.cast(weights.flat_values, inputs.dtype), (-1, 1))
        same = tf.debugging.assert_equal(
            inputs.row_lengths(),
            weights.row_lengths(),
            message=f"{self.name}: lists and their weights differ in length",
        )
        with tf.control_dependencies([same] if same is not None else []):
            total = tf.reduce_sum(inputs.with_flat_values(inputs.flat_values * flat), axis=1)
            empty = tf.cast(inputs.row_lengths() == 0, total.dtype)[:, tf.newaxis]
            return total / (tf.reduce_sum(inputs.with_flat_values(flat), axis=1) + empty)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape without the axis of the list."""
        shape = as_shape(input_shape)
        axis = self.axis % len(shape)
        return shape[:axis] + shape[axis + 1 :]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "weight_feature_name": self.weight_feature_name,
            "axis": self.axis,
            "weight_column": None if self._column is None else to_config(Schema([self._column])),
        }


def _kind(values: Any) -> str:
    return "ragged" if isinstance(values, tf.RaggedTensor) else "dense"

"""`PretrainedVectors`: a column of pretrained vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.gather import COMBINERS, combine
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError


@keras.saving.register_keras_serializable("emrys")
class PretrainedVectors(Block):
    """Reads one column of vectors: combines those of a list, projects them, normalises the result.

    Args:
        column: The column.
        output_dim: Dimension to which the vectors are projected, by a dense layer. Default: none, they stay as they
            are.
        sequence_combiner: Combination of the vectors of a list: `"mean"`, `"sum"`, `"sqrtn"`, or a layer. Default:
            `"mean"`; None keeps the list.
        normalizer: Layer on the result. Default: none.

    Input shape:
        Dictionary by feature name; the column (B, D), or (B, L, D), dense or ragged.

    Output shape:
        Dictionary of (B, output_dim) by the column's name; (B, L, output_dim) for lists that are not combined.

    Raises:
        ConfigError: if there is no such combiner, or `output_dim` is below 1.
        SchemaError: when built, if the batch lacks the column, or its vectors have no size.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import ColumnSchema
        >>> lists = np.array([[[1.0, 2.0], [3.0, 4.0]]])
        >>> mm.PretrainedVectors(ColumnSchema("images"))({"images": lists})["images"].numpy().tolist()
        [[2.0, 3.0]]
    """

    is_input = True

    def __init__(
        self,
        column: ColumnSchema,
        output_dim: int | None = None,
        sequence_combiner: str | keras.layers.Layer | None = "mean",
        normalizer: keras.layers.Layer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(sequence_combiner, keras.layers.Layer) and sequence_combiner not in (None, *COMBINERS):
            expected = f"None, a layer or one of {', '.join(map(repr, COMBINERS))}"
            raise ConfigError("PretrainedVectors: sequence_combiner", expected=expected, got=repr(sequence_combiner))
        if output_dim is not None and (not isinstance(output_dim, int) or output_dim < 1):
            raise ConfigError("PretrainedVectors: output_dim", expected="a whole number above 0", got=repr(output_dim))
        self.column = column
        self.output_dim = output_dim
        self.sequence_combiner = sequence_combiner
        self.projection = None if output_dim is None else keras.layers.Dense(output_dim, name="projection")
        self.normalizer = normalizer

    @property
    def schema(self) -> Schema:
        """The column."""
        return Schema([self.column])

    def _column_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        shapes = as_shape(input_shape)
        if self.column.name not in shapes:
            raise SchemaError(
                f"{self.name} does not find its column", column=self.column.name, got=", ".join(sorted(shapes))
            )
        shape: tuple[int | None, ...] = shapes[self.column.name]
        if len(shape) not in (2, 3) or shape[-1] is None:
            raise SchemaError(
                f"{self.name} takes vectors of one size",
                column=self.column.name,
                expected="shape (B, D) or (B, L, D)",
                got=str(shape),
            )
        return shape

    def _combined_shape(self, shape: tuple[int | None, ...]) -> Shape:
        if len(shape) == 2 or self.sequence_combiner is None:
            return shape
        if isinstance(self.sequence_combiner, str):
            return (shape[0], shape[2])
        return output_shape(self.sequence_combiner, shape)

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        shape = self._column_shape(input_shape)
        if len(shape) == 3 and isinstance(self.sequence_combiner, keras.layers.Layer):
            build_layer(self.sequence_combiner, shape)
        shape = self._combined_shape(shape)
        for layer in (self.projection, self.normalizer):
            shape = shape if layer is None else build_layer(layer, shape)
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor], features: Mapping[str, tf.Tensor] | None = None) -> dict[str, Any]:
        """Returns the column's vectors."""
        vectors = inputs[self.column.name]
        if len(vectors.shape) == 3 and isinstance(self.sequence_combiner, str):
            vectors = combine(vectors, self.sequence_combiner)
        elif len(vectors.shape) == 3 and self.sequence_combiner is not None:
            vectors = call_layer(self.sequence_combiner, vectors, features=inputs if features is None else features)
        if self.projection is not None:
            ragged = isinstance(vectors, tf.RaggedTensor)
            flat = self.projection(vectors.values if ragged else vectors)
            vectors = vectors.with_values(flat) if ragged else flat
        return {self.column.name: vectors if self.normalizer is None else self.normalizer(vectors)}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape by the column's name."""
        shape = self._combined_shape(self._column_shape(input_shape))
        if self.output_dim is not None:
            shape = (*shape[:-1], self.output_dim)
        if self.normalizer is not None:
            shape = output_shape(self.normalizer, shape)
        return {self.column.name: shape}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self.schema),
            "output_dim": self.output_dim,
            "sequence_combiner": to_config(self.sequence_combiner),
            "normalizer": to_config(self.normalizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> PretrainedVectors:
        """Creates the block from the configuration that `get_config` returned."""
        arguments = from_config(config)
        (column,) = arguments.pop("schema")
        return cls(column, **arguments)

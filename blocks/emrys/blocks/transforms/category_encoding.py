"""Categorical features as one-hot, multi-hot or counting vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, Unpack

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import block_registry
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.gather import checked_ids, nan_outside
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import LayersAroundArguments, TabularBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import column_cardinality
from emrys.blocks.transforms.one_hot import multi_hot, one_hot

_MODES = ("one_hot", "multi_hot", "count")


@block_registry.register("category_encoding")
@keras.saving.register_keras_serializable("emrys")
class CategoryEncoding(TabularBlock):
    """Encodes each categorical column as a vector with one component per id; other columns are dropped.

    Args:
        schema: The columns; those tagged CATEGORICAL have a domain. Default: that of `set_schema`, which a `Model`
            calls for its blocks.
        output_mode: `"one_hot"`: 1 at the id, for columns of one id per row. `"multi_hot"`: 1 at every id of a list.
            `"count"`: number of occurrences of the id. Default: `"one_hot"`.
        sparse: Whether the vectors are `tf.SparseTensor`s. Default: False.
        count_weights: With `"count"`, weight of each occurrence, (B, L), dense or sparse, the same for every column.
            Default: 1.
        is_input: See `TabularBlock`. Default: True.
        **kwargs: The other arguments of `TabularBlock`, such as `aggregation`.

    Input shape:
        Dictionary by column name: (B, 1), lists (B, L) or (B, L, 1), or, except in mode `"one_hot"`, ragged lists.
        Dense or a `tf.SparseTensor`, whose missing elements are not counted.

    Output shape:
        Dictionary by column name: (B, largest id + 1), of floats; or their aggregation.

    Raises:
        ConfigError: if a mode is unknown, or weights are passed for another mode than `"count"`; when called with lists
            in mode `"one_hot"`.
        SchemaError: if no column is categorical, or one has no domain.
        DataError: when called, if an id is outside the domain (`tf.errors.InvalidArgumentError` from a graph).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> encoding = mm.CategoryEncoding(Schema([mm.create_categorical_column("genres", 3)]), output_mode="count")
        >>> encoding({"genres": np.array([[1, 3, 3]])})["genres"].numpy().tolist()
        [[0.0, 1.0, 0.0, 2.0]]
    """

    def __init__(
        self,
        schema: Schema | None = None,
        output_mode: str = "one_hot",
        sparse: bool = False,
        count_weights: Any = None,
        is_input: bool = True,
        **kwargs: Unpack[LayersAroundArguments],
    ) -> None:
        super().__init__(is_input=is_input, **kwargs)
        if output_mode not in _MODES:
            raise ConfigError(
                "CategoryEncoding: output_mode",
                expected=f"one of {', '.join(map(repr, _MODES))}",
                got=repr(output_mode),
            )
        if count_weights is not None and output_mode != "count":
            raise ConfigError("CategoryEncoding: count_weights", expected="output_mode 'count'", got=repr(output_mode))
        self.output_mode = output_mode
        self.sparse = sparse
        if isinstance(count_weights, tf.SparseTensor):
            count_weights = tf.sparse.to_dense(count_weights)
        self.count_weights = None if count_weights is None else np.asarray(count_weights, "float32").tolist()
        self._has_own_schema = schema is not None
        self._sizes: dict[str, int] = {}
        self._columns: Schema | None = None
        if schema is not None:
            self._set_columns(schema)

    def _set_columns(self, schema: Schema) -> None:
        self._columns = schema.select_by_tag(Tags.CATEGORICAL)
        self._sizes = {column.name: self._size(column) for column in self._columns}
        if not self._sizes:
            raise SchemaError(
                f"{self.name} has no columns to encode",
                expected="columns tagged CATEGORICAL",
                got=", ".join(schema.column_names) or "an empty schema",
            )

    def _size(self, column: ColumnSchema) -> int:
        size = column_cardinality(column)
        if size is None:
            raise SchemaError(
                f"{self.name}: the number of ids is unknown",
                column=column.name,
                expected="a domain with a maximum",
                fix="Set an int domain of the column in the schema, or remove its tag CATEGORICAL.",
            )
        return size

    @property
    def schema(self) -> Schema | None:
        """The categorical columns."""
        return self._columns

    def set_schema(self, schema: Schema | None) -> Self:
        """Sets the columns, unless the constructor did, and returns the block."""
        if not self._has_own_schema and schema is not None and len(schema.select_by_tag(Tags.CATEGORICAL)):
            self._set_columns(schema)
        self._pass_schema_on(schema)
        return self

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> dict[str, Any]:
        """Encodes the categorical columns."""
        return {name: self._encode(name, value) for name, value in inputs.items() if name in self._sizes}

    def _encode(self, name: str, value: Any) -> Any:
        size, dtype = self._sizes[name], self.compute_dtype
        if self.output_mode == "one_hot" and not isinstance(value, tf.SparseTensor):
            ids, outside = self._checked(name, self._single(name, value))
            vectors = one_hot(ids, size, self.sparse, dtype)
            return vectors if self.sparse else vectors + tf.cast(outside, dtype)[:, tf.newaxis]
        if self.output_mode == "one_hot":
            self._check_single(name, value)
        rows, flat, weights, batch = self._occurrences(value)
        ids, outside = self._checked(name, flat)
        count = self.output_mode == "count"
        vectors = multi_hot(rows, ids, weights + outside, batch, size, count=count, sparse=self.sparse)
        return tf.cast(vectors, dtype)

    def _checked(self, name: str, ids: Any) -> tuple[Any, Any]:
        checked, inside = checked_ids(ids, self._sizes[name], f"{self.name}: column {name}")
        return checked, nan_outside(inside, "float32")

    def _single(self, name: str, value: Any) -> Any:
        self._check_single(name, value)
        return tf.reshape(value, (-1,))

    def _check_single(self, name: str, value: Any) -> None:
        ragged = isinstance(value, tf.RaggedTensor)
        if ragged or any(size != 1 for size in value.shape[1:]):
            raise ConfigError(
                f"{self.name}: a list cannot be one-hot",
                column=name,
                expected="shape (B, 1)",
                got="a ragged tensor" if ragged else f"shape {tuple(value.shape)}",
                fix="Use output_mode='multi_hot' or 'count'.",
            )

    def _occurrences(self, value: Any) -> tuple[Any, Any, Any, Any]:
        """The row, the id and the weight of every occurrence, and the number of rows."""
        if isinstance(value, tf.SparseTensor):
            rows, position, ids, batch = value.indices[:, 0], value.indices[:, 1], value.values, value.dense_shape[0]
        elif isinstance(value, tf.RaggedTensor):
            ids = tf.reshape(value.flat_values, (-1,))
            rows, batch = tf.cast(value.value_rowids(), "int64"), value.nrows()
            position = tf.range(tf.size(ids, tf.int64)) - tf.gather(tf.cast(value.row_starts(), "int64"), rows)
        else:
            lists = tf.squeeze(value, axis=2) if len(value.shape) > 2 else value
            batch, length = tf.shape(lists, "int64")[0], tf.shape(lists, "int64")[1]
            flat = tf.range(batch * length)
            rows, position, ids = flat // length, flat % length, tf.reshape(lists, (-1,))
        if self.count_weights is None:
            return rows, ids, tf.ones_like(ids, "float32"), batch
        weights = tf.constant(self.count_weights, "float32")
        return rows, ids, tf.gather_nd(weights, tf.stack([rows, position], axis=1)), batch

    def transform_shape(self, shape: Shape) -> Shape:
        """(B, number of ids), by column."""
        if not isinstance(shape, dict):
            raise ConfigError(f"{self.name} reads features by name", expected="a dictionary", got=f"shape {shape}")
        encoded = {name: (value[0], self._sizes[name]) for name, value in shape.items() if name in self._sizes}
        if not encoded:
            raise SchemaError(
                f"{self.name}: the batch has none of its features",
                expected=", ".join(self._sizes) or "a schema with columns tagged CATEGORICAL",
                got=", ".join(shape),
            )
        return encoded

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self._columns),
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "count_weights": self.count_weights,
        }

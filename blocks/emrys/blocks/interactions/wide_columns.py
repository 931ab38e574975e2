"""Column layout of linear models: the positions of each column in the weight vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.gather import checked_ids, nan_outside
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import column_cardinality, select_targets

_READ = (Tags.CATEGORICAL, Tags.CONTINUOUS)


class WideColumns:
    """Assigns positions to columns: one for each id of a categorical column, one for each value of a continuous one.

    Columns are in alphabetical order. Repeated ids of a list count once.

    Args:
        schema: The columns; targets, and columns that are neither categorical nor continuous, are ignored.
        owner: Name of the layer, for error messages.

    Raises:
        SchemaError: if there are no columns, or a categorical one has no domain.
    """

    def __init__(self, schema: Schema, owner: str) -> None:
        if not isinstance(schema, Schema):
            raise ConfigError(f"{owner}: schema", expected="a Schema", got=repr(schema))
        features = schema.excluding_by_name(select_targets(schema).column_names)
        # One selection for each tag: selecting by both together is not supported.
        names = {name for tag in _READ for name in features.select_by_tag(tag).column_names}
        read = features.select_by_name([name for name in features.column_names if name in names])
        if len(read) == 0:
            raise SchemaError(
                f"{owner} has no input columns",
                expected="columns tagged CATEGORICAL or CONTINUOUS",
                got=", ".join(features.column_names) or "no columns but targets",
            )
        self.schema = read
        self.owner = owner
        self._columns = [read[name] for name in sorted(read.column_names)]
        self._ids = {column.name: self._size(column) for column in self._columns if Tags.CATEGORICAL in column.tags}

    def _size(self, column: ColumnSchema) -> int:
        size = column_cardinality(column)
        if size is None:
            raise SchemaError(
                f"{self.owner} does not know how many ids there are",
                column=column.name,
                expected="a domain with a maximum",
                fix="Set an int domain for the column in the schema, or remove its tag CATEGORICAL.",
            )
        return size

    def widths(self, input_shape: Shape) -> dict[str, int]:
        """Number of positions of each column, in order, for a batch of `input_shape`.

        Raises:
            ConfigError: if the batch is not a dictionary, or the size of a continuous feature is unknown.
            SchemaError: if a column is missing.
        """
        shapes = as_shape(input_shape)
        if not isinstance(shapes, dict):
            raise ConfigError(f"{self.owner}: input", expected="a dictionary of features", got=f"shape {shapes}")
        widths: dict[str, int] = {}
        for column in self._columns:
            if column.name not in shapes:
                raise SchemaError(f"{self.owner} misses a feature", column=column.name, got=", ".join(shapes))
            shape = shapes[column.name]
            width = self._ids.get(column.name, shape[1] if len(shape) == 2 else None)
            if width is None:
                raise ConfigError(
                    f"{self.owner} needs continuous features of known size",
                    column=column.name,
                    expected="shape (B, 1)",
                    got=str(shape),
                )
            widths[column.name] = width
        return widths

    def positions(self, inputs: dict[str, tf.Tensor]) -> Iterator[tuple[str, Any, Any]]:
        """Yields the name of each column, positions within the column (B, P), and the values there (B, P)."""
        for column in self._columns:
            values = inputs[column.name]
            if column.name not in self._ids:
                dense = tf.cast(values, "float32")
                yield column.name, tf.zeros_like(dense, "int64") + tf.range(dense.shape[1], dtype="int64"), dense
                continue
            ids, counts = _distinct(values)
            ids, inside = checked_ids(ids, self._ids[column.name], f"{self.owner}: column {column.name}")
            yield column.name, ids, counts + nan_outside(inside, counts.dtype)


def _is_sparse(ids: Any) -> bool:
    return isinstance(ids, tf.SparseTensor)


def _distinct(ids: Any) -> tuple[Any, Any]:
    """Ids (B, L) and their counts: 1 for the first of equal ids of a row, 0 for repeated ones and padding."""
    if len(ids.shape) > 2:
        ids = tf.sparse.reshape(ids, tf.shape(ids, tf.int64)[:2]) if _is_sparse(ids) else tf.squeeze(ids, axis=2)
    ids = tf.RaggedTensor.from_sparse(ids) if _is_sparse(ids) else ids
    ragged = isinstance(ids, tf.RaggedTensor)
    valid = tf.sequence_mask(ids.row_lengths(), dtype=tf.bool) if ragged else tf.ones_like(ids, tf.bool)
    ids = ids.to_tensor() if ragged else ids
    if len(ids.shape) == 1:
        ids, valid = ids[:, tf.newaxis], valid[:, tf.newaxis]
    if ids.shape[1] == 1:
        return ids, tf.cast(valid, "float32")
    # After sorting, equal ids are neighbours and padding comes last.
    largest = tf.cast(ids.dtype.max, ids.dtype)
    ordered = tf.sort(tf.where(valid, ids, largest), axis=1)
    first = tf.concat([tf.ones_like(ordered[:, :1], tf.bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    counted = tf.logical_and(first, ordered != largest)
    return tf.where(counted, ordered, tf.zeros_like(ordered)), tf.cast(counted, "float32")

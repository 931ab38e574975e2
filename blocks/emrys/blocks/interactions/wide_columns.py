"""The columns of a linear model, and where each of them stands among its weights."""

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
    """One position for each id of each categorical column, one for each value of each continuous column.

    Columns follow each other in alphabetical order. Every distinct id of a list counts once.

    Args:
        schema: The columns; targets, and columns that are neither categorical nor continuous, are passed over.
        owner: What they are read by, for errors.

    Raises:
        SchemaError: if there are no columns, or a categorical one has no domain.
    """

    def __init__(self, schema: Schema, owner: str) -> None:
        if not isinstance(schema, Schema):
            raise ConfigError(f"{owner}: schema", expected="a Schema", got=repr(schema))
        features = schema.excluding_by_name(select_targets(schema).column_names)
        # One selection for each: both tags together are refused.
        names = {name for tag in _READ for name in features.select_by_tag(tag).column_names}
        read = features.select_by_name([name for name in features.column_names if name in names])
        if len(read) == 0:
            raise SchemaError(
                f"{owner} has nothing to read",
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
                fix="Give the column an int domain in the schema, or take the tag CATEGORICAL off it.",
            )
        return size

    def widths(self, input_shape: Shape) -> dict[str, int]:
        """The number of positions of each column that a batch of `input_shape` has, in order.

        Raises:
            ConfigError: if the batch is no dictionary, or the size of a continuous feature is open.
            SchemaError: if a column is missing.
        """
        shapes = as_shape(input_shape)
        if not isinstance(shapes, dict):
            raise ConfigError(f"{self.owner} reads features by name", expected="a dictionary", got=f"shape {shapes}")
        found: dict[str, int] = {}
        for column in self._columns:
            if column.name not in shapes:
                raise SchemaError(
                    f"{self.owner} misses a feature", column=column.name, expected="it in the batch", got=_names(shapes)
                )
            shape = shapes[column.name]
            width = self._ids.get(column.name, shape[1] if len(shape) == 2 else None)
            if width is None:
                raise ConfigError(
                    f"{self.owner} takes continuous features of one size",
                    column=column.name,
                    expected="shape (B, 1)",
                    got=str(shape),
                )
            found[column.name] = width
        return found

    def positions(self, inputs: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
        """Gives, column by column, its name, positions within it (B, P), and the numbers that stand there (B, P)."""
        for column in self._columns:
            values = inputs[column.name]
            if column.name not in self._ids:
                dense = tf.cast(values, "float32")
                yield column.name, tf.zeros_like(dense, "int64") + tf.range(dense.shape[1], dtype="int64"), dense
                continue
            ids, counts = _distinct(values)
            ids, inside = checked_ids(ids, self._ids[column.name], f"{self.owner}: column {column.name}")
            yield column.name, ids, counts + nan_outside(inside, counts.dtype)


def _distinct(ids: Any) -> tuple[Any, Any]:
    """Ids (B, L) with 1 at the first of equal ones of a row, and 0 at the others and where a list has ended."""
    if len(ids.shape) > 2:
        ids = tf.squeeze(ids, axis=2)
    ragged = isinstance(ids, tf.RaggedTensor)
    there = tf.sequence_mask(ids.row_lengths(), dtype=tf.bool) if ragged else tf.ones_like(ids, tf.bool)
    ids = ids.to_tensor() if ragged else ids
    if len(ids.shape) == 1:
        ids, there = ids[:, tf.newaxis], there[:, tf.newaxis]
    if ids.shape[1] == 1:
        return ids, tf.cast(there, "float32")
    # Sorted, equal ids are neighbours; what is behind the end of a list goes last.
    largest = tf.cast(ids.dtype.max, ids.dtype)
    ordered = tf.sort(tf.where(there, ids, largest), axis=1)
    new = tf.concat([tf.ones_like(ordered[:, :1], tf.bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    kept = tf.logical_and(new, ordered != largest)
    return tf.where(kept, ordered, tf.zeros_like(ordered)), tf.cast(kept, "float32")


def _names(shapes: dict[str, Any]) -> str:
    return ", ".join(shapes)

"""The features of a batch: the form that blocks take, and the check against a schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import SchemaError
from emrys.blocks.schema.functions import select_targets

#: Suffixes of the two tensors that can stand for a list column.
VALUES, OFFSETS = "__values", "__offsets"


def prepare(features: Mapping[str, tf.Tensor] | None) -> Any:
    """Reshapes scalars to (B, 1) and joins the two tensors of a list.

    Args:
        features: Tensors by name: scalars (B,) or (B, 1); lists as `tf.RaggedTensor`, dense, or as two tensors
            `<name>__values` (sum of the lengths,) and `<name>__offsets` (B + 1,), where the values of row `i` are
            those from `offsets[i]` to `offsets[i + 1]`. Anything but a dictionary is returned unchanged.

    Returns:
        Tensors by name: scalars (B, 1), lists ragged (B, None) or dense (B, L), lists of vectors with D behind.
    """
    if not isinstance(features, dict):
        return features
    prepared: dict[str, Any] = {}
    for name, tensor in features.items():
        if name.endswith(VALUES) and name[: -len(VALUES)] + OFFSETS in features:
            column = name[: -len(VALUES)]
            flat = tf.squeeze(tensor, axis=1) if tuple(tensor.shape[1:]) == (1,) else tensor
            offsets = tf.reshape(features[column + OFFSETS], (-1,))
            prepared[column] = tf.RaggedTensor.from_row_splits(flat, offsets, validate=False)
        elif not (name.endswith(OFFSETS) and name[: -len(OFFSETS)] + VALUES in features):
            prepared[name] = tensor[:, tf.newaxis] if len(tensor.shape) == 1 else tensor
    return prepared


def calculate_batch_size_from_inputs(inputs: Mapping[str, tf.Tensor]) -> int | None:
    """Returns the number of rows of a batch; None if it has no features, or the number is not known in a graph.

    Args:
        inputs: Tensors by name; lists may be two tensors, see `prepare`.

    Example:
        >>> import numpy as np
        >>> calculate_batch_size_from_inputs({"a__values": np.array([3, 5, 7]), "a__offsets": np.array([0, 2, 3])})
        2
    """
    for name, tensor in inputs.items():
        if not name.endswith((VALUES, OFFSETS)):
            return None if tensor.shape[0] is None else int(tensor.shape[0])
    offsets = next((tensor for name, tensor in inputs.items() if name.endswith(OFFSETS)), None)
    return None if offsets is None or offsets.shape[0] is None else int(offsets.shape[0]) - 1


def prepared_shape(shapes: Shape) -> Shape:
    """The shapes that `prepare` gives for tensors of these shapes."""
    shapes = as_shape(shapes)
    if not isinstance(shapes, dict):
        return shapes
    prepared: dict[str, Any] = {}
    for name, shape in shapes.items():
        if name.endswith(VALUES) and name[: -len(VALUES)] + OFFSETS in shapes:
            prepared[name[: -len(VALUES)]] = (None, None, *(() if shape[1:] == (1,) else shape[1:]))
        elif not (name.endswith(OFFSETS) and name[: -len(OFFSETS)] + VALUES in shapes):
            prepared[name] = (shape[0], 1) if len(shape) == 1 else shape
    return prepared


class BatchSchema:
    """The columns that the batches of a model must have.

    Args:
        owner: Name of the model.
        schema: All columns, targets included.
        targets: Target column by output name; None for an output without a target name.

    Raises:
        SchemaError: if the schema has targets, and an output's is not among its columns.
    """

    def __init__(self, owner: str, schema: Schema, targets: Mapping[str, str | None]) -> None:
        self._owner = owner
        self._schema = schema
        self._targets = targets
        for output, target in targets.items():
            if target is not None and target not in self._column_names and len(select_targets(schema)):
                raise SchemaError(
                    f"{owner}: the target of {output} is not in the schema",
                    column=target,
                    expected=f"one of {', '.join(schema.column_names)}",
                    fix="Name the right target, or add the column to the schema.",
                )

    @property
    def _column_names(self) -> list[str]:
        return list(self._schema.column_names)

    @cached_property
    def _required_columns(self) -> list[str]:
        """Columns that every batch must have; one that is also a target may be missing, as in a session model."""
        targets = {*select_targets(self._schema).column_names, *self._targets.values()}
        return [name for name in self._column_names if name not in targets]

    def check(self, features: Mapping[str, tf.Tensor]) -> None:
        """Checks that a batch has all columns of the schema.

        Raises:
            SchemaError: if one is missing.
        """
        for name in self._required_columns if isinstance(features, dict) else ():
            if name not in features:
                raise SchemaError(
                    f"{self._owner}: the batch lacks a column of the schema",
                    column=name,
                    expected=", ".join(self._required_columns),
                    got=", ".join(features) or "none",
                )

    def select(self, features: Mapping[str, tf.Tensor]) -> Any:
        """Returns the columns of the schema among a batch's features, or among their shapes, by name."""
        if not isinstance(features, dict):
            return features
        return {name: value for name, value in features.items() if name in self._column_names}

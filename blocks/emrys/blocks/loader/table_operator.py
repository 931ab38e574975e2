"""Operators of Merlin's graphs as transforms of batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.features import OFFSETS, VALUES
from emrys.blocks.errors import ConfigError
from emrys.blocks.schema.functions import select_targets


class TableOperator:
    """Calls an operator that has `transform(selector, table)`, such as `merlin.dataloader.ops.EmbeddingOperator`.

    The operator works on NumPy arrays, one batch at a time, outside of TensorFlow's graph. It sees scalars as (B,),
    lists as values and offsets, or (B, L) where they have one length, and may add columns, change or drop them. What it
    makes is found out by a first call with one row of zeros (for lists: of one element).

    Args:
        operator: The operator.

    Input shape:
        Dictionary of features by name.

    Output shape:
        The columns that the operator gives: (B, 1) for scalars, ragged for values with offsets, others as they are;
        floats as float32.

    Raises:
        ConfigError: The operator gives something else than a table, or fails on the row of zeros.
    """

    def __init__(self, operator: Any) -> None:
        self.operator = operator
        self.__name__ = type(operator).__name__

    def __call__(self, features: Mapping[str, Any], targets: Any = None, sample_weight: Any = None) -> dict[str, Any]:
        """Sends the features of a batch through the operator."""
        given = _apart(features)
        zeros = {
            name: np.array([0, 1], np.int32)
            if name.endswith(OFFSETS)
            else np.zeros((1, *(size or 1 for size in tensor.shape[1:])), tensor.dtype.as_numpy_dtype)
            for name, tensor in given.items()
        }
        try:
            made = self._run(zeros)
        except Exception as error:
            raise ConfigError(
                f"Loader: the operator {self.__name__} fails on a row of zeros: {type(error).__name__}: {error}"
            ) from error
        names = list(made)

        def run(*arrays: Any) -> list[Any]:
            found = self._run(dict(zip(given, arrays, strict=True)))
            return [found[name] for name in names]

        tensors = tf.numpy_function(run, list(given.values()), [made[name].dtype for name in names])
        rows = next((tensor.shape[0] for tensor in features.values()), None)
        for name, tensor in zip(names, tensors, strict=True):
            ragged = name.endswith((VALUES, OFFSETS))
            tensor.set_shape([None if ragged else rows, *made[name].shape[1:]])
        return _together(dict(zip(names, tensors, strict=True)))

    def compute_output_schema(self, input_schema: Schema) -> Schema:
        """The schema behind the operator, that of targets as it is."""
        from merlin.dag import ColumnSelector  # starts Dask, which is not everybody's

        targets = select_targets(input_schema)
        features = Schema([_with_shape(column) for column in input_schema.excluding_by_name(targets.column_names)])
        return self.operator.compute_output_schema(features, ColumnSelector(features.column_names)) + targets

    def _run(self, arrays: dict[str, Any]) -> dict[str, Any]:
        from merlin.dag import ColumnSelector  # starts Dask, which is not everybody's
        from merlin.table import TensorTable

        table = TensorTable(arrays)
        found = self.operator.transform(ColumnSelector(table.columns), table)
        if not hasattr(found, "to_dict"):
            raise ConfigError(
                f"Loader: the operator {self.__name__} gives no table",
                expected="a merlin.table.TensorTable", got=type(found).__name__,
            )  # fmt: skip
        made = {name: np.asarray(array) for name, array in found.to_dict().items()}
        return {
            name: array.astype(np.int32 if name.endswith(OFFSETS) else np.float32, copy=False)
            if name.endswith(OFFSETS) or array.dtype.kind == "f"
            else array
            for name, array in made.items()
        }


def is_table_operator(step: Any) -> bool:
    """Whether a transform is an operator of this kind."""
    return not callable(step) and callable(getattr(step, "transform", None))


def _apart(features: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors that a table takes: lists as values and offsets, scalars as (B,)."""
    made: dict[str, Any] = {}
    for name, tensor in features.items():
        if isinstance(tensor, tf.RaggedTensor):
            made[name + VALUES], made[name + OFFSETS] = tensor.flat_values, tf.cast(tensor.row_splits, tf.int32)
        else:
            made[name] = tensor[:, 0] if len(tensor.shape) == 2 and tensor.shape[1] == 1 else tensor
    return made


def _together(columns: dict[str, Any]) -> dict[str, Any]:
    """Features of what `_apart` gives."""
    made: dict[str, Any] = {}
    for name, tensor in columns.items():
        if name.endswith(VALUES):
            name = name.removesuffix(VALUES)
            splits = tf.cast(columns[name + OFFSETS], tf.int64)
            made[name] = tf.RaggedTensor.from_row_splits(tensor, splits, validate=False)
        elif not name.endswith(OFFSETS):
            made[name] = tensor[:, None] if len(tensor.shape) == 1 else tensor
    return made


def _with_shape(column: ColumnSchema) -> ColumnSchema:
    if column.shape.as_tuple is not None:
        return column
    return column.with_shape((None, None) if column.is_list or Tags.LIST in column.tags else (None,))

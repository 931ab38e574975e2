"""Merlin operators (`transform(selector, table)`) as transforms of the loader."""

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
    """Applies an operator with `transform(selector, table)`, such as `merlin.dataloader.ops.EmbeddingOperator`.

    The operator runs on NumPy arrays, one batch at a time, outside of TensorFlow's graph. Its inputs are scalars (B,),
    ragged lists as values and offsets, and dense lists (B, L); it can add, change and drop columns. Its output columns
    are determined by a first call with one row of zeros (for lists: of one element).

    Args:
        operator: The operator.

    Input shape:
        Dictionary of features by name.

    Output shape:
        The columns that the operator returns: (B, 1) for scalars, ragged for values with offsets, others unchanged;
        floats as float32.

    Raises:
        ConfigError: if the operator does not return a table, or fails on the row of zeros.
    """

    def __init__(self, operator: Any) -> None:
        self.operator = operator
        self.__name__ = type(operator).__name__

    def __call__(
        self,
        features: Mapping[str, tf.Tensor],
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> dict[str, Any]:
        """Applies the operator to the features of a batch."""
        inputs = _to_table_columns(features)
        zeros = {
            name: np.array([0, 1], np.int32)
            if name.endswith(OFFSETS)
            else np.zeros((1, *(size or 1 for size in tensor.shape[1:])), tensor.dtype.as_numpy_dtype)
            for name, tensor in inputs.items()
        }
        try:
            outputs = self._run(zeros)
        except Exception as error:
            raise ConfigError(
                f"Loader: the operator {self.__name__} fails on a row of zeros: {type(error).__name__}: {error}"
            ) from error
        names = list(outputs)

        def run(*arrays: Any) -> list[Any]:
            results = self._run(dict(zip(inputs, arrays, strict=True)))
            return [results[name] for name in names]

        tensors = tf.numpy_function(run, list(inputs.values()), [outputs[name].dtype for name in names])
        rows = next((tensor.shape[0] for tensor in features.values()), None)
        for name, tensor in zip(names, tensors, strict=True):
            ragged = name.endswith((VALUES, OFFSETS))
            tensor.set_shape([None if ragged else rows, *outputs[name].shape[1:]])
        return _to_features(dict(zip(names, tensors, strict=True)))

    def compute_output_schema(self, input_schema: Schema) -> Schema:
        """The schema after the operator; targets are left unchanged."""
        from merlin.dag import ColumnSelector  # imports Dask, an optional dependency

        targets = select_targets(input_schema)
        features = Schema([_with_shape(column) for column in input_schema.excluding_by_name(targets.column_names)])
        return self.operator.compute_output_schema(features, ColumnSelector(features.column_names)) + targets

    def _run(self, arrays: dict[str, Any]) -> dict[str, Any]:
        from merlin.dag import ColumnSelector  # imports Dask, an optional dependency
        from merlin.table import TensorTable

        table = TensorTable(arrays)
        result = self.operator.transform(ColumnSelector(table.columns), table)
        if not hasattr(result, "to_dict"):
            raise ConfigError(
                f"Loader: the operator {self.__name__} must return a table",
                expected="a merlin.table.TensorTable", got=type(result).__name__,
            )  # fmt: skip
        columns = {name: np.asarray(array) for name, array in result.to_dict().items()}
        return {
            name: array.astype(np.int32 if name.endswith(OFFSETS) else np.float32, copy=False)
            if name.endswith(OFFSETS) or array.dtype.kind == "f"
            else array
            for name, array in columns.items()
        }


def is_table_operator(step: object) -> bool:
    """Whether a transform is a Merlin operator."""
    return not callable(step) and callable(getattr(step, "transform", None))


def _to_table_columns(features: Mapping[str, Any]) -> dict[str, Any]:
    """Features as the columns of a table: ragged lists as values and offsets, scalars as (B,)."""
    columns: dict[str, Any] = {}
    for name, tensor in features.items():
        if isinstance(tensor, tf.RaggedTensor):
            columns[name + VALUES], columns[name + OFFSETS] = tensor.flat_values, tf.cast(tensor.row_splits, tf.int32)
        else:
            columns[name] = tensor[:, 0] if len(tensor.shape) == 2 and tensor.shape[1] == 1 else tensor
    return columns


def _to_features(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns of a table as features; the inverse of `_to_table_columns`."""
    features: dict[str, Any] = {}
    for name, tensor in columns.items():
        if name.endswith(VALUES):
            name = name.removesuffix(VALUES)
            splits = tf.cast(columns[name + OFFSETS], tf.int64)
            features[name] = tf.RaggedTensor.from_row_splits(tensor, splits, validate=False)
        elif not name.endswith(OFFSETS):
            features[name] = tensor[:, None] if len(tensor.shape) == 1 else tensor
    return features


def _with_shape(column: ColumnSchema) -> ColumnSchema:
    if column.shape.as_tuple is not None:
        return column
    return column.with_shape((None, None) if column.is_list or Tags.LIST in column.tags else (None,))

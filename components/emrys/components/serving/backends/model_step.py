"""The model of a ranking ensemble: transformed rows to scores, through a SavedModel."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.serving.backends.batching import TRANSFORMED_PADDING
from emrys.components.serving.columns import Column, Columns, check_columns, read_columns

#: Contents of the version folder of the model.
COLUMNS = "columns.json"
SAVED_MODEL = "saved_model"

#: Name of the ensemble's output.
SCORE = "score"

VALUES, OFFSETS = "__values", "__offsets"


class ModelStep:
    """Computes scores with the serving signature of a SavedModel.

    Lists are dense, (B, L), padded with 0; the signature takes them without the padding, as the values of all rows and
    the offset of each row.

    Args:
        folder: The SavedModel.
        columns: Columns of the model.
        output: Output of the signature that is the score.

    Raises:
        ArtifactError: if the signature has other inputs or another output.
    """

    padding: ClassVar[Mapping[str, object]] = TRANSFORMED_PADDING

    def __init__(self, folder: str | os.PathLike[str], columns: Sequence[Column], output: str) -> None:
        self.inputs = tuple(columns)
        self._output = output
        self._model = tf.saved_model.load(
            os.fspath(folder)
        )  # the signature works only as long as this reference exists
        self._signature = self._model.signatures["serving_default"]
        actual = set(self._signature.structured_input_signature[1])
        expected = {name for column in self.inputs for name in tensor_names(column)}
        if actual != expected or output not in self._signature.structured_outputs:
            raise ArtifactError(
                "the signature of the SavedModel does not match the columns",
                path=folder,
                expected=f"inputs {', '.join(sorted(expected))}, output {output}",
                got=f"inputs {', '.join(sorted(actual))}, output {', '.join(self._signature.structured_outputs)}",
                fix="Export the model again.",
            )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> ModelStep:
        """Reads the step from the version folder of a model repository."""
        columns, rest = read_columns(Path(folder) / COLUMNS)
        return cls(Path(folder) / SAVED_MODEL, columns, rest["output"])

    def check(self, columns: Columns) -> None:
        """Raises DataError if an input is missing, has the wrong shape or dtype, or a value out of range."""
        check_columns(self.inputs, columns)
        for column in self.inputs:
            values = columns[column.name]
            if column.dtype == "float32" and not np.isfinite(values).all():
                raise DataError("an input contains NaN or an infinite number", column=column.name)
            if column.cardinality is not None and values.size:
                _check_ids(column, values, column.cardinality)

    def __call__(self, columns: Columns) -> Columns:
        """Scores a batch.

        Args:
            columns: Transformed columns, scalars (B, 1), lists (B, L) padded with 0.

        Returns:
            `score`: (B, 1) float32.
        """
        return {SCORE: self.predict(columns).reshape(-1, 1)}

    def predict(self, columns: Columns) -> npt.NDArray[Any]:
        """Computes the output of the signature for a batch of transformed columns, (B, ...)."""
        tensors: dict[str, Any] = {}
        for column in self.inputs:
            values = columns[column.name]
            if column.is_list:
                flat, offsets = without_padding(values)
                tensors[column.name + VALUES] = tf.constant(flat)
                tensors[column.name + OFFSETS] = tf.constant(offsets)
            else:
                tensors[column.name] = tf.constant(values)
        predicted: npt.NDArray[Any] = self._signature(**tensors)[self._output].numpy()
        return predicted


def tensor_names(column: Column) -> tuple[str, ...]:
    """Returns the names of the tensors of a column in the serving signature."""
    return (column.name + VALUES, column.name + OFFSETS) if column.is_list else (column.name,)


def without_padding(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Removes the padding of lists.

    Args:
        values: Lists, (B, L), padded with 0.

    Returns:
        The values of all rows, (M,), and the offset of each row and the end of the last, (B + 1,) int32.
    """
    real = values != 0
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(real.sum(axis=1), out=offsets[1:])
    return values[real], offsets


def limit_threads(threads: int) -> None:
    """Sets the number of threads of a TensorFlow operation; must be called before TensorFlow is first used."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _check_ids(column: Column, values: npt.NDArray[Any], cardinality: int) -> None:
    low, high = values.min(), values.max()
    if low < 0 or high >= cardinality:
        raise DataError(
            "an id is out of range",
            column=column.name,
            expected=f"0 to {cardinality - 1}",
            got=str(low if low < 0 else high),
        )

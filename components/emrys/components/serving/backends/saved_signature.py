"""The serving signature of a SavedModel, which takes transformed columns as a batch has them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.serving.columns import Column, Columns, check_columns

#: Contents of the version folder of a model.
COLUMNS = "columns.json"
SAVED_MODEL = "saved_model"

VALUES, OFFSETS = "__values", "__offsets"


class SavedSignature:
    """Computes predictions for transformed columns.

    Lists are dense, (B, L): ids padded with 0, numbers with NaN. The signature takes them without the padding, as the
    values of all rows and the offset of each row, or as they are if they are vectors, (B, D).

    Args:
        folder: The SavedModel.
        columns: Columns that the signature takes.
        outputs: Outputs of the signature that are used.

    Raises:
        ArtifactError: if the signature has other inputs or lacks an output.
    """

    def __init__(self, folder: str | os.PathLike[str], columns: Sequence[Column], outputs: Collection[str]) -> None:
        self.inputs = tuple(columns)
        self._outputs = tuple(outputs)
        self._model = tf.saved_model.load(
            os.fspath(folder)
        )  # the signature works only as long as this reference exists
        self._signature = self._model.signatures["serving_default"]
        self._tensors: dict[str, Any] = self._signature.structured_input_signature[1]
        expected = {name for column in self.inputs for name in tensor_names(column, self._tensors)}
        actual = sorted(self._signature.structured_outputs)
        if self._tensors.keys() != expected or not set(self._outputs).issubset(actual):
            raise ArtifactError(
                "the signature of the SavedModel does not match the columns",
                path=folder,
                expected=f"inputs {', '.join(sorted(expected))}, output {', '.join(self._outputs)}",
                got=f"inputs {', '.join(sorted(self._tensors))}, output {', '.join(actual)}",
                fix="Export the model again.",
            )

    def check(self, columns: Columns) -> None:
        """Raises DataError if an input is missing, has the wrong shape or dtype, or a value out of range."""
        check_columns(self.inputs, columns)
        for column in self.inputs:
            values = columns[column.name]
            if column.dtype == "float32":
                wrong = ~np.isfinite(values) if column.width is not None else np.isinf(values)
                if wrong.any():
                    raise DataError("an input contains NaN or an infinite number", column=column.name)
            if column.cardinality is not None and values.size:
                _check_ids(column, values, column.cardinality)

    def predict(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        """Computes the outputs of the signature for a batch of transformed columns, (B, ...) each."""
        tensors: dict[str, npt.NDArray[Any]] = {}
        for column in self.inputs:
            values = columns[column.name]
            if column.name in self._tensors:
                tensors[column.name] = values
            else:
                names = tensor_names(column, self._tensors)
                tensors |= zip(names, without_padding(values, column.length is None), strict=True)
        dtypes = {name: spec.dtype.as_numpy_dtype for name, spec in self._tensors.items()}
        outputs = self._signature(
            **{name: tf.constant(values.astype(dtypes[name], copy=False)) for name, values in tensors.items()}
        )
        return {name: outputs[name].numpy() for name in self._outputs}


def tensor_names(column: Column, tensors: Collection[str]) -> tuple[str, ...]:
    """Returns the names of the tensors of a column in the serving signature.

    Args:
        column: The column.
        tensors: All names of the signature; that of a list says whether it is one tensor.
    """
    if column.is_list and column.name not in tensors:
        return column.name + VALUES, column.name + OFFSETS
    return (column.name,)


def without_padding(values: npt.NDArray[Any], padded: bool = True) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Removes the padding of lists.

    Args:
        values: Lists, (B, L); ids padded with 0, numbers with NaN.
        padded: Whether there is padding; otherwise 0 and NaN are values. Default: True.

    Returns:
        The values of all rows, (M,), and the offset of each row and the end of the last, (B + 1,) int32.
    """
    if not padded:
        real = np.ones(values.shape, dtype=bool)
    else:
        real = ~np.isnan(values) if values.dtype.kind == "f" else values != 0
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

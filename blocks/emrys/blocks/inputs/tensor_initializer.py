"""`TensorInitializer`: initialization of a weight with the values of an array."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np

from emrys.blocks.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd
    from merlin.io import Dataset

Array: TypeAlias = np.ndarray[Any, Any]


@keras.saving.register_keras_serializable("emrys")
class TensorInitializer(keras.initializers.Initializer):
    """Initializes a weight with the values of an array, such as pretrained embeddings.

    The configuration holds the values as base64 text, so that they are restored exactly.

    Example:
        >>> start = TensorInitializer([[1.0, 2.0], [3.0, 4.0]])
        >>> start(shape=(2, 2), dtype="float32").numpy().tolist()
        [[1.0, 2.0], [3.0, 4.0]]

    Args:
        weights: Numbers of the shape that the weight will have: an array, a tensor, a variable, a data frame or nested
            lists. They are copied.

    Raises:
        ConfigError: if `weights` holds anything but numbers, or rows of different lengths.
    """

    def __init__(self, weights: Any) -> None:
        try:
            values = keras.ops.convert_to_numpy(weights) if keras.ops.is_tensor(weights) else np.array(weights)
        except ValueError as error:
            raise _not_numeric(str(error)) from None
        if not _is_numeric(values):
            raise _not_numeric(f"{values.dtype} of shape {values.shape}")
        self.weights = np.array(values)

    @classmethod
    def from_dataset(cls, data: Dataset | pd.DataFrame) -> TensorInitializer:
        """Creates the initializer from a table: one row of the weight for each row, in order.

        Args:
            data: A `merlin.io.Dataset`, which is read into memory, or a data frame. Its columns are concatenated in
                order; a column of lists of one length counts as that many columns.

        Raises:
            ConfigError: if `data` is neither.
            DataError: if a value is missing or not a number, or lists differ in length.
        """
        source: Any = data
        frame = source.to_ddf().compute() if hasattr(source, "to_ddf") else source
        if not hasattr(frame, "columns") or not hasattr(frame, "to_numpy"):
            raise ConfigError(
                "weights cannot be read from this",
                expected="a merlin.io.Dataset or a pandas DataFrame",
                got=type(data).__name__,
                fix="An array goes to TensorInitializer itself.",
            )
        if not len(frame.columns):
            raise DataError("the table of weights has no columns")
        return cls(np.concatenate([_column(str(name), frame[name]) for name in frame.columns], axis=1))

    def __call__(self, shape: Iterable[int], dtype: str | keras.DTypePolicy | None = None, **kwargs: object) -> Any:
        """Returns the values as a tensor.

        Args:
            shape: Shape of the weight, which must be the values' own.
            dtype: Type of the weight. None for the values' own.
            **kwargs: Accepted for Keras, without effect.

        Raises:
            ConfigError: if the shape is another one.
        """
        expected = tuple(int(size) for size in shape)
        if expected != self.weights.shape:
            raise ConfigError(
                "the weights do not fit",
                expected=f"weights of shape {expected}",
                got=f"{self.weights.shape}",
                fix="One row for each id of the domain (its maximum + 1), as many columns as the dimension.",
            )
        return keras.ops.convert_to_tensor(self.weights, dtype=dtype or self.weights.dtype.name)

    def clone(self) -> TensorInitializer:
        """Returns itself: every call returns the same values."""
        return self

    def get_config(self) -> dict[str, Any]:
        """Returns the values' type, shape and bytes (row by row, little-endian, in base64)."""
        stored = self.weights.astype(self.weights.dtype.newbyteorder("<"), order="C", copy=False)
        text = base64.b64encode(stored.tobytes()).decode("ascii")
        return {"weights": {"dtype": self.weights.dtype.name, "shape": list(self.weights.shape), "base64": text}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TensorInitializer:
        """Creates an initializer from the result of `get_config`, or from `{"weights": numbers}`."""
        weights = config["weights"]
        if isinstance(weights, dict):
            dtype = np.dtype(weights["dtype"]).newbyteorder("<")
            values = np.frombuffer(base64.b64decode(weights["base64"]), dtype=dtype)
            weights = values.reshape(weights["shape"]).astype(dtype.newbyteorder("="))
        return cls(weights)


def _is_numeric(values: Array) -> bool:
    # "V" stands for the types that NumPy itself lacks, such as bfloat16.
    return values.dtype.kind in "biuf" or (values.dtype.kind == "V" and values.dtype.names is None)


def _not_numeric(got: str) -> ConfigError:
    return ConfigError("these are no weights", expected="numbers in rows of one length", got=got)


def _column(name: str, values: Any) -> Array:
    """A column as (rows, 1), or (rows, L) if it holds lists."""
    if values.isnull().any():
        row = int(np.flatnonzero(values.isnull().to_numpy())[0])
        raise DataError("a weight is missing", column=name, expected="a value in every row", got=f"none in row {row}")
    try:
        array = np.array(values.to_list())
    except ValueError:
        array = np.array([], dtype=object)
    if not _is_numeric(array):
        raise DataError("these are no weights", column=name, expected="numbers, or lists of one length of them")
    return array.reshape(len(values), -1) if len(values) else array.reshape(0, 1)

"""What a loader gives for one column, and which Arrow types it can be made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class LoaderColumn:
    """One column of the batches.

    Args:
        name: Name in the data and in the batch.
        dtype: Type in the batch.
        stored: Type in the data.
        is_target: Whether it belongs to the targets.
        is_list: Whether a row holds a list.
        length: For a list: None gives ragged tensors, a number gives dense ones of that length.
        exact: Whether a list of another length than `length` is an error; otherwise it is cut at the end or filled up
            with zeros on the right.
    """

    name: str
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    is_target: bool = False
    is_list: bool = False
    length: int | None = None
    exact: bool = False

    @property
    def is_ragged(self) -> bool:
        """Whether the batch holds a ragged tensor."""
        return self.is_list and self.length is None

    def as_stored(self) -> LoaderColumn:
        """The same column with the type that it has in the data."""
        return replace(self, dtype=self.stored)


def element_type(arrow_type: pa.DataType) -> tuple[pa.DataType, bool]:
    """Looks through lists and dictionaries.

    Returns:
        The type of one value, and whether a row holds a list of them.
    """
    is_list = bool(
        pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type)
    )
    value = arrow_type.value_type if is_list else arrow_type
    return (value.value_type if pa.types.is_dictionary(value) else value), is_list


def numpy_type(arrow_type: pa.DataType) -> np.dtype[Any] | None:
    """The NumPy type of one value, or None where it is neither a number nor a boolean."""
    value, _ = element_type(arrow_type)
    if pa.types.is_boolean(value) or pa.types.is_integer(value) or pa.types.is_floating(value):
        return np.dtype(value.to_pandas_dtype())
    return None


def misfit(column: LoaderColumn, arrow_type: pa.DataType) -> str | None:
    """Says why a column cannot be made from this Arrow type.

    Returns:
        What would have been right, or None where the type fits.
    """
    stored = numpy_type(arrow_type)
    _, is_list = element_type(arrow_type)
    kind = "floats or integers" if column.dtype.kind == "f" else "integers"
    expected = f"lists of {kind}" if column.is_list else kind
    if stored is None or is_list != column.is_list:
        return expected
    # A float that becomes an integer would lose its fraction without a word.
    return expected if stored.kind == "f" and column.dtype.kind != "f" else None

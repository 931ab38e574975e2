"""Base classes of the fitted steps of a workflow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn


class FittedOp(ABC):
    """A step that computes one output column from raw columns, with statistics of the train split.

    It is data: numbers and names, stored as JSON, and at most one table, stored as Parquet. A subclass of `KeyedOp`
    finds its results by the value of one column; one of `ComputedOp` computes them.
    """

    #: Name of the step in `workflow.json`.
    kind: ClassVar[str]

    @property
    @abstractmethod
    def inputs(self) -> tuple[RawColumn, ...]:
        """The raw input columns."""

    @property
    @abstractmethod
    def output(self) -> OutputColumn:
        """The output column."""

    @abstractmethod
    def definition(self) -> dict[str, Any]:
        """Everything but the table, as JSON values."""

    @property
    def table(self) -> pa.Table | None:
        """The table of the step, if it has one: a column `value` and statistics of each value."""
        return None

    @classmethod
    @abstractmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition` and `table`.

        Raises:
            KeyError: if the definition is incomplete.
            ValueError: if a value or the table does not fit.
        """


class KeyedOp(FittedOp):
    """A step whose result depends only on which row of its table holds the value.

    The online transform finds the values of a raw column once for all of its keyed steps.

    Attributes:
        keep: For a list: the number of elements that are kept, the last ones if it is negative; 0 for all.
    """

    keep: int = 0

    @property
    @abstractmethod
    def keys(self) -> pa.Table:
        """The table of the step."""

    @abstractmethod
    def results(self) -> NDArray[Any]:
        """Result of each row of the table: (K,), or (K, D) for lists of D numbers."""

    @abstractmethod
    def unseen(self) -> Any:
        """Result of a value that the table does not hold."""

    @abstractmethod
    def null(self) -> Any:
        """Result of null, if the table does not hold it."""

    @property
    def table(self) -> pa.Table:
        """The table of the step."""
        return self.keys


class ComputedOp(FittedOp):
    """A step that computes its result from the values."""

    @abstractmethod
    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Computes the results of the rows of a request.

        Args:
            columns: At least the input columns: scalars (B,), lists (B, L), with nulls as in requests.

        Returns:
            Scalars (B,), lists (B, L): int64 ids padded with 0 or float32 padded with NaN.
        """


def value_type(dtype: str) -> pa.DataType:
    """Arrow type of the column `value` of a table.

    Raises:
        ValueError: if `dtype` is neither `int64` nor `string`.
    """
    if dtype not in ("int64", "string"):
        raise ValueError(f"the keys are {dtype!r}; expected 'int64' or 'string'")
    return pa.int64() if dtype == "int64" else pa.string()


def check_table(table: pa.Table | None, dtype: str, numbers: Mapping[str, pa.DataType], nulls: bool) -> pa.Table:
    """Checks the columns and types of a table, that its values are unique, and that it has no unexpected nulls.

    Args:
        table: The table, or None if it is missing.
        dtype: `int64` or `string`, the type of its column `value`.
        numbers: The columns beside `value`.
        nulls: Whether `value` may hold a null.

    Returns:
        The same table.
    """
    expected = pa.schema([("value", value_type(dtype)), *numbers.items()])
    if table is None:
        raise ValueError("the table is missing")
    # Writers name the element of a list differently: only names of columns and types are compared.
    if table.column_names != expected.names or not all(
        field.type.equals(wanted.type) for field, wanted in zip(table.schema, expected, strict=True)
    ):
        columns = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise ValueError(
            f"the table has the columns {columns}; expected {', '.join(f'{f.name} {f.type}' for f in expected)}"
        )
    if any(table[name].null_count for name in numbers) or (table["value"].null_count and not nulls):
        raise ValueError("the table has nulls")
    if len(table["value"].unique()) != table.num_rows:
        raise ValueError("the table has duplicate values")
    return table


def check_count(name: str, value: object, least: int = 1) -> None:
    """Checks a whole number of a definition.

    Raises:
        ValueError: if it is no whole number, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}")


def as_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Casts to float32; what is too large becomes the largest number."""
    largest = float(np.finfo(np.float32).max)
    return np.clip(values, -largest, largest).astype(np.float32)

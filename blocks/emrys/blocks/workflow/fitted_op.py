"""Base class of the fitted steps of a workflow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import pyarrow as pa

from emrys.blocks.workflow.columns import OutputColumn, RawColumn


class FittedOp(ABC):
    """A step that computes one output column from one raw column, with statistics of the train split.

    It is data: numbers and names, stored as JSON, and at most one table, stored as Parquet.
    """

    #: Name of the step in `workflow.json`.
    kind: ClassVar[str]

    @property
    @abstractmethod
    def raw(self) -> RawColumn:
        """The raw input column."""

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
    if not table.schema.equals(expected):
        columns = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise ValueError(
            f"the table has the columns {columns}; expected {', '.join(f'{f.name} {f.type}' for f in expected)}"
        )
    if any(table[name].null_count for name in numbers) or (table["value"].null_count and not nulls):
        raise ValueError("the table has nulls")
    if len(table["value"].unique()) != table.num_rows:
        raise ValueError("the table has duplicate values")
    return table

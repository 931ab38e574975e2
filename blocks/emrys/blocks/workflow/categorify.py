"""Categorical values to ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fitted_op import KeyedOp, check_table
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL, UNSEEN


@dataclass(frozen=True)
class Categorify(KeyedOp):
    """Maps every value to an id: 0 padding, 1 null, 2 unseen, then the known values in the order of the table.

    Args:
        column: Raw column.
        dtype: `int64` or `string`, the type of the raw values.
        categories: `value` and `count` (int64, in the train split), by descending count, then by value. No nulls.
        is_list: Whether a row holds a list.
        freq_threshold: Minimum count of the values; informational.
        max_size: Maximum number of ids, or None; informational.
        ids_of: Column with the same ids, if it is not this one; its step has the same categories.
        keep: For a list: the number of elements that are kept, the last ones if it is negative; 0 for all.
        name: Name of the output; empty for that of the column.
    """

    kind: ClassVar[str] = "categorify"

    column: str
    dtype: Literal["int64", "string"]
    categories: pa.Table
    is_list: bool = False
    freq_threshold: int = 0
    max_size: int | None = None
    ids_of: str = ""
    keep: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        check_table(self.categories, self.dtype, {"count": pa.int64()}, nulls=False)

    @property
    def cardinality(self) -> int:
        """Number of ids, the reserved ones included."""
        return FIRST_KNOWN + int(self.categories.num_rows)

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype, self.is_list),)

    @property
    def output(self) -> OutputColumn:
        """The ids: int64."""
        return OutputColumn(
            self.name or self.column, "int64", self.is_list, self.cardinality, self.column, self.kind, self.ids_of
        )

    @property
    def keys(self) -> pa.Table:
        """The categories."""
        return self.categories

    def results(self) -> NDArray[np.int64]:
        """The ids of the categories."""
        return np.arange(FIRST_KNOWN, self.cardinality, dtype=np.int64)

    def unseen(self) -> int:
        """The id of unseen values."""
        return UNSEEN

    def null(self) -> int:
        """The id of null."""
        return NULL

    def definition(self) -> dict[str, Any]:
        """Everything but the categories."""
        return {
            "column": self.column,
            "dtype": self.dtype,
            "is_list": self.is_list,
            "freq_threshold": self.freq_threshold,
            "max_size": self.max_size,
            **{name: value for name in ("ids_of", "keep", "name") if (value := getattr(self, name))},
        }

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition` and `table`."""
        return cls(
            column=definition["column"],
            dtype=definition["dtype"],
            categories=table,
            is_list=definition["is_list"],
            freq_threshold=definition["freq_threshold"],
            max_size=definition["max_size"],
            ids_of=definition.get("ids_of", ""),
            keep=definition.get("keep", 0),
            name=definition.get("name", ""),
        )

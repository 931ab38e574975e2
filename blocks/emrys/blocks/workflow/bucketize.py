"""Numbers to the ids of ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fitted_op import ComputedOp
from emrys.blocks.workflow.lists import is_null
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL


@dataclass(frozen=True)
class Bucketize(ComputedOp):
    """Maps a number to the id of its range: 1 null, 3 below the first boundary, 4 from there to the next, and on.

    A boundary belongs to the range above it. Nulls, NaN and infinities are null.

    Args:
        column: Raw column.
        dtype: `int64` or `float32`.
        boundaries: Ends of the ranges, ascending.
        name: Name of the output; empty for that of the column.
    """

    kind: ClassVar[str] = "bucketize"

    column: str
    dtype: Literal["int64", "float32"]
    boundaries: tuple[float, ...]
    name: str = ""

    def __post_init__(self) -> None:
        ordered = all(low < high for low, high in zip(self.boundaries, self.boundaries[1:], strict=False))
        if not self.boundaries or not ordered or not all(map(math.isfinite, self.boundaries)):
            raise ValueError(f"the boundaries are {self.boundaries}; expected ascending finite numbers")

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype),)

    @property
    def output(self) -> OutputColumn:
        """The ids of the ranges: int64."""
        cardinality = FIRST_KNOWN + len(self.boundaries) + 1
        return OutputColumn(self.name or self.column, "int64", False, cardinality, self.column, self.kind)

    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Computes the ids, (B,)."""
        values = columns[self.column]
        ids = FIRST_KNOWN + np.digitize(values.astype(np.float64), self.boundaries)
        return np.where(is_null(self.dtype, values), NULL, ids).astype(np.int64)

    def definition(self) -> dict[str, Any]:
        """Everything: the step has no table."""
        return {
            "column": self.column,
            "dtype": self.dtype,
            "boundaries": list(self.boundaries),
            "name": self.name,
        }

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition`."""
        boundaries = tuple(map(float, definition["boundaries"]))
        return cls(definition["column"], definition["dtype"], boundaries, definition["name"])

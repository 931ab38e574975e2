"""Values to the number of their rows, or to the mean of another column in their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fill_normalize import check_moments, normalise
from emrys.blocks.workflow.fitted_op import KeyedOp, check_table


@dataclass(frozen=True)
class GroupCount(KeyedOp):
    """`log(1 + number of rows of the value in the train split)`, standardized; null is a group of its own.

    Args:
        column: Raw column; the output is `<column>_count`.
        dtype: `int64` or `string`.
        groups: `value` and `count` (int64).
        mean: Mean of the logarithms over the rows of the train split.
        std: Standard deviation of the logarithms; 0 if they are constant.
    """

    kind: ClassVar[str] = "group_count"

    column: str
    dtype: Literal["int64", "string"]
    groups: pa.Table
    mean: float
    std: float

    def __post_init__(self) -> None:
        check_table(self.groups, self.dtype, {"count": pa.int64()}, nulls=True)
        check_moments(self.mean, self.std)

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype),)

    @property
    def output(self) -> OutputColumn:
        """The standardized logarithm of the count: float32."""
        return OutputColumn(f"{self.column}_count", "float32", False, None, self.column, self.kind)

    @property
    def keys(self) -> pa.Table:
        """The groups."""
        return self.groups

    def results(self) -> NDArray[np.float32]:
        """The result of every group."""
        return normalise(np.log1p(self.groups["count"].to_numpy().astype(np.float64)), self.mean, self.std)

    def unseen(self) -> np.float32:
        """The result of a value without rows."""
        return np.float32(normalise(np.zeros(()), self.mean, self.std))

    def null(self) -> np.float32:
        """The result of null, if it has no rows."""
        return self.unseen()

    def definition(self) -> dict[str, Any]:
        """Everything but the groups."""
        return {"column": self.column, "dtype": self.dtype, "mean": self.mean, "std": self.std}

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition` and `table`."""
        mean, std = float(definition["mean"]), float(definition["std"])
        return cls(definition["column"], definition["dtype"], table, mean, std)


@dataclass(frozen=True)
class GroupMean(KeyedOp):
    """The mean of another column in the rows of the value in the train split, standardized; null is a group too.

    Args:
        column: Raw column; the output is `<column>_mean_<of>`.
        dtype: `int64` or `string`.
        of: The other column. It is not read online.
        groups: `value` and `mean` (float64).
        overall: Mean of the other column in the train split, for values without rows.
        mean: Mean of the results over the rows of the train split.
        std: Standard deviation of the results; 0 if they are constant.
    """

    kind: ClassVar[str] = "group_mean"

    column: str
    dtype: Literal["int64", "string"]
    of: str
    groups: pa.Table
    overall: float
    mean: float
    std: float

    def __post_init__(self) -> None:
        check_table(self.groups, self.dtype, {"mean": pa.float64()}, nulls=True)
        check_moments(self.mean, self.std, self.overall)

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype),)

    @property
    def output(self) -> OutputColumn:
        """The standardized mean: float32."""
        return OutputColumn(f"{self.column}_mean_{self.of}", "float32", False, None, self.column, self.kind)

    @property
    def keys(self) -> pa.Table:
        """The groups."""
        return self.groups

    def results(self) -> NDArray[np.float32]:
        """The result of every group."""
        return normalise(self.groups["mean"].to_numpy(), self.mean, self.std)

    def unseen(self) -> np.float32:
        """The result of a value without rows."""
        return np.float32(normalise(np.asarray(self.overall), self.mean, self.std))

    def null(self) -> np.float32:
        """The result of null, if it has no rows."""
        return self.unseen()

    def definition(self) -> dict[str, Any]:
        """Everything but the groups."""
        return {
            "column": self.column,
            "dtype": self.dtype,
            "of": self.of,
            "overall": self.overall,
            "mean": self.mean,
            "std": self.std,
        }

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition` and `table`."""
        numbers = {name: float(definition[name]) for name in ("overall", "mean", "std")}
        return cls(definition["column"], definition["dtype"], definition["of"], table, **numbers)

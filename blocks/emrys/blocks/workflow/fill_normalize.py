"""Imputation and standardization of numbers, with the helpers of other standardized outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fitted_op import ComputedOp


@dataclass(frozen=True)
class FillNormalize(ComputedOp):
    """Fills missing values, then standardizes: `(x - mean) / std`, or `x - mean` where `std` is 0.

    Nulls, NaN and infinities count as missing.

    Args:
        column: Raw column; the output has the same name.
        fill: Replacement of a missing value.
        mean: Mean of the filled train split.
        std: Standard deviation of the filled train split; 0 for a constant column.
    """

    kind: ClassVar[str] = "fill_normalize"

    column: str
    fill: float
    mean: float
    std: float

    def __post_init__(self) -> None:
        check_moments(self.mean, self.std, self.fill)

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, "float32"),)

    @property
    def output(self) -> OutputColumn:
        """The normalised numbers: float32, of the same name."""
        return OutputColumn(self.column, "float32", False, None, self.column, self.kind)

    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Fills and standardizes the column, (B,)."""
        values = columns[self.column]
        filled = np.where(np.isfinite(values), values.astype(np.float64), self.fill)
        return normalise(filled, self.mean, self.std)

    def definition(self) -> dict[str, Any]:
        """Everything: the step has no table."""
        return {"column": self.column, "fill": self.fill, "mean": self.mean, "std": self.std}

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition`."""
        return cls(
            column=definition["column"],
            fill=float(definition["fill"]),
            mean=float(definition["mean"]),
            std=float(definition["std"]),
        )


def normalise(values: NDArray[np.float64], mean: float, std: float) -> NDArray[np.float32]:
    """`(values - mean) / std` as float32; only centered if `std` is 0."""
    centred = values - mean
    return np.asarray(centred / std if std > 0 else centred, dtype=np.float32)


def check_moments(mean: float, std: float, *others: float) -> None:
    """Checks a mean, a standard deviation and other numbers.

    Raises:
        ValueError: if a number is not finite, or `std` below 0.
    """
    if not all(math.isfinite(number) for number in (mean, std, *others)) or std < 0:
        raise ValueError(f"mean {mean}, std {std} and {others} must be finite, and std 0 or more")

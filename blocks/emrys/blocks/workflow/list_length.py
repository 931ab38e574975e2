"""Lists to their standardized length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn, RawType
from emrys.blocks.workflow.fill_normalize import check_moments, normalise
from emrys.blocks.workflow.fitted_op import ComputedOp
from emrys.blocks.workflow.lists import is_null


@dataclass(frozen=True)
class ListLength(ComputedOp):
    """The number of elements of a list that are not null, standardized; 0 elements for a null list.

    Args:
        column: Raw column of lists; the output is `<column>_length`.
        dtype: Type of the elements.
        mean: Mean length in the train split.
        std: Standard deviation of the lengths; 0 if they are constant.
    """

    kind: ClassVar[str] = "list_length"

    column: str
    dtype: RawType
    mean: float
    std: float

    def __post_init__(self) -> None:
        check_moments(self.mean, self.std)

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype, True),)

    @property
    def output(self) -> OutputColumn:
        """The standardized length: float32."""
        return OutputColumn(f"{self.column}_length", "float32", False, None, self.column, self.kind)

    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Computes the lengths, (B,)."""
        lengths = (~is_null(self.dtype, columns[self.column])).sum(axis=1)
        return normalise(lengths.astype(np.float64), self.mean, self.std)

    def definition(self) -> dict[str, Any]:
        """Everything: the step has no table."""
        return {"column": self.column, "dtype": self.dtype, "mean": self.mean, "std": self.std}

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition`."""
        return cls(definition["column"], definition["dtype"], float(definition["mean"]), float(definition["std"]))

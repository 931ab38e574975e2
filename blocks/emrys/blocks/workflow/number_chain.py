"""A chain of steps over numbers: filling, clipping, logarithm and scaling."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn, RawType
from emrys.blocks.workflow.fitted_op import ComputedOp, as_float32
from emrys.blocks.workflow.lists import is_null, pad_right, slice_lists

Numbers = NDArray[np.float64]


class NumberStep(ABC):
    """A step of a chain; a missing number is NaN."""

    kind: ClassVar[str]

    @abstractmethod
    def apply(self, values: Numbers) -> Numbers:
        """Computes the results of numbers, of any shape."""

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():  # type: ignore[call-overload]
            if value is not None and (isinstance(value, bool) or not math.isfinite(value)):
                raise ValueError(f"{name} of {self.kind} is {value!r}; expected a finite number")


@dataclasses.dataclass(frozen=True)
class Fill(NumberStep):
    """Replaces missing numbers.

    Args:
        value: Replacement.
    """

    kind: ClassVar[str] = "fill"

    value: float

    def apply(self, values: Numbers) -> Numbers:
        """Fills."""
        return np.where(np.isnan(values), self.value, values)


@dataclasses.dataclass(frozen=True)
class Clip(NumberStep):
    """Limits numbers to a range; a missing number stays missing.

    Args:
        min: Lower end; None for none.
        max: Upper end; None for none.
    """

    kind: ClassVar[str] = "clip"

    min: float | None = None
    max: float | None = None

    def apply(self, values: Numbers) -> Numbers:
        """Clips."""
        return np.clip(values, -math.inf if self.min is None else self.min, math.inf if self.max is None else self.max)


@dataclasses.dataclass(frozen=True)
class Log(NumberStep):
    """`log(1 + x)`; of -1 and less there is none, so that the result is missing."""

    kind: ClassVar[str] = "log"

    def apply(self, values: Numbers) -> Numbers:
        """Takes logarithms."""
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log1p(values)
        return np.where(np.isfinite(logs), logs, np.nan)


@dataclasses.dataclass(frozen=True)
class Standardize(NumberStep):
    """`(x - mean) / std`, or `x - mean` where `std` is 0.

    Args:
        mean: Mean of the train split.
        std: Standard deviation of the train split; 0 for a constant column.
    """

    kind: ClassVar[str] = "normalize"

    mean: float
    std: float

    def apply(self, values: Numbers) -> Numbers:
        """Standardizes."""
        return (values - self.mean) / (self.std if self.std > 0 else 1.0)


@dataclasses.dataclass(frozen=True)
class MinMax(NumberStep):
    """`(x - min) / (max - min)`, or `x - min` where both are equal; outside of 0 to 1 beyond the train split.

    Args:
        min: Minimum of the train split.
        max: Maximum of the train split.
    """

    kind: ClassVar[str] = "min_max"

    min: float
    max: float

    def apply(self, values: Numbers) -> Numbers:
        """Scales."""
        width = self.max - self.min
        return (values - self.min) / (width if width > 0 else 1.0)


_STEPS: dict[str, type[NumberStep]] = {step.kind: step for step in (Fill, Clip, Log, Standardize, MinMax)}


@dataclasses.dataclass(frozen=True)
class NumberChain(ComputedOp):
    """Applies steps to numbers, in float64, from left to right.

    Nulls, NaN and infinities are missing. Missing elements of lists are left out, but for lists of a fixed length.

    Args:
        column: Raw column.
        dtype: `int64` or `float32`.
        steps: The steps.
        missing: Result of a number that is still missing after the last step.
        is_list: Whether a row holds a list.
        length: Length of every list, for vectors.
        keep: For a list: the number of elements that are kept, the last ones if it is negative; 0 for all.
        name: Name of the output; empty for that of the column.
    """

    kind: ClassVar[str] = "number_chain"

    column: str
    dtype: RawType
    steps: tuple[NumberStep, ...]
    missing: float = 0.0
    is_list: bool = False
    length: int | None = None
    keep: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        if self.dtype == "string":
            raise ValueError("the column holds strings; expected numbers")
        if not math.isfinite(self.missing):
            raise ValueError(f"missing is {self.missing}; expected a finite number")

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype, self.is_list, self.length),)

    @property
    def output(self) -> OutputColumn:
        """The numbers: float32."""
        return OutputColumn(
            self.name or self.column, "float32", self.is_list, None, self.column, self.kind, length=self.length
        )

    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Computes the results: (B,), or (B, L) padded with NaN for lists."""
        raw = columns[self.column]
        values = self.prefix(raw)
        results = as_float32(np.where(np.isnan(values), self.missing, values))
        if not self.is_list or self.length is not None:
            return results
        empty: NDArray[np.bool_] = is_null(self.dtype, raw)
        padded: NDArray[np.float32] = slice_lists(pad_right(results, empty), self.keep)
        return padded

    def prefix(self, raw: NDArray[Any]) -> Numbers:
        """The results of the steps in float64, where missing numbers are NaN."""
        values = np.where(is_null(self.dtype, raw), np.nan, raw.astype(np.float64))
        for step in self.steps:
            values = step.apply(values)
        return values

    def definition(self) -> dict[str, Any]:
        """Everything: the step has no table."""
        return {
            "column": self.column,
            "dtype": self.dtype,
            "steps": [{"step": step.kind, **dataclasses.asdict(step)} for step in self.steps],  # type: ignore[call-overload]
            "missing": self.missing,
            "is_list": self.is_list,
            "length": self.length,
            "keep": self.keep,
            "name": self.name,
        }

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition`."""
        steps = []
        for each in definition["steps"]:
            if each["step"] not in _STEPS:
                raise ValueError(f"a chain of numbers has no step {each['step']!r}; expected {', '.join(_STEPS)}")
            steps.append(_STEPS[each["step"]](**{name: value for name, value in each.items() if name != "step"}))
        names = ("column", "dtype", "missing", "is_list", "length", "keep", "name")
        return cls(steps=tuple(steps), **{name: definition[name] for name in names})

"""Times to the ids of their hour, day, weekday, month or year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fitted_op import ComputedOp
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL, NULL_INT, UNSEEN

Part = Literal["hour", "weekday", "day", "month", "year"]

#: Ticks per second of each unit.
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
#: Lowest and highest number of each part but years; Monday is weekday 0.
RANGES: Final[dict[str, tuple[int, int]]] = {"hour": (0, 23), "weekday": (0, 6), "day": (1, 31), "month": (1, 12)}


def date_numbers(part: Part, unit: str, times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The hour, weekday (0 is Monday), day of the month, month or year of times, in UTC.

    Args:
        part: The part.
        unit: `s`, `ms`, `us` or `ns`.
        times: Times since 1970.

    Returns:
        Numbers, of the same shape; of nulls, they have no meaning.
    """
    days = times // (86_400 * _TICKS[unit])
    if part == "hour":
        return times // (3_600 * _TICKS[unit]) % 24
    if part == "weekday":
        return (days + 3) % 7  # 1970 began on a Thursday
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    if part == "day":
        return (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    return months.astype(np.int64) % 12 + 1 if part == "month" else months.astype(np.int64) // 12 + 1970


@dataclass(frozen=True)
class DatePart(ComputedOp):
    """Maps a time to the id of its part: 1 null, 2 a year outside of the train split, then 3 and on.

    Args:
        column: Raw column of times since 1970, UTC; the output is `<column>_<part>`.
        part: `hour`, `weekday` (Monday is first), `day`, `month` or `year`.
        unit: `s`, `ms`, `us` or `ns`.
        low: Number that gets the first id.
        high: Number that gets the last id.
    """

    kind: ClassVar[str] = "date_part"

    column: str
    part: Part
    unit: str
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.unit not in _TICKS:
            raise ValueError(f"the unit is {self.unit!r}; expected {', '.join(_TICKS)}")
        if self.part != "year" and (self.low, self.high) != RANGES.get(self.part):
            raise ValueError(f"{self.part} from {self.low} to {self.high}; expected {RANGES}, or years")
        if self.low > self.high:
            raise ValueError(f"low is {self.low} and high {self.high}; expected low to be at most high")

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, "int64"),)

    @property
    def output(self) -> OutputColumn:
        """The ids of the parts: int64."""
        cardinality = FIRST_KNOWN + self.high - self.low + 1
        return OutputColumn(f"{self.column}_{self.part}", "int64", False, cardinality, self.column, self.kind)

    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Computes the ids, (B,)."""
        times = columns[self.column]
        null = times == NULL_INT
        numbers = date_numbers(self.part, self.unit, np.where(null, 0, times))
        known = (numbers >= self.low) & (numbers <= self.high)
        ids = np.where(known, FIRST_KNOWN + numbers - self.low, UNSEEN)
        return np.where(null, NULL, ids).astype(np.int64)

    def definition(self) -> dict[str, Any]:
        """Everything: the step has no table."""
        return {"column": self.column, "part": self.part, "unit": self.unit, "low": self.low, "high": self.high}

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition`."""
        return cls(**{name: definition[name] for name in ("column", "part", "unit", "low", "high")})

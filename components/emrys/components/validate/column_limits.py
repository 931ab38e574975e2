"""Limits of single columns."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.settings import column_settings

_SHARES = ("max_nulls", "js_distance", "l_infinity", "null_drift")


@dataclasses.dataclass(frozen=True)
class ColumnLimits:
    """Limits of one column; None for the limit of all columns.

    Args:
        min: Minimum of a number.
        max: Maximum of a number.
        max_nulls: Maximum share of rows without a value.
        max_distinct: Maximum number of distinct values.
        js_distance: Maximum Jensen-Shannon distance from the previous run; 1 for no limit.
        l_infinity: Maximum change in the share of a value since the previous run; 1 for no limit.
        null_drift: Maximum change in the share of nulls since the previous run; 1 for no limit.
        leak_auc: Maximum AUC of the column alone; 1 for no limit.
    """

    min: float | None = None
    max: float | None = None
    max_nulls: float | None = None
    max_distinct: int | None = None
    js_distance: float | None = None
    l_infinity: float | None = None
    null_drift: float | None = None
    leak_auc: float | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        for field in dataclasses.fields(self):
            check_number(field.name, getattr(self, field.name), *_range(field.name))
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ConfigError("min lies above max", got=f"{self.min} and {self.max}")

    @classmethod
    def of(cls, column: str, value: ColumnLimits | Mapping[str, Any]) -> ColumnLimits:
        """Converts a mapping from a configuration file to limits.

        Raises:
            ConfigError: with the column.
        """
        return column_settings(ColumnLimits, "the limits", column, value)

    def over(self, others: ColumnLimits) -> ColumnLimits:
        """Fills missing limits from `others`."""
        limits = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return dataclasses.replace(others, **limits)


def check_number(name: str, value: Any, least: float, most: float) -> None:
    """Checks that a value is None or a number within an interval.

    Raises:
        ConfigError: with the setting.
    """
    if value is None:
        return
    expected = "a number" if math.isinf(least) else f"a number of at least {least:g}"
    expected += "" if math.isinf(most) else f" and at most {most:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"validate: {name}", expected=expected, got=repr(value))
    if not least <= value <= most:
        raise ConfigError(f"validate: {name}", expected=expected, got=repr(value))


def _range(name: str) -> tuple[float, float]:
    if name in _SHARES:
        return 0.0, 1.0
    if name == "leak_auc":
        return 0.5, 1.0
    return (1, math.inf) if name == "max_distinct" else (-math.inf, math.inf)

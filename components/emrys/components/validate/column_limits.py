"""What may hold of one column, where it differs from the other columns."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.settings import column_settings

_SHARES = ("max_nulls", "js_distance", "l_infinity", "null_drift")


@dataclasses.dataclass(frozen=True)
class ColumnLimits:
    """Limits of one column; what is None is as for all columns.

    Args:
        min: Least value of a number.
        max: Greatest value of a number.
        max_nulls: Greatest share of rows without a value.
        max_distinct: Most different values.
        js_distance: Greatest Jensen-Shannon distance from the previous run; 1 for any.
        l_infinity: Greatest difference of a value's share from the previous run; 1 for any.
        null_drift: Greatest difference of the share of nulls from the previous run; 1 for any.
        leak_auc: Greatest AUC of the column alone; 1 for any.
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
    def of(cls, column: str, value: ColumnLimits | Mapping[str, Any]) -> Self:
        """Takes limits, or a mapping of their arguments as configuration files have it.

        Raises:
            ConfigError: naming the column.
        """
        return column_settings(cls, "the limits", column, value)

    def over(self, others: ColumnLimits) -> ColumnLimits:
        """These limits, and those of `others` where these say nothing."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return dataclasses.replace(others, **given)


def check_number(name: str, value: Any, least: float, most: float) -> None:
    """Refuses what is no number within an interval; None passes.

    Raises:
        ConfigError: naming the setting.
    """
    if value is None:
        return
    wanted = "a number" if math.isinf(least) else f"a number of at least {least:g}"
    wanted += "" if math.isinf(most) else f" and at most {most:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"validate: {name}", expected=wanted, got=repr(value))
    if not least <= value <= most:
        raise ConfigError(f"validate: {name}", expected=wanted, got=repr(value))


def _range(name: str) -> tuple[float, float]:
    if name in _SHARES:
        return 0.0, 1.0
    if name == "leak_auc":
        return 0.5, 1.0
    return (1, math.inf) if name == "max_distinct" else (-math.inf, math.inf)

"""Settings of the step validate, and its checks."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.settings import suggestion
from emrys.components.validate.column_limits import ColumnLimits, check_number


class OnAnomaly(enum.StrEnum):
    """Reaction to a finding of severity `error`."""

    #: The step fails, and later steps do not run.
    STOP = "stop"
    #: The run continues with the verdict `marked`.
    MARK = "mark"

    @classmethod
    def _missing_(cls, value: object) -> OnAnomaly:
        known = ", ".join(each.value for each in cls)
        raise ConfigError("validate: on_anomaly", expected=known, got=repr(value))


class Severity(enum.StrEnum):
    """Severity of a finding."""

    #: The data cannot be used; `on_anomaly` decides about the run.
    ERROR = "error"
    #: The finding is reported without consequences.
    WARNING = "warning"
    #: The check is disabled.
    OFF = "off"

    @classmethod
    def _missing_(cls, value: object) -> Severity:
        known = ", ".join(each.value for each in cls)
        raise ConfigError("validate: severity", expected=known, got=repr(value))


#: Description and default severity of each check.
CHECKS: dict[str, tuple[str, Severity]] = {
    "columns": ("a column of the previous run is missing", Severity.ERROR),
    "new_column": ("a column that is new since the previous run", Severity.WARNING),
    "rows": ("too few or too many rows, or far fewer than in the previous run", Severity.ERROR),
    "required": ("nulls in a required column", Severity.ERROR),
    "empty": ("a column without any value", Severity.ERROR),
    "nulls": ("a large share of nulls", Severity.WARNING),
    "constant": ("a column with a single value", Severity.WARNING),
    "range": ("a number outside its limits, or infinite", Severity.ERROR),
    "label": ("a label that is not binary, or has only one class", Severity.ERROR),
    "future": ("times in the future, for example milliseconds instead of seconds", Severity.ERROR),
    "time_unit": ("times too early to be seconds since 1970", Severity.WARNING),
    "duplicates": ("the same event more than once in train", Severity.ERROR),
    "vocabulary": ("a column with far more distinct values than before, or with nearly unique values", Severity.ERROR),
    "drift": ("a distribution that differs from the previous run", Severity.ERROR),
    "null_drift": ("a share of nulls that differs from the previous run", Severity.ERROR),
    "leak_label": ("an input that the label is a function of", Severity.ERROR),
    "leak_feature": ("an input that predicts the label alone", Severity.ERROR),
    "leak_time": ("valid or test rows before the end of train", Severity.ERROR),
    "leak_rows": ("the same event in train and in valid or test", Severity.ERROR),
}

#: Minimum and maximum of each numeric setting.
_NUMBERS: dict[str, tuple[float, float]] = {
    "min_rows": (1, math.inf),
    "max_rows": (0, math.inf),
    "min_growth": (0.0, math.inf),
    "max_nulls": (0.0, 1.0),
    "max_duplicates": (0.0, 1.0),
    "max_shared": (0.0, 1.0),
    "max_distinct_share": (0.0, 1.0),
    "vocabulary_growth": (1.0, math.inf),
    "js_distance": (0.0, 1.0),
    "l_infinity": (0.0, 1.0),
    "null_drift": (0.0, 1.0),
    "leak_auc": (0.5, 1.0),
    "bins": (2, 1000),
    "top_values": (10, 100_000),
    "leak_sample": (100, math.inf),
    "seed": (0, math.inf),
}


@dataclasses.dataclass(frozen=True)
class ValidateConfig:
    """Settings of the validate step.

    Args:
        on_anomaly: Reaction to a finding of severity `error`; an `OnAnomaly` or its value.
        min_rows: Minimum number of train rows.
        max_rows: Maximum number of train rows; 0 for no limit.
        min_growth: Minimum number of train rows relative to the previous run; 0 for no limit.
        max_nulls: Maximum share of nulls in an optional column.
        max_duplicates: Maximum share of train rows that repeat an event of train (ids, time, event type, and what
            targets are made of).
        max_shared: Maximum share of valid or test rows whose event is in train.
        max_distinct_share: Maximum number of distinct values of a text or list column per row, from 1,000 rows on.
        vocabulary_growth: Maximum number of distinct values of a text or list column relative to the previous run; the
            limit grows with the number of train rows.
        js_distance: Maximum Jensen-Shannon distance (base 2, from 0 to 1) of a number or of the lengths of lists from
            the previous run. This limit and the next two are raised to what is expected by chance for few rows.
        l_infinity: Maximum change in the share of a value since the previous run.
        null_drift: Maximum change in the share of nulls since the previous run.
        leak_auc: Maximum AUC of a column alone.
        bins: Bins of a histogram.
        top_values: Number of most frequent values to keep.
        leak_sample: Maximum number of train rows for the leak checks.
        seed: Seed of that sample and its halves.
        columns: Limits by column, a `ColumnLimits` or a mapping of its arguments, instead of those above.
        severity: Severity by check, instead of the default in `CHECKS`.
    """

    on_anomaly: OnAnomaly = OnAnomaly.STOP
    min_rows: int = 100
    max_rows: int = 0
    min_growth: float = 0.5
    max_nulls: float = 0.5
    max_duplicates: float = 0.001
    max_shared: float = 0.0
    max_distinct_share: float = 0.9
    vocabulary_growth: float = 2.0
    js_distance: float = 0.1
    l_infinity: float = 0.05
    null_drift: float = 0.05
    leak_auc: float = 0.95
    bins: int = 30
    top_values: int = 1000
    leak_sample: int = 200_000
    seed: int = 42
    columns: Mapping[str, ColumnLimits | Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    severity: Mapping[str, Severity | str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the values."""
        object.__setattr__(self, "on_anomaly", OnAnomaly(self.on_anomaly))
        for name, ends in _NUMBERS.items():
            value = getattr(self, name)
            check_number(name, math.nan if value is None else value, *ends)
            if isinstance(self.__dataclass_fields__[name].default, int) and not isinstance(value, int):
                raise ConfigError(f"validate: {name}", expected="a whole number", got=repr(value))
        if 0 < self.max_rows < self.min_rows:
            raise ConfigError("validate: max_rows", expected=f"0, or at least min_rows {self.min_rows}",
                              got=str(self.max_rows))  # fmt: skip
        for name in ("columns", "severity"):
            if not isinstance(getattr(self, name), Mapping):
                raise ConfigError(f"validate: {name}", expected="a mapping", got=repr(getattr(self, name)))
        self._check_names("severity", self.severity, list(CHECKS))
        limits = {name: ColumnLimits.of(name, value) for name, value in self.columns.items()}
        object.__setattr__(self, "columns", limits)
        object.__setattr__(self, "severity", {name: Severity(value) for name, value in self.severity.items()})

    def limits(self, column: str) -> ColumnLimits:
        """Limits of a column: its own settings, then those for all columns."""
        names = ("max_nulls", "js_distance", "l_infinity", "null_drift", "leak_auc")
        common = ColumnLimits(**{name: getattr(self, name) for name in names})
        return ColumnLimits.of(column, self.columns.get(column, {})).over(common)

    def check_columns(self, names: Sequence[str]) -> None:
        """Checks that the limits are of columns that exist.

        Raises:
            ConfigError: with the first unknown column.
        """
        self._check_names("columns", self.columns, list(names))

    def severity_of(self, check: str) -> Severity:
        """Severity of a check."""
        return Severity(self.severity.get(check, CHECKS[check][1]))

    def _check_names(self, setting: str, names: Mapping[str, Any], known: list[str]) -> None:
        for name in names:
            if name not in known:
                expected = f"one of {', '.join(known)}"
                raise ConfigError(
                    f"validate: {setting}", expected=expected, got=repr(name), fix=suggestion([name], known)
                )

"""Checks for anomalies of columns, values, times and numbers of rows."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics, Numbers
from emrys.components.contracts.data_schema import DataSchema, Role
from emrys.components.contracts.splits import SPLITS, Splits
from emrys.components.validate.column_limits import ColumnLimits
from emrys.components.validate.config import ValidateConfig
from emrys.components.validate.finding import Findings

#: Tolerance for clocks that are ahead, in seconds.
_AHEAD = 86_400
#: Seconds from 1970 to 1980; earlier times are implausible.
_EARLIEST = 315_532_800
#: Minimum number of rows for the check of nearly unique texts.
_MANY_ROWS = 1000


def raw_columns(splits: Splits) -> list[str]:
    """Columns to check: all except histories, which ingest derives from them and which grow by themselves."""
    histories = splits.data_schema.of_role(Role.HISTORY)
    return [name for name in splits.columns if name not in histories]


def required_columns(schema: DataSchema) -> frozenset[str]:
    """Columns that have a value in every row: ids, times, weights, targets, and what targets are made of."""
    required = [column.name for column in schema.columns if column.required or column.role is Role.SOURCE]
    return frozenset([*required, *(target.name for target in schema.targets)])


def check_columns(splits: Splits, previous: Mapping[str, ColumnStatistics] | None, findings: Findings) -> None:
    """Checks that train has the columns of the previous run."""
    train = raw_columns(splits)
    for name in previous or {}:
        if name not in train:
            findings.add("columns", "the column is missing", column=name, expected="the columns of the previous run")
    for name in train:
        if previous is not None and name not in previous:
            findings.add("new_column", "the column is new since the previous run", column=name)


def check_rows(rows: int, before: int | None, config: ValidateConfig, findings: Findings) -> None:
    """Checks the number of train rows."""
    if rows < config.min_rows:
        findings.add("rows", "train has too few rows", expected=f"at least {config.min_rows:,}", got=f"{rows:,}")
    if config.max_rows and rows > config.max_rows:
        findings.add("rows", "train has too many rows", expected=f"at most {config.max_rows:,}", got=f"{rows:,}")
    if before is not None and rows < config.min_growth * before:
        expected = f"at least {config.min_growth:g} times the {before:,} of the previous run"
        findings.add("rows", "train has far fewer rows than before", expected=expected, got=f"{rows:,}")


def check_column(
    column: ColumnStatistics,
    before: ColumnStatistics | None,
    required: bool,
    config: ValidateConfig,
    findings: Findings,
) -> None:
    """Checks a column of train for missing values, constant values and its vocabulary.

    Args:
        column: Statistics of the column.
        before: Statistics of the previous run, or None.
        required: Whether every row must have a value.
        config: Settings.
        findings: Receives the findings.
    """
    if column.distinct == 0:
        kind = "element in any list" if column.kind is ColumnKind.LIST else "value in any row"
        findings.add("empty", f"there is no {kind}", column=column.name, expected="a value in some rows")
        return
    most = config.limits(column.name).max_nulls
    if most is not None and column.null_share > most and not required:
        expected, got = f"at most {100 * most:g} %", f"{100 * column.null_share:.1f} %"
        findings.add("nulls", "many values are missing", column=column.name, expected=expected, got=got)
    if column.distinct == 1 and column.kind is not ColumnKind.LABEL:
        findings.add("constant", "every value is the same", column=column.name, expected="more than one value")
    _check_vocabulary(column, before, config, findings)


def check_values(
    column: ColumnStatistics, split: str, required: bool, config: ValidateConfig, findings: Findings, now: float
) -> None:
    """Checks the values of a column of a split against their limits.

    Args:
        column: Statistics of the column in the split.
        split: Name of the split.
        required: Whether every row must have a value.
        config: Settings.
        findings: Receives the findings.
        now: Current time, in seconds since 1970.
    """
    where = "" if split == "train" else f" in the {split} split"
    if column.nulls and required:
        got = f"{column.nulls:,} nulls in {column.rows:,} rows"
        expected = "a value in every row"
        findings.add("required", f"values are missing{where}", column=column.name, expected=expected, got=got)
    if column.infinite:
        got = f"{column.infinite:,} infinite"
        findings.add("range", f"values are infinite{where}", column=column.name, expected="finite numbers", got=got)
    if column.kind is ColumnKind.LABEL:
        _check_label(column, where, findings)
    elif column.numbers is not None and column.kind is ColumnKind.TIME:
        _check_times(column.name, column.numbers, where, findings, now)
    elif column.numbers is not None:
        _check_range(column.name, column.numbers, where, config.limits(column.name), findings)


def check_order(ranges: Mapping[str, tuple[int, int]], column: str, method: str | None, findings: Findings) -> None:
    """Checks that valid and test begin after the end of train, if rows were split by time or by the user.

    Args:
        ranges: First and last time by split, in seconds.
        column: Column of the time.
        method: Method of the split; None if it is not known.
        findings: Receives the findings.
    """
    if method not in (None, "time", "given"):
        return
    last = ranges["train"][1]
    for split in SPLITS[1:]:
        if ranges[split][0] < last:
            findings.add(
                "leak_time",
                f"{split} begins before the end of train",
                column=column,
                expected=f"no earlier than {_moment(last)}",
                got=_moment(ranges[split][0]),
            )


def check_order_by_user(train: pa.Table, other: pa.Table, user: str, time: str, split: str, findings: Findings) -> None:
    """Checks that the rows of each user come after the train rows of the same user.

    Args:
        train: Train rows, with the columns `user` and `time`.
        other: Rows of valid or test.
        user: Column of the user id.
        time: Column of the time.
        split: Name of the other split.
        findings: Receives the findings.
    """
    last = train.group_by(user).aggregate([(time, "max")])
    both = other.select([user, time]).join(last, user, join_type="inner")
    early = pc.sum(pc.less(both[time], both[f"{time}_max"])).as_py() or 0
    if early:
        findings.add(
            "leak_time",
            f"{split} has rows before the last train row of the same user",
            column=time,
            expected="none",
            got=f"{early:,}",
        )


def _check_vocabulary(
    column: ColumnStatistics, before: ColumnStatistics | None, config: ValidateConfig, findings: Findings
) -> None:
    most = config.limits(column.name).max_distinct
    got = f"{column.distinct:,}"
    if most is not None:
        if column.distinct > most:
            problem, expected = "too many distinct values", f"at most {most:,}"
            findings.add("vocabulary", problem, column=column.name, expected=expected, got=got)
        return
    if column.kind not in (ColumnKind.TEXT, ColumnKind.LIST):
        return
    if column.rows >= _MANY_ROWS and column.distinct > config.max_distinct_share * (column.rows - column.nulls):
        problem, expected = "nearly every row has a distinct value", f"at most {config.max_distinct_share:g} a row"
        got = f"{column.distinct:,} in {column.rows:,} rows"
        findings.add("vocabulary", problem, column=column.name, expected=expected, got=got)
    elif before is not None and before.rows:
        allowed = config.vocabulary_growth * before.distinct * max(1.0, column.rows / before.rows)
        if column.distinct > allowed:
            expected = f"at most {int(allowed):,}, where the previous run had {before.distinct:,}"
            problem = "far more distinct values than before"
            findings.add("vocabulary", problem, column=column.name, expected=expected, got=got)


def _check_range(name: str, numbers: Numbers, where: str, limits: ColumnLimits, findings: Findings) -> None:
    if limits.min is not None and numbers.min < limits.min:
        expected, got = f"at least {limits.min:g}", f"{numbers.min:g}"
        findings.add("range", f"a value is too small{where}", column=name, expected=expected, got=got)
    if limits.max is not None and numbers.max > limits.max:
        expected, got = f"at most {limits.max:g}", f"{numbers.max:g}"
        findings.add("range", f"a value is too large{where}", column=name, expected=expected, got=got)


def _check_times(name: str, numbers: Numbers, where: str, findings: Findings, now: float) -> None:
    latest = now + _AHEAD
    if numbers.max > latest:
        problem = (
            "times are in milliseconds" if _EARLIEST <= numbers.max / 1000 <= latest else "a time is in the future"
        )
        expected, got = f"seconds since 1970, at most {latest:.0f}", f"{numbers.max:.0f}"
        findings.add("future", problem + where, column=name, expected=expected, got=got)
    if numbers.min < _EARLIEST:
        expected, got = "seconds since 1970", f"{numbers.min:.0f}"
        findings.add("time_unit", f"a time is before 1980{where}", column=name, expected=expected, got=got)


def _check_label(column: ColumnStatistics, where: str, findings: Findings) -> None:
    values = sorted(value for value, _ in (column.values.top if column.values else ()))
    if not set(values) <= {0, 1}:
        got = ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
        findings.add("label", f"the label is not binary{where}", column=column.name, expected="0 and 1", got=got)
    elif column.distinct == 1:
        got = f"{column.rows:,} rows, all {values[0]}"
        findings.add("label", f"the label has only one class{where}", column=column.name, expected="0 and 1", got=got)


def _moment(seconds: int) -> str:
    """Formats a time; numbers out of the range of dates stay numbers."""
    try:
        text = datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
    return f"{seconds} ({text})"

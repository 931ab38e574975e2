"""Checks of the three splits before they are written."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.contracts.data_schema import DataSchema, Target, TargetKind
from emrys.components.contracts.splits import SPLITS
from emrys.components.ingest.events import is_derived

_MORE = "Increase split.valid and split.test, use more rows, or choose another method in split.by."


def check_rows(tables: Mapping[str, pa.Table], method: str, path: str | None) -> None:
    """Rejects splits without rows.

    Args:
        tables: Table of every split.
        method: Split method.
        path: Path of the data set for error messages, or None.

    Raises:
        DataError: if a split has no rows.
    """
    for name in SPLITS:
        if not tables[name].num_rows:
            fix = _MORE
            if method == "last_per_user":
                fix = "Users with too few events stay in train: lower split.valid and split.test, or use more rows."
            if method in ("column", "given"):
                fix = f"Give {name} some rows, or choose another method in split.by."
            raise DataError(
                f"the {name} split has no rows",
                path=path,
                expected="at least one",
                got=", ".join(f"{tables[each].num_rows} in {each}" for each in SPLITS),
                fix=fix,
            )


def check_order(tables: Mapping[str, pa.Table], time: str, path: str | None) -> None:
    """Rejects splits by time that overlap.

    Raises:
        DataError: if a split has a row that is later than the first one of the next.
    """
    for i, earlier in enumerate(SPLITS):
        for later in SPLITS[i + 1 :]:
            last = pc.max(tables[earlier][time]).as_py()
            first = pc.min(tables[later][time]).as_py()
            if last > first:
                raise DataError(
                    f"{earlier} has rows later than the first row of {later}",
                    path=path,
                    column=time,
                    expected=f"no row of {earlier} after {first}, the first of {later}",
                    got=str(last),
                    fix="Split by time, or choose another method in split.by.",
                )


def check_targets(tables: Mapping[str, pa.Table], schema: DataSchema, retrieval: bool, path: str | None) -> None:
    """Rejects targets that a model can neither learn nor be evaluated on.

    Args:
        tables: Table of every split.
        schema: The data schema.
        retrieval: Whether only positive rows are used.
        path: Path of the data set for error messages, or None.

    Raises:
        DataError: if a target has no positive row, only one class, or only one value.
    """
    for target in schema.targets:
        if target.kind is TargetKind.BINARY and retrieval:
            if target == schema.targets[0]:
                _check_positives(tables, target, path)
        elif target.kind is TargetKind.BINARY:
            _check_classes(tables, target, path)
        elif pc.count_distinct(tables["train"][target.name]).as_py() < 2:
            raise DataError(
                "the target has only one value in the train split",
                path=path,
                column=target.name,
                expected="several",
                got=str(tables["train"][target.name][0]),
                fix=f"Choose another column in columns.targets.{target.name}, or use more rows.",
            )


def check_features(train: pa.Table, schema: DataSchema, path: str | None) -> None:
    """Rejects features without a value in train.

    Raises:
        DataError: if all values of a column are null, or all its lists are empty.
    """
    for column in schema.features:
        if not is_derived(column) and _is_empty(train[column.name]):
            raise DataError(
                "every value is null in the train split",
                path=path,
                column=column.name,
                expected="a value in some rows",
                fix="Fill the column, or name it in columns.ignore.",
            )


def check_users(tables: Mapping[str, pa.Table], user: str, path: str | None) -> None:
    """Rejects splits whose test users have no rows in train.

    Raises:
        DataError: if no user of test has rows in train.
    """
    known = tables["train"][user].combine_chunks().unique()
    users = tables["test"][user].combine_chunks().unique()
    if not pc.any(pc.is_in(users, value_set=known)).as_py():
        raise DataError(
            "no user of the test split has rows in train",
            path=path,
            column=user,
            expected="users with rows in both",
            got=f"{len(known)} users in train, {len(users)} others in test",
            fix="Set split.by to last_per_user or per_user.",
        )


def _check_positives(tables: Mapping[str, pa.Table], target: Target, path: str | None) -> None:
    for name in SPLITS:
        if not pc.any(pc.equal(tables[name][target.name], 1)).as_py():
            raise DataError(
                f"the {name} split has no positive row",
                path=path,
                column=target.name,
                expected="some rows with 1",
                got=f"{tables[name].num_rows} rows, all 0",
                fix=f"{_how(target)} {_MORE}",
            )


def _check_classes(tables: Mapping[str, pa.Table], target: Target, path: str | None) -> None:
    for name in SPLITS:
        classes = pc.unique(tables[name][target.name]).to_pylist()
        if len(classes) < 2:
            everywhere = all(pc.unique(tables[each][target.name]).to_pylist() == classes for each in SPLITS)
            fix = f"{_how(target)} {_MORE}"
            if classes[0] == 1 and everywhere:
                fix = "For a log of positives alone set split.negatives, or columns.feedback to implicit."
            raise DataError(
                f"the target has only one class in the {name} split",
                path=path,
                column=target.name,
                expected="rows with 1 and rows with 0",
                got=f"{tables[name].num_rows} rows, all {classes[0]}",
                fix=fix,
            )


def _how(target: Target) -> str:
    source = f" of column {target.source!r}" if target.source else ""
    return f"Change what is positive{source} for the target {target.name} in columns.targets or columns.events."


def _is_empty(column: pa.ChunkedArray) -> bool:
    if column.null_count == len(column):
        return True
    return pa.types.is_list(column.type) and not pc.sum(pc.list_value_length(column)).as_py()

"""Checks of the three splits before they are written."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.datasets import REQUIRED_COLUMNS
from emrys.blocks.errors import DataError
from emrys.components.contracts.splits import SPLITS, TARGET
from emrys.components.ingest.config import SplitMethod


def check_splits(tables: Mapping[str, pa.Table], method: SplitMethod, path: str | None) -> None:
    """Rejects splits that cannot be used for training or evaluation.

    Args:
        tables: Table of every split.
        method: Split method.
        path: Path of the data set for error messages, or None.

    Raises:
        DataError: if a split has no rows or only one class, if a column of train has no values, or if splits by time
            overlap.
    """
    for name in SPLITS:
        if not tables[name].num_rows:
            raise DataError(
                f"the {name} split has no rows",
                path=path,
                expected="at least one",
                fix="Increase its fraction, use more ratings, or another split method.",
            )
    if method is SplitMethod.TIME:
        _check_order(tables, path)
    for name in SPLITS:
        classes = pc.unique(tables[name][TARGET]).to_pylist()
        if len(classes) < 2:
            raise DataError(
                f"the label has only one class in the {name} split",
                path=path,
                column=TARGET,
                expected="ratings above 3 and others",
                got=f"{tables[name].num_rows} rows, all {classes[0]}",
                fix="Use more ratings, or another split method.",
            )
    for column in tables["train"].column_names:
        if column not in (*REQUIRED_COLUMNS, TARGET) and _is_empty(tables["train"][column]):
            raise DataError(
                "every value is null in the train split",
                path=path,
                column=column,
                expected="a value in some rows",
                fix="Fill the column, or remove it.",
            )


def _check_order(tables: Mapping[str, pa.Table], path: str | None) -> None:
    for i, earlier in enumerate(SPLITS):
        for later in SPLITS[i + 1 :]:
            last = pc.max(tables[earlier]["timestamp"]).as_py()
            first = pc.min(tables[later]["timestamp"]).as_py()
            if last > first:
                raise DataError(
                    f"{earlier} has rows later than the first row of {later}",
                    path=path,
                    column="timestamp",
                    expected=f"no row of {earlier} after {first}, the first of {later}",
                    got=str(last),
                    fix="Split by time, or choose another split method.",
                )


def _is_empty(column: pa.ChunkedArray) -> bool:
    if column.null_count == len(column):
        return True
    return pa.types.is_list(column.type) and not pc.sum(pc.list_value_length(column)).as_py()

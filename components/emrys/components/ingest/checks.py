"""What has to hold of the three splits before they are written."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.datasets import REQUIRED_COLUMNS
from emrys.blocks.errors import DataError
from emrys.components.contracts.splits import SPLITS, TARGET
from emrys.components.ingest.config import SplitMethod


def check_splits(tables: Mapping[str, pa.Table], method: SplitMethod, path: str | None) -> None:
    """Refuses splits that nothing can be learnt from, or that let the future into train.

    Args:
        tables: Table of every split.
        method: How it was split.
        path: Path of the data set for messages, where it has one.

    Raises:
        DataError: if a split has no rows or one class only, if a column of train holds nothing, or if splits in time
            order overlap.
    """
    for name in SPLITS:
        if not tables[name].num_rows:
            raise DataError(
                f"the {name} split has no rows",
                path=path,
                expected="at least one",
                fix="Raise its fraction, give more ratings, or split in another way.",
            )
    if method is SplitMethod.TIME:
        _check_order(tables, path)
    for name in SPLITS:
        classes = pc.unique(tables[name][TARGET]).to_pylist()
        if len(classes) < 2:
            raise DataError(
                f"the label has one class in the {name} split",
                path=path,
                column=TARGET,
                expected="ratings above 3 and others",
                got=f"{tables[name].num_rows} rows, all {classes[0]}",
                fix="Give more ratings, or split in another way.",
            )
    for column in tables["train"].column_names:
        if column not in (*REQUIRED_COLUMNS, TARGET) and _holds_nothing(tables["train"][column]):
            raise DataError(
                "every value is null in the train split",
                path=path,
                column=column,
                expected="a value in some rows",
                fix="Fill the column, or leave it out.",
            )


def _check_order(tables: Mapping[str, pa.Table], path: str | None) -> None:
    for i, earlier in enumerate(SPLITS):
        for later in SPLITS[i + 1 :]:
            last = pc.max(tables[earlier]["timestamp"]).as_py()
            first = pc.min(tables[later]["timestamp"]).as_py()
            if last > first:
                raise DataError(
                    f"{earlier} goes on after {later} has begun",
                    path=path,
                    column="timestamp",
                    expected=f"no row of {earlier} after {first}, the first of {later}",
                    got=str(last),
                    fix="Split in time order, or choose another way to split.",
                )


def _holds_nothing(column: pa.ChunkedArray) -> bool:
    if column.null_count == len(column):
        return True
    return pa.types.is_list(column.type) and not pc.sum(pc.list_value_length(column)).as_py()

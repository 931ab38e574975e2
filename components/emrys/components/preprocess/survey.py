"""Checks of the values of the train split before the fit."""

from __future__ import annotations

import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.contracts.data_schema import DataSchema, Role, TargetKind
from emrys.components.preprocess.raw_split import RawSplit


def check_values(split: RawSplit, schema: DataSchema) -> None:
    """Reads the train split once and checks that there is something to learn.

    Args:
        split: The train split.
        schema: Columns and targets.

    Raises:
        DataError: if a feature has only nulls, or a target only one value.
    """
    present = dict.fromkeys((column.name for column in split.columns), 0)
    values: dict[str, set[float]] = {target.name: set() for target in schema.targets}
    for table in split:
        for column in split.columns:
            # An empty list counts like a null.
            found = pc.list_flatten(table[column.name]) if column.is_list else table[column.name]
            present[column.name] += len(found) - found.null_count
        for name, known in values.items():
            known.update(pc.unique(table[name]).to_pylist()[:2])
    made = schema.of_role(Role.HISTORY)  # histories are empty if no user has two events
    for name, number in present.items():
        if not number and name not in made:
            raise DataError(
                "every value of the column is null",
                path=split.path,
                column=name,
                expected="a value in some row",
                fix="Leave it out in the recipe: name it under columns.ignore.",
            )
    for target in schema.targets:
        if len(values[target.name]) < 2:
            is_number = target.kind is TargetKind.REGRESSION
            raise DataError(
                f"the label has only one {'value' if is_number else 'class'}",
                path=split.path,
                column=target.name,
                expected="at least two values",
                got=", ".join(map(str, values[target.name])),
                fix="Use more rows, or another target."
                if is_number
                else "Use more rows, or another rule for the label.",
            )

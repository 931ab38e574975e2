"""Targets, made of the columns of a log as a recipe says."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.contracts.data_schema import TargetKind
from emrys.components.recipe.recipe import TargetColumn


def make_target(values: pa.ChunkedArray, name: str, target: TargetColumn, path: str) -> pa.ChunkedArray:
    """Values of a target, null where its source is null.

    Args:
        values: The source's column.
        name: Name of the target.
        target: How it is made.
        path: Path of the log, for messages.

    Returns:
        int8 0 and 1, float32, or the values of the classes as they are.

    Raises:
        DataError: if the values do not fit.
    """
    values = _without_blanks(values)
    if target.kind is TargetKind.CLASSES:
        return _class_values(values, name, target, path)
    if target.values:
        return _is_one_of(values, target.values)
    return _from_numbers(values, name, target, path)


def number_classes(values: pa.ChunkedArray, classes: tuple[str | int, ...]) -> pa.ChunkedArray:
    """Numbers of the classes of values."""
    known = pa.array(classes, values.type)
    return pc.index_in(values, value_set=known).cast(pa.int64())


def _without_blanks(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values with null for NaN and empty texts."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if pa.types.is_string(values.type):
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    return values


def _from_numbers(values: pa.ChunkedArray, name: str, target: TargetColumn, path: str) -> pa.ChunkedArray:
    if not _is_number(values.type):
        fix = "Say columns.targets.{}.values: the values that are positive." if target.kind is TargetKind.BINARY else ""
        raise _wrong(name, target, path, "numbers", str(values.type), fix.format(name))
    numbers = values.cast(pa.float64())
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise _wrong(name, target, path, "finite numbers", "an infinite one", "Correct the values.")
    if target.kind is TargetKind.REGRESSION:
        return numbers.cast(pa.float32())
    if target.above is not None:
        return pc.greater(numbers, target.above).cast(pa.int8())
    others = [value for value in pc.unique(numbers).to_pylist() if value not in (0, 1, None)]
    if others:
        fix = f"Say columns.targets.{name}.above: the number above which a row is positive, or `kind: regression`."
        raise _wrong(name, target, path, "0 and 1", f"{others[0]:g}", fix)
    return numbers.cast(pa.int8())


def _class_values(values: pa.ChunkedArray, name: str, target: TargetColumn, path: str) -> pa.ChunkedArray:
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    if _is_number(values.type):
        try:
            return values.cast(pa.int64())
        except pa.ArrowInvalid:
            fix = "Round them, or say `kind: regression`."
            raise _wrong(name, target, path, "whole numbers or texts", "other numbers", fix) from None
    if not pa.types.is_string(values.type):
        raise _wrong(name, target, path, "whole numbers or texts", str(values.type), "Convert the column.")
    return values


def _is_one_of(values: pa.ChunkedArray, positive: tuple[str | int, ...]) -> pa.ChunkedArray:
    """1 for the positive values, 0 for others; numbers and texts are compared as texts where the types differ."""
    if pa.types.is_string(values.type) or not _is_number(values.type):
        values, known = values.cast(pa.string()), pa.array([str(each) for each in positive], pa.string())
    else:
        values, known = values.cast(pa.float64()), pa.array(np.array([float(each) for each in positive]))
    matches = pc.is_in(values, value_set=known).cast(pa.int8())
    return pc.if_else(values.is_valid(), matches, pa.scalar(None, pa.int8()))


def _is_number(dtype: pa.DataType) -> bool:
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(check(dtype) for check in numbers)


def _wrong(name: str, target: TargetColumn, path: str, expected: str, got: str, fix: str) -> DataError:
    return DataError(
        f"the target {name} cannot be made", path=path, column=target.source, expected=expected, got=got, fix=fix
    )

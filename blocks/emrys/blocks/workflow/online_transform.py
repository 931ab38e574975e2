"""The online transform: fitted steps applied to requests, with one lookup per raw column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import RawColumn
from emrys.blocks.workflow.fitted_op import ComputedOp, FittedOp, KeyedOp
from emrys.blocks.workflow.key_lookup import FIRST_POSITION, NULL_POSITION, KeyLookup, create_lookup
from emrys.blocks.workflow.lists import pad_right, slice_lists
from emrys.blocks.workflow.request import check_names, check_rows, read_column
from emrys.blocks.workflow.reserved_ids import NULL_INT


@dataclass(frozen=True)
class _Results:
    """Results of a keyed step by the position of the lookup."""

    by_position: NDArray[Any]
    keep: int


@dataclass
class _ColumnLookup:
    """The lookup of a raw column, and the results of its steps by output column."""

    raw: RawColumn
    lookup: KeyLookup
    outputs: dict[str, _Results] = field(default_factory=dict)


class OnlineTransform:
    """Applies fitted steps to the columns of a request. The result of a row depends only on that row.

    Args:
        ops: The steps, in the order of the output columns.
        raw_columns: The columns of a request.
    """

    def __init__(self, ops: Sequence[FittedOp], raw_columns: Sequence[RawColumn]) -> None:
        self._raw_columns = tuple(raw_columns)
        self._names = [op.output.name for op in ops]
        self._computed = [op for op in ops if isinstance(op, ComputedOp)]
        ops_by_column: dict[str, list[KeyedOp]] = {}
        for op in ops:
            if isinstance(op, KeyedOp):
                ops_by_column.setdefault(op.inputs[0].name, []).append(op)
        self._lookups = [_column_lookup(column_ops) for column_ops in ops_by_column.values()]

    def __call__(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Applies the steps.

        Args:
            columns: The raw columns: scalars (B,) or (B, 1), lists (B, L).

        Returns:
            The output columns: scalars (B, 1), lists (B, L), int64 or float32.

        Raises:
            DataError: if a column is missing, unknown, or of the wrong type or shape.
        """
        check_names(columns, self._raw_columns)
        values = {column.name: read_column(column, columns[column.name]) for column in self._raw_columns}
        check_rows({name: len(array) for name, array in values.items()})
        outputs: dict[str, NDArray[Any]] = {}
        for op in self._computed:
            result = op.compute(values)
            outputs[op.output.name] = result if op.output.is_list else result[:, np.newaxis]
        for column in self._lookups:
            array = values[column.raw.name]
            positions = column.lookup.find(array.reshape(-1))
            for name, results in column.outputs.items():
                result = results.by_position.take(positions, axis=0)
                if column.raw.is_list:
                    empty = (positions == NULL_POSITION).reshape(array.shape)
                    outputs[name] = slice_lists(pad_right(result.reshape(array.shape), empty), results.keep)
                else:
                    outputs[name] = result if result.ndim == 2 else result[:, np.newaxis]
        return {name: outputs[name] for name in self._names}


def _column_lookup(ops: Sequence[KeyedOp]) -> _ColumnLookup:
    """Collects the keys of all steps of a raw column, and the results of each step by position of the key."""
    tables = [op.keys["value"].combine_chunks() for op in ops]
    keys = pa.chunked_array(tables).unique().drop_null()
    raw = ops[0].inputs[0]
    column = _ColumnLookup(raw, create_lookup(raw.name, keys))
    for op, values in zip(ops, tables, strict=True):
        known = op.results()
        by_position = np.empty((FIRST_POSITION + len(keys), *known.shape[1:]), dtype=known.dtype)
        by_position[:] = op.unseen()
        by_position[NULL_POSITION] = op.null()
        by_position[column.lookup.find(_as_numpy(values))] = known
        column.outputs[op.output.name] = _Results(by_position, op.keep)
    return column


def _as_numpy(values: pa.Array) -> NDArray[Any]:
    """The values as in a request, with null as its replacement value."""
    if pa.types.is_int64(values.type):
        from_null = values.fill_null(pa.scalar(NULL_INT, pa.int64()))
        return np.asarray(from_null.to_numpy(zero_copy_only=False))
    return np.array(values.fill_null("").to_pylist(), dtype=object)

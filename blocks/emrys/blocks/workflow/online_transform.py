"""The online transform: fitted steps applied to requests, with one lookup per raw column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.workflow.categorify import Categorify
from emrys.blocks.workflow.columns import RawColumn
from emrys.blocks.workflow.fill_normalize import FillNormalize
from emrys.blocks.workflow.fitted_op import FittedOp
from emrys.blocks.workflow.key_lookup import FIRST_POSITION, NULL_POSITION, KeyLookup, create_lookup
from emrys.blocks.workflow.request import check_names, check_rows, read_column
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL, NULL_INT, PADDING, UNSEEN
from emrys.blocks.workflow.target_encoding import TargetEncoding


@dataclass
class _ColumnLookup:
    """The lookup of a raw column, and its outputs as arrays over the positions of the lookup."""

    raw: RawColumn
    lookup: KeyLookup
    outputs: dict[str, NDArray[Any]] = field(default_factory=dict)


class OnlineTransform:
    """Applies fitted steps to the columns of a request. The result of a row depends only on that row.

    Args:
        ops: The steps, in the order of the output columns.
        raw_columns: The columns of a request.
    """

    def __init__(self, ops: Sequence[FittedOp], raw_columns: Sequence[RawColumn]) -> None:
        self._raw_columns = tuple(raw_columns)
        self._names = [op.output.name for op in ops]
        self._numbers = [op for op in ops if isinstance(op, FillNormalize)]
        ops_by_column: dict[str, list[Categorify | TargetEncoding]] = {}
        for op in ops:
            if isinstance(op, (Categorify, TargetEncoding)):
                ops_by_column.setdefault(op.raw.name, []).append(op)
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
        for op in self._numbers:
            outputs[op.column] = op.apply(values[op.column])[:, np.newaxis]
        for column in self._lookups:
            array = values[column.raw.name]
            positions = column.lookup.find(array.reshape(-1))
            for name, by_position in column.outputs.items():
                result = by_position.take(positions)
                if column.raw.is_list:
                    outputs[name] = _pad_right(
                        result.reshape(array.shape), (positions == NULL_POSITION).reshape(array.shape)
                    )
                else:
                    outputs[name] = result[:, np.newaxis]
        return {name: outputs[name] for name in self._names}


def _column_lookup(ops: Sequence[Categorify | TargetEncoding]) -> _ColumnLookup:
    """Collects the keys of all steps of a raw column, and the results of each step by position of the key."""
    tables = [op.table["value"].combine_chunks() for op in ops]
    keys = pa.chunked_array(tables).unique().drop_null()
    column = _ColumnLookup(ops[0].raw, create_lookup(ops[0].raw.name, keys))
    for op, values in zip(ops, tables, strict=True):
        if isinstance(op, Categorify):
            known: NDArray[Any] = np.arange(FIRST_KNOWN, op.cardinality, dtype=np.int64)
            by_position = np.full(FIRST_POSITION + len(keys), UNSEEN, dtype=np.int64)
            by_position[NULL_POSITION] = NULL
        else:
            known = op.encodings()
            by_position = np.full(FIRST_POSITION + len(keys), op.unseen(), dtype=np.float32)
        by_position[column.lookup.find(_as_numpy(values))] = known
        column.outputs[op.output.name] = by_position
    return column


def _as_numpy(values: pa.Array) -> NDArray[Any]:
    """The values as in a request, with null as its replacement value."""
    if pa.types.is_int64(values.type):
        from_null = values.fill_null(pa.scalar(NULL_INT, pa.int64()))
        return np.asarray(from_null.to_numpy(zero_copy_only=False))
    return np.array(values.fill_null("").to_pylist(), dtype=object)


def _pad_right(ids: NDArray[np.int64], empty: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Replaces empty positions by padding and moves it to the right, in stable order. Shapes (B, L)."""
    if not empty.any():
        return ids
    ids[empty] = PADDING
    if (empty[:, :-1] & ~empty[:, 1:]).any():
        ids = np.take_along_axis(ids, np.argsort(empty, axis=1, kind="stable"), axis=1)
    return ids

"""The fitted steps, arranged for speed: every raw column is looked up once, whatever is made from it."""

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
from emrys.blocks.workflow.key_lookup import FIRST_POSITION, NULL_POSITION, KeyLookup, make_lookup
from emrys.blocks.workflow.request import check_names, check_rows, read_column
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL, NULL_INT, PADDING, UNSEEN
from emrys.blocks.workflow.target_encoding import TargetEncoding


@dataclass
class _Keyed:
    """A raw column that is looked up, and the outputs as arrays over the positions that the lookup gives."""

    raw: RawColumn
    lookup: KeyLookup
    outputs: dict[str, NDArray[Any]] = field(default_factory=dict)


class OnlineTransform:
    """Applies fitted steps to the columns of a request. A row's result depends on that row alone.

    Args:
        ops: The steps; the output columns come in their order.
        raw_columns: The columns of a request.
    """

    def __init__(self, ops: Sequence[FittedOp], raw_columns: Sequence[RawColumn]) -> None:
        self._raw_columns = tuple(raw_columns)
        self._names = [op.output.name for op in ops]
        self._numbers = [op for op in ops if isinstance(op, FillNormalize)]
        keyed: dict[str, list[Categorify | TargetEncoding]] = {}
        for op in ops:
            if isinstance(op, (Categorify, TargetEncoding)):
                keyed.setdefault(op.raw.name, []).append(op)
        self._keyed = [_arrange(users) for users in keyed.values()]

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
        made: dict[str, NDArray[Any]] = {}
        for op in self._numbers:
            made[op.column] = op.apply(values[op.column])[:, np.newaxis]
        for column in self._keyed:
            array = values[column.raw.name]
            positions = column.lookup.find(array.reshape(-1))
            for name, by_position in column.outputs.items():
                result = by_position.take(positions)
                if column.raw.is_list:
                    made[name] = _pad_right(
                        result.reshape(array.shape), (positions == NULL_POSITION).reshape(array.shape)
                    )
                else:
                    made[name] = result[:, np.newaxis]
        return {name: made[name] for name in self._names}


def _arrange(ops: Sequence[Categorify | TargetEncoding]) -> _Keyed:
    """Gathers the keys of all steps on one raw column, and lays out each step's results over their positions."""
    tables = [op.table["value"].combine_chunks() for op in ops]
    keys = pa.chunked_array(tables).unique().drop_null()
    column = _Keyed(ops[0].raw, make_lookup(ops[0].raw.name, keys))
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
    """The values as a request brings them; a null as the value that stands for null."""
    if pa.types.is_int64(values.type):
        from_null = values.fill_null(pa.scalar(NULL_INT, pa.int64()))
        return np.asarray(from_null.to_numpy(zero_copy_only=False))
    return np.array(values.fill_null("").to_pylist(), dtype=object)


def _pad_right(ids: NDArray[np.int64], empty: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Makes padding of the empty places and moves it to the right, the order of the others kept. Shapes (B, L)."""
    if not empty.any():
        return ids
    ids[empty] = PADDING
    if (empty[:, :-1] & ~empty[:, 1:]).any():
        ids = np.take_along_axis(ids, np.argsort(empty, axis=1, kind="stable"), axis=1)
    return ids

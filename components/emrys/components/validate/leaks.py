"""Detection of leaks: columns that reveal the label, and events in several splits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.column_statistics import ColumnKind
from emrys.components.evaluation.weighted_metrics import auc

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

#: Number of bins for the encoding of numbers.
_BINS = 64


class SingleColumnFit(NamedTuple):
    """Information of a single column about the label.

    Args:
        auc: AUC of the best encoding on held-out rows; 0.5 for no information.
        decides: Whether the label is a function of the repeated values, or a step function of the column.
    """

    auc: float
    decides: bool


def fit_single_column(column: pa.ChunkedArray, kind: ColumnKind, label: Array, seed: int) -> SingleColumnFit:
    """Measures how well a single column predicts the label.

    Each value (a bin of a number, an element of a list) is encoded by the mean label of its rows in one half; the AUC
    is measured on the other half. Numbers and times are also used as scores themselves. Null is a value.

    Args:
        column: (N,) values.
        kind: Kind of the values.
        label: (N,) 0 or 1.
        seed: Seed of the halves.
    """
    first = np.random.default_rng(seed).permutation(len(label)) < len(label) // 2
    if len(np.unique(label[first])) < 2 or len(np.unique(label[~first])) < 2:
        return SingleColumnFit(0.5, False)
    if kind is ColumnKind.LIST:
        return SingleColumnFit(_auc(label[~first], _encode_lists(column, label, first)[~first]), False)
    if kind in (ColumnKind.NUMBER, ColumnKind.TIME):
        numbers = pc.cast(column, pa.float64(), safe=False).to_numpy()
        codes = _bins(numbers, first)
        finite = np.isfinite(numbers)
        areas = [_auc(label[~first], _encode(codes, label, first)[~first]), _auc(label[finite], numbers[finite])]
        return SingleColumnFit(
            max(areas), _decides(np.unique(numbers, return_inverse=True)[1], label) or _is_step(numbers, label)
        )
    codes = _codes(column)
    decides = kind is not ColumnKind.IDENTIFIER and _decides(codes, label)
    return SingleColumnFit(_auc(label[~first], _encode(codes, label, first)[~first]), decides)


def shared_events(train: pa.Table, other: pa.Table) -> int:
    """Number of rows of `other` that are also in `train`."""
    known = train.group_by(train.column_names).aggregate([])
    return int(other.join(known, keys=train.column_names, join_type="left semi").num_rows)


def repeated_events(train: pa.Table) -> int:
    """Number of repeated rows."""
    return int(train.num_rows - train.group_by(train.column_names).aggregate([]).num_rows)


def sampled(rows: int, most: int, seed: int) -> Numbers | None:
    """Sorted indices of a sample of the rows; None for all rows."""
    if rows <= most:
        return None
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _auc(label: Array, score: Array) -> float:
    if len(np.unique(label)) < 2:
        return 0.5
    area = auc(score, label)
    return max(area, 1 - area)


def _codes(column: pa.ChunkedArray) -> Numbers:
    return column.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)


def _bins(numbers: Array, first: npt.NDArray[np.bool_]) -> Numbers:
    known = numbers[first & np.isfinite(numbers)]
    if not len(known):
        return np.zeros(len(numbers), np.int64)
    ends = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)))
    codes = np.searchsorted(ends, numbers, side="right")
    codes[np.isnan(numbers)] = len(ends) + 1
    return codes


def _encode(codes: Numbers, label: Array, first: npt.NDArray[np.bool_]) -> Array:
    """Mean label of each value in the first half, smoothed by the overall mean."""
    size = int(codes.max()) + 1
    rows = np.bincount(codes[first], minlength=size)
    sums = np.bincount(codes[first], weights=label[first], minlength=size)
    return ((sums + label[first].mean()) / (rows + 1))[codes]


def _encode_lists(column: pa.ChunkedArray, label: Array, first: npt.NDArray[np.bool_]) -> Array:
    """Mean encoding of the elements of each list; null and empty lists count as one value."""
    lists = column.combine_chunks()
    parents = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    empty = np.flatnonzero(np.bincount(parents, minlength=len(label)) == 0)
    codes = _codes(pa.chunked_array([lists.flatten()])) if len(parents) else np.zeros(0, np.int64)
    empty_code = int(codes.max(initial=-1)) + 1
    rows = np.concatenate([parents, empty])
    codes = np.concatenate([codes, np.full(len(empty), empty_code)])
    encoded = _encode(codes, label[rows], first[rows])
    return np.bincount(rows, weights=encoded, minlength=len(label)) / np.bincount(rows, minlength=len(label))


def _decides(codes: Numbers, label: Array) -> bool:
    """Whether every value has a single label, with at least two rows per value on average."""
    rows = np.bincount(codes)
    positive = np.bincount(codes, weights=label)
    present = rows > 0
    if 2 * present.sum() > len(codes):
        return False
    return bool(((positive[present] == 0) | (positive[present] == rows[present])).all())


def _is_step(numbers: Array, label: Array) -> bool:
    """Whether the label is a step function of the numbers."""
    finite = np.isfinite(numbers)
    low, high = numbers[finite & (label == 0)], numbers[finite & (label == 1)]
    if len(low) + len(high) < len(label) or not len(low) or not len(high):
        return False
    return bool(low.max() < high.min() or high.max() < low.min())

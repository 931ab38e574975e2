"""What tells a model more than it will know when it is asked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import roc_auc_score

from emrys.components.contracts.column_statistics import ColumnKind
from emrys.components.validate.counting import kind_of

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

#: Bins that a number is encoded by.
_BINS = 64


class Alone(NamedTuple):
    """What a column says about the label when nothing else is known.

    Args:
        auc: Of the better of its encodings, on rows that these have not seen; 0.5 is nothing, 1 everything.
        decides: Whether each of its values that comes again has one label only, or the label is a step in it.
    """

    auc: float
    decides: bool


def alone(name: str, column: pa.ChunkedArray, label: Array, seed: int) -> Alone:
    """Measures how well a column predicts the label alone.

    Each value (a bin of a number, an element of a list) is encoded by the mean label of its rows in one half; the AUC
    is that of the other half. Numbers and times are judged by their own order too. A null is a value.

    Args:
        name: The column.
        column: (N,) its values.
        label: (N,) 0 or 1.
        seed: Of the halves.
    """
    first = np.random.default_rng(seed).permutation(len(label)) < len(label) // 2
    if len(np.unique(label[first])) < 2 or len(np.unique(label[~first])) < 2:
        return Alone(0.5, False)
    kind = kind_of(name, column.type)
    if kind is ColumnKind.LIST:
        return Alone(_auc(label[~first], _encode_lists(column, label, first)[~first]), False)
    if kind in (ColumnKind.NUMBER, ColumnKind.TIME):
        numbers = pc.cast(column, pa.float64(), safe=False).to_numpy()
        codes = _bins(numbers, first)
        own = np.isfinite(numbers)
        found = [_auc(label[~first], _encode(codes, label, first)[~first]), _auc(label[own], numbers[own])]
        return Alone(
            max(found), _decides(np.unique(numbers, return_inverse=True)[1], label) or _is_step(numbers, label)
        )
    codes = _codes(column)
    decides = kind is not ColumnKind.IDENTIFIER and _decides(codes, label)
    return Alone(_auc(label[~first], _encode(codes, label, first)[~first]), decides)


def shared_events(train: pa.Table, other: pa.Table) -> int:
    """Rows of `other` that are in `train` as well."""
    known = train.group_by(train.column_names).aggregate([])
    return int(other.join(known, keys=train.column_names, join_type="left semi").num_rows)


def repeated_events(train: pa.Table) -> int:
    """Rows that are there again."""
    return int(train.num_rows - train.group_by(train.column_names).aggregate([]).num_rows)


def sampled(rows: int, most: int, seed: int) -> Numbers | None:
    """Which rows are looked at, in their order; None for all."""
    if rows <= most:
        return None
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _auc(label: Array, score: Array) -> float:
    if len(np.unique(label)) < 2:
        return 0.5
    found = float(roc_auc_score(label, score))
    return max(found, 1 - found)


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
    """The mean label of each value in the first half; a value that it does not have counts as the mean of all."""
    size = int(codes.max()) + 1
    rows = np.bincount(codes[first], minlength=size)
    sums = np.bincount(codes[first], weights=label[first], minlength=size)
    return ((sums + label[first].mean()) / (rows + 1))[codes]


def _encode_lists(column: pa.ChunkedArray, label: Array, first: npt.NDArray[np.bool_]) -> Array:
    """The mean over the elements of a list; what has none counts as one value."""
    lists = column.combine_chunks()
    parents = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    empty = np.flatnonzero(np.bincount(parents, minlength=len(label)) == 0)
    codes = _codes(pa.chunked_array([lists.flatten()])) if len(parents) else np.zeros(0, np.int64)
    nothing = int(codes.max(initial=-1)) + 1
    rows = np.concatenate([parents, empty])
    codes = np.concatenate([codes, np.full(len(empty), nothing)])
    encoded = _encode(codes, label[rows], first[rows])
    return np.bincount(rows, weights=encoded, minlength=len(label)) / np.bincount(rows, minlength=len(label))


def _decides(codes: Numbers, label: Array) -> bool:
    """Whether every value has one label, with at least two rows a value on average."""
    rows = np.bincount(codes)
    positive = np.bincount(codes, weights=label)
    there = rows > 0
    if 2 * there.sum() > len(codes):
        return False
    return bool(((positive[there] == 0) | (positive[there] == rows[there])).all())


def _is_step(numbers: Array, label: Array) -> bool:
    there = np.isfinite(numbers)
    low, high = numbers[there & (label == 0)], numbers[there & (label == 1)]
    if len(low) + len(high) < len(label) or not len(low) or not len(high):
        return False
    return bool(low.max() < high.min() or high.max() < low.min())

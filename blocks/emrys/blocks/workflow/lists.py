"""Lists in requests: dense arrays with padding, and their elements."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emrys.blocks.workflow.columns import RawType
from emrys.blocks.workflow.reserved_ids import NULL_INT, PADDING


def is_null(dtype: RawType, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each value of a request is null, of the same shape."""
    if dtype == "int64":
        return np.asarray(values == NULL_INT)
    if dtype == "float32":
        return ~np.isfinite(values)
    flat = [item is None or item in ("", b"") or item != item for item in values.reshape(-1).tolist()]
    return np.array(flat, dtype=bool).reshape(values.shape)


def padding_of(dtype: np.dtype[Any]) -> float:
    """Padding of lists of results: 0 for ids, NaN for numbers, which are never NaN."""
    return np.nan if dtype.kind == "f" else PADDING


def pad_right(results: NDArray[Any], empty: NDArray[np.bool_]) -> NDArray[Any]:
    """Replaces empty positions by padding and moves it to the right, in stable order. Shapes (B, L)."""
    if not empty.any():
        return results
    results[empty] = padding_of(results.dtype)
    if (empty[:, :-1] & ~empty[:, 1:]).any():
        results = np.take_along_axis(results, np.argsort(empty, axis=1, kind="stable"), axis=1)
    return results


def slice_lists(results: NDArray[Any], keep: int) -> NDArray[Any]:
    """Keeps the first `keep` elements of each list, or the last `-keep`; all of them if it is 0.

    Args:
        results: Lists (B, L) with padding on the right.
        keep: Number of elements.

    Returns:
        Lists (B, min(L, |keep|)) with padding on the right.
    """
    if keep == 0:
        return results
    if keep > 0:
        return results[:, :keep]
    width = min(results.shape[1], -keep)
    present = ~np.isnan(results) if results.dtype.kind == "f" else results != PADDING
    first = np.maximum(present.sum(axis=1) - width, 0)
    return np.take_along_axis(results, first[:, np.newaxis] + np.arange(width), axis=1)

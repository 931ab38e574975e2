"""Checks and weights that metrics over rows of results share."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from emrys.blocks.core.calling import check_shape
from emrys.blocks.errors import ConfigError


def checked_positive(what: str, value: Any) -> int:
    """A count as a plain integer.

    Raises:
        ConfigError: if it is not an integer of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ConfigError(f"{what} cannot be", expected="an integer from 1", got=repr(value))
    return int(value)


def check_columns(metric: str, k: int, columns: int | None) -> None:
    """Refuses a cut-off above the number of columns, where that is known.

    Raises:
        ConfigError: naming both.
    """
    if columns is not None and k > columns:
        raise ConfigError(
            f"the cut-off of {metric} is above the number of results",
            expected=f"at least {k} columns",
            got=str(columns),
        )


def as_rows(values: Any) -> Any:
    """Values (..., N) as rows (R, N)."""
    return ops.reshape(values, (-1, ops.shape(values)[-1]))


def row_weights(metric: str, sample_weight: Any, values: Any, dtype: str) -> Any:
    """One weight for each row of `values`.

    Args:
        metric: Name of the metric, for errors.
        sample_weight: None, a number, or weights for the leading axes of `values`, with or without a last axis of 1.
            For values (B, L, N) also (B,): all steps of an example weigh the same.
        values: (..., N).
        dtype: Type of the weights.

    Returns:
        (R,), or None where there are no weights.

    Raises:
        ConfigError: if the shapes do not fit.
    """
    if sample_weight is None:
        return None
    weights = ops.convert_to_tensor(sample_weight, dtype=dtype)
    leading = tuple(values.shape)[:-1]
    if len(weights.shape) == len(leading) + 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    if len(weights.shape) > 0:
        # Weights of whole examples, (B,) or (B, 1), hold for each of their steps.
        sizes = zip(weights.shape, leading, strict=False)
        expected = [1 if axis and size == 1 else full for axis, (size, full) in enumerate(sizes)]
        check_shape(f"sample_weight of {metric}", weights.shape, expected)
        weights = ops.reshape(weights, (*ops.shape(weights), *[1] * (len(leading) - len(weights.shape))))
    return ops.reshape(ops.broadcast_to(weights, ops.shape(values)[:-1]), (-1,))

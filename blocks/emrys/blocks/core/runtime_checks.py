"""Checks of tensor values at run time, eagerly and in graphs."""

from __future__ import annotations

import tensorflow as tf

from emrys.blocks.errors import DataError


def require(condition: tf.Tensor, summary: str, *, expected: str, fix: str) -> None:
    """Raises an error unless `condition` is True everywhere.

    Raises:
        DataError: in eager mode. A graph raises `tf.errors.InvalidArgumentError` with the same message when it runs;
            XLA drops the check.
    """
    if not tf.executing_eagerly():
        tf.debugging.Assert(tf.reduce_all(condition), [f"{summary}; expected {expected}. {fix}"])
    elif not tf.reduce_all(condition):
        raise DataError(summary, expected=expected, fix=fix)

"""Checks of values that are only known when a batch comes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from emrys.blocks.errors import DataError


def require(holds: Any, summary: str, *, expected: str, fix: str) -> None:
    """Raises an error unless `holds` is True everywhere.

    Raises:
        DataError: in eager mode. A graph raises `tf.errors.InvalidArgumentError`, with the same words, when it runs;
            one compiled by XLA drops the check.
    """
    if not tf.executing_eagerly():
        tf.debugging.Assert(tf.reduce_all(holds), [f"{summary}; expected {expected}. {fix}"])
    elif not tf.reduce_all(holds):
        raise DataError(summary, expected=expected, fix=fix)

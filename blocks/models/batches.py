"""Turning what `fit`, `evaluate` and `predict` are given into batches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Schema

from blocks.errors import ConfigError
from blocks.loader import Loader


@contextlib.contextmanager
def batches(
    x: Any, y: Any = None, *, batch_size: int | None = None, schema: Schema | None = None, shuffle: bool = False
) -> Iterator[Any]:
    """Gives what `keras.Model.fit` can iterate over, while it is used.

    Args:
        x: A `Loader`; a `tf.data.Dataset` or `keras.utils.PyDataset` of batches; a `merlin.io.Dataset`, or paths of
            Parquet files, which are read in batches; a dictionary of tensors or arrays with all rows; one batch as
            `(features, targets)`.
        y: Targets, where `x` holds the features alone.
        batch_size: Rows of a batch, for what is not batched yet.
        schema: Schema for Parquet files.
        shuffle: Whether rows are shuffled, where the batches are made here.

    Yields:
        A `tf.data.Dataset`, or `x` itself where Keras knows it.

    Raises:
        ConfigError: if a batch size is missing, or `x` is none of the above.
        DataError: if a file turns out to be damaged while it is read.
    """
    if isinstance(x, (str, os.PathLike, list)) or hasattr(x, "to_ddf"):
        if batch_size is None:
            raise ConfigError("a data set needs a batch size", fix="Give batch_size=.")
        x = Loader(x, batch_size=batch_size, schema=schema, shuffle=shuffle)
    if isinstance(x, Loader):
        with x.reading_errors():
            yield x.to_tf_dataset()
    elif isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        yield x
    elif isinstance(x, dict):
        yield _rows(x if y is None else (x, y), batch_size, shuffle)
    elif isinstance(x, tuple) and y is None and len(x) in (2, 3):
        yield _rows(x, batch_size, shuffle)
    else:
        expected = "a Loader, a Dataset, paths of Parquet files, or a dictionary"
        raise ConfigError("cannot make batches of this", expected=expected, got=type(x).__name__)


def _rows(data: Any, batch_size: int | None, shuffle: bool) -> tf.data.Dataset:
    if batch_size is None:
        return tf.data.Dataset.from_tensors(data)
    rows = tf.data.Dataset.from_tensor_slices(data)
    return (rows.shuffle(rows.cardinality()) if shuffle else rows).batch(batch_size)

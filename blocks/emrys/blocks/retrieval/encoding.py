"""Batch inference: the outputs of a layer for every row of a data set, as a data frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, DataError, SchemaError
from emrys.blocks.loader import Loader
from emrys.blocks.loader.sources import open_source
from emrys.blocks.retrieval.top_k_layer import TopKPrediction

if TYPE_CHECKING:
    from merlin.io import Dataset

#: Data that is read: a data set, a `Loader`, an Arrow table, or paths of Parquet files.
Data: TypeAlias = "Dataset | Loader | pa.Table | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"

#: Rows that are read at a time.
_ROWS_AT_ONCE = 65_536


def encode_frame(
    layer: keras.layers.Layer,
    data: Data,
    *,
    batch_size: int | None = None,
    keep: Sequence[str] | None = None,
    extra: Callable[[pa.Table], dict[str, tf.RaggedTensor]] | None = None,
) -> pd.DataFrame:
    """Calls a layer on all rows, in order.

    Args:
        layer: Layer on a batch of features by name. If it has a schema, it gets the columns of the schema.
        data: A `Loader`, whose batch size is then used, a `merlin.io.Dataset`, an Arrow table, or paths of Parquet
            files.
        batch_size: Rows of a batch. Default: 1024.
        keep: Columns of the data to keep beside the outputs. Default: all.
        extra: Function from the rows of the data to further features of the same rows. Default: none.

    Returns:
        The kept columns followed by the outputs: columns `"0"` to `"D - 1"` for (B, D), those of
        `TopKPrediction.output_names`, or one column for each tensor of a dictionary.

    Raises:
        DataError: if a column is missing.
    """
    if isinstance(data, Loader):
        batch_size = data.batch_size
    size = 1024 if batch_size is None else batch_size
    run = _runner(layer)
    kept: list[pd.DataFrame] = []
    encoded: list[pd.DataFrame] = []
    schema = getattr(layer, "schema", None)
    for rows in _rows(data, schema, keep):
        frame = rows.select(list(keep) if keep is not None else rows.column_names).to_pandas()
        kept.append(frame)
        more = {} if extra is None else extra(rows)
        start = 0
        for features in _features(rows, size, schema):
            stop = start + int(next(iter(features.values())).shape[0])  # lists have no `len`
            batch = {**features, **{name: value[start:stop] for name, value in more.items()}}
            encoded.append(_as_frame(run(batch)))
            start = stop
    inputs, outputs = (pd.concat(frames, ignore_index=True) for frames in (kept, encoded))
    return pd.concat([inputs, outputs], axis=1)


def _runner(layer: keras.layers.Layer) -> Callable[[dict[str, Any]], Any]:
    if isinstance(layer, keras.Model):
        return layer.predict_on_batch  # compiled once for all calls
    compiled = tf.function(lambda features: layer(features, training=False), reduce_retracing=True)
    return lambda features: tf.nest.map_structure(lambda tensor: tensor.numpy(), compiled(features))


def index_column(index: str | ColumnSchema | Schema | Tags, schema: Schema | None) -> str:
    """Resolves the argument for an id column to the name of the column.

    Args:
        index: A name, a column, a schema of one column, or a tag of one column of `schema`.
        schema: The available columns.

    Raises:
        SchemaError: if it does not stand for exactly one column.
        ConfigError: if it is of another type.
    """
    if isinstance(index, ColumnSchema):
        return str(index.name)
    if isinstance(index, Tags):
        names = [] if schema is None else schema.select_by_tag(index).column_names
    elif isinstance(index, Schema):
        names = index.column_names
    elif isinstance(index, str):
        names = [index]
    else:
        expected = "a column, its name, a schema of one column, or a tag"
        raise ConfigError("invalid id column", expected=expected, got=type(index).__name__)
    if len(names) != 1:
        raise SchemaError(
            f"the id column {index} is ambiguous or missing",
            expected="exactly one column",
            got=", ".join(names) or "none",
        )
    return str(names[0])


def _rows(data: Any, schema: Schema | None, keep: Sequence[str] | None) -> Iterator[pa.Table]:
    source = data.source if isinstance(data, Loader) else open_source(data)
    available = source.arrow_schema.names
    features = [] if schema is None else list(schema.column_names)
    columns = list(available) if keep is None or schema is None else list(dict.fromkeys([*features, *keep]))
    for name in [*features, *(keep or ())]:
        if name not in available:
            raise DataError("the data misses a column", path=source.name, column=name, got=", ".join(available))
    for group in range(len(source.group_rows)):
        for batch, _, _ in source.batches(group, columns, _ROWS_AT_ONCE):
            if batch.num_rows:
                yield pa.Table.from_batches([batch])


def _features(rows: pa.Table, batch_size: int, schema: Schema | None) -> Iterator[dict[str, Any]]:
    names = rows.column_names if schema is None else schema.column_names
    loader = Loader(rows, batch_size, label_names=[], feature_columns=list(names), shuffle=False, schema=schema)
    for features, _ in loader:
        yield features


def _as_frame(outputs: Any) -> pd.DataFrame:
    if isinstance(outputs, TopKPrediction):
        scores, ids = outputs.scores, outputs.identifiers
        names = TopKPrediction.output_names(scores.shape[1])
        return pd.DataFrame(dict(zip(names, [*scores.T, *ids.T], strict=True)))
    if isinstance(outputs, dict):
        return pd.DataFrame(
            {
                name: list(value.reshape(len(value)) if value.shape[1:] == (1,) else value)
                for name, value in outputs.items()
            }
        )
    values = np.asarray(outputs).astype(np.float32)
    if values.ndim != 2:
        raise ConfigError("the layer must output one vector for each row", expected="(B, D)", got=str(values.shape))
    return pd.DataFrame(values, columns=[str(column) for column in range(values.shape[1])])

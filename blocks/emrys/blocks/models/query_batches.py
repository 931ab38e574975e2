"""Batches of queries, with the items that they have seen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader
from emrys.blocks.models.fit_data import batches
from emrys.blocks.retrieval.seen_items import SEEN_ITEMS, SeenItems


@contextlib.contextmanager
def query_batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None,
    schema: Schema | None,
    target: str | None,
    seen: SeenItems | None,
) -> Iterator[Any]:
    """Gives batches of queries for `evaluate` and `predict`, while they are used.

    Args:
        x: What `Model.fit` takes.
        y: Targets, where `x` holds the features alone.
        sample_weight: Weights of the rows, where all are in memory.
        batch_size: Rows of a batch, for what is not batched yet.
        schema: Columns of a query.
        target: Column of the ids of the right items, where the schema of the data does not tag it.
        seen: Items to leave out of each query's candidates. Default: none.

    Yields:
        Batches as `emrys.blocks.models.fit_data` makes them; with `seen`, each has the list feature `SEEN_ITEMS` too.

    Raises:
        ConfigError: if the batches do not have the column of query ids.
    """
    if isinstance(x, (str, os.PathLike, list)) or hasattr(x, "to_ddf"):
        x = _loader(x, batch_size, schema, target, seen)
    with batches(x, y, sample_weight=sample_weight, batch_size=batch_size, schema=schema) as data:
        yield data if seen is None else _with_seen_items(data, seen, schema)


def _loader(
    x: Any, batch_size: int | None, schema: Schema | None, target: str | None, seen: SeenItems | None
) -> Loader:
    if batch_size is None:
        raise ConfigError("a data set needs a batch size", fix="Give batch_size=.")
    there = getattr(x, "schema", None)
    there = there if isinstance(there, Schema) and len(there) else Loader(x, batch_size).schema
    own = Schema([]) if schema is None else schema
    tagged = list(there.select_by_tag(Tags.TARGET).column_names)
    targets = [target] if target is not None and target in there.column_names else tagged
    queries = [seen.query_column] if seen is not None else []
    names = own.column_names or there.excluding_by_name(targets).column_names
    columns = {
        name: own[name] if name in own.column_names else there[name] for name in names if name in there.column_names
    }
    columns |= {name: there[name] for name in queries if name in there.column_names and name not in columns}
    read = Schema([*columns.values(), *(_as_ids(there[name]) for name in targets)])
    return Loader(x, batch_size, label_names=targets, feature_columns=list(columns), shuffle=False, schema=read)


def _as_ids(column: ColumnSchema) -> ColumnSchema:
    """A target whose integers stay integers."""
    return column.with_tags([Tags.CATEGORICAL]) if column.dtype.is_integer else column


def _with_seen_items(data: Any, seen: SeenItems, schema: Schema | None) -> Any:
    if not isinstance(data, tf.data.Dataset):
        raise ConfigError("seen items are added to a tf.data.Dataset, a Loader or data", got=type(data).__name__)

    there = data.element_spec[0] if isinstance(data.element_spec, tuple) else data.element_spec
    if seen.query_column not in there:
        raise ConfigError(
            "the batches do not say whose queries they are",
            expected=f"the column {seen.query_column!r}, that of the seen items",
            got=", ".join(there),
        )

    def add(*batch: Any) -> Any:
        features = dict(batch[0])
        values, offsets = tf.numpy_function(
            seen.lookup, [tf.reshape(features[seen.query_column], (-1,))], [tf.int64, tf.int64], stateful=False
        )
        if schema is not None and seen.query_column not in schema.column_names:
            del features[seen.query_column]
        splits = tf.ensure_shape(offsets, (None,))
        features[SEEN_ITEMS] = tf.RaggedTensor.from_row_splits(tf.ensure_shape(values, (None,)), splits, validate=False)
        return (features, *batch[1:])

    return data.map(add)

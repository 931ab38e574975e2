"""Reading a single batch, for inspection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader.batches import LoaderColumn, apply_transform, element_values, single_batch
from emrys.blocks.loader.loader import Loader
from emrys.blocks.loader.rows import RowStream
from emrys.blocks.loader.sources import Readable


def sample_batch(
    dataset_or_loader: Readable | Loader,
    batch_size: int | None = None,
    shuffle: bool = False,
    include_targets: bool = True,
    prepare_features: bool = True,
) -> Any:
    """Reads one batch, without advancing the epoch of a loader.

    Differences from the batches of a `Loader`, as in the released library: prepared lists have one more dimension, and
    targets keep their type, unless the loader has transforms.

    Args:
        dataset_or_loader: A `Loader`, or data that it can read.
        batch_size: Rows, B; all rows if the data has fewer. Default for a loader: its batch size.
        shuffle: Whether to shuffle the rows; a loader uses its own setting.
        include_targets: Whether to return the targets too.
        prepare_features: Whether to convert the columns to the shapes that models take.

    Returns:
        The features or, with `include_targets`, `(features, targets)`. The targets are None where there are none, a
        single tensor where there is one, else a dict.
        Prepared: scalars (B, 1), floats as float32, lists ragged (B, None, 1) or, of one length, dense (B, L, 1).
        Not prepared: scalars (B,), types as in the data, ragged lists as `name__values` and `name__offsets` (B + 1,),
        lists of one length (B, L). Targets keep their type either way.

    Raises:
        ConfigError: if there is no batch size.
    """
    if not isinstance(dataset_or_loader, Loader):
        if batch_size is None:
            raise ConfigError("sample_batch needs a batch_size, unless it is called with a Loader")
        dataset_or_loader = Loader(dataset_or_loader, batch_size, shuffle=shuffle)
    loader = dataset_or_loader
    shard = loader.shard
    size = min(batch_size or loader.batch_size, shard.stop - shard.start)
    columns = [column if loader.has_transforms else column.as_stored() for column in loader.columns]
    stream = RowStream(
        loader.source, columns, replace(shard, full_batches=1, last_batches=()), size, loader.shuffle, size
    )
    seed = 0 if loader.seed_fn is None else loader.seed_fn()
    rows, _ = next(stream.blocks(seed, loader.epoch))

    if loader.has_transforms:
        features, targets = _transformed(loader, rows, prepare_features)
    else:
        features, targets = _as_read(columns, rows, prepare_features)
    if not include_targets:
        return features
    if isinstance(targets, dict) and len(targets) < 2:
        return features, next(iter(targets.values()), None)
    return features, targets


def _as_read(columns: list[LoaderColumn], rows: pa.RecordBatch, prepare: bool) -> tuple[dict[str, Any], Any]:
    features: dict[str, Any] = {}
    targets: dict[str, Any] = {}
    for column in columns:
        into = targets if column.is_target else features
        into.update((_prepared if prepare else _plain)(column, rows.column(column.name)))
    return features, targets


def _transformed(loader: Loader, rows: pa.RecordBatch, prepare: bool) -> tuple[dict[str, Any], Any]:
    """The batch after the transforms; prepared lists have one more dimension."""
    batch: tuple[Any, ...] = single_batch(loader.columns, rows)
    for transform in loader.transforms:
        batch = apply_transform(transform, *batch)
    features = dict(batch[0])
    lists = {column.name for column in loader.columns if column.is_list}
    for name, tensor in features.items():
        if prepare and name in lists and len(tensor.shape) == 2:
            features[name] = tf.expand_dims(tensor, -1)
    return features, batch[1]


def _prepared(column: LoaderColumn, array: pa.Array) -> dict[str, Any]:
    values, offsets = _arrays(column, array)
    if column.dtype.kind == "f" and not column.is_target:
        values = values.astype(np.float32)
    tensor = tf.constant(values if column.vector is not None else values[..., None])
    return {column.name: tensor if offsets is None else tf.RaggedTensor.from_row_splits(tensor, offsets)}


def _plain(column: LoaderColumn, array: pa.Array) -> dict[str, Any]:
    values, offsets = _arrays(column, array)
    if offsets is None:
        return {column.name: tf.constant(values)}
    return {f"{column.name}__values": tf.constant(values), f"{column.name}__offsets": tf.constant(offsets)}


def _arrays(column: LoaderColumn, array: pa.Array) -> tuple[Any, Any]:
    """The values, and for a ragged column the offsets (B + 1,) of its rows."""
    values = element_values(array, column) if column.is_list else array.to_numpy(zero_copy_only=False)
    values = values if column.vector is None else values.reshape(-1, column.vector)
    if column.is_ragged:
        offsets = array.offsets.to_numpy().astype(np.int64)
        return values, offsets - offsets[0]
    return values.reshape(-1, column.length or 0, *column.inner_shape) if column.is_list else values, None

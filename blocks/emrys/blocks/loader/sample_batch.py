"""One batch to look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader.batches import apply, only_batch
from emrys.blocks.loader.columns import LoaderColumn
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
    """Reads one batch, without moving a loader on.

    Not quite what a `Loader` gives: a list has one dimension more when prepared, and targets keep their type, as the
    released library has it. Behind the transforms of a loader, targets have the type that those see and give.

    Args:
        dataset_or_loader: A `Loader`, or what one can be made from.
        batch_size: Rows, B; where the data has fewer, all of them. A loader has one by itself.
        shuffle: Whether to mix the rows; a loader goes by its own setting.
        include_targets: Whether to give the targets too.
        prepare_features: Whether to give the columns the shape in which models take them.

    Returns:
        The features or, with `include_targets`, `(features, targets)`. The targets are None where there are none, a
        single tensor where there is one, else a dict.
        Prepared: scalars (B, 1), floats as float32, lists ragged (B, None, 1) or, of one length, dense (B, L, 1).
        Not prepared: scalars (B,), types as in the data, ragged lists as `name__values` and `name__offsets` (B + 1,),
        lists of one length (B, L). Targets keep their type either way.

    Raises:
        ConfigError: There is no batch size.
    """
    if not isinstance(dataset_or_loader, Loader):
        if batch_size is None:
            raise ConfigError("sample_batch needs a batch_size, unless it is given a Loader")
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
        features, targets = _behind_transforms(loader, rows, prepare_features)
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


def _behind_transforms(loader: Loader, rows: pa.RecordBatch, prepare: bool) -> tuple[dict[str, Any], Any]:
    """The batch as the loader gives it, lists with one dimension more when prepared."""
    batch: tuple[Any, ...] = only_batch(loader.columns, rows)
    for step in loader.transforms:
        batch = apply(step, *batch)
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
    tensor = tf.constant(values[..., None])
    return {column.name: tensor if offsets is None else tf.RaggedTensor.from_row_splits(tensor, offsets)}


def _plain(column: LoaderColumn, array: pa.Array) -> dict[str, Any]:
    values, offsets = _arrays(column, array)
    if offsets is None:
        return {column.name: tf.constant(values)}
    return {f"{column.name}__values": tf.constant(values), f"{column.name}__offsets": tf.constant(offsets)}


def _arrays(column: LoaderColumn, array: pa.Array) -> tuple[Any, Any]:
    """The values, and for a ragged column the offsets (B + 1,) of its rows in them."""
    values = (array.flatten() if column.is_list else array).to_numpy(zero_copy_only=False)
    if column.is_ragged:
        offsets = array.offsets.to_numpy().astype(np.int64)
        return values, offsets - offsets[0]
    return values.reshape(-1, column.length) if column.is_list else values, None

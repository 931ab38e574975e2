"""Batches of tensors: cut from blocks of rows, then transformed.

Passing single batches from a Python generator to TensorFlow is slow, about 40 tensors each. So the generator yields
blocks of many batches, one block ahead, whose memory TensorFlow uses without a copy. Blocks are cut into batches in
C++: by `from_tensor_slices` in a graph, by `tf.unstack` for eager tensors. Only ragged columns have a cost per batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.calling import build_layer, call_layer
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.loader.columns import LoaderColumn
from emrys.blocks.loader.table_operator import TableOperator, is_table_operator

#: `(features, targets)`: tensors, or ragged tensors, by name.
Batch: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"
#: Several batches: arrays with one entry per batch, for features and for targets, by name; and the elements of the
#: ragged columns, by name.
Block: TypeAlias = "tuple[dict[str, Any], dict[str, Any], dict[str, Any]]"


def blocks_dataset(
    columns: Sequence[LoaderColumn],
    blocks: Callable[[], Iterable[tuple[pa.RecordBatch, int]]],
    batch_size: int | None,
) -> tf.data.Dataset:
    """The rows of an epoch as a data set of blocks; reading starts with the iteration.

    Args:
        columns: The columns of the rows.
        blocks: Starts an epoch; yields rows and the number of rows of a batch.
        batch_size: Rows of every batch, if they are all equal; None otherwise.
    """

    def generate() -> Iterator[Block]:
        for rows, size in blocks():
            yield _block(columns, rows, size)

    return tf.data.Dataset.from_generator(generate, output_signature=_signature(columns, batch_size)).prefetch(1)


def batches_dataset(blocks: tf.data.Dataset, steps: int) -> tf.data.Dataset:
    """Cuts blocks into batches, in a graph.

    Args:
        blocks: The result of `blocks_dataset`.
        steps: Number of batches in an epoch.
    """

    def cut(features: dict[str, Any], targets: dict[str, Any], elements: dict[str, Any]) -> tf.data.Dataset:
        batches = tf.data.Dataset.from_tensor_slices((features, targets))
        if not elements:
            return batches
        return batches.map(lambda x, y: (_with_lists(x, elements), _with_lists(y, elements)))

    options = tf.data.Options()
    # Workers read different rows already (global_rank); TensorFlow must not shard them again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return blocks.flat_map(cut).apply(tf.data.experimental.assert_cardinality(steps)).with_options(options)


def eager_batches(block: Block) -> Iterator[Batch]:
    """Cuts a block of eager tensors into batches."""
    features, targets, elements = block
    unstacked = [{name: tf.unstack(tensor) for name, tensor in part.items()} for part in (features, targets)]
    count = len(next(iter(unstacked[0].values())))
    for at in range(count):
        x, y = ({name: tensors[at] for name, tensors in part.items()} for part in unstacked)
        yield (_with_lists(x, elements), _with_lists(y, elements)) if elements else (x, y)


def single_batch(columns: Sequence[LoaderColumn], rows: pa.RecordBatch) -> Batch:
    """Converts all the rows to one batch of eager tensors."""
    return next(eager_batches(tf.nest.map_structure(tf.constant, _block(columns, rows, rows.num_rows))))


def _signature(columns: Sequence[LoaderColumn], batch_size: int | None) -> Block:
    parts: Block = ({}, {}, {})
    for column in columns:
        part = parts[1 if column.is_target else 0]
        if column.is_ragged:
            part[_start(column.name)] = tf.TensorSpec((None,), tf.int64)
            part[_splits(column.name)] = tf.TensorSpec((None, None if batch_size is None else batch_size + 1), tf.int64)
            parts[2][column.name] = tf.TensorSpec((None,), column.dtype)
        else:
            part[column.name] = tf.TensorSpec((None, batch_size, column.length or 1), column.dtype)
    return parts


def _block(columns: Sequence[LoaderColumn], rows: pa.RecordBatch, size: int) -> Block:
    parts: Block = ({}, {}, {})
    for column, array in zip(columns, rows.columns, strict=True):
        part = parts[1 if column.is_target else 0]
        if column.is_ragged:
            offsets = array.offsets.to_numpy().astype(np.int64)
            starts = offsets[:-1:size]
            splits = np.zeros((len(starts), size + 1), np.int64)
            np.subtract(offsets[1:].reshape(-1, size), starts[:, None], out=splits[:, 1:])
            part[_start(column.name)], part[_splits(column.name)] = starts - offsets[0], splits
            parts[2][column.name] = array.flatten().to_numpy()
        else:
            values = array.flatten() if column.is_list else array
            part[column.name] = values.to_numpy().reshape(-1, size, column.length or 1)
    return parts


def _with_lists(part: dict[str, Any], elements: dict[str, Any]) -> dict[str, Any]:
    """Replaces the start and splits of ragged columns by ragged tensors (B, None)."""
    tensors = {}
    for key, value in part.items():
        if key.startswith(_start("")):
            name = key.removeprefix(_start(""))
            splits = part[_splits(name)]
            values = elements[name][value : value + splits[-1]]
            tensors[name] = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        elif not key.startswith(_splits("")):
            tensors[key] = value
    return tensors


# Keys that cannot be column names: those do not begin with a control character.
def _start(name: str) -> str:
    return f"\x00start/{name}"


def _splits(name: str) -> str:
    return f"\x00splits/{name}"


#: A layer, or a function of `(features, targets)`, or of `(features, targets, sample_weight)` if there are weights.
Transform: TypeAlias = "keras.layers.Layer | Callable[..., Any]"
EXPECTED = "features by name, (features, targets), (features, targets, sample_weight), or a Prediction"


def as_transforms(argument: str, value: Any) -> list[Transform]:
    """One or several transforms as a list; operators of Merlin's graphs are wrapped.

    Raises:
        ConfigError: One of them is not callable.
    """
    transforms = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    transforms = [TableOperator(each) if is_table_operator(each) else each for each in transforms]
    for transform in transforms:
        if not callable(transform):
            raise ConfigError(f"Loader: {argument}", expected="layers or functions", got=type(transform).__name__)
    return transforms


def transform_batches(dataset: tf.data.Dataset, transforms: Sequence[Transform]) -> tf.data.Dataset:
    """Applies transforms to batches, in a graph, one batch ahead.

    Raises:
        ConfigError: A transform does not return a batch.
    """
    for transform in transforms:
        if isinstance(transform, keras.layers.Layer) and not transform.built:
            # Variables cannot be created inside `Dataset.map`.
            build_layer(transform, {name: tuple(spec.shape) for name, spec in dataset.element_spec[0].items()})
        # Sequential calls: a layer's random state is reproducible only that way.
        dataset = dataset.map(_as_function(transform))
    return dataset.prefetch(1) if transforms else dataset


def apply_transform(transform: Transform, features: Any, targets: Any, weights: Any = None) -> tuple[Any, ...]:
    """Applies one transform to a batch; returns `(features, targets)` or `(features, targets, weights)`.

    Raises:
        ConfigError: It does not return a batch.
    """
    if isinstance(transform, keras.layers.Layer):
        # Noise and masks of a loader are meant to apply; evaluation uses a loader without them.
        result = call_layer(transform, features, targets=targets, features=features, training=True)
    else:
        result = transform(features, targets) if weights is None else transform(features, targets, weights)
    if isinstance(result, Prediction):
        changed = (result.outputs, result.targets, result.sample_weight)
        result = tuple(new if new is not None else old for new, old in zip(changed, (features, targets, weights)))  # noqa: B905
    if isinstance(result, dict):
        result = (result, targets, weights)
    if not isinstance(result, tuple) or len(result) not in (2, 3):
        name = getattr(transform, "name", None) or getattr(transform, "__name__", type(transform).__name__)
        raise ConfigError(
            f"Loader: the transform {name!r} must return a batch", expected=EXPECTED, got=type(result).__name__
        )
    batch = (*result, weights)[:3]
    return batch if batch[2] is not None else batch[:2]


def transformed_schema(schema: Schema, transforms: Sequence[Transform]) -> Schema:
    """The schema of batches after the transforms.

    Raises:
        SchemaError: A transform has no method `compute_output_schema`.
    """
    for transform in transforms:
        compute = getattr(transform, "compute_output_schema", None)
        if compute is None:
            name = getattr(transform, "__name__", type(transform).__name__)
            raise SchemaError(
                f"the schema after the transform {name!r} is unknown",
                fix="Add a method compute_output_schema(schema) to it.",
            )
        schema = compute(schema)
    return schema


def _as_function(transform: Transform) -> Callable[..., tuple[Any, ...]]:
    # AutoGraph only for the user's functions, which can have an `if` on tensors: elsewhere it hides errors.
    traced = tf.function(transform) if inspect.isroutine(transform) else transform

    @tf.autograph.experimental.do_not_convert
    def run(*batch: Any) -> tuple[Any, ...]:
        return apply_transform(traced, *batch)

    return run

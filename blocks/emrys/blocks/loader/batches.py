"""From blocks of rows to batches of tensors.

A generator that gave TensorFlow batch after batch would spend its time on the border between the two: some 40 tensors
each time. So it gives blocks of many batches, whose memory TensorFlow takes over as it is, one block ahead of the
reader. From there batches are cut in C++: by `from_tensor_slices` in a graph, by `tf.unstack` for eager tensors. Only
ragged columns cost something per batch.
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
#: What n batches of B rows are to TensorFlow: arrays with one entry per batch, for features and for targets, by name;
#: and the elements of the ragged columns, by name.
Block: TypeAlias = "tuple[dict[str, Any], dict[str, Any], dict[str, Any]]"


def blocks_dataset(
    columns: Sequence[LoaderColumn],
    blocks: Callable[[], Iterable[tuple[pa.RecordBatch, int]]],
    batch_size: int | None,
) -> tf.data.Dataset:
    """The rows of an epoch as a data set of blocks. Nothing is read before the first of them is asked for.

    Args:
        columns: What the rows hold.
        blocks: Starts an epoch: its rows, each time with the number of rows that make a batch.
        batch_size: Rows of every batch, where they are all alike; None otherwise.
    """

    def generate() -> Iterator[Block]:
        for rows, size in blocks():
            yield _block(columns, rows, size)

    return tf.data.Dataset.from_generator(generate, output_signature=_signature(columns, batch_size)).prefetch(1)


def batches_dataset(blocks: tf.data.Dataset, steps: int) -> tf.data.Dataset:
    """Cuts blocks into batches, in a graph.

    Args:
        blocks: What `blocks_dataset` gives.
        steps: Number of batches in an epoch.
    """

    def cut(features: dict[str, Any], targets: dict[str, Any], elements: dict[str, Any]) -> tf.data.Dataset:
        batches = tf.data.Dataset.from_tensor_slices((features, targets))
        if not elements:
            return batches
        return batches.map(lambda x, y: (_with_lists(x, elements), _with_lists(y, elements)))

    options = tf.data.Options()
    # Workers read different rows already (global_rank); TensorFlow must not divide them once more.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return blocks.flat_map(cut).apply(tf.data.experimental.assert_cardinality(steps)).with_options(options)


def eager_batches(block: Block) -> Iterator[Batch]:
    """Cuts a block of eager tensors into batches."""
    features, targets, elements = block
    pieces = [{name: tf.unstack(tensor) for name, tensor in part.items()} for part in (features, targets)]
    count = len(next(iter(pieces[0].values())))
    for at in range(count):
        x, y = ({name: piece[at] for name, piece in part.items()} for part in pieces)
        yield (_with_lists(x, elements), _with_lists(y, elements)) if elements else (x, y)


def only_batch(columns: Sequence[LoaderColumn], rows: pa.RecordBatch) -> Batch:
    """Makes one batch of the rows, of eager tensors."""
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
    """Puts ragged tensors (B, None) in the place of their positions."""
    made = {}
    for key, value in part.items():
        if key.startswith(_start("")):
            name = key.removeprefix(_start(""))
            splits = part[_splits(name)]
            values = elements[name][value : value + splits[-1]]
            made[name] = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        elif not key.startswith(_splits("")):
            made[key] = value
    return made


# Keys that no column has: a column's name does not begin with a control character.
def _start(name: str) -> str:
    return f"\x00start/{name}"


def _splits(name: str) -> str:
    return f"\x00splits/{name}"


#: A layer, or a function of a batch's parts: `(features, targets)`, and the weights behind a step that gave some.
Step: TypeAlias = "keras.layers.Layer | Callable[..., Any]"
EXPECTED = "features by name, a tuple of features, targets and perhaps weights, or a Prediction of these"


def as_steps(argument: str, given: Any) -> list[Step]:
    """The steps that a caller gave as one or several; operators of Merlin's graphs become functions.

    Raises:
        ConfigError: One of them cannot be called.
    """
    steps = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    steps = [TableOperator(step) if is_table_operator(step) else step for step in steps]
    for step in steps:
        if not callable(step):
            raise ConfigError(f"Loader: {argument}", expected="layers or functions", got=type(step).__name__)
    return steps


def through(dataset: tf.data.Dataset, steps: Sequence[Step]) -> tf.data.Dataset:
    """Sends batches through the steps, in a graph, one batch ahead of the reader.

    Raises:
        ConfigError: A step gives something else than a batch.
    """
    for step in steps:
        if isinstance(step, keras.layers.Layer) and not step.built:
            # Variables cannot be made while batches are on their way.
            build_layer(step, {name: tuple(spec.shape) for name, spec in dataset.element_spec[0].items()})
        # One after the other: a layer's random state has one order only that way.
        dataset = dataset.map(_as_function(step))
    return dataset.prefetch(1) if steps else dataset


def apply(step: Step, features: Any, targets: Any, weights: Any = None) -> tuple[Any, ...]:
    """The batch `(features, targets)`, or `(features, targets, weights)`, behind one step.

    Raises:
        ConfigError: It gives something else than a batch.
    """
    if isinstance(step, keras.layers.Layer):
        # Somebody who puts noise or masks into a loader wants them; for evaluation there is a loader without.
        found = call_layer(step, features, targets=targets, features=features, training=True)
    else:
        found = step(features, targets) if weights is None else step(features, targets, weights)
    if isinstance(found, Prediction):
        changed = (found.outputs, found.targets, found.sample_weight)
        found = tuple(new if new is not None else old for new, old in zip(changed, (features, targets, weights)))  # noqa: B905
    if isinstance(found, dict):
        found = (found, targets, weights)
    if not isinstance(found, tuple) or len(found) not in (2, 3):
        name = getattr(step, "name", None) or getattr(step, "__name__", type(step).__name__)
        raise ConfigError(f"Loader: the transform {name!r} gives no batch", expected=EXPECTED, got=type(found).__name__)
    made = (*found, weights)[:3]
    return made if made[2] is not None else made[:2]


def schema_behind(schema: Schema, steps: Sequence[Step]) -> Schema:
    """The schema of batches behind the steps.

    Raises:
        SchemaError: A step does not say what it makes of a schema.
    """
    for step in steps:
        compute = getattr(step, "compute_output_schema", None)
        if compute is None:
            name = getattr(step, "__name__", type(step).__name__)
            raise SchemaError(
                f"the schema behind the transform {name!r} is not known",
                fix="Give it a method compute_output_schema(schema).",
            )
        schema = compute(schema)
    return schema


def _as_function(step: Step) -> Callable[..., tuple[Any, ...]]:
    # A user's own function may hold an `if` on tensors. Nothing else is rewritten by AutoGraph: it hides errors.
    called = tf.function(step) if inspect.isroutine(step) else step

    @tf.autograph.experimental.do_not_convert
    def run(*batch: Any) -> tuple[Any, ...]:
        return apply(called, *batch)

    return run

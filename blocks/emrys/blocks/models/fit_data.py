"""Batches for `fit`, `evaluate` and `predict`: from any kind of data, transformed, checked against the schema."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import GeneratorType
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy.typing as npt
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.calling import call_layer
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader
from emrys.blocks.schema.functions import select_targets

if TYPE_CHECKING:
    from merlin.io import Dataset

#: Data that `fit`, `evaluate` and `predict` take, see `batches`.
Data: TypeAlias = (
    "Loader | Dataset | tf.data.Dataset | keras.utils.PyDataset | Iterator[object] | Mapping[str, npt.ArrayLike]"
    " | npt.ArrayLike | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | tuple[object, ...] | None"
)


@contextlib.contextmanager
def batches(
    x: Data,
    y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    *,
    sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    batch_size: int | None = None,
    schema: Schema | None = None,
    shuffle: bool = False,
    pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    loader_options: Mapping[str, object] | None = None,
) -> Iterator[Any]:
    """Context manager for data that `keras.Model.fit` can iterate over.

    Args:
        x: A `Loader`; a `tf.data.Dataset`, `keras.utils.PyDataset` or generator of batches; a `merlin.io.Dataset`, or
            paths of Parquet files, which are read in batches; a dictionary of tensors or arrays with all rows, or one
            of them; one batch as `(features, targets)`.
        y: Targets, if `x` holds only the features.
        sample_weight: Weights of the rows, where `x` holds all rows.
        batch_size: Rows of a batch, for data that is not batched yet.
        schema: Schema for Parquet files.
        shuffle: Whether rows are shuffled, for data that is not batched yet.
        pre: Layer applied to batches before the model. With it, all columns of a data set's schema are read, also those
            that only this layer uses, for targets for example.
        loader_options: Further arguments of the `Loader` that reads a data set or files.

    Yields:
        A `tf.data.Dataset`, or `x` itself if Keras accepts it.

    Raises:
        ConfigError: if a batch size is missing, `x` is none of the above, or is not read and there are
            `loader_options`.
        DataError: if a file is damaged.
    """
    if is_read(x):
        if batch_size is None:
            raise ConfigError("a data set needs a batch size", fix="Give batch_size=.")
        whole = None if pre is None and not transforms_of(loader_options) else getattr(x, "schema", None)
        options: dict[str, Any] = {"schema": whole or _add_targets(schema, x), "shuffle": shuffle}
        x = Loader(x, batch_size=batch_size, **{**options, **(loader_options or {})})
    elif not_of_loader := _options_not_of(x, loader_options or {}):
        raise ConfigError(
            f"{', '.join(not_of_loader)}: an argument of a Loader",
            expected="a merlin.io.Dataset or paths of Parquet files to read",
            got=type(x).__name__,
            fix="Give it to the Loader itself, or leave it out.",
        )
    rows = all_rows(x, y, sample_weight)
    if rows is not None:
        yield _batched(rows, batch_size, shuffle)
        return
    if sample_weight is not None:
        raise ConfigError(
            "sample_weight goes with rows in memory",
            got=type(x).__name__,
            fix="Let the batches be (features, targets, weights), or put ColumnBasedSampleWeight behind the output.",
        )
    if isinstance(x, Loader):
        with x.reading_errors():
            yield x.to_tf_dataset()
    elif isinstance(x, (tf.data.Dataset, keras.utils.PyDataset, GeneratorType)):
        yield x
    else:
        expected = "a Loader, a Dataset, paths of Parquet files, a generator, or a dictionary"
        raise ConfigError("cannot make batches of this", expected=expected, got=type(x).__name__)


def _options_not_of(x: Any, loader_options: Mapping[str, object]) -> list[str]:
    """Names of the options that `x` does not have already, as a `Loader` that was made with them."""
    own = {"drop_last": x.drop_last} if isinstance(x, Loader) else {}
    return [name for name, value in loader_options.items() if name not in own or own[name] != value]


def is_read(x: Data) -> bool:
    """Whether `x` is a data set or files, which a `Loader` reads in batches."""
    return isinstance(x, (str, os.PathLike, list)) or hasattr(x, "to_ddf")


def transforms_of(loader_options: Mapping[str, object] | None) -> list[Any]:
    """The transforms among the arguments of a `Loader`; they may need columns that the model does not read."""
    values = [(loader_options or {}).get(name) for name in ("transform", "transforms")]
    return [each for value in values for each in (value if isinstance(value, (list, tuple)) else [value]) if each]


def _add_targets(schema: Schema | None, data: Any) -> Schema | None:
    """The schema of a model's blocks, with the targets of the data set's schema."""
    data_schema = getattr(data, "schema", None)
    if schema is None or data_schema is None or len(select_targets(schema)):
        return schema
    targets = [column for column in select_targets(data_schema) if column.name not in schema.column_names]
    return schema + Schema(targets)


def all_rows(
    x: Any,
    y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
) -> tuple[Any, ...] | None:
    """Returns features, targets and weights if `x` holds all rows in memory; None otherwise."""
    if isinstance(x, tuple) and y is None and len(x) in (2, 3):
        return x if sample_weight is None else (*x[:2], sample_weight)
    if not isinstance(x, dict) and not hasattr(x, "__array__"):
        return None
    if y is None:
        return (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def split_validation(rows: tuple[Any, ...] | None, share: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Splits rows into training and validation rows, the last `share` of them, as Keras does.

    Raises:
        ConfigError: if `share` is not between 0 and 1, or the rows are not in memory.
    """
    if not 0.0 < share < 1.0:
        raise ConfigError("fit: validation_split", expected="a share between 0 and 1", got=repr(share))
    if rows is None or len(rows) < 2:
        raise ConfigError("fit: validation_split", expected="rows and targets in memory", fix="Give validation_data.")
    arrays = tf.nest.map_structure(_array, rows)
    count = int(tf.nest.flatten(arrays)[0].shape[0])
    num_train = int(count * (1.0 - share))
    if num_train in (0, count):
        raise ConfigError("fit: validation_split leaves a part without rows", got=f"{share} of {count} rows")
    return (
        tf.nest.map_structure(lambda array: array[:num_train], arrays),
        tf.nest.map_structure(lambda array: array[num_train:], arrays),
    )


def with_class_weights(
    data: tf.data.Dataset | keras.utils.PyDataset | tuple[object, ...], class_weight: Mapping[int, float]
) -> Any:
    """Adds class weights to `data`, a `tf.data.Dataset`, as sample weights.

    Raises:
        ConfigError: if `data` has another type, or batches have several targets.
    """
    if not isinstance(data, tf.data.Dataset):
        raise ConfigError("fit: class_weight", expected="data of a kind other than PyDataset", got=type(data).__name__)
    targets = keras.utils.unpack_x_y_sample_weight(data.element_spec)[1]
    if isinstance(targets, Mapping) and len(targets) != 1:
        raise ConfigError(
            "fit: class_weight",
            expected="one target",
            got=", ".join(targets),
            fix="Put ColumnBasedSampleWeight(binary_class_weights=) behind each output.",
        )
    class_ids, weights = zip(*sorted(class_weight.items()), strict=True)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(class_ids, "int64"), tf.constant(weights, "float32")), 1.0
    )

    def weigh(
        features: Mapping[str, tf.Tensor] | None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None,
        weights: Any = None,
    ) -> tuple[Any, Any, Any]:
        classes = _classes(targets)
        row_weights = table.lookup(classes)
        if weights is not None:
            row_weights *= tf.reshape(tf.cast(weights, row_weights.dtype), tf.shape(row_weights))
        return features, targets, row_weights

    return data.map(weigh, num_parallel_calls=tf.data.AUTOTUNE)


def _classes(targets: Any) -> Any:
    (targets,) = targets.values() if isinstance(targets, Mapping) else (targets,)
    if len(targets.shape) == 2 and targets.shape[1] != 1:
        return tf.argmax(targets, axis=1)[:, tf.newaxis]
    return tf.reshape(tf.cast(tf.round(tf.cast(targets, "float32")), "int64"), (-1, 1))


def _array(value: Any) -> Any:
    return value if isinstance(value, tf.RaggedTensor) else tf.convert_to_tensor(value)


def _batched(rows: tuple[Any, ...], batch_size: int | None, shuffle: bool) -> tf.data.Dataset:
    data: Any = rows if len(rows) > 1 else rows[0]
    if batch_size is None:
        return tf.data.Dataset.from_tensors(data)
    dataset = tf.data.Dataset.from_tensor_slices(data)
    return (dataset.shuffle(dataset.cardinality()) if shuffle else dataset).batch(batch_size)


@dataclass(frozen=True)
class BatchTransform:
    """The layer `pre=` of `fit`, `evaluate` or `predict`, which transforms batches before the model.

    Attributes:
        layer: It is called with the features, and with `targets`, `features`, `training` and `testing` if it accepts
            them. A dictionary as its output replaces the features; a `Prediction` (outputs=features, targets,
            sample_weight) or a tuple of these replaces targets and weights too.
    """

    layer: keras.layers.Layer

    @classmethod
    def from_argument(cls, pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None) -> BatchTransform:
        """Returns the transform of the argument `pre=`.

        Raises:
            ConfigError: if it is no layer.
        """
        if not isinstance(pre, keras.layers.Layer):
            raise ConfigError("pre", expected="a layer", got=type(pre).__name__)
        return cls(pre)

    def __call__(
        self,
        data: tf.data.Dataset | keras.utils.PyDataset | tuple[object, ...],
        *,
        prepared: Callable[[Mapping[str, tf.Tensor] | None], Mapping[str, tf.Tensor] | None],
        **mode: bool,
    ) -> Any:
        """Returns the transformed batch `(features, targets, sample_weight)`.

        Args:
            data: The batch.
            prepared: Function that prepares the features for layers.
            **mode: `training` or `testing`.
        """
        features, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        features = prepared(features)
        outputs = call_layer(self.layer, features, targets=targets, features=features, **mode)
        if isinstance(outputs, Prediction):
            outputs = (outputs.outputs, outputs.targets, outputs.sample_weight)
        if not isinstance(outputs, tuple):
            return outputs, targets, weights
        changed = [*outputs, None, None][:3]
        return (
            changed[0],
            targets if changed[1] is None else changed[1],
            weights if changed[2] is None else changed[2],
        )

    def output_shapes(
        self,
        data: tf.data.Dataset | keras.utils.PyDataset | tuple[object, ...],
        prepared: Callable[[Mapping[str, tf.Tensor] | None], Mapping[str, tf.Tensor] | None],
    ) -> Any:
        """Returns the shapes of the transformed features; None if `data` is no `tf.data.Dataset`."""
        if not isinstance(data, tf.data.Dataset):
            return None

        def features(batch: Any) -> Any:
            return self(batch, prepared=prepared, training=True)[0]

        outputs = tf.function(features).get_concrete_function(data.element_spec).structured_outputs
        return (
            {name: tuple(tensor.shape) for name, tensor in outputs.items()}
            if isinstance(outputs, dict)
            else outputs.shape
        )

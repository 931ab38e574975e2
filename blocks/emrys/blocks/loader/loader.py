"""The data loader: Parquet files to batches of tensors."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import MIGRATION_PAGE, ConfigError, DataError
from emrys.blocks.loader.batches import (
    Batch,
    ColumnSelection,
    LoaderColumn,
    Transform,
    as_transforms,
    batches_dataset,
    blocks_dataset,
    eager_batches,
    missing_column,
    schema_from_arrow,
    transform_batches,
    transformed_schema,
)
from emrys.blocks.loader.rows import RowStream, shard_rows
from emrys.blocks.loader.sources import DataSource, Readable, open_source


class Loader(keras.utils.PyDataset):
    """Reads Parquet through Arrow into batches of tensors.

    A batch is `(features, targets)`, both dicts by column name. Scalars are (B, 1): int64 (int32 where the schema has
    int32) or float32. Lists are ragged (B, None), or dense (B, L) where the schema gives them one length or
    `sparse_max` / `sparse_as_dense` ask for it; lists of vectors of one length have D as a further dimension. Targets
    are float32, but for those tagged as categories, which stay integers. The batches of Merlin Models look otherwise:
    docs/coming-from-merlin-models.md.

    Iterate over the loader itself for eager tensors, or call `next` on it; `peek` returns the next batch without taking
    it. `fit`, `evaluate` and `predict` of every Keras model take the loader as it is; for a plain `keras.Model`,
    `loader.to_tf_dataset()` is faster. Each iteration is one epoch, shuffled by the seed and the epoch number. `epoch`
    is the number of the next epoch, `set_epoch` sets it, and `epoch_callback` keeps it equal to that of `fit`, so that
    resumed training sees the rows in the same order as uninterrupted training.

    Args:
        paths_or_dataset: A Parquet file, a folder of them, a pattern, a list of these, an address such as
            `gs://bucket/folder`, a `merlin.io.Dataset`, or an Arrow table.
        batch_size: Rows of a batch, B, per worker.
        label_names: Targets; by default the columns that the schema tags as targets.
        feature_columns: Features, as names or column schemas; by default all columns that are not tagged as targets.
        cat_names: Features that must be integers. With `cont_names`, in place of `feature_columns`.
        cont_names: Features that are converted to float32.
        engine: Format of the files; only "parquet".
        shuffle: Whether rows come in random order.
        seed_fn: Returns the seed, an integer of at least 0; called at the start of each epoch. Default: 0. It is
            combined with the epoch number.
        buffer_size: Size of the shuffle buffer: a number of rows or, as a float up to 1, a fraction of the data (at
            least 65,536 rows and at most 256 MiB of them). It bounds the memory.
        device: Accepted for compatibility and ignored: `None`, "cpu" or the number of a GPU. Batches are in host
            memory, and TensorFlow copies them to the device of the model.
        parts_per_chunk: Factor on `buffer_size`.
        reader_kwargs: Options of `pyarrow.parquet.ParquetFile`; `filesystem` is a `pyarrow.fs.FileSystem`.
        global_size: Number of workers that share the data. Each reads its own contiguous rows, and all have the same
            number of batches; see `emrys.blocks.loader.rows.shard_rows` for the remainder.
        global_rank: Number of this worker, from 0.
        drop_last: Whether to drop an incomplete last batch.
        sparse_names: List columns that `sparse_max` and `sparse_as_dense` apply to; by default all.
        sparse_max: Length to cut (at the end) or pad (with 0, on the right) lists to: one number, or one by column.
        sparse_as_dense: Whether lists are padded to `sparse_max`, or else to the maximum length in the schema.
        schema: Names, types, tags and list lengths. By default the schema of the data set, or one derived from the
            files, which has no targets.
        **loader_kwargs: `transforms` and `transform`: one transform or a list of them, applied to every batch in this
            order, see `map`. Any other name is an error.

    Raises:
        ConfigError: if an argument is invalid.
        SchemaError: if a requested column is not in the schema.
        DataError: if the data is missing, damaged or empty, or a column is missing, has nulls or a wrong type.
            Errors that the footers of the files do not show are raised on reading.

    Example:
        >>> loader = Loader("train.parquet", batch_size=1024, label_names=["rating_binary"])  # doctest: +SKIP
        >>> features, targets = next(iter(loader))  # doctest: +SKIP
    """

    def __init__(
        self,
        paths_or_dataset: Readable,
        batch_size: int,
        label_names: Sequence[str] | None = None,
        feature_columns: Sequence[str | ColumnSchema] | None = None,
        cat_names: Sequence[str] | None = None,
        cont_names: Sequence[str] | None = None,
        engine: str | None = None,
        shuffle: bool = True,
        seed_fn: Callable[[], int] | None = None,
        buffer_size: float = 0.1,
        device: int | str | None = None,
        parts_per_chunk: int = 1,
        reader_kwargs: Mapping[str, object] | None = None,
        global_size: int | None = None,
        global_rank: int | None = None,
        drop_last: bool = False,
        sparse_names: Sequence[str] | None = None,
        sparse_max: int | Mapping[str, int] | None = None,
        sparse_as_dense: bool = False,
        schema: Schema | None = None,
        **loader_kwargs: Any,
    ) -> None:
        super().__init__()
        self._transforms = _transforms(loader_kwargs)
        _check_arguments(engine, device, (global_size, global_rank), buffer_size)
        for length in sparse_max.values() if isinstance(sparse_max, Mapping) else [sparse_max]:
            _checked_integer("sparse_max", 1 if length is None else length)
        self.batch_size = _checked_integer("batch_size", batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed_fn = seed_fn
        self.source = open_source(paths_or_dataset, reader_kwargs)
        selection = ColumnSelection(
            features=_feature_names(feature_columns, cat_names, cont_names), categorical=tuple(cat_names or ()),
            continuous=tuple(cont_names or ()), targets=label_names, list_names=sparse_names,
            list_length=sparse_max, as_dense=sparse_as_dense,
        )  # fmt: skip
        full_schema = schema if schema is not None else _default_schema(paths_or_dataset, self.source, selection)
        columns = selection.columns(full_schema, self.source.arrow_schema)
        self.columns = tuple(_with_vector_size(column, self.source) for column in columns)
        self.source.check(self.columns)
        #: The schema of the columns that are read.
        self.schema = full_schema.select_by_name([column.name for column in self.columns])
        workers = _checked_integer("global_size", 1 if global_size is None else global_size)
        #: The rows that this worker reads, and the sizes of its batches.
        self.shard = shard_rows(self.source.rows, self.batch_size, workers, global_rank or 0, drop_last)
        parts = _checked_integer("parts_per_chunk", parts_per_chunk)
        self._stream = RowStream(self.source, self.columns, self.shard, self.batch_size, shuffle, buffer_size, parts)
        self._lock = threading.Lock()
        self._epoch = 0
        self._failure: Exception | None = None
        self._block_dataset: tf.data.Dataset | None = None
        self._dataset: tf.data.Dataset | None = None
        #: The epoch that `next` reads, and its next batch if `peek` has read it.
        self._running: Iterator[Batch] | None = None
        self._peeked: Batch | None = None
        #: Numbers of the batches that `loader[number]` has returned in this epoch.
        self._returned: set[int] = set()

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self.shard.steps

    def __iter__(self) -> Iterator[Batch]:
        """Iterates over the batches of one epoch, as eager tensors."""
        with self.reading_errors():
            if self._transforms:
                yield from self.to_tf_dataset()
                return
            for block in self._blocks_as_tensors():
                yield from eager_batches(block)

    def __next__(self) -> Batch:
        """The next batch; StopIteration at the end of the epoch, after which another one begins."""
        if self._peeked is not None:
            batch, self._peeked = self._peeked, None
            return batch
        if self._running is None:
            self._running = iter(self)
        try:
            return next(self._running)
        except StopIteration:
            self._running = None
            raise

    def peek(self) -> Batch:
        """Returns the batch that `next` will return, or an iteration that begins now."""
        if self._running is None:
            epoch = self._epoch
            batch = next(iter(self))
            self.set_epoch(epoch)
            return batch
        if self._peeked is None:
            self._peeked = next(self)
        return self._peeked

    def stop(self) -> None:
        """Ends the epoch that `next` reads."""
        self._running, self._peeked = None, None
        self._returned.clear()

    def __enter__(self) -> Self:
        """The loader; at the end of the `with`, `stop` is called."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Calls `stop`."""
        self.stop()

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """A batch of the epoch for `keras.Model.fit`, whose only target is a tensor.

        Batches come in the order of the epoch, each once, whatever the numbers: Keras draws them in random order. A
        number that was there already begins another epoch.
        """
        if index in self._returned or len(self._returned) == len(self):
            self.stop()
        self._returned.add(index)
        batch: tuple[Any, ...] = next(self)
        targets = batch[1]
        if isinstance(targets, dict) and len(targets) == 1:
            return (batch[0], next(iter(targets.values())), *batch[2:])
        return batch[:1] if isinstance(targets, dict) and not targets else batch

    def on_epoch_begin(self) -> None:
        """Begins an epoch of `keras.Model.fit`."""
        self.stop()

    def __repr__(self) -> str:
        """The name of the data, the number of batches, and a hint at `to_tf_dataset`."""
        return f"<Loader of {self.source.name}, {len(self)} batches; to_tf_dataset() gives a tf.data.Dataset>"

    @property
    def epoch(self) -> int:
        """Number of the next epoch, from 0; it is incremented at the start of an iteration."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Sets the number of the next epoch, from 0."""
        epoch = _checked_integer("epoch", epoch, minimum=0)
        with self._lock:
            self._epoch = epoch

    def epoch_callback(self) -> keras.callbacks.Callback:
        """A callback for `fit` that sets the epoch number to that of the training, also after a resume.

        Without it an abandoned iteration (Keras reads one batch to build a model) counts as an epoch.
        """
        return keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs=None: self.set_epoch(epoch))

    def map(self, fn: Transform) -> Self:
        """Appends a transform that is applied to every batch.

        A layer is called with the features and, as far as its `call` takes them, `targets`, `features` and
        `training=True`. A function is called with `(features, targets)`, and with the sample weights if an earlier
        transform returned some; it is traced by `tf.data`, so it must consist of TensorFlow operations. Either returns
        the features by name, or `(features, targets)`, or `(features, targets, sample_weight)`, or a `Prediction` whose
        `outputs` are the features. Parts that it does not return are left unchanged.

        A Merlin operator with `transform(selector, table)`, such as the `EmbeddingOperator` of `merlin.dataloader`, is
        called with a table of the features as NumPy arrays.

        Args:
            fn: The layer, function or operator, such as `ToTarget`, an `EmbeddingOperator`, or a lambda that computes
                sample weights.

        Returns:
            The loader.

        Raises:
            ConfigError: if it is not callable; on reading batches: it returns something else.
        """
        self._transforms += as_transforms("map", fn)
        self._dataset = None
        return self

    def to_tf_dataset(self) -> tf.data.Dataset:
        """The batches as a `tf.data.Dataset`, the fastest input of `keras.Model.fit`, `evaluate` and `predict`.

        One iteration is an epoch. The data set is cached until `map` is called. Reading errors are raised as TensorFlow
        errors; `reading_errors` restores the original exception.
        """
        if self._dataset is None:
            self._dataset = transform_batches(batches_dataset(self._blocks_as_tensors(), len(self)), self._transforms)
        return self._dataset

    @contextlib.contextmanager
    def reading_errors(self) -> Iterator[None]:
        """Context for reading from `to_tf_dataset()`: raises the original exception in place of TensorFlow's.

        Raises:
            DataError: if the data could not be read.
            Exception: `seed_fn` raised it.
        """
        try:
            yield
        except tf.errors.OpError as error:
            failure, self._failure = self._failure, None
            if failure is None:
                raise
            raise failure from error

    @property
    def input_schema(self) -> Schema:
        """The schema of the data before transforms: `schema`, under the name that Merlin's loader has for it too."""
        return self.schema

    @property
    def output_schema(self) -> Schema:
        """The schema of the batches: `schema` with the types of the tensors, after all transforms.

        Raises:
            SchemaError: if a transform has no method `compute_output_schema(schema)`.
        """
        read = Schema([self.schema[column.name].with_dtype(column.dtype) for column in self.columns])
        return transformed_schema(read, self._transforms)

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms that are applied to every batch, in order."""
        return tuple(self._transforms)

    @property
    def has_transforms(self) -> bool:
        """Whether there are transforms."""
        return bool(self._transforms)

    def _blocks_as_tensors(self) -> tf.data.Dataset:
        if self._block_dataset is None:
            sizes = {self.batch_size} if self.shard.full_batches else set()
            sizes.update(self.shard.last_batches)
            static = sizes.pop() if len(sizes) == 1 else None
            self._block_dataset = blocks_dataset(self.columns, self._blocks, static)
        return self._block_dataset

    def _blocks(self) -> Iterable[tuple[pa.RecordBatch, int]]:
        with self._lock:
            epoch = self._epoch
            self._epoch += 1
        self._failure = None
        try:
            yield from self._stream.blocks(0 if self.seed_fn is None else self.seed_fn(), epoch)
        except Exception as error:
            # TensorFlow passes on only the text of an exception.
            self._failure = error
            raise


def _default_schema(data: object, source: DataSource, selection: ColumnSelection) -> Schema:
    schema = getattr(data, "schema", None)
    if isinstance(schema, Schema) and len(schema):
        return schema
    for name in (*(selection.features or ()), *(selection.targets or ())):
        if name not in source.arrow_schema.names:
            raise missing_column(name, source.name, source.arrow_schema.names)
    return schema_from_arrow(source.arrow_schema)


def _with_vector_size(column: LoaderColumn, source: DataSource) -> LoaderColumn:
    """The column with the length of its vectors: that of the first one in the data."""
    if column.vector != 0:
        return column
    for group in range(len(source.group_rows)):
        for rows, _, _ in source.batches(group, [column.name], 1024):
            vectors = rows.column(0).flatten()
            if len(vectors):
                return replace(column, vector=len(vectors[0].as_py() or ()))
    raise DataError(
        "the length of the vectors in the lists is unknown",
        path=source.name,
        column=column.name,
        fix="Give the column a shape in the schema, such as ((0, None), (0, None), (3, 3)).",
    )


def _transforms(loader_kwargs: Mapping[str, Any]) -> list[Transform]:
    """The transforms in `loader_kwargs`.

    Raises:
        ConfigError: if an argument is unknown, or a transform is not callable.
    """
    unknown = sorted(set(loader_kwargs) - {"transform", "transforms"})
    if unknown:
        raise ConfigError(
            f"Loader has no argument {', '.join(map(repr, unknown))}",
            fix=f"Leave out what belonged to Keras 2: see {MIGRATION_PAGE}.",
        )
    return [each for name in ("transforms", "transform") for each in as_transforms(name, loader_kwargs.get(name))]


def _check_arguments(
    engine: str | None, device: int | str | None, workers: tuple[int | None, int | None], buffer_size: float
) -> None:
    """Checks single arguments; `workers` is `(global_size, global_rank)`.

    Raises:
        ConfigError: if one is invalid.
    """
    if engine not in (None, "parquet"):
        raise ConfigError(f"engine must be None or 'parquet'; got {engine!r}")
    if not (device in (None, "cpu") or (isinstance(device, int) and device >= 0)):
        raise ConfigError(f"device must be None, 'cpu' or the number of a GPU; got {device!r}")
    if (workers[0] is None) != (workers[1] is None):
        raise ConfigError(f"global_size and global_rank must be passed together; got {workers[0]} and {workers[1]}")
    if isinstance(buffer_size, bool) or not isinstance(buffer_size, int | float) or not buffer_size > 0:
        raise ConfigError(f"buffer_size must be a fraction up to 1.0 or a number of rows; got {buffer_size!r}")


def _checked_integer(name: str, value: int, minimum: int = 1) -> int:
    """Returns an integer argument after checking it.

    Raises:
        ConfigError: if it is not an integer, or below `minimum`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ConfigError(f"{name} must be an integer of at least {minimum}; got {value!r}")
    return int(value)


def _feature_names(
    feature_columns: Sequence[str | ColumnSchema] | None,
    cat_names: Sequence[str] | None,
    cont_names: Sequence[str] | None,
) -> list[str] | None:
    """Names of the requested features; None for all.

    Raises:
        ConfigError: if both ways to request features are used.
    """
    by_kind = cat_names is not None or cont_names is not None
    if feature_columns is not None and by_kind:
        raise ConfigError("pass feature_columns, or cat_names and cont_names, not both")
    if by_kind:
        return [*(cat_names or ()), *(cont_names or ())]
    if feature_columns is None:
        return None
    return [column if isinstance(column, str) else column.name for column in feature_columns]

"""Batches of tensors out of Parquet."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader.batches import (
    Batch,
    Step,
    as_steps,
    batches_dataset,
    blocks_dataset,
    eager_batches,
    schema_behind,
    through,
)
from emrys.blocks.loader.columns import Selection, missing_column, schema_of
from emrys.blocks.loader.rows import RowStream, shard_rows
from emrys.blocks.loader.sources import DataSource, Readable, open_source


class Loader:
    """Reads Parquet through Arrow into batches of tensors.

    A batch is `(features, targets)`, both dicts by column name. Scalars are (B, 1): int64 (int32 where the schema has
    int32) or float32. Lists are ragged (B, None), or dense (B, L) where the schema gives them one length or
    `sparse_max` / `sparse_as_dense` ask for it. Targets are float32, but for those tagged as categories, which stay
    integers.

    Iterate over the loader itself for eager tensors. `Model.fit` of this project takes it as it is, a plain
    `keras.Model` takes `loader.to_tf_dataset()`. Each iteration is an epoch with an order of its own, given by the
    seed and the number of the epoch; `epoch` says which comes next, `set_epoch` sets it, and `epoch_callback` keeps it
    in step with `fit`, so that training that was resumed sees the rows in the order that it would have seen.

    Args:
        paths_or_dataset: A Parquet file, a folder of them, a pattern, a list of these, an address such as
            `gs://bucket/folder`, a `merlin.io.Dataset`, or an Arrow table.
        batch_size: Rows of a batch, B, per worker.
        label_names: Targets; by default the columns that the schema tags as targets.
        feature_columns: Features, as names or column schemas; by default all columns that are not tagged as targets.
        cat_names: Features that must be integers. With `cont_names`, in place of `feature_columns`.
        cont_names: Features that come as float32.
        engine: Format of the files; only "parquet".
        shuffle: Whether rows come in random order.
        seed_fn: Gives the seed, an integer of at least 0; called as each epoch starts. By default the seed is 0. The
            number of the epoch is mixed in.
        buffer_size: Rows that are mixed at once: a number of rows or, as a float up to 1, a share of the data's (at
            least 65,536 rows and at most 256 MiB of them). This is what bounds the memory.
        device: Kept for programs that pass it: `None`, "cpu" or the number of a GPU. Batches are made in host memory,
            and TensorFlow copies them to where the model is.
        parts_per_chunk: Parts of `buffer_size` that are mixed at once.
        reader_kwargs: Options of `pyarrow.parquet.ParquetFile`; `filesystem` is a `pyarrow.fs.FileSystem`.
        global_size: Number of workers that share the data. Each reads a run of rows of its own, all have the same
            number of batches; see `emrys.blocks.loader.rows.shard_rows` for what is left over.
        global_rank: Number of this worker, from 0.
        drop_last: Whether to leave out a last batch that is not full.
        sparse_names: List columns that `sparse_max` and `sparse_as_dense` are about; by default all.
        sparse_max: Length to cut (at the end) or pad (with 0, on the right) lists to: one number, or one by column.
        sparse_as_dense: Whether lists come padded to `sparse_max`, or else to the greatest length of the schema.
        schema: Names, types, tags and list lengths. By default that of the data set, or what the files say, which
            knows of no targets.
        **loader_kwargs: `transforms` and `transform`: one or a list of what every batch goes through, in this order, as
            by `map`. Any other name is an error.

    Raises:
        ConfigError: An argument has a value that cannot be.
        SchemaError: A column is asked for that the schema does not have.
        DataError: The data is missing, damaged or empty, or lacks a column, or has one with nulls or of a wrong type.
            What the footers of the files do not tell is raised when it is read.

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
        reader_kwargs: Mapping[str, Any] | None = None,
        global_size: int | None = None,
        global_rank: int | None = None,
        drop_last: bool = False,
        sparse_names: Sequence[str] | None = None,
        sparse_max: int | Mapping[str, int] | None = None,
        sparse_as_dense: bool = False,
        schema: Schema | None = None,
        **loader_kwargs: Any,
    ) -> None:
        self._steps = steps_of(loader_kwargs)
        check(engine, device, (global_size, global_rank), buffer_size)
        for length in sparse_max.values() if isinstance(sparse_max, Mapping) else [sparse_max]:
            count("sparse_max", 1 if length is None else length)
        self.batch_size = count("batch_size", batch_size)
        self.shuffle = shuffle
        self.seed_fn = seed_fn
        self.source = open_source(paths_or_dataset, reader_kwargs)
        selection = Selection(
            features=feature_names(feature_columns, cat_names, cont_names), categorical=tuple(cat_names or ()),
            continuous=tuple(cont_names or ()), targets=label_names, list_names=sparse_names,
            list_length=sparse_max, as_dense=sparse_as_dense,
        )  # fmt: skip
        full_schema = schema if schema is not None else _schema(paths_or_dataset, self.source, selection)
        self.columns = selection.columns(full_schema, self.source.arrow_schema)
        self.source.check(self.columns)
        #: The schema of the columns that are read.
        self.schema = full_schema.select_by_name([column.name for column in self.columns])
        workers = count("global_size", 1 if global_size is None else global_size)
        #: The rows that this worker reads, and the sizes of its batches.
        self.shard = shard_rows(self.source.rows, self.batch_size, workers, global_rank or 0, drop_last)
        parts = count("parts_per_chunk", parts_per_chunk)
        self._stream = RowStream(self.source, self.columns, self.shard, self.batch_size, shuffle, buffer_size, parts)
        self._lock = threading.Lock()
        self._epoch = 0
        self._failure: Exception | None = None
        self._block_dataset: tf.data.Dataset | None = None
        self._dataset: tf.data.Dataset | None = None

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self.shard.steps

    def __iter__(self) -> Iterator[Batch]:
        """One epoch, as eager tensors."""
        with self.reading_errors():
            if self._steps:
                yield from self.to_tf_dataset()
                return
            for block in self._blocks_as_tensors():
                yield from eager_batches(block)

    def __repr__(self) -> str:
        """A hint for whoever hands the loader to something that does not know it."""
        return f"<Loader of {self.source.name}, {len(self)} batches; to_tf_dataset() gives a tf.data.Dataset>"

    @property
    def epoch(self) -> int:
        """Number of the epoch that the next iteration will give, from 0; it goes on by one as an iteration starts."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Makes the next iteration give the order of this epoch, counted from 0."""
        epoch = count("epoch", epoch, least=0)
        with self._lock:
            self._epoch = epoch

    def epoch_callback(self) -> keras.callbacks.Callback:
        """A callback for `fit` that sets the epoch to that of the training, also when it is resumed.

        Without it an iteration that somebody began and left (Keras looks at one batch to build a model) counts too.
        """
        return keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs=None: self.set_epoch(epoch))

    def map(self, fn: Step) -> Self:
        """Sends every batch through a layer or a function, behind those that are there.

        A layer is called with the features and, as far as its `call` takes them, `targets`, `features` and
        `training=True`. A function is called with `(features, targets)`, and with the weights too behind a step that
        gave some; it is traced by `tf.data`, so it must consist of TensorFlow's operations. Either gives the features
        by name, or `(features, targets)`, or `(features, targets, sample_weight)`, or a `Prediction` whose `outputs`
        are the features. What it does not give stays as it was.

        An operator of Merlin's own, with `transform(selector, table)`, such as the `EmbeddingOperator` of
        `merlin.dataloader`, is called with a table of the features, in NumPy.

        Args:
            fn: The layer, function or operator, such as `ToTarget`, an `EmbeddingOperator`, or a lambda that makes
                weights.

        Returns:
            The loader.

        Raises:
            ConfigError: It cannot be called; as batches are read: it gives something else.
        """
        self._steps += as_steps("map", fn)
        self._dataset = None
        return self

    def to_tf_dataset(self) -> tf.data.Dataset:
        """The batches as a data set, for `keras.Model.fit`, `evaluate` and `predict`: the fast way.

        Iterating over it once is an epoch. It is made once, and is the same object until `map` is called. An error
        while it is read comes out as one of TensorFlow's; `reading_errors` gives the real one.
        """
        if self._dataset is None:
            self._dataset = through(batches_dataset(self._blocks_as_tensors(), len(self)), self._steps)
        return self._dataset

    @contextlib.contextmanager
    def reading_errors(self) -> Iterator[None]:
        """Surrounds the use of `to_tf_dataset()`: an error about the data is raised as such, not as TensorFlow's.

        Raises:
            DataError: The data could not be read.
            Exception: What `seed_fn` raised.
        """
        try:
            yield
        except tf.errors.OpError as error:
            failure, self._failure = self._failure, None
            if failure is None:
                raise
            raise failure from error

    @property
    def output_schema(self) -> Schema:
        """The schema of the batches: `schema`, with the types that the tensors have, behind all transforms.

        Raises:
            SchemaError: A transform has no method `compute_output_schema(schema)`.
        """
        read = Schema([self.schema[column.name].with_dtype(column.dtype) for column in self.columns])
        return schema_behind(read, self._steps)

    @property
    def transforms(self) -> tuple[Step, ...]:
        """What batches go through on their way, in order."""
        return tuple(self._steps)

    @property
    def has_transforms(self) -> bool:
        """Whether batches go through a transform on their way."""
        return bool(self._steps)

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
            # TensorFlow hands only the text of an exception on.
            self._failure = error
            raise


def _schema(data: object, source: DataSource, selection: Selection) -> Schema:
    given = getattr(data, "schema", None)
    if isinstance(given, Schema) and len(given):
        return given
    for name in (*(selection.features or ()), *(selection.targets or ())):
        if name not in source.arrow_schema.names:
            raise missing_column(name, source.name, source.arrow_schema.names)
    return schema_of(source.arrow_schema)


def steps_of(loader_kwargs: Mapping[str, Any]) -> list[Step]:
    """The transforms among the further arguments.

    Raises:
        ConfigError: There is an argument that is not known, or a transform that cannot be called.
    """
    unknown = sorted(set(loader_kwargs) - {"transform", "transforms"})
    if unknown:
        raise ConfigError(f"Loader has no argument {', '.join(map(repr, unknown))}")
    return [step for name in ("transforms", "transform") for step in as_steps(name, loader_kwargs.get(name))]


def check(
    engine: str | None, device: int | str | None, workers: tuple[int | None, int | None], buffer_size: float
) -> None:
    """Checks arguments that stand for themselves; `workers` are `global_size` and `global_rank`.

    Raises:
        ConfigError: One has a value that cannot be.
    """
    if engine not in (None, "parquet"):
        raise ConfigError(f"engine must be None or 'parquet'; got {engine!r}")
    if not (device in (None, "cpu") or (isinstance(device, int) and device >= 0)):
        raise ConfigError(f"device must be None, 'cpu' or the number of a GPU; got {device!r}")
    if (workers[0] is None) != (workers[1] is None):
        raise ConfigError(f"global_size and global_rank go together; got {workers[0]} and {workers[1]}")
    if isinstance(buffer_size, bool) or not isinstance(buffer_size, int | float) or not buffer_size > 0:
        raise ConfigError(f"buffer_size must be a share up to 1.0 or a number of rows; got {buffer_size!r}")


def count(name: str, value: int, least: int = 1) -> int:
    """A whole number.

    Raises:
        ConfigError: It is none, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)


def feature_names(
    feature_columns: Sequence[str | ColumnSchema] | None,
    cat_names: Sequence[str] | None,
    cont_names: Sequence[str] | None,
) -> list[str] | None:
    """Names of the features that are asked for; None for all.

    Raises:
        ConfigError: They are given in two ways.
    """
    named = cat_names is not None or cont_names is not None
    if feature_columns is not None and named:
        raise ConfigError("give feature_columns, or cat_names and cont_names, not both")
    if named:
        return [*(cat_names or ()), *(cont_names or ())]
    if feature_columns is None:
        return None
    return [column if isinstance(column, str) else column.name for column in feature_columns]

"""`EmbeddingTable`: vectors looked up by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import keras
import pandas as pd
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags
from numpy.typing import ArrayLike

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.gather import COMBINERS, combine, look_up
from emrys.blocks.core.model_context import ModelContext
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.tensor_initializer import TensorInitializer
from emrys.blocks.schema.functions import infer_embedding_dim

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class EmbeddingTable(Block):
    """An embedding table: trained rows, looked up by the ids of one or several columns that share a domain.

    A combiner reduces a list to one vector: the mean of its rows, their sum, or their sum divided by the square root of
    its length (`sqrtn`). The result for an empty list is zeros.

    Values that a table starts with (`weights`, `from_pretrained`, a `TensorInitializer`) are part of its configuration
    only until it is built; then they are weights like any others, and a saved model holds them once.

    Args:
        dim: Embedding dimension D; None with `infer_embedding_sizes`.
        *col_schemas: The columns that are looked up; all have the same domain.
        embeddings_initializer: Initializer of the table. Default: `"uniform"`, in [-0.05, 0.05].
        embeddings_regularizer: Regularizer of the whole table. Default: none.
        activity_regularizer: Regularizer of the output. Default: none.
        embeddings_constraint: Constraint of the table. Default: none.
        mask_zero: Whether id 0 is padding: lists that are not combined then carry a mask, False where the id is 0.
            Combiners count every position all the same. Default: False.
        input_length: Accepted, without effect: lists have any length.
        sequence_combiner: Combination of the rows of a list: `"mean"`, `"sum"`, `"sqrtn"`, or a layer that takes
            (B, L, D), and optionally the batch as `features`. Default: None, which keeps one vector an element.
        trainable: Whether the table is trained. Default: True.
        name: Name of the table. Default: the name of the domain.
        dtype: Type, or policy, of the layer. Default: the global policy.
        dynamic: Accepted as False only: calls are always traced.
        table: Another `EmbeddingTable` or `keras.layers.Embedding`, whose rows are used. Default: own rows.
        l2_batch_regularization_factor: Weight, in the loss, of the sum of squares of the vectors that a batch looks up.
            Default: 0.
        weights: Values that the table starts with, (number of ids, D), or a list of that one array. Default: none.
        infer_embedding_sizes: Whether, without `dim`, the dimension is `infer_embedding_dim` of the first column.
            Default: False.

    Input shape:
        Ids (B, 1) or lists of ids, (B, L) or ragged (B, None), or a `tf.SparseTensor` of lists; or a dictionary of such
        tensors by column name.

    Output shape:
        (B, D); for lists without a combiner (B, L, D). A dictionary for a dictionary.

    Raises:
        ConfigError: if an argument has an invalid value, or `table` or `weights` have other sizes.
        SchemaError: if a column has no domain, or a domain that differs from that of the other columns.
        DataError: when called, if an id is outside the domain (`tf.errors.InvalidArgumentError` from a graph).

    Example:
        >>> import emrys.blocks as mm
        >>> table = mm.EmbeddingTable(4, mm.create_categorical_column("genre", num_items=10))
        >>> import numpy as np
        >>> tuple(table(np.array([[3], [7]])).shape)
        (2, 4)
    """

    is_input = True

    def __init__(
        self,
        dim: int | None,
        *col_schemas: ColumnSchema,
        embeddings_initializer: str | keras.initializers.Initializer = "uniform",
        embeddings_regularizer: str | keras.regularizers.Regularizer | None = None,
        activity_regularizer: str | keras.regularizers.Regularizer | None = None,
        embeddings_constraint: str | keras.constraints.Constraint | None = None,
        mask_zero: bool = False,
        input_length: int | None = None,
        sequence_combiner: str | keras.layers.Layer | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
        dynamic: bool = False,
        table: keras.layers.Layer | None = None,
        l2_batch_regularization_factor: float = 0.0,
        weights: ArrayLike | list[ArrayLike] | None = None,
        infer_embedding_sizes: bool = False,
        **kwargs: Any,
    ) -> None:
        if dim is None and infer_embedding_sizes and col_schemas:
            dim = infer_embedding_dim(col_schemas[0])
        if not isinstance(dim, int) or dim < 1:
            raise ConfigError("EmbeddingTable: dim", expected="a whole number above 0", got=repr(dim))
        if not isinstance(sequence_combiner, keras.layers.Layer) and sequence_combiner not in (None, *COMBINERS):
            expected = f"None, a layer or one of {', '.join(map(repr, COMBINERS))}"
            raise ConfigError("EmbeddingTable: sequence_combiner", expected=expected, got=repr(sequence_combiner))
        if dynamic:
            raise ConfigError("EmbeddingTable: dynamic", expected="False", got="True")
        self._columns = TableColumns()
        name = name or (domain_name(col_schemas[0]) if col_schemas else None)
        super().__init__(name=name, activity_regularizer=activity_regularizer, dtype=dtype, **kwargs)
        self.trainable = trainable
        self.dim = dim
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = keras.constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.sequence_combiner = sequence_combiner
        self.l2_batch_regularization_factor = l2_batch_regularization_factor
        self.table = table
        self._own_rows: Any = None
        for column in col_schemas:
            self.add_feature(column)
        if weights is not None:
            if isinstance(weights, (list, tuple)) and len(weights) == 1:
                weights = weights[0]
            self.embeddings_initializer = TensorInitializer(weights)
            self._check_sizes("weights", self.embeddings_initializer.weights.shape)
        if table is not None:
            self._check_sizes("table", _sizes(table))

    def _check_sizes(self, argument: str, sizes: tuple[int, ...]) -> None:
        expected = (self.input_dim or (sizes or (0,))[0], self.dim)
        if sizes != expected:
            raise ConfigError(
                f"EmbeddingTable {self.name!r}: {argument}",
                expected=f"{expected[0]} ids with {self.dim} values each",
                got=f"shape {sizes}",
                fix="One row for each id of the domain (its maximum + 1), as many columns as the dimension.",
            )

    def add_feature(self, column: ColumnSchema) -> None:
        """Adds a column whose ids are looked up in this table.

        Raises:
            SchemaError: if the column has no domain, or a domain that differs from that of the other columns.
        """
        self._columns.add(column, self.name)

    @property
    def table_name(self) -> str:
        """Name of the table: that of the domain of its columns, unless it was given `name`."""
        return str(self.name)

    @property
    def input_dim(self) -> int:
        """Number of ids; 0 without columns."""
        return self._columns.size

    def set_context(self, context: ModelContext | None) -> None:
        """Sets the context, and registers the table in it."""
        super().set_context(context)
        if context is not None:
            context.add_embedding_table(self.name, self)

    @property
    def schema(self) -> Schema:
        """The columns whose ids are looked up."""
        return self._columns.schema

    @property
    def embeddings(self) -> Any:
        """The rows, a variable (number of ids, D); None before the table is built."""
        return self._own_rows if self.table is None else getattr(self.table, "embeddings", None)

    @property
    def read_schema(self) -> Schema:
        """The columns whose ids are looked up, and those that the combiner takes from the batch."""
        combined: Any = getattr(self.sequence_combiner, "schema", None)
        names = self._columns.names
        others = [] if combined is None else [column for column in combined if column.name not in names]
        return Schema([*self.schema, *others])

    def set_schema(self, schema: Schema | None) -> Self:
        """Passes the schema on to the combiner, and returns the table."""
        if isinstance(self.sequence_combiner, Block):
            self.sequence_combiner.set_schema(schema)
        return self

    def build(self, input_shape: Shape) -> None:
        """Creates the rows, (number of ids, D)."""
        if self.input_dim == 0:
            raise SchemaError(f"EmbeddingTable {self.name!r} has no columns", fix="Give it at least one.")
        if isinstance(self.sequence_combiner, keras.layers.Layer):
            build_layer(self.sequence_combiner, (None, None, self.dim))
        if self.table is not None:
            build_layer(self.table, (None, 1))
        else:
            # Created eagerly, also while a step is traced.
            with tf.init_scope():
                self._own_rows = self.add_weight(
                    shape=(self.input_dim, self.dim),
                    initializer=self.embeddings_initializer,
                    regularizer=self.embeddings_regularizer,
                    constraint=self.embeddings_constraint,
                    name="embeddings",
                    # Reading it as float16 would convert the whole table at every step; the rows are converted instead.
                    autocast=False,
                )
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the embeddings of `inputs`."""
        if not isinstance(inputs, dict):
            outputs = {"": self._look_up_column(None, inputs, features)}
        else:
            names = [name for name in self._columns.names if name in inputs]
            batch = inputs if features is None else features
            outputs = {name: self._look_up_column(name, inputs[name], batch) for name in names}
        if self.l2_batch_regularization_factor:
            for output in outputs.values():
                squares = tf.reduce_sum(tf.square(tf.cast(output, "float32")))
                self.add_loss(self.l2_batch_regularization_factor * squares)
        return outputs if isinstance(inputs, dict) else outputs[""]

    def _look_up_column(self, name: str | None, ids: Any, features: Any) -> Any:
        is_list = self._columns.is_list(name, ids.shape)
        if isinstance(ids, tf.SparseTensor):
            ids = _without_last_axis(ids)
            ids = tf.RaggedTensor.from_sparse(ids) if is_list else tf.sparse.to_dense(ids)
        if len(ids.shape) > 2 or (len(ids.shape) == 2 and not is_list):
            ids = tf.squeeze(ids, axis=2 if len(ids.shape) > 2 else 1)
        ragged = isinstance(ids, tf.RaggedTensor)
        owner = f"EmbeddingTable {self.name} (of {', '.join(self._columns.names)})"
        flat_ids = ids.values if ragged else ids
        rows = look_up(self.embeddings, flat_ids, self.input_dim, self.compute_dtype, owner)
        rows = ids.with_values(rows) if ragged else rows
        if not is_list or self.sequence_combiner is None:
            return rows
        if isinstance(self.sequence_combiner, str):
            return combine(rows, self.sequence_combiner)
        return call_layer(self.sequence_combiner, rows, features=features)

    def compute_mask(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns, with `mask_zero`, where the ids of dense lists are not 0; None for other inputs."""
        if isinstance(inputs, dict):
            names = [name for name in self._columns.names if name in inputs]
            return {name: self._mask(name, inputs[name]) for name in names}
        return self._mask(None, inputs)

    def _mask(self, name: str | None, ids: Any) -> Any:
        padded = (
            self.mask_zero
            and self.sequence_combiner is None
            and not isinstance(ids, (tf.RaggedTensor, tf.SparseTensor))
        )
        if not padded or not self._columns.is_list(name, ids.shape):
            return None
        return tf.not_equal(tf.squeeze(ids, axis=2) if len(ids.shape) > 2 else ids, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, D), or (B, L, D) for lists that are not combined; by name for a dictionary."""
        shapes = as_shape(input_shape)
        if isinstance(shapes, dict):
            names = [name for name in self._columns.names if name in shapes]
            return {name: self._row_shape(name, shapes[name]) for name in names}
        return self._row_shape(None, shapes)

    def _row_shape(self, name: str | None, shape: tuple[int | None, ...]) -> Shape:
        if not self._columns.is_list(name, shape) or isinstance(self.sequence_combiner, str):
            return (shape[0], self.dim)
        rows = (shape[0], shape[1], self.dim)
        return rows if self.sequence_combiner is None else output_shape(self.sequence_combiner, rows)

    def select_by_tag(self, tags: Tags | list[Tags]) -> Self | None:
        """Returns the table for its columns with one of `tags`, with the same rows; None if there is none."""
        selected = self.schema.select_by_tag(tags)
        if len(selected) == 0 or len(selected) == len(self.schema):
            return self if len(selected) else None
        return type(self)(
            self.dim,
            *selected,
            table=self,
            name=self.name,
            mask_zero=self.mask_zero,
            sequence_combiner=self.sequence_combiner,
            l2_batch_regularization_factor=self.l2_batch_regularization_factor,
        )

    def copy(self) -> Self:
        """Returns a new table with the same configuration and initial values."""
        table = super().copy()
        table.embeddings_initializer = self.embeddings_initializer
        return table

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        initializer = self.embeddings_initializer
        values_are_weights = self.built and isinstance(initializer, TensorInitializer)
        return {
            **super().get_config(),
            "dim": self.dim,
            "schema": to_config(self.schema),
            "embeddings_initializer": "uniform" if values_are_weights else to_config(initializer),
            "embeddings_regularizer": to_config(self.embeddings_regularizer),
            "activity_regularizer": to_config(self.activity_regularizer),
            "embeddings_constraint": to_config(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "sequence_combiner": to_config(self.sequence_combiner),
            "table": to_config(self.table),
            "l2_batch_regularization_factor": self.l2_batch_regularization_factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the table from the configuration that `get_config` returned."""
        arguments = from_config(config)
        return cls(arguments.pop("dim"), *arguments.pop("schema"), **arguments)

    @classmethod
    def from_pretrained(
        cls,
        data: Dataset | pd.DataFrame,
        trainable: bool = True,
        name: str | None = None,
        col_schema: ColumnSchema | None = None,
        **kwargs: object,
    ) -> Self:
        """Creates a table with pretrained values.

        Args:
            data: A `merlin.io.Dataset` or a data frame with one row for each id from 0 on; see
                `TensorInitializer.from_dataset`.
            trainable: Whether the values change in training. Default: True.
            name: Name of the table. Default: that of the column's domain.
            col_schema: The column that is looked up. Default: one called `name`, with as many ids as `data` has rows.
            **kwargs: Further arguments of the table.

        Returns:
            The table.

        Raises:
            ConfigError: if both `name` and `col_schema` are missing, or the column has another number of ids.
        """
        values = TensorInitializer.from_dataset(data).weights
        if col_schema is None:
            if name is None:
                raise ConfigError("from_pretrained knows no column", fix="Give name= or col_schema=.")
            domain = {"name": name, "min": 0, "max": len(values) - 1}
            col_schema = ColumnSchema(name, dtype="int32", tags=[Tags.CATEGORICAL], properties={"domain": domain})
        make: Any = cls
        return make(int(values.shape[1]), col_schema, trainable=trainable, name=name, weights=values, **kwargs)

    @classmethod
    def from_dataset(
        cls,
        data: Dataset | pd.DataFrame,
        trainable: bool = True,
        name: str | None = None,
        col_schema: ColumnSchema | None = None,
        **kwargs: object,
    ) -> Self:
        """Creates a table with pretrained values; see `from_pretrained`."""
        return cls.from_pretrained(data, trainable=trainable, name=name, col_schema=col_schema, **kwargs)

    def to_df(self, gpu: bool | None = None) -> pd.DataFrame:
        """Returns the rows as a data frame: one row for each id, columns `"0"` to `"D - 1"`.

        Args:
            gpu: Accepted, without effect: the frame is always a pandas one.

        Raises:
            ConfigError: if the table is not built yet.
        """
        if self.embeddings is None:
            raise ConfigError(f"EmbeddingTable {self.name!r} has no rows yet", fix="Build it, or call it on a batch.")
        rows = keras.ops.convert_to_numpy(self.embeddings)
        return pd.DataFrame(rows, columns=[str(column) for column in range(self.dim)])

    def to_dataset(self, gpu: bool | None = None) -> Dataset:
        """Returns the rows as a `merlin.io.Dataset`; see `to_df`."""
        from merlin.io import Dataset  # imported here: it starts Dask

        return Dataset(self.to_df(gpu))


def _without_last_axis(ids: tf.SparseTensor) -> tf.SparseTensor:
    """Sparse lists of ids as (B, L)."""
    return ids if len(ids.shape) < 3 else tf.sparse.reshape(ids, tf.shape(ids, tf.int64)[:2])


def _sizes(table: keras.layers.Layer) -> tuple[int, ...]:
    if isinstance(table, EmbeddingTable):
        return (table.input_dim, table.dim)
    if isinstance(table, keras.layers.Embedding):
        return (int(table.input_dim), int(table.output_dim))
    raise ConfigError(
        "EmbeddingTable: table", expected="an EmbeddingTable or a keras.layers.Embedding", got=type(table).__name__
    )


class TableColumns:
    """The columns of an embedding table, which share a domain."""

    def __init__(self) -> None:
        self.schema = Schema([])
        self.size = 0  #: Number of ids.

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.schema.column_names)

    def add(self, column: ColumnSchema, table: str) -> None:
        """Adds a column; `table` is the name of the table, for error messages.

        Raises:
            SchemaError: if the column has no domain, or a domain that differs from that of the other columns.
        """
        if column.int_domain is None or column.int_domain.max is None:
            raise SchemaError(
                f"EmbeddingTable {table!r} does not know how many ids there are",
                column=column.name,
                expected="a domain with a maximum",
                fix="Give the column an int domain in the schema, or leave it out of the categorical columns.",
            )
        size = int(column.int_domain.max) + 1
        domains = {domain_name(other) for other in self.schema}
        if self.size not in (0, size) or domains - {domain_name(column)}:
            raise SchemaError(
                f"EmbeddingTable {table!r} holds columns of one domain",
                column=column.name,
                expected=f"{', '.join(sorted(domains))} with {self.size} ids",
                got=f"{domain_name(column)} with {size}",
            )
        self.size = size
        self.schema = self.schema + Schema([column])

    def is_list(self, name: str | None, shape: Any) -> bool:
        """Whether the ids of a column (None where it is not known which) with this shape are lists."""
        name = self.names[0] if name is None and len(self.names) == 1 else name
        declared = bool(self.schema[name].is_list) if name is not None else False
        return declared or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1)


def domain_name(column: ColumnSchema) -> str:
    """Returns the name of the column's domain; the column's name if the domain has none."""
    domain = column.int_domain
    return str(domain.name) if domain is not None and domain.name else str(column.name)


def embedding_tables(blocks: Iterable[keras.layers.Layer]) -> list[EmbeddingTable]:
    """Returns the embedding tables inside blocks, each once."""
    return [layer for layer in layers_inside(blocks) if isinstance(layer, EmbeddingTable)]

"""A table of embeddings, looked up by id."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema
from typing_extensions import Self

from blocks.core.block import Block
from blocks.core.calling import Shape, as_shape
from blocks.core.serializing import from_config, to_config
from blocks.errors import ConfigError, SchemaError

COMBINERS = ("mean", "sum", "sqrtn")


@keras.saving.register_keras_serializable("emrys")
class EmbeddingTable(Block):
    """Rows of one trained table, looked up by the ids of one or several columns that share a domain.

    A list feature gives one vector: the mean of its rows, their sum, or their sum divided by the square root of the
    length (`sqrtn`). An empty list gives zeros.

    Args:
        dim: Embedding dimension D.
        *col_schemas: The columns that are looked up; all have the same domain.
        embeddings_initializer: Initializer of the table. Default: `"uniform"`, in [-0.05, 0.05].
        embeddings_regularizer: Regularizer of the whole table. Default: none.
        activity_regularizer: Regularizer of what is looked up. Default: none.
        embeddings_constraint: Constraint of the table. Default: none.
        sequence_combiner: How the rows of a list become one: `"mean"`, `"sum"`, `"sqrtn"`. Default: None, which keeps
            one vector an element.
        trainable: Whether the table is trained. Default: True.
        name: Name of the table. Default: the name of the domain.
        l2_batch_regularization_factor: Weight of the squares of the rows that a batch looks up, averaged over the
            batch, in the loss. Default: 0.

    Input shape:
        Ids (B, 1) or lists of ids, (B, L) or ragged (B, None); or a dictionary of such tensors by column name.

    Output shape:
        (B, D); for lists without a combiner (B, L, D). A dictionary for a dictionary.

    Example:
        >>> import blocks as mm
        >>> table = mm.EmbeddingTable(4, mm.create_categorical_column("genre", num_items=10))
        >>> import numpy as np
        >>> tuple(table(np.array([[3], [7]])).shape)
        (2, 4)
    """

    is_input = True

    def __init__(
        self,
        dim: int,
        *col_schemas: ColumnSchema,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        activity_regularizer: Any = None,
        embeddings_constraint: Any = None,
        sequence_combiner: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        l2_batch_regularization_factor: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if not isinstance(dim, int) or dim < 1:
            raise ConfigError("EmbeddingTable: dim", expected="a whole number above 0", got=repr(dim))
        if sequence_combiner is not None and sequence_combiner not in COMBINERS:
            expected = f"None or one of {', '.join(map(repr, COMBINERS))}"
            raise ConfigError("EmbeddingTable: sequence_combiner", expected=expected, got=repr(sequence_combiner))
        self._columns = Schema([])
        self.input_dim = 0
        name = name or (_domain_name(col_schemas[0]) if col_schemas else None)
        super().__init__(name=name, activity_regularizer=activity_regularizer, **kwargs)
        self.trainable = trainable
        self.dim = dim
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = keras.constraints.get(embeddings_constraint)
        self.sequence_combiner = sequence_combiner
        self.l2_batch_regularization_factor = l2_batch_regularization_factor
        self.embeddings: Any = None
        for column in col_schemas:
            self.add_feature(column)

    def add_feature(self, column: ColumnSchema) -> None:
        """Lets one more column look ids up in this table.

        Raises:
            SchemaError: if the column has no domain, or another one than the columns that are there.
        """
        if column.int_domain is None or column.int_domain.max is None:
            raise SchemaError(
                f"EmbeddingTable {self.name!r} does not know how many ids there are",
                column=column.name,
                expected="a domain with a maximum",
                fix="Give the column an int domain in the schema, or leave it out of the categorical columns.",
            )
        size = int(column.int_domain.max) + 1
        if self.input_dim not in (0, size) or self._domains() - {_domain_name(column)}:
            raise SchemaError(
                f"EmbeddingTable {self.name!r} holds columns of one domain",
                column=column.name,
                expected=f"{', '.join(sorted(self._domains()))} with {self.input_dim} ids",
                got=f"{_domain_name(column)} with {size}",
            )
        self.input_dim = size
        self._columns = self._columns + Schema([column])

    def _domains(self) -> set[str]:
        return {_domain_name(column) for column in self._columns}

    @property
    def schema(self) -> Schema:
        """The columns that are looked up here."""
        return self._columns

    def build(self, input_shape: Shape) -> None:
        """Makes the table, (number of ids, D)."""
        if self.input_dim == 0:
            raise SchemaError(f"EmbeddingTable {self.name!r} has no columns", fix="Give it at least one.")
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
            # Reading it as float16 would convert the whole table at every step; the rows are converted instead.
            autocast=False,
        )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Looks up `inputs`."""
        if isinstance(inputs, dict):
            names = [name for name in self._columns.column_names if name in inputs]
            outputs = {name: self._lookup(inputs[name], self._is_list(name, inputs[name])) for name in names}
        else:
            outputs = {"": self._lookup(inputs, self._is_list(None, inputs))}
        if training and self.l2_batch_regularization_factor:
            for output in outputs.values():
                squares = tf.reduce_sum(tf.square(tf.cast(output, "float32")), axis=-1)
                self.add_loss(self.l2_batch_regularization_factor * tf.reduce_mean(squares))
        return outputs if isinstance(inputs, dict) else outputs[""]

    def _is_list(self, name: str | None, ids: Any) -> bool:
        names = self._columns.column_names
        name = names[0] if name is None and len(names) == 1 else name
        declared = bool(self._columns[name].is_list) if name is not None else False
        return declared or len(ids.shape) > 2 or (len(ids.shape) == 2 and ids.shape[1] != 1)

    def _lookup(self, ids: Any, is_list: bool) -> Any:
        if isinstance(ids, tf.RaggedTensor):
            return self._lookup_ragged(ids)
        if len(ids.shape) > 2 or (len(ids.shape) == 2 and not is_list):
            ids = tf.squeeze(ids, axis=-1)
        rows = self._rows(ids)
        if not is_list or self.sequence_combiner is None:
            return rows
        total = tf.reduce_sum(rows, axis=1)
        length = tf.cast(tf.shape(rows)[1], total.dtype)
        return tf.math.divide_no_nan(total, self._divisor(length))

    def _lookup_ragged(self, ids: tf.RaggedTensor) -> Any:
        if ids.shape.rank == 3:  # (B, None, 1): lists of scalars
            ids = tf.squeeze(ids, axis=2)
        rows = self._rows(ids.values)
        if self.sequence_combiner is None:
            return ids.with_values(rows)
        total = tf.math.unsorted_segment_sum(rows, ids.value_rowids(), ids.nrows())
        length = tf.cast(ids.row_lengths()[:, tf.newaxis], total.dtype)
        return tf.math.divide_no_nan(total, self._divisor(length))

    def _divisor(self, length: Any) -> Any:
        if self.sequence_combiner == "mean":
            return length
        return tf.sqrt(length) if self.sequence_combiner == "sqrtn" else tf.ones_like(length)

    def _rows(self, ids: Any) -> Any:
        # Straight from the variable: the gradient then names the rows of the batch, not the whole table.
        return tf.cast(tf.gather(self.embeddings.value, tf.cast(ids, "int64")), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D), or (B, L, D) for lists that are not combined; by name for a dictionary."""
        shapes = as_shape(input_shape)
        if isinstance(shapes, dict):
            names = [name for name in self._columns.column_names if name in shapes]
            return {name: self._row_shape(shapes[name], bool(self._columns[name].is_list)) for name in names}
        return self._row_shape(shapes, any(column.is_list for column in self._columns))

    def _row_shape(self, shape: tuple[int | None, ...], is_list: bool) -> tuple[int | None, ...]:
        lists = is_list or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1)
        if lists and self.sequence_combiner is None:
            return (shape[0], shape[1], self.dim)
        return (shape[0], self.dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "dim": self.dim,
            "schema": to_config(self._columns),
            "embeddings_initializer": to_config(self.embeddings_initializer),
            "embeddings_regularizer": to_config(self.embeddings_regularizer),
            "activity_regularizer": to_config(self.activity_regularizer),
            "embeddings_constraint": to_config(self.embeddings_constraint),
            "sequence_combiner": self.sequence_combiner,
            "l2_batch_regularization_factor": self.l2_batch_regularization_factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the table from what `get_config` gave."""
        given = from_config(config)
        return cls(given.pop("dim"), *given.pop("schema"), **given)


def _domain_name(column: ColumnSchema) -> str:
    domain = column.int_domain
    return str(domain.name) if domain is not None and domain.name else str(column.name)

"""`EmbeddingEncoder`: an embedding table as an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import from_config, sharing
from emrys.blocks.errors import SchemaError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.models.encoder import Encoder

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class EmbeddingEncoder(Encoder):
    """An encoder of one column, such as an id, by an embedding table.

    Args:
        schema: The column, or a schema, whose first column is used.
        dim: Embedding dimension D.
        embeddings_initializer: Initializer of the table. Default: `"uniform"`, in [-0.05, 0.05].
        embeddings_regularizer: Regularizer of the whole table. Default: none.
        activity_regularizer: Regularizer of the embeddings. Default: none.
        embeddings_constraint: Constraint of the table. Default: none.
        mask_zero: Whether id 0 is padding, see `EmbeddingTable`. Default: False.
        input_length: Accepted, without effect.
        sequence_combiner: Combination of the rows of a list, see `EmbeddingTable`. Default: none.
        trainable: Whether the table is trained. Default: True.
        name: Name of the encoder and of its table. Default for the table: the name of the domain.
        dtype: Type, or policy. Default: the global policy.
        dynamic: Accepted as False only.
        embeddings_l2_batch_regularization: Weight, in the loss, of the sum of squares of the vectors that a batch looks
            up. Default: 0.
        post: Layer after the table, such as `L2Norm`. Default: none.

    Input shape:
        Dictionary that holds the column: ids (B, 1), or lists of them.

    Output shape:
        (B, D)

    Raises:
        SchemaError: if there is no column, or it has no domain.
        ConfigError: as `EmbeddingTable`.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> encoder = mm.EmbeddingEncoder(mm.create_categorical_column("user_id", num_items=10), dim=4)
        >>> tuple(encoder({"user_id": np.array([[1], [2]])}).shape)
        (2, 4)
    """

    def __init__(
        self,
        schema: ColumnSchema | Schema,
        dim: int,
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
        embeddings_l2_batch_regularization: float = 0.0,
        post: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        columns = [schema] if isinstance(schema, ColumnSchema) else list(schema)
        if not columns:
            raise SchemaError("EmbeddingEncoder has no column", expected="a column, or a schema with one")
        # A table from a configuration may be shared with an output.
        table = kwargs.pop("table", None) or EmbeddingTable(
            dim,
            columns[0],
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            activity_regularizer=activity_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            input_length=input_length,
            sequence_combiner=sequence_combiner,
            trainable=trainable,
            name=name,
            dtype=dtype,
            dynamic=dynamic,
            l2_batch_regularization_factor=embeddings_l2_batch_regularization,
        )
        super().__init__(table, OneColumn(columns[0].name), post=post, name=name, dtype=dtype, **kwargs)

    @property
    def table(self) -> EmbeddingTable:
        """The embedding table."""
        return self.blocks[0]

    def to_dataset(self, gpu: bool | None = None) -> Dataset:
        """Returns the rows of the table as a `merlin.io.Dataset`, one for each id; see `EmbeddingTable.to_df`."""
        return self.table.to_dataset(gpu)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, object] | None = None) -> Self:
        """Creates the encoder from the configuration that `get_config` returned."""
        config_values = dict(config)
        frozen = config_values.pop("frozen", [])
        with sharing():
            arguments = from_config(config_values)
        table, _ = arguments.pop("blocks")
        arguments.pop("schema")
        encoder = cls(table.schema, table.dim, table=table, **arguments)
        encoder._freezer().freeze_indices(frozen)
        return encoder


@keras.saving.register_keras_serializable("emrys")
class OneColumn(Block):
    """Selects one tensor of a dictionary.

    Args:
        column: Its name.
    """

    def __init__(self, column: str, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.column = column

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the tensor."""
        return inputs[self.column]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the tensor."""
        return as_shape(input_shape)[self.column]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "column": self.column}

"""`Encoder`: features of a query or a candidate to a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.calling import StepContext, call_layer
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.models.model import Model
from emrys.blocks.retrieval.encoding import Data, encode_frame, index_column

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class Encoder(Model):
    """One side of a retrieval model: from features to a vector.

    It is trained as a part of a model such as `RetrievalModelV2`; `predict` and `encode` work on its own.

    Args:
        inputs: The input block, or a schema, for which an `InputBlockV2` is created.
        *blocks: Layers after it.
        pre: Layer before all of them. Default: none.
        post: Layer after the last one. Default: none.
        prep_features: Whether scalars may come as (B,) and lists as two tensors, `<name>__values` and
            `<name>__offsets`. Default: True.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        The output of the last block, (B, D).

    Raises:
        SchemaError: if `inputs` has no schema.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("user_id", num_items=10)])
        >>> import numpy as np
        >>> tuple(mm.Encoder(schema, mm.MLPBlock([4]))({"user_id": np.array([[1], [2]])}).shape)
        (2, 4)
    """

    #: Whether the inputs must have a schema.
    needs_schema = True

    def __init__(
        self,
        inputs: Schema | keras.layers.Layer,
        *blocks: keras.layers.Layer,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        prep_features: bool = True,
        **kwargs: Any,
    ) -> None:
        schema_argument = kwargs.pop("schema", None)
        first = InputBlockV2(inputs) if isinstance(inputs, Schema) else inputs
        schema = inputs if isinstance(inputs, Schema) else schema_argument
        super().__init__(first, *blocks, pre=pre, post=post, schema=schema, prep_features=prep_features, **kwargs)
        # Without `compile`, Keras would compile predictions with XLA, again for each number of list elements.
        self.jit_compile = False
        if self.needs_schema and self.schema is None:
            raise SchemaError(
                f"{type(self).__name__} does not know which columns it reads",
                expected="a schema, or an input block that has one",
                got=type(inputs).__name__,
            )

    @property
    def to_call(self) -> Iterator[keras.layers.Layer]:
        """The layers in the order in which they are called."""
        return iter(self._chain())

    @property
    def has_schema(self) -> bool:
        """Whether the encoder has a schema."""
        return self.schema is not None

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        context: StepContext | None = None,
    ) -> Any:
        """Encodes a batch; `targets` are passed to the blocks that ask for them, `context` has no effect."""
        features = self.prepared(inputs)
        outputs = features
        for layer in self._chain():
            outputs = call_layer(layer, outputs, training=training, testing=testing, features=features, targets=targets)
        return outputs

    def encode(
        self, dataset: Data, index: str | ColumnSchema | Schema | Tags, batch_size: int, **kwargs: object
    ) -> Dataset:
        """Encodes all rows of a data set.

        Args:
            dataset: A `merlin.io.Dataset`, a `Loader`, an Arrow table, or paths of Parquet files.
            index: Column to index the result by: a name, a column, a schema of one, or a tag of one.
            batch_size: Rows of a batch.
            **kwargs: Further arguments of `batch_predict`, or of a subclass's.

        Returns:
            A data set with columns `"0"` to `"D - 1"`, indexed by the column.
        """
        column = index_column(index, self.schema)
        return self.batch_predict(dataset, batch_size, output_schema=Schema([column]), index=column, **kwargs)

    def batch_predict(
        self,
        dataset: Data,
        batch_size: int,
        output_schema: Schema | None = None,
        index: str | ColumnSchema | Schema | Tags | None = None,
        **kwargs: object,
    ) -> Dataset:
        """Predicts for all rows of a data set, in order.

        Args:
            dataset: A `merlin.io.Dataset`, a `Loader`, an Arrow table, or paths of Parquet files.
            batch_size: Rows of a batch; a `Loader` has its own.
            output_schema: Columns of the data to keep beside the predictions. Default: all.
            index: Column to index the result by. Default: none.
            **kwargs: Further arguments of a subclass. `output_concat_func` is accepted, without effect.

        Returns:
            A data set, in memory: the kept columns and, behind them, `"0"` to `"D - 1"`.

        Raises:
            DataError: if the data lacks a column.
            SchemaError: if the index is not one column.
            ConfigError: if there is another argument.
        """
        if unknown := sorted(set(kwargs) - {"output_concat_func"}):
            raise ConfigError(f"{self.name}: {unknown[0]} is no argument of encode and batch_predict")
        from merlin.io import Dataset  # imported here: it starts Dask

        column = None if index is None else index_column(index, self.schema)
        keep = None if output_schema is None else list(output_schema.column_names)
        if keep is not None and column is not None and column not in keep:
            keep.append(column)
        frame = encode_frame(self, dataset, batch_size=batch_size, keep=keep)
        return Dataset(frame if column is None else frame.set_index(column))

    def train_step(self, data: object) -> NoReturn:
        """Raises an error: an encoder is trained as a part of a model."""
        raise _not_trained(self)

    def fit(self, *args: object, **kwargs: object) -> NoReturn:
        """Raises an error: an encoder is trained as a part of a model.

        Raises:
            ConfigError: always.
        """
        raise _not_trained(self)


def _not_trained(encoder: Encoder) -> ConfigError:
    return ConfigError(
        f"{type(encoder).__name__} is not trained by itself",
        fix="Train a model that it is a part of, such as RetrievalModelV2.",
    )

"""`Continuous`: selection of the continuous features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.calling import Shape
from emrys.blocks.core.tabular import Filter


@keras.saving.register_keras_serializable("emrys")
class Continuous(Filter):
    """Keeps the continuous features of a batch, and gives lists of numbers a last axis of size 1.

    So they can be concatenated with the embeddings of lists, in training and serving alike.

    Args:
        inputs: The features: a schema, or another argument of `Filter`. Default: those tagged CONTINUOUS.
        is_input: See `TabularBlock`. Default: True.
        **kwargs: The other arguments of `Filter` and `TabularBlock`, such as `aggregation`, `pre` and `post`.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        Dictionary of the continuous ones, (B, 1) each, lists (B, L, 1); or their aggregation.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> import numpy as np
        >>> schema = Schema([mm.create_continuous_column("price")])
        >>> list(mm.Continuous(schema)({"price": np.ones((2, 1)), "id": np.ones((2, 1))}))
        ['price']
    """

    def __init__(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor] = None,
        is_input: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(Tags.CONTINUOUS if inputs is None else inputs, is_input=is_input, **kwargs)

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> dict[str, Any]:
        """Returns the continuous features."""
        lists = list_columns(self.schema)
        return {name: list_of_vectors(value, name in lists) for name, value in super().transform(inputs).items()}

    def transform_shape(self, shape: Shape) -> Shape:
        """Returns the shapes of the continuous features."""
        lists = list_columns(self.schema)
        return {name: list_shape(value, name in lists) for name, value in super().transform_shape(shape).items()}


def list_columns(schema: Schema | None) -> set[str]:
    """Names of the columns whose rows are lists of numbers; pretrained vectors are not."""
    return {column.name for column in schema or () if column.is_list and Tags.EMBEDDING not in column.tags}


def list_of_vectors(values: tf.Tensor | tf.RaggedTensor, is_list: bool = False) -> Any:
    """Gives lists of numbers, (B, L), a last axis of size 1; other tensors are unchanged.

    Args:
        values: The feature.
        is_list: Whether it is a list if it is dense; ragged tensors are. Default: False.
    """
    is_list = (is_list or isinstance(values, tf.RaggedTensor)) and len(values.shape) == 2
    return tf.expand_dims(values, -1) if is_list else values


def list_shape(shape: Shape, is_list: bool = False) -> Shape:
    """The shape of what `list_of_vectors` returns."""
    return (*shape, 1) if len(shape) == 2 and (is_list or shape[1] is None) else shape

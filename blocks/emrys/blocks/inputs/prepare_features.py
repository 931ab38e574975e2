"""`PrepareFeatures`: features and targets in a uniform shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.core.block import block_registry
from emrys.blocks.core.calling import Shape
from emrys.blocks.inputs.prepare_list_features import PrepareListFeatures


@block_registry.register("prepare_features")
@keras.saving.register_keras_serializable("emrys")
class PrepareFeatures(PrepareListFeatures):
    """Prepares lists as `PrepareListFeatures` does, and gives scalars, and targets, the shape (B, 1).

    It is idempotent: applying it twice gives the same result.

    Args:
        schema: The columns. Features that are not in it are passed on as they are; targets may be missing from it.
        list_as_dense: See `PrepareListFeatures`. Default: False.

    Input shape:
        See `PrepareListFeatures`; scalars (B,) or (B, 1). Targets: a tensor or a dictionary of tensors, (B,) or more.

    Output shape:
        Dictionary by feature name: scalars (B, 1), lists ragged (B, None, 1) or dense (B, L, 1). With targets, a pair
        of that and the targets, (B, 1).

    Raises:
        ConfigError: if `schema` is no schema.
        SchemaError: if one of the two tensors of a list column is missing.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> layer = mm.PrepareFeatures(Schema([mm.create_continuous_column("age")]))
        >>> layer({"age": np.array([3.0, 4.0])})["age"].numpy().tolist()
        [[3.0], [4.0]]
    """

    def call(self, inputs: dict[str, tf.Tensor], targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None) -> Any:
        """Returns the features in their new form, and the targets where there are any."""
        prepared = super().call(inputs)
        if targets is None:
            return prepared
        if isinstance(targets, dict):
            return prepared, {name: _beside(target) for name, target in targets.items()}
        return prepared, _beside(targets)

    def _one(self, column: ColumnSchema, tensor: Any) -> Any:
        prepared = super()._one(column, tensor)
        return prepared if isinstance(prepared, tf.RaggedTensor) else _beside(prepared)

    def _one_shape(self, column: ColumnSchema, shape: tuple[int | None, ...]) -> Shape:
        prepared = super()._one_shape(column, shape)
        return (*prepared, 1) if len(prepared) == 1 else prepared


def _beside(tensor: Any) -> Any:
    return tf.expand_dims(tensor, -1) if len(tensor.shape) == 1 else tensor

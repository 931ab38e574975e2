"""Features as sparse tensors."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Schema

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.transforms.list_forms import as_sparse, joined, joined_shape


@keras.saving.register_keras_serializable("emrys")
class ToSparse(Block):
    """Makes features sparse: of a ragged one all values are kept, of a dense one those that are not 0.

    Args:
        schema: The columns that are changed. Default: all features.

    Input shape:
        Dictionary by feature name: ragged (B, None), sparse, dense (B, L), or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same, `tf.SparseTensor` of shape (B, L).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ToSparse()({"genres": np.array([[3, 0, 7]])})["genres"].indices.numpy().tolist()
        [[0, 0], [0, 2]]
    """

    def __init__(self, schema: Schema | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._columns = schema

    @property
    def schema(self) -> Schema | None:
        """The columns that are changed, None for all."""
        return self._columns

    def call(self, inputs: Any) -> Any:
        """Makes the features sparse."""
        if not isinstance(inputs, dict):
            return as_sparse(inputs)
        names = None if self._columns is None else self._columns.column_names
        return {
            name: as_sparse(tensor) if names is None or name in names else tensor
            for name, tensor in joined(inputs).items()
        }

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shapes of the features."""
        return joined_shape(input_shape) if isinstance(input_shape, dict) else as_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._columns)}

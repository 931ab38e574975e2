"""Lists as dense tensors."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Schema

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.transforms.list_forms import as_dense, joined, joined_shape


@keras.saving.register_keras_serializable("emrys")
class ToDense(Block):
    """Makes ragged and sparse features dense, padded with 0 on the right.

    Args:
        schema: The columns that are changed; their lists are padded, or cut at the end, to the most values that the
            schema allows. Default: all features, padded to the longest list of the batch.

    Input shape:
        Dictionary by feature name: ragged (B, None), sparse, dense, or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same with (B, L) for lists; dense tensors stay.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> mm.ToDense()({"genres": tf.ragged.constant([[3, 5, 7], [2]])})["genres"].numpy().tolist()
        [[3, 5, 7], [2, 0, 0]]
    """

    def __init__(self, schema: Schema | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._columns = schema

    @property
    def schema(self) -> Schema | None:
        """The columns that are changed, None for all."""
        return self._columns

    def call(self, inputs: Any) -> Any:
        """Makes the features dense."""
        if not isinstance(inputs, dict):
            return as_dense(inputs)
        features = joined(inputs)
        if self._columns is None:
            return {name: as_dense(tensor) for name, tensor in features.items()}
        return {
            name: as_dense(tensor, self._length(name)) if name in self._columns.column_names else tensor
            for name, tensor in features.items()
        }

    def _length(self, name: str) -> int | None:
        if self._columns is None or name not in self._columns.column_names:
            return None
        longest = (self._columns[name].properties.get("value_count") or {}).get("max")
        return int(longest) if longest else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes with the list lengths of the schema."""
        if not isinstance(input_shape, dict):
            return as_shape(input_shape)
        return {name: self._shape(name, shape) for name, shape in joined_shape(input_shape).items()}

    def _shape(self, name: str, shape: tuple[int | None, ...]) -> Shape:
        open_length = len(shape) > 1 and shape[1] is None
        return (shape[0], self._length(name), *shape[2:]) if open_length else shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._columns)}

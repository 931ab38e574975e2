"""Features stacked into one tensor."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.aggregation import TabularAggregation, aggregation_registry, shapes_in_order
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError


@aggregation_registry.register("stack")
@keras.saving.register_keras_serializable("emrys")
class StackFeatures(TabularAggregation):
    """Stacks tensors of one shape along a new axis, in alphabetical order of their names.

    Args:
        axis: Where the new axis is. Default: -1.
        output_dtype: Type of the result. Default: `"float32"`.

    Input shape:
        Dictionary of F tensors (B, D).

    Output shape:
        (B, D, F) for `axis=-1`, (B, F, D) for `axis=1`.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.StackFeatures(axis=1)({"b": np.ones((1, 2)), "a": np.zeros((1, 2))}).numpy().tolist()
        [[[0.0, 0.0], [1.0, 1.0]]]
    """

    def __init__(self, axis: int = -1, output_dtype: str = "float32", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.output_dtype = keras.backend.standardize_dtype(output_dtype)

    def combine(self, values: list[Any]) -> Any:
        """Stacks `values`."""
        return tf.stack([tf.cast(value, self.output_dtype) for value in values], axis=self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape with the new axis."""
        if not isinstance(input_shape, dict):
            return as_shape(input_shape)
        shapes = shapes_in_order(self, input_shape)
        if len({shape[1:] for shape in shapes}) > 1:
            named = ", ".join(f"{name} {as_shape(input_shape)[name]}" for name in sorted(input_shape))
            raise ConfigError(
                f"{self.name} needs tensors of one shape", got=named, fix="Give all embeddings one dimension."
            )
        result = list(shapes[0])
        result.insert(self.axis if self.axis >= 0 else len(result) + 1 + self.axis, len(shapes))
        return tuple(result)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis, "output_dtype": self.output_dtype}

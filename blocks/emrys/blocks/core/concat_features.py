"""Features side by side."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.aggregation import TabularAggregation, aggregation_registry, any_mask, shapes_in_order
from emrys.blocks.core.calling import Shape, as_shape


@aggregation_registry.register("concat")
@keras.saving.register_keras_serializable("emrys")
class ConcatFeatures(TabularAggregation):
    """Concatenates tensors, in alphabetical order of their names.

    Args:
        axis: Along which axis. Default: -1.
        output_dtype: Type of the result. Default: `"float32"`.

    Input shape:
        Dictionary of tensors that differ along `axis` alone, such as (B, D_1), (B, D_2), …; dense, ragged or sparse.

    Output shape:
        (B, D_1 + D_2 + …), sparse where all inputs are.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ConcatFeatures()({"b": np.ones((1, 2)), "a": np.zeros((1, 1))}).numpy().tolist()
        [[0.0, 1.0, 1.0]]
    """

    def __init__(self, axis: int = -1, output_dtype: str = "float32", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True
        self.output_dtype = keras.backend.standardize_dtype(output_dtype)

    def combine(self, values: list[Any]) -> Any:
        """Concatenates `values`."""
        values = [tf.cast(value, self.output_dtype) for value in values]
        sparse = [isinstance(value, tf.SparseTensor) for value in values]
        if all(sparse):
            return tf.sparse.concat(self.axis, values)
        values = [
            tf.sparse.to_dense(value) if is_sparse else value for value, is_sparse in zip(values, sparse, strict=True)
        ]
        return tf.concat(values, axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where the mask of any of the lists is; None where they are not side by side on the last axis."""
        return any_mask(previous_mask) if self.axis == -1 else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape with the sizes along `axis` added up."""
        if not isinstance(input_shape, dict):
            return as_shape(input_shape)
        shapes = shapes_in_order(self, input_shape)
        sizes = [shape[self.axis] for shape in shapes]
        result = list(shapes[0])
        result[self.axis] = None if None in sizes else sum(size for size in sizes if size is not None)
        return tuple(result)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis, "output_dtype": self.output_dtype}

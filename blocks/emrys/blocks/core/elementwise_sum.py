"""Features added up."""

from __future__ import annotations

import functools
import operator
from typing import Any

import keras

from emrys.blocks.core.aggregation import TabularAggregation, aggregation_registry, any_mask
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.one_shape import one_shape


@aggregation_registry.register_with_multiple_names("element-wise-sum", "sum")
@keras.saving.register_keras_serializable("emrys")
class ElementwiseSum(TabularAggregation):
    """Adds tensors of one shape up, element by element: `Σ_f x_f`.

    Input shape:
        Dictionary of F tensors (B, D).

    Output shape:
        (B, D)

    Raises:
        ConfigError: when built, if the shapes differ.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ElementwiseSum()({"a": np.array([[1.0, 2.0]]), "b": np.array([[10.0, 20.0]])}).numpy().tolist()
        [[11.0, 22.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where the mask of any of the lists is."""
        return any_mask(previous_mask)

    def build(self, input_shape: Shape) -> None:
        """Checks the shapes."""
        self.compute_output_shape(input_shape)
        self.built = True

    def combine(self, values: list[Any]) -> Any:
        """Adds `values` up."""
        return functools.reduce(operator.add, values)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape that all inputs have."""
        return one_shape(self, input_shape) if isinstance(input_shape, dict) else as_shape(input_shape)

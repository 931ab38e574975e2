"""Two features multiplied."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.aggregation import aggregation_registry
from emrys.blocks.core.pair_aggregation import PairAggregation


@aggregation_registry.register("elementwise-multiply")
@keras.saving.register_keras_serializable("emrys")
class ElementWiseMultiply(PairAggregation):
    """Multiplies two tensors element by element: `x ⊙ y`.

    Input shape:
        Dictionary of two tensors (B, D), or two arguments (B, D).

    Output shape:
        (B, D)

    Raises:
        ConfigError: when built, if there are not two tensors of one shape.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ElementWiseMultiply()({"a": np.array([[1.0, 2.0]]), "b": np.array([[3.0, 4.0]])}).numpy().tolist()
        [[3.0, 8.0]]
    """

    def combine_pair(self, left: Any, right: Any) -> Any:
        """Multiplies both."""
        return left * right

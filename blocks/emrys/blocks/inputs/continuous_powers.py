"""`ContinuousPowers`: square roots and squares of continuous features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import block_registry
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.tabular import TabularBlock
from emrys.blocks.errors import ConfigError


@block_registry.register("continuous-powers")
@keras.saving.register_keras_serializable("emrys")
class ContinuousPowers(TabularBlock):
    """Adds `√x` and `x²` of each scalar feature `x`, as `<name>_sqrt` and `<name>_pow`; lists are unchanged.

    The root of a number below 0 is nan: scale features to [0, 1] first, as the paper does.

    Args:
        pre: See `TabularBlock`. Default: none.
        post: See `TabularBlock`. Default: none.
        aggregation: Aggregation of the result to one tensor, such as `"concat"`. Default: none.
        schema: The columns that the block reads. Default: unknown.
        name: Name of the block.
        is_input: See `TabularBlock`. Default: False.

    Input shape:
        Dictionary of tensors (B, 1) or lists, by feature name.

    Output shape:
        Dictionary of the same and, for each (B, 1), two more (B, 1); or its aggregation.

    Raises:
        ConfigError: when built, if the input is no dictionary.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ContinuousPowers(aggregation="concat")({"age": np.array([[0.25]])}).numpy().tolist()
        [[0.25, 0.0625, 0.5]]

    Reference:
        Covington, Adams, Sargin, "Deep Neural Networks for YouTube Recommendations", RecSys 2016,
        https://doi.org/10.1145/2959100.2959190.
    """

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> dict[str, Any]:
        """Returns the features and their powers."""
        outputs: dict[str, Any] = {}
        for name, value in inputs.items():
            outputs[name] = value
            if _is_scalar(value.shape):
                scalar = tf.cast(value, self.compute_dtype)
                outputs |= {f"{name}_sqrt": tf.sqrt(scalar), f"{name}_pow": tf.square(scalar)}
        return outputs

    def transform_shape(self, shape: Shape) -> dict[str, Any]:
        """Returns the shapes of the features and their powers."""
        if not isinstance(shape, dict):
            raise ConfigError(f"{self.name} reads features by name", expected="a dictionary", got=f"shape {shape}")
        output_shapes: dict[str, Any] = {}
        for name, feature_shape in shape.items():
            output_shapes[name] = feature_shape
            if _is_scalar(feature_shape):
                output_shapes |= {f"{name}_sqrt": feature_shape, f"{name}_pow": feature_shape}
        return output_shapes


def _is_scalar(shape: Any) -> bool:
    return len(shape) < 2 or (len(shape) == 2 and shape[1] == 1)

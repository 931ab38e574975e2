"""Dynamic loss scaling for models with embedding tables."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("emrys")
class LazyLossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Keras' loss scaling for float16, checking only the rows of a batch for inf and NaN instead of whole tables.

    `Model.compile` wraps the optimizer of a model with embeddings in it under the policy `"mixed_float16"`.

    Args:
        inner_optimizer: The optimizer that applies the unscaled gradients.
        initial_scale: Initial loss scale. Default: 32,768.
        dynamic_growth_steps: Steps without inf or NaN after which the scale is doubled. Default: 2,000.
        name: Name of the optimizer.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.LazyLossScaleOptimizer(mm.LazyAdam()).initial_scale
        32768.0
    """

    def check_finite(self, grads: list[tf.Tensor | tf.IndexedSlices | None]) -> Any:
        """Whether all gradients are finite, a boolean scalar."""
        values = [each.values if isinstance(each, tf.IndexedSlices) else each for each in grads if each is not None]
        return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(each)) for each in values]))

"""Adam with sparse updates of embedding tables."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.optimizers.lazy_optimizer import LazyOptimizer, LearningRate, OptimizerArguments


@keras.saving.register_keras_serializable("emrys")
class LazyAdam(LazyOptimizer, keras.optimizers.Adam):
    """Adam that updates only the rows of embedding tables that a batch looks up.

    With the gradient g and the step t, for the rows of the batch only:
    m <- m + (1 - beta_1) (g - m); v <- v + (1 - beta_2) (g^2 - v);
    w <- w - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon).

    Keras' Adam updates every row in every step, from the moments of earlier gradients, so its time grows with the
    tables. For dense gradients, both give the same results.

    Args:
        learning_rate: A number, a schedule, or a function without arguments. Default: 0.001.
        beta_1: Decay rate of the mean of the gradients. Default: 0.9.
        beta_2: Decay rate of the mean of the squared gradients. Default: 0.999.
        epsilon: Added to the square root, against division by zero. Default: 1e-7.
        amsgrad: Whether to use the maximum of v so far instead of v. Default: False.
        name: Name of the optimizer.
        **kwargs: The other arguments of `keras.optimizers.Optimizer`, such as `clipnorm`; see `LazyOptimizer`.

    Raises:
        ConfigError: if beta_1 or beta_2 is outside [0, 1).

    Example:
        >>> import emrys.blocks as mm
        >>> mm.LazyAdam(0.01).get_config()["beta_1"]
        0.9

    Source:
        Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        name: str = "LazyAdam",
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        for argument, value in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= value < 1:
                raise ConfigError(f"LazyAdam: {argument}", expected="a number from 0 to below 1", got=repr(value))
        super().__init__(
            learning_rate=float(learning_rate) if isinstance(learning_rate, int) else learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            name=name,
            **kwargs,
        )

    def slot_values(self) -> tuple[float, ...]:
        """Initial values of both moments and, with `amsgrad`, of the maximum of the second."""
        return (0.0,) * (3 if self.amsgrad else 2)

    def rate(self, learning_rate: tf.Tensor) -> Any:
        """The learning rate with the bias correction of both moments."""
        step = tf.cast(self.iterations + 1, tf.float32)
        # Betas rounded to float32 here and in `step`, so that the rounding errors cancel out.
        beta_1, beta_2 = np.float32(self.beta_1), np.float32(self.beta_2)
        return learning_rate * tf.sqrt(1 - beta_2**step) / (1 - beta_1**step)

    def step(self, gradient: tf.Tensor, slots: tf.Tensor, rate: tf.Tensor) -> tuple[Any, Any]:
        """The Adam update."""
        width = gradient.shape[1]
        means, maximum = tf.split(slots, [2 * width, width], axis=1) if self.amsgrad else (slots, None)
        # Both moments in one operation: with many small tables, the number of operations is what costs time.
        share = np.repeat(1 - np.array([self.beta_1, self.beta_2], gradient.dtype.as_numpy_dtype), width)
        means += (tf.concat([gradient, tf.square(gradient)], axis=1) - means) * share
        momentum, velocity = tf.split(means, 2, axis=1)
        if maximum is None:
            return rate * momentum / (tf.sqrt(velocity) + self.epsilon), means
        maximum = tf.maximum(maximum, velocity)
        return rate * momentum / (tf.sqrt(maximum) + self.epsilon), tf.concat([means, maximum], axis=1)

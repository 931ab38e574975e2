"""Adam for embedding tables."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.optimizers.lazy_optimizer import LazyOptimizer


@keras.saving.register_keras_serializable("emrys")
class LazyAdam(LazyOptimizer, keras.optimizers.Adam):
    """Adam that leaves rows of embedding tables alone which a batch does not look up.

    With g the gradient and t the number of the step, of the rows of the batch only:
    m <- m + (1 - beta_1) (g - m); v <- v + (1 - beta_2) (g^2 - v);
    w <- w - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon).

    Adam itself moves every row at every step, by what it remembers of earlier gradients, and so takes time that grows
    with the tables. Where no gradient names rows, both are the same.

    Args:
        learning_rate: A number, a schedule, or a function without arguments. Default: 0.001.
        beta_1: How much of the mean of the gradients is kept. Default: 0.9.
        beta_2: How much of the mean of their squares is kept. Default: 0.999.
        epsilon: Added to the root, against division by zero. Default: 1e-7.
        amsgrad: Whether the greatest v so far takes the place of v. Default: False.
        name: Name of the optimizer.
        **kwargs: The other arguments of `keras.optimizers.Optimizer`, such as `clipnorm`; see `LazyOptimizer`.

    Raises:
        ConfigError: if beta_1 or beta_2 is not from 0 to below 1.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.LazyAdam(0.01).get_config()["beta_1"]
        0.9

    Source:
        Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        name: str = "LazyAdam",
        **kwargs: Any,
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
        """Those of the means of the gradients and of their squares, and of the greatest of these for `amsgrad`."""
        return (0.0,) * (3 if self.amsgrad else 2)

    def rate(self, learning_rate: Any) -> Any:
        """The learning rate, corrected for means that started from zero."""
        number = tf.cast(self.iterations + 1, tf.float32)
        # 1 - beta of rounded numbers here and in `step`: the rounding cancels out.
        beta_1, beta_2 = np.float32(self.beta_1), np.float32(self.beta_2)
        return learning_rate * tf.sqrt(1 - beta_2**number) / (1 - beta_1**number)

    def step(self, gradient: Any, slots: Any, rate: Any) -> tuple[Any, Any]:
        """One step of Adam."""
        width = gradient.shape[1]
        means, greatest = tf.split(slots, [2 * width, width], axis=1) if self.amsgrad else (slots, None)
        # Both means in one go: what many small tables cost is the number of operations.
        share = np.repeat(1 - np.array([self.beta_1, self.beta_2], gradient.dtype.as_numpy_dtype), width)
        means += (tf.concat([gradient, tf.square(gradient)], axis=1) - means) * share
        momentum, velocity = tf.split(means, 2, axis=1)
        if greatest is None:
            return rate * momentum / (tf.sqrt(velocity) + self.epsilon), means
        greatest = tf.maximum(greatest, velocity)
        return rate * momentum / (tf.sqrt(greatest) + self.epsilon), tf.concat([means, greatest], axis=1)

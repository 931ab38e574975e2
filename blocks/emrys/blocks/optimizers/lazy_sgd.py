"""Gradient descent with sparse updates of embedding tables."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.optimizers.lazy_optimizer import LazyOptimizer, LearningRate, OptimizerArguments


@keras.saving.register_keras_serializable("emrys")
class LazySGD(LazyOptimizer, keras.optimizers.SGD):
    """Gradient descent that reads and writes only the rows of a batch.

    w <- w - learning_rate g; with momentum m <- momentum m - learning_rate g and w <- w + m, or, with `nesterov`,
    w <- w + momentum m - learning_rate g.

    Without momentum the results are those of Keras' SGD; with momentum, rows outside the batch are not updated.
    `compile("sgd")` selects this class.

    Args:
        learning_rate: A number, a schedule, or a function without arguments. Default: 0.01.
        momentum: Share of the previous update that is added to the next. Default: 0.
        nesterov: Whether to use Nesterov momentum. Default: False.
        name: Name of the optimizer.
        **kwargs: The other arguments of `keras.optimizers.Optimizer`, such as `clipnorm`; see `LazyOptimizer`.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.LazySGD(0.1).get_config()["momentum"]
        0.0
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str = "LazySGD",
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(
            learning_rate=float(learning_rate) if isinstance(learning_rate, int) else learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            name=name,
            **kwargs,
        )

    def slot_values(self) -> tuple[float, ...]:
        """Initial value of the previous update, if there is momentum."""
        return (0.0,) if self.momentum else ()

    def step(self, gradient: tf.Tensor, slots: tf.Tensor, rate: tf.Tensor) -> tuple[Any, Any]:
        """The gradient descent update."""
        plain = rate * gradient
        if slots is None:
            return plain, None
        update = self.momentum * slots - plain
        decrease = plain - self.momentum * update if self.nesterov else -update
        return decrease, update

"""Adagrad with sparse updates of embedding tables."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.optimizers.lazy_optimizer import LazyOptimizer, LearningRate, OptimizerArguments


@keras.saving.register_keras_serializable("emrys")
class LazyAdagrad(LazyOptimizer, keras.optimizers.Adagrad):
    """Adagrad that reads and writes only the rows of a batch, with the same results as Keras' Adagrad.

    a <- a + g^2; w <- w - learning_rate g / sqrt(a + epsilon).

    Keras' Adagrad reads the accumulators of all rows in every step. `compile("adagrad")` selects this class.

    Args:
        learning_rate: A number, a schedule, or a function without arguments. Default: 0.001.
        initial_accumulator_value: Initial value of the sums of squares. Default: 0.1.
        epsilon: Added under the square root. Default: 1e-7.
        name: Name of the optimizer.
        **kwargs: The other arguments of `keras.optimizers.Optimizer`, such as `clipnorm`; see `LazyOptimizer`.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.LazyAdagrad().get_config()["initial_accumulator_value"]
        0.1

    Source:
        Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, 2011.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-07,
        name: str = "LazyAdagrad",
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(
            learning_rate=float(learning_rate) if isinstance(learning_rate, int) else learning_rate,
            initial_accumulator_value=initial_accumulator_value,
            epsilon=epsilon,
            name=name,
            **kwargs,
        )

    def slot_values(self) -> tuple[float, ...]:
        """Initial value of the sum of squared gradients."""
        return (self.initial_accumulator_value,)

    def step(self, gradient: tf.Tensor, slots: tf.Tensor, rate: tf.Tensor) -> tuple[Any, Any]:
        """The Adagrad update."""
        total = slots + tf.square(gradient)
        return rate * gradient / tf.sqrt(total + self.epsilon), total

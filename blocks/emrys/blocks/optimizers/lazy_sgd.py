"""Gradient descent for embedding tables."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.optimizers.lazy_optimizer import LazyOptimizer


@keras.saving.register_keras_serializable("emrys")
class LazySGD(LazyOptimizer, keras.optimizers.SGD):
    """Gradient descent that reads and writes the rows of a batch only.

    w <- w - learning_rate g; with momentum m <- momentum m - learning_rate g and w <- w + m, or, with `nesterov`,
    w <- w + momentum m - learning_rate g.

    Without momentum the weights come out as with Keras' SGD; with it, rows outside a batch stay where they are.
    `compile("sgd")` of a model with embeddings means this class.

    Args:
        learning_rate: A number, a schedule, or a function without arguments. Default: 0.01.
        momentum: How much of the last step is kept. Default: 0.
        nesterov: Whether the momentum is Nesterov's. Default: False.
        name: Name of the optimizer.
        **kwargs: The other arguments of `keras.optimizers.Optimizer`, such as `clipnorm`; see `LazyOptimizer`.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.LazySGD(0.1).get_config()["momentum"]
        0.0
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str = "LazySGD",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate=float(learning_rate) if isinstance(learning_rate, int) else learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            name=name,
            **kwargs,
        )

    def slot_values(self) -> tuple[float, ...]:
        """That of the last step, where there is momentum."""
        return (0.0,) if self.momentum else ()

    def step(self, gradient: Any, slots: Any, rate: Any) -> tuple[Any, Any]:
        """One step of gradient descent."""
        down = rate * gradient
        if slots is None:
            return down, None
        moved = self.momentum * slots - down
        decrease = down - self.momentum * moved if self.nesterov else -moved
        return decrease, moved

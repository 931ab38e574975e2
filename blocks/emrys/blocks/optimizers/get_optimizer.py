"""Optimizers by name."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.optimizers.lazy_adagrad import LazyAdagrad
from emrys.blocks.optimizers.lazy_adam import LazyAdam
from emrys.blocks.optimizers.lazy_sgd import LazySGD

#: Names that do not mean Keras' own optimizers. Adam and RMSprop do: their lazy kinds give other weights.
_LAZY = {
    "sgd": LazySGD,
    "adagrad": LazyAdagrad,
    "lazysgd": LazySGD,
    "lazyadagrad": LazyAdagrad,
    "lazyadam": LazyAdam,
}


def get_optimizer(optimizer: Any) -> keras.optimizers.Optimizer:
    """Makes an optimizer of its name.

    Args:
        optimizer: A name: those of Keras, and `"lazy_adam"`, `"lazy_adagrad"` and `"lazy_sgd"`. `"sgd"` and `"adagrad"`
            are the lazy ones, which give the same weights in less time. Or a configuration, or an optimizer.

    Returns:
        A new optimizer with its default arguments, or the one given.
    """
    lazy = _LAZY.get(optimizer.lower().replace("_", "")) if isinstance(optimizer, str) else None
    return keras.optimizers.get(optimizer) if lazy is None else lazy()

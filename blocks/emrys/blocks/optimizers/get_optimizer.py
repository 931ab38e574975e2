"""Optimizers by name."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.optimizers.lazy_adagrad import LazyAdagrad
from emrys.blocks.optimizers.lazy_adam import LazyAdam
from emrys.blocks.optimizers.lazy_loss_scale_optimizer import LazyLossScaleOptimizer
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


def default_optimizer(model: Any) -> keras.optimizers.Optimizer:
    """The optimizer for a model for which none is named: `LazyAdam` if it has embeddings, otherwise RMSprop.

    Args:
        model: A model of blocks.
    """
    return LazyAdam() if has_tables(model) else keras.optimizers.RMSprop()


def chosen_optimizer(optimizer: Any, model: Any, scale_loss: bool = True) -> keras.optimizers.Optimizer:
    """The optimizer that `compile` takes.

    Args:
        optimizer: An optimizer, its name, or None for `default_optimizer`.
        model: A model of blocks.
        scale_loss: Whether the loss is scaled under the policy `"mixed_float16"`. Default: True.
    """
    found = default_optimizer(model) if optimizer is None else get_optimizer(optimizer)
    follow = getattr(getattr(found, "inner_optimizer", found), "follow", None)
    if follow is not None:  # a MultiOptimizer finds its blocks in the model
        follow(model)
    scaled = scale_loss and model.dtype_policy.name == "mixed_float16"
    if scaled and has_tables(model) and not isinstance(found, keras.optimizers.LossScaleOptimizer):
        return LazyLossScaleOptimizer(found)
    return found


def has_tables(model: Any) -> bool:
    """Whether a model of blocks looks embeddings up."""
    kinds = (EmbeddingTable, keras.layers.Embedding)
    return any(isinstance(layer, kinds) for layer in layers_inside([model]))

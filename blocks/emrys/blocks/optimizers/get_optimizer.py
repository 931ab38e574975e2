"""Optimizers by name, and the default optimizer of a model."""

from __future__ import annotations

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.optimizers.lazy_adagrad import LazyAdagrad
from emrys.blocks.optimizers.lazy_adam import LazyAdam
from emrys.blocks.optimizers.lazy_loss_scale_optimizer import LazyLossScaleOptimizer
from emrys.blocks.optimizers.lazy_sgd import LazySGD

#: Names that select a lazy optimizer. "adam" and "rmsprop" select Keras' own: their lazy variants differ in results.
_LAZY = {
    "sgd": LazySGD,
    "adagrad": LazyAdagrad,
    "lazysgd": LazySGD,
    "lazyadagrad": LazyAdagrad,
    "lazyadam": LazyAdam,
}


def get_optimizer(optimizer: str | dict[str, object] | keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer for a name or a configuration.

    Args:
        optimizer: A name of Keras, or `"lazy_adam"`, `"lazy_adagrad"` or `"lazy_sgd"`. `"sgd"` and `"adagrad"` select
            the lazy ones, which give the same results in less time. Or a configuration, or an optimizer.

    Returns:
        A new optimizer with default arguments for a name; an optimizer is returned unchanged.
    """
    lazy = _LAZY.get(optimizer.lower().replace("_", "")) if isinstance(optimizer, str) else None
    return keras.optimizers.get(optimizer) if lazy is None else lazy()


def default_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """The optimizer of a model that is compiled without one: `LazyAdam` if it has embeddings, otherwise RMSprop.

    Merlin Models takes RMSprop for all (docs/coming-from-merlin-models.md).

    Args:
        model: The model.
    """
    return LazyAdam() if has_tables(model) else keras.optimizers.RMSprop()


def chosen_optimizer(
    optimizer: str | dict[str, object] | keras.optimizers.Optimizer, model: keras.Model, scale_loss: bool = True
) -> keras.optimizers.Optimizer:
    """The optimizer for `Model.compile`.

    Args:
        optimizer: An optimizer, its name, or None for `default_optimizer`.
        model: The model.
        scale_loss: Whether to scale the loss under the policy `"mixed_float16"`. Default: True.
    """
    chosen = default_optimizer(model) if optimizer is None else get_optimizer(optimizer)
    follow = getattr(getattr(chosen, "inner_optimizer", chosen), "follow", None)
    if follow is not None:  # a MultiOptimizer needs the order of the model's variables
        follow(model)
    scaled = scale_loss and model.dtype_policy.name == "mixed_float16"
    if scaled and has_tables(model) and not isinstance(chosen, keras.optimizers.LossScaleOptimizer):
        return LazyLossScaleOptimizer(chosen)
    return chosen


def has_tables(model: keras.Model) -> bool:
    """Whether a model contains embedding tables."""
    tables = (EmbeddingTable, keras.layers.Embedding)
    return any(isinstance(layer, tables) for layer in layers_inside([model]))

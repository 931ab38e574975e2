"""The optimizer of a model for which `compile` names none, or only a name."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.optimizers.get_optimizer import get_optimizer
from emrys.blocks.optimizers.lazy_adam import LazyAdam
from emrys.blocks.optimizers.lazy_loss_scale_optimizer import LazyLossScaleOptimizer
from emrys.blocks.optimizers.multi_optimizer import MultiOptimizer


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
    parts = getattr(found, "inner_optimizer", found)
    if isinstance(parts, MultiOptimizer):
        parts.follow(model)
    scaled = scale_loss and model.dtype_policy.name == "mixed_float16"
    if scaled and has_tables(model) and not isinstance(found, keras.optimizers.LossScaleOptimizer):
        return LazyLossScaleOptimizer(found)
    return found


def has_tables(model: Any) -> bool:
    """Whether a model of blocks looks embeddings up."""
    kinds = (EmbeddingTable, keras.layers.Embedding)
    return any(isinstance(layer, kinds) for layer in layers_inside([model]))

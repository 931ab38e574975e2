"""A model's layers as lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator

import keras


def plain_summary(model: keras.Model) -> Iterator[str]:
    """The layers of a model with their classes and numbers of parameters, and the totals.

    Args:
        model: A model that has been built.
    """
    yield f'Model: "{model.name}"'
    names = [f"{layer.name} ({type(layer).__name__})" for layer in model.layers]
    width = max(map(len, names), default=0)
    for name, layer in zip(names, model.layers, strict=True):
        count = f"{layer.count_params():,}" if layer.built else "not built"
        yield f"  {name:<{width}}  {count:>14}"
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    yield f"Total params: {model.count_params():,} ({trainable:,} of them trained)"
